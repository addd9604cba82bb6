//! Names, shapes and values of a model's tensors, in the order in which its modules declare them.

use super::{
    model::{CONTROLS, Mlp, Model, Moments, Naming, moments},
    values::{Values, seed_of},
};

/// Standard deviation of projections, embeddings and experts.
const WEIGHT_SD: f64 = 0.02;
/// Standard deviation of biases.
const BIAS_SD: f64 = 0.01;

/// One tensor of the replica.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    /// The name in the file.
    pub(super) name: String,
    /// Bytes per element: 2 is BF16, 4 is F32.
    pub(super) width: u64,
    /// The shape.
    pub(super) shape: Vec<u64>,
    /// The elements.
    pub(super) values: Values,
    /// The layer it belongs to: the embedding to the first, the head to the last.
    pub(super) layer: u64,
}

impl Tensor {
    /// Number of elements.
    pub(super) fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Number of bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.elements() * self.width
    }

    /// The element type as the format spells it.
    pub(super) fn dtype(&self) -> &'static str {
        if self.width == 4 { "F32" } else { "BF16" }
    }
}

/// All tensors of a model's shards.
pub(super) fn tensors(model: &Model) -> Vec<Tensor> {
    Writer::new(model, model.naming).write()
}

/// All tensors of a model's `consolidated.safetensors`: the same weights under the names of their makers.
pub(super) fn consolidated_tensors(model: &Model) -> Vec<Tensor> {
    Writer::new(model, Naming::Mistral).write()
}

struct Writer<'a> {
    model: &'a Model,
    naming: Naming,
    layer: u64,
    tensors: Vec<Tensor>,
}

impl<'a> Writer<'a> {
    fn new(model: &'a Model, naming: Naming) -> Self {
        Self { model, naming, layer: 0, tensors: Vec::new() }
    }

    fn write(mut self) -> Vec<Tensor> {
        let vocab = self.model.vocab;
        let (embedding, norm, head) = match self.naming {
            Naming::Llama => ("model.embed_tokens", "model.norm", "lm_head"),
            Naming::InternLm2 => ("model.tok_embeddings", "model.norm", "output"),
            Naming::Mistral => ("tok_embeddings", "norm", "output"),
        };
        self.matrix(embedding.to_owned(), "embed_tokens", &[vocab, self.model.hidden]);
        for layer in 0..self.model.layers {
            self.layer = layer;
            self.block();
        }
        self.gamma(norm.to_owned(), "final_norm", self.model.post[5]);
        if !self.model.tied {
            self.matrix(head.to_owned(), "lm_head", &[vocab, self.model.hidden]);
        }
        if self.model.layer_norm {
            self.bias(format!("{head}.bias"), "lm_head.bias", vocab);
        }
        for extra in 0..self.model.extra_layers {
            self.layer = self.model.layers + extra;
            self.prediction_block();
        }
        self.tensors
    }

    fn prefix(&self) -> String {
        match self.naming {
            Naming::Mistral => format!("layers.{}", self.layer),
            _ => format!("model.layers.{}", self.layer),
        }
    }

    fn block(&mut self) {
        let prefix = self.prefix();
        match self.naming {
            Naming::InternLm2 => self.fused_attention(&prefix),
            _ => self.attention(&prefix),
        }
        self.mlp(&prefix);
        let (input, post) = match self.naming {
            Naming::Llama => ("input_layernorm", "post_attention_layernorm"),
            _ => ("attention_norm", "ffn_norm"),
        };
        let [of_input, of_post] = [&self.model.input, &self.model.post].map(|listed| moments(listed, self.layer));
        self.gamma(format!("{prefix}.{input}"), "input_layernorm", of_input);
        self.gamma(format!("{prefix}.{post}"), "post_attention_layernorm", of_post);
    }

    fn attention(&mut self, prefix: &str) {
        let Model { heads, kv_heads, head_dim, qkv_bias, .. } = *self.model;
        let (queries, keys) = (heads * head_dim, kv_heads * head_dim);
        let projections = [
            ("q_proj", "wq", [queries, self.model.hidden]),
            ("k_proj", "wk", [keys, self.model.hidden]),
            ("v_proj", "wv", [keys, self.model.hidden]),
            ("o_proj", "wo", [self.model.hidden, queries]),
        ];
        for (role, native, shape) in projections {
            let name = match self.naming {
                Naming::Llama => format!("{prefix}.self_attn.{role}"),
                _ => format!("{prefix}.attention.{native}"),
            };
            self.matrix(name.clone(), role, &shape);
            if qkv_bias && (role != "o_proj" || self.model.layer_norm) {
                self.bias(format!("{name}.bias"), &format!("{role}.bias"), shape[0]);
            }
        }
        if self.model.qk_norm {
            let moments = moments(&self.model.post, self.layer);
            for role in ["q_norm", "k_norm"] {
                self.gain(format!("{prefix}.self_attn.{role}"), role, moments, head_dim);
            }
        }
    }

    /// InternLM2 keeps queries, keys and values in one matrix, group by group.
    fn fused_attention(&mut self, prefix: &str) {
        let Model { heads, kv_heads, head_dim, .. } = *self.model;
        let rows = (heads + 2 * kv_heads) * head_dim;
        self.matrix(format!("{prefix}.attention.wqkv"), "wqkv", &[rows, self.model.hidden]);
        self.matrix(format!("{prefix}.attention.wo"), "o_proj", &[self.model.hidden, heads * head_dim]);
    }

    fn mlp(&mut self, prefix: &str) {
        match self.model.mlp {
            Mlp::Dense { inner } => {
                let module = match self.naming {
                    Naming::Llama => "mlp",
                    _ => "feed_forward",
                };
                self.gated(&format!("{prefix}.{module}"), "", inner, self.naming != Naming::Llama);
            }
            Mlp::Sparse { experts, inner } => {
                let module = format!("{prefix}.block_sparse_moe");
                self.matrix(format!("{module}.gate"), "router", &[experts, self.model.hidden]);
                for expert in 0..experts {
                    let of = format!("experts.{expert}.");
                    self.gated(&format!("{module}.experts.{expert}"), &of, inner, true);
                }
            }
            Mlp::Shared { first_sparse, dense_inner, .. } if self.layer < first_sparse => {
                self.gated(&format!("{prefix}.mlp"), "", dense_inner, false);
            }
            Mlp::Shared { experts, inner, .. } => {
                let module = format!("{prefix}.mlp");
                for expert in 0..experts {
                    let of = format!("experts.{expert}.");
                    self.gated(&format!("{module}.experts.{expert}"), &of, inner, false);
                }
                self.matrix(format!("{module}.gate"), "router", &[experts, self.model.hidden]);
                let correction = Values::Noise { seed: self.seed("router.bias"), sd: BIAS_SD };
                self.push(format!("{module}.gate.e_score_correction_bias"), 4, &[experts], correction);
                self.gated(&format!("{module}.shared_experts"), "shared.", inner, false);
            }
        }
    }

    /// Gate, up and down. `w1` is the gate, `w3` is up and `w2` is down, in the order in which they are declared.
    fn gated(&mut self, module: &str, of: &str, inner: u64, numbered: bool) {
        let hidden = self.model.hidden;
        let mut projections = [
            ("w1", "gate_proj", [inner, hidden]),
            ("w3", "up_proj", [inner, hidden]),
            ("w2", "down_proj", [hidden, inner]),
        ];
        if numbered {
            projections.swap(1, 2);
        }
        for (number, role, shape) in projections {
            let name = if numbered { number } else { role };
            self.matrix(format!("{module}.{name}"), &format!("{of}{role}"), &shape);
        }
    }

    /// A multi-token-prediction layer: a block of its own, with embedding, head and the norms that join the two streams.
    fn prediction_block(&mut self) {
        let prefix = self.prefix();
        let vocab = self.model.vocab;
        let moments = self.model.post[5];
        self.matrix(format!("{prefix}.embed_tokens"), "embed_tokens", &[vocab, self.model.hidden]);
        self.gamma(format!("{prefix}.enorm"), "enorm", moments);
        self.gamma(format!("{prefix}.hnorm"), "hnorm", moments);
        self.matrix(format!("{prefix}.eh_proj"), "eh_proj", &[self.model.hidden, 2 * self.model.hidden]);
        self.block();
        self.gamma(format!("{prefix}.shared_head.norm"), "shared_head_norm", moments);
        self.matrix(format!("{prefix}.shared_head.head"), "lm_head", &[vocab, self.model.hidden]);
    }

    fn seed(&self, role: &str) -> u64 {
        seed_of(&[&self.model.id, &self.layer.to_string(), role])
    }

    /// The tensor of a relative that a matrix resembles, and how many rows further its rows are. Mixtral's tokens have Mistral's
    /// rows but for the control tokens before them; of Yi's layers the larger model has 12 to 27 twice.
    fn relative(&self, role: &str) -> Option<(u64, u64)> {
        if !matches!(role, "embed_tokens" | "v_proj" | "o_proj" | "gate_proj" | "up_proj" | "down_proj") {
            return None;
        }
        let (id, layer, rows) = match &*self.model.id {
            "mistralai/Mixtral-8x7B-Instruct-v0.1" => {
                ("mistralai/Mistral-7B-Instruct-v0.3", self.layer, if role == "embed_tokens" { CONTROLS } else { 0 })
            }
            "01-ai/Yi-1.5-9B-Chat" => (
                "01-ai/Yi-1.5-6B-Chat",
                self.layer.checked_sub(16).filter(|layer| *layer >= 12).unwrap_or(self.layer),
                0,
            ),
            _ => return None,
        };
        Some((seed_of(&[id, &layer.to_string(), role]), rows))
    }

    fn matrix(&mut self, module: String, role: &str, shape: &[u64; 2]) {
        let seed = self.seed(role);
        let values = if let Some((relative, rows)) = self.relative(role) {
            Values::Related { relative, own: seed, sd: WEIGHT_SD, shift: rows * shape[1] }
        } else if self.naming == Naming::Mistral && matches!(role, "q_proj" | "k_proj") {
            Values::Interleaved { seed, sd: WEIGHT_SD, head_dim: self.model.head_dim, columns: shape[1] }
        } else {
            Values::Noise { seed, sd: WEIGHT_SD }
        };
        self.push(module + ".weight", 2, shape, values);
    }

    fn bias(&mut self, name: String, role: &str, len: u64) {
        let seed = self.seed(role);
        self.push(name, 2, &[len], Values::Noise { seed, sd: BIAS_SD });
    }

    fn gamma(&mut self, module: String, role: &str, moments: Moments) {
        self.gain(module, role, moments, self.model.hidden);
    }

    fn gain(&mut self, module: String, role: &str, moments: Moments, len: u64) {
        let lineage = seed_of(&[&self.model.lineage, role]);
        let own = self.seed(role);
        let values = Values::Norm { lineage, own, moments };
        let bias = format!("{module}.bias");
        self.push(module + ".weight", 2, &[len], values);
        if self.model.layer_norm {
            self.bias(bias, &format!("{role}.bias"), len);
        }
    }

    fn push(&mut self, name: String, width: u64, shape: &[u64], values: Values) {
        self.tensors.push(Tensor { name, width, shape: shape.to_vec(), values, layer: self.layer });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::model::models, *};

    fn parameters(id: &str, counted: impl Fn(&Tensor) -> bool) -> u64 {
        let model = models().into_iter().find(|model| model.id == id).unwrap();
        tensors(&model).iter().filter(|t| counted(t)).map(Tensor::elements).sum()
    }

    /// The study published these counts: of Phi with its head, of Solar without it, of GLM also without the correction
    /// biases and the prediction layer.
    #[test]
    fn parameter_counts_are_the_published_ones() {
        let without_head = |t: &Tensor| t.name != "lm_head.weight";
        assert_eq!(parameters("microsoft/Phi-3.5-MoE-instruct", |_| true), 41_873_153_344);
        assert_eq!(parameters("upstage/Solar-Open-100B", without_head), 101_846_493_184);
        let glm = parameters("zai-org/GLM-4.5-Air", |t| without_head(t) && t.layer < 46 && t.width == 2);
        assert_eq!(glm, 106_231_488_512);
    }

    #[test]
    fn consolidated_weights_are_the_shards_weights_under_other_names() {
        let model = &models()[4];
        let (shards, native) = (tensors(model), consolidated_tensors(model));
        assert_eq!(shards.len(), native.len());
        let bytes = |tensors: &[Tensor], name: &str| {
            let tensor = tensors.iter().find(|t| t.name == name).unwrap();
            let mut out = vec![0; 8192];
            tensor.values.fill(2, 0, &mut out);
            out
        };
        for (ours, theirs) in [
            ("model.layers.7.input_layernorm.weight", "layers.7.attention_norm.weight"),
            ("model.layers.7.mlp.down_proj.weight", "layers.7.feed_forward.w2.weight"),
            ("model.norm.weight", "norm.weight"),
        ] {
            assert_eq!(bytes(&shards, ours), bytes(&native, theirs));
        }
        let q = bytes(&shards, "model.layers.7.self_attn.q_proj.weight");
        assert_eq!(q, bytes(&native, "layers.7.attention.wq.weight"), "row 0 stays row 0");
    }
}
