//! The text files of a replica's repository: config, index, README, and what the API says about it.

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
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    set("_synthetic", json!(NOTICE));
    set("architectures", json!([model.architecture]));
    set("model_type", json!(model.kind));
    set("hidden_size", json!(model.hidden));
    set("num_hidden_layers", json!(model.layers));
    set("num_attention_heads", json!(model.heads));
    set("num_key_value_heads", json!(model.kv_heads));
    set("head_dim", json!(model.head_dim));
    set("vocab_size", json!(model.vocab));
    set("max_position_embeddings", json!(model.max_position));
    set("rope_theta", json!(model.rope_theta));
    set("hidden_act", json!("silu"));
    set("initializer_range", json!(0.02));
    set("rms_norm_eps", json!(1e-5));
    set("attention_bias", json!(model.qkv_bias));
    set("tie_word_embeddings", json!(model.tied));
    match model.mlp {
        Mlp::Dense { inner } => set("intermediate_size", json!(inner)),
        Mlp::Sparse { experts, inner } => {
            set("intermediate_size", json!(inner));
            set("num_local_experts", json!(experts));
            set("num_experts_per_tok", json!(2));
        }
        Mlp::Shared { experts, inner, first_sparse, dense_inner } => {
            set("intermediate_size", json!(dense_inner));
            set("moe_intermediate_size", json!(inner));
            set("n_routed_experts", json!(experts));
            set("n_shared_experts", json!(1));
            set("num_experts_per_tok", json!(8));
            set("first_k_dense_replace", json!(first_sparse));
            set("num_nextn_predict_layers", json!(model.extra_layers));
            set("use_qk_norm", json!(false));
        }
    }
    if model.layer_norm {
        set("lm_head_bias", json!(true));
    }
    if model.naming == Naming::InternLm2 {
        set("bias", json!(false));
    }
    set("torch_dtype", json!("bfloat16"));
    set("transformers_version", json!("4.57.1"));
    pretty(&Value::Object(config))
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
    let weight_map: Map<String, Value> =
        names.into_iter().map(|(tensor, shard)| (tensor.to_owned(), Value::from(shard))).collect();
    let total: u64 = shards.iter().map(File::data_len).sum();
    pretty(&json!({ "metadata": { "total_size": total }, "weight_map": weight_map }))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
