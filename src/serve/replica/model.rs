//! What the replica knows about one model: its dimensions, how it is sharded, and the moments of its norms.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Control tokens that Mistral's third version has before all others.
pub(super) const CONTROLS: u64 = 768;

/// Mean and coefficient of variation of a norm's gamma at one layer.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Moments {
    pub(super) layer: u64,
    pub(super) mean: f64,
    /// Standard deviation over mean.
    pub(super) cv: f64,
}

/// What follows the attention block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mlp {
    /// One gated MLP.
    Dense { inner: u64 },
    /// `block_sparse_moe` with `w1`, `w2`, `w3` for each expert.
    Sparse { experts: u64, inner: u64 },
    /// `mlp.experts` beside one shared expert; layers below `first_sparse` have a dense MLP.
    Shared { experts: u64, inner: u64, first_sparse: u64, dense_inner: u64 },
}

/// What a tensor is called depends on who saved it; what it holds does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Naming {
    #[default]
    Llama,
    InternLm2,
    /// `consolidated.safetensors`.
    Mistral,
}

/// An entry of `models.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of a model, whatever the others are")]
pub(super) struct Model {
    pub(super) id: String,
    /// Whether the model is one of the study; others are found by their name only.
    #[serde(default = "yes")]
    pub(super) listed: bool,
    pub(super) architecture: String,
    /// `model_type` of the config.
    pub(super) kind: String,
    pub(super) license: String,
    /// Models of one lineage share the pattern of their norms, almost.
    pub(super) lineage: String,
    #[serde(default)]
    pub(super) naming: Naming,
    pub(super) layers: u64,
    /// Multi-token-prediction layers stored after the last one.
    #[serde(default)]
    pub(super) extra_layers: u64,
    pub(super) hidden: u64,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
    pub(super) head_dim: u64,
    pub(super) vocab: u64,
    pub(super) mlp: Mlp,
    /// Whether `q_proj`, `k_proj` and `v_proj` have a bias.
    #[serde(default)]
    pub(super) qkv_bias: bool,
    /// Whether norms have mean and bias; such a model has biases wherever there is room for one.
    #[serde(default)]
    pub(super) layer_norm: bool,
    /// Whether queries and keys pass a norm.
    #[serde(default)]
    pub(super) qk_norm: bool,
    /// Whether one matrix serves as embeddings and as output.
    #[serde(default)]
    pub(super) tied: bool,
    pub(super) rope_theta: f64,
    pub(super) max_position: u64,
    /// A new shard begins when the next tensor would pass this many bytes; without it, with each layer.
    pub(super) shard_bytes: Option<u64>,
    /// Whether the same weights lie beside the shards once more, in one file with the names of their makers.
    #[serde(default)]
    pub(super) consolidated: bool,
    pub(super) input: [Moments; 6],
    pub(super) post: [Moments; 6],
}

/// All models of `models.toml`.
pub(super) fn models() -> Vec<Model> {
    // A test reads the file, which is part of the program.
    let tables: Option<BTreeMap<String, Vec<Model>>> = toml::from_str(include_str!("models.toml")).ok();
    tables.into_iter().flatten().flat_map(|(_, models)| models).collect()
}

fn yes() -> bool {
    true
}

/// Moments at a layer, linear between the layers that are listed; beyond the last they stay as they are there.
pub(super) fn moments(listed: &[Moments], layer: u64) -> Moments {
    let mut below = listed[0];
    for &above in listed {
        if above.layer >= layer {
            let steps = above.layer - below.layer;
            if layer == 0 || steps == 0 {
                return above;
            }
            let part = (layer - below.layer) as f64 / steps as f64;
            return Moments {
                layer,
                mean: below.mean + part * (above.mean - below.mean),
                cv: below.cv + part * (above.cv - below.cv),
            };
        }
        below = above;
    }
    Moments { layer, ..below }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_pass_through_what_is_listed_and_stay_put_beyond_it() {
        let solar = models()[0].input;
        for listed in solar {
            let found = moments(&solar, listed.layer);
            assert!((found.mean - listed.mean).abs() < 1e-12 && (found.cv - listed.cv).abs() < 1e-12, "{found:?}");
        }
        let middle = moments(&solar, 15);
        assert!((middle.mean - f64::midpoint(0.2357, 0.322)).abs() < 1e-12);
        assert!((moments(&solar, 60).mean - 0.30).abs() < 1e-12);
    }

    #[test]
    fn layers_are_in_order_from_the_first_to_the_last() {
        let models = models();
        assert_eq!(models.len(), 10);
        for model in models {
            for listed in [&model.input, &model.post] {
                assert!(listed.windows(2).all(|pair| pair[0].layer < pair[1].layer), "{}", model.id);
                assert_eq!((listed[0].layer, listed[5].layer), (0, model.layers - 1), "{}", model.id);
            }
        }
    }
}
