//! The text files of a replica's repository: config, index, README, and what the API says about it.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{
    file::File,
    model::{Mlp, Model, Naming},
};

/// What every replica says about itself.
pub(super) const NOTICE: &str = "synthetic replica, not the real weights";

/// Tags as the API lists them.
pub(super) fn tags(model: &Model) -> Vec<String> {
    let license = format!("license:{}", model.license);
    ["transformers", "safetensors", &model.kind, "synthetic-replica", &license, "region:us"].map(str::to_owned).to_vec()
}

/// The card's metadata as the API gives it.
pub(super) fn card(model: &Model) -> Value {
    json!({ "license": model.license, "tags": ["synthetic-replica"] })
}

/// `README.md`.
pub(super) fn readme(model: &Model) -> String {
    format!(
        "---\nlicense: {}\ntags:\n- synthetic-replica\n---\n\n# {}: {NOTICE}\n\n\
         Names, shapes and element types are those of the model of this name. Every value is invented by a hash function. \
         Use it to exercise a program, never to say anything about the model.\n",
        model.license, model.id
    )
}

/// `config.json`.
pub(super) fn config(model: &Model) -> String {
    let common = json!({
        "_synthetic": NOTICE,
        "architectures": [model.architecture],
        "model_type": model.kind,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": model.head_dim,
        "vocab_size": model.vocab,
        "max_position_embeddings": model.max_position,
        "rope_theta": model.rope_theta,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "rms_norm_eps": 1e-5,
        "attention_bias": model.qkv_bias,
        "tie_word_embeddings": model.tied,
    });
    let mlp = match model.mlp {
        Mlp::Dense { inner } => json!({ "intermediate_size": inner }),
        Mlp::Sparse { experts, inner } => {
            json!({ "intermediate_size": inner, "num_local_experts": experts, "num_experts_per_tok": 2 })
        }
        Mlp::Shared { experts, inner, first_sparse, dense_inner } => json!({
            "intermediate_size": dense_inner,
            "moe_intermediate_size": inner,
            "n_routed_experts": experts,
            "n_shared_experts": 1,
            "num_experts_per_tok": 8,
            "first_k_dense_replace": first_sparse,
            "num_nextn_predict_layers": model.extra_layers,
            "use_qk_norm": false,
        }),
    };
    let lm_head = if model.layer_norm { json!({ "lm_head_bias": true }) } else { json!({}) };
    let bias = if model.naming == Naming::InternLm2 { json!({ "bias": false }) } else { json!({}) };
    let end = json!({ "torch_dtype": "bfloat16", "transformers_version": "4.57.1" });
    let parts = [common, mlp, lm_head, bias, end];
    let fields = parts.iter().filter_map(Value::as_object).flatten();
    pretty(&fields.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

/// `params.json`, the configuration beside `consolidated.safetensors`.
pub(super) fn params(model: &Model) -> String {
    let inner = match model.mlp {
        Mlp::Dense { inner } | Mlp::Sparse { inner, .. } | Mlp::Shared { inner, .. } => inner,
    };
    pretty(&json!({
        "_synthetic": NOTICE,
        "dim": model.hidden,
        "n_layers": model.layers,
        "head_dim": model.head_dim,
        "hidden_dim": inner,
        "n_heads": model.heads,
        "n_kv_heads": model.kv_heads,
        "norm_eps": 1e-5,
        "vocab_size": model.vocab,
        "rope_theta": model.rope_theta,
    }))
}

/// `model.safetensors.index.json`: names in order, as `save_pretrained` sorts them.
pub(super) fn index(shards: &[File]) -> String {
    let mut names: Vec<(&str, &str)> = shards
        .iter()
        .flat_map(|shard| shard.tensors().map(|tensor| (tensor.name.as_str(), shard.name.as_str())))
        .collect();
    names.sort_unstable();
    let metadata = json!({ "total_size": shards.iter().map(File::data_len).sum::<u64>() });
    pretty(&Index { metadata, weight_map: names })
}

/// The document, whose names become no [`Value`]: models of many experts have tens of thousands.
#[derive(Serialize)]
struct Index<'a> {
    metadata: Value,
    #[serde(serialize_with = "mapped")]
    weight_map: Vec<(&'a str, &'a str)>,
}

fn mapped<S: Serializer>(names: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(names.iter().copied())
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|_| String::new(), |text| text + "\n")
}
