//! What the replica knows about one model: its dimensions, how it is sharded, and the moments of its norms.

/// Width of the residual stream of all nine: that is why the study could compare their norms at all.
pub(super) const HIDDEN: u64 = 4096;

/// Mean and coefficient of variation of a norm's gamma at one layer. Between two knots both are linear in the layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knot {
    /// The layer.
    pub(super) layer: u64,
    /// Mean of gamma.
    pub(super) mean: f64,
    /// Standard deviation over mean.
    pub(super) cv: f64,
}

/// Knots at layers 0, 1, 10, 20, 30 and `last`, from their means and coefficients of variation.
pub(super) const fn profile(last: u64, means: [f64; 6], cvs: [f64; 6]) -> Profile {
    let layers = [0, 1, 10, 20, 30, last];
    let mut knots = [Knot { layer: 0, mean: 0.0, cv: 0.0 }; 6];
    let mut at = 0;
    while at < 6 {
        knots[at] = Knot { layer: layers[at], mean: means[at], cv: cvs[at] };
        at += 1;
    }
    knots
}

/// Moments by layer; layer 0 stands apart and is never interpolated.
pub(super) type Profile = [Knot; 6];

/// What follows the attention block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mlp {
    /// One gated MLP.
    Dense {
        /// Its inner width.
        inner: u64,
    },
    /// `block_sparse_moe` with `w1`, `w2`, `w3` for each expert.
    Sparse {
        /// Number of experts.
        experts: u64,
        /// Inner width of each.
        inner: u64,
    },
    /// `mlp.experts` beside one shared expert; the first layers may be dense.
    Shared {
        /// Number of routed experts.
        experts: u64,
        /// Inner width of each.
        inner: u64,
        /// Layers below this one have a dense MLP.
        first_sparse: u64,
        /// Inner width of those dense layers.
        dense_inner: u64,
    },
}

/// How tensors are distributed over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharding {
    /// In layer order, a new file whenever the next tensor would pass this many bytes.
    Upto(u64),
    /// One file per layer.
    PerLayer,
}

/// One model of the study.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) id: &'static str,
    pub(super) architecture: &'static str,
    /// `model_type` of the config.
    pub(super) kind: &'static str,
    pub(super) license: &'static str,
    pub(super) layers: u64,
    /// Multi-token-prediction layers stored after the last one.
    pub(super) extra_layers: u64,
    /// Width of the residual stream.
    pub(super) hidden: u64,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    pub(super) head_dim: u64,
    pub(super) vocab: u64,
    pub(super) mlp: Mlp,
    /// Whether `q_proj`, `k_proj` and `v_proj` have a bias.
    pub(super) qkv_bias: bool,
    pub(super) rope_theta: f64,
    pub(super) max_position: u64,
    pub(super) sharding: Sharding,
    /// Whether the same weights lie beside the shards once more, in one file with the names of their makers.
    pub(super) consolidated: bool,
    /// Models of one lineage share the pattern of their norms, almost.
    pub(super) lineage: &'static str,
    pub(super) input: Profile,
    pub(super) post: Profile,
}

impl Model {
    /// Whether one matrix serves as embeddings and as output.
    pub(super) fn is_tied(&self) -> bool {
        self.kind == "qwen3"
    }

    /// Whether queries and keys pass a norm.
    pub(super) fn norms_queries(&self) -> bool {
        self.kind == "qwen3"
    }
}

/// Moments at a layer; beyond the last knot they stay as they are there.
pub(super) fn moments(profile: &Profile, layer: u64) -> Knot {
    let mut below = profile[0];
    for &above in profile {
        if above.layer >= layer {
            let steps = above.layer - below.layer;
            if layer == 0 || steps == 0 {
                return above;
            }
            let part = (layer - below.layer) as f64 / steps as f64;
            return Knot {
                layer,
                mean: below.mean + part * (above.mean - below.mean),
                cv: below.cv + part * (above.cv - below.cv),
            };
        }
        below = above;
    }
    Knot { layer, ..below }
}

#[cfg(test)]
mod tests {
    use super::{super::models::MODELS, *};

    #[test]
    fn moments_pass_through_their_knots_and_stay_put_beyond_them() {
        let solar = &MODELS[0].input;
        for knot in solar {
            let found = moments(solar, knot.layer);
            assert!((found.mean - knot.mean).abs() < 1e-12 && (found.cv - knot.cv).abs() < 1e-12, "{found:?}");
        }
        let middle = moments(solar, 15);
        assert!((middle.mean - f64::midpoint(0.2357, 0.322)).abs() < 1e-12);
        assert!((moments(solar, 60).mean - 0.30).abs() < 1e-12);
    }

    #[test]
    fn layers_are_in_order_in_every_profile() {
        for model in &MODELS {
            for profile in [&model.input, &model.post] {
                assert!(profile.windows(2).all(|pair| pair[0].layer < pair[1].layer), "{}", model.id);
            }
        }
    }
}
