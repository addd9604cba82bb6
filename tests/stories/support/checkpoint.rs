//! Small checkpoints, written byte by byte and without the library's help, so that its reader is tested against another writer.

use std::{collections::BTreeMap, fmt::Write as _};

use hub_audit::range::ByteRange;
use serde_json::{Value, json};

/// A tensor to be written.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: &'static str,
    pub(crate) shape: Vec<u64>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of any type from its stored bytes.
    pub(crate) fn raw(name: &str, dtype: &'static str, shape: &[u64], bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes }
    }

    /// A vector of `F32`.
    pub(crate) fn f32(name: &str, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, "F32", &[values.len() as u64], bytes)
    }

    /// A vector of `BF16`: the upper half of each value's `F32`.
    pub(crate) fn bf16(name: &str, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()[2..].to_vec());
        Self::raw(name, "BF16", &[values.len() as u64], bytes.collect())
    }

    /// A square `BF16` matrix of zeros: something large that lies between two norms.
    pub(crate) fn filler(name: &str, width: u64) -> Self {
        let bytes = usize::try_from(width * width * 2).unwrap();
        Self::raw(name, "BF16", &[width, width], vec![0; bytes])
    }
}

/// A safetensors file, and where in it each tensor lies.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ranges: BTreeMap<String, ByteRange>,
}

impl Shard {
    /// The `Range` header that asks for exactly this tensor.
    pub(crate) fn asked(&self, tensor: &str) -> String {
        let range = self.ranges[tensor];
        format!("bytes={}-{}", range.start, range.end - 1)
    }

    /// A file with this text in the place of a header, followed by `data` zeros.
    pub(crate) fn with_header(json: &str, data: usize) -> Vec<u8> {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }
}

/// Writes tensors into a file, in their order.
pub(crate) fn shard(tensors: &[Tensor]) -> Shard {
    shard_with("pt", tensors)
}

/// The same, with another word on who wrote it.
pub(crate) fn shard_with(format: &str, tensors: &[Tensor]) -> Shard {
    let mut json = format!("{{\"__metadata__\":{{\"format\":\"{format}\"}}");
    let mut end = 0;
    for tensor in tensors {
        let begin = end;
        end += tensor.bytes.len() as u64;
        let _ = write!(
            json,
            ",{}:{{\"dtype\":\"{}\",\"shape\":{:?},\"data_offsets\":[{begin},{end}]}}",
            Value::from(tensor.name.as_str()),
            tensor.dtype,
            tensor.shape,
        );
    }
    json.push('}');
    while json.len() % 8 != 0 {
        json.push(' ');
    }
    let mut bytes = Shard::with_header(&json, 0);
    let mut ranges = BTreeMap::new();
    for tensor in tensors {
        let start = bytes.len() as u64;
        bytes.extend_from_slice(&tensor.bytes);
        ranges.insert(tensor.name.clone(), ByteRange::new(start, bytes.len() as u64));
    }
    Shard { bytes, ranges }
}

/// A shard index: (tensor, file) pairs.
pub(crate) fn index(placed: &[(&str, &str)]) -> String {
    let map: serde_json::Map<String, Value> =
        placed.iter().map(|&(tensor, file)| (tensor.to_owned(), file.into())).collect();
    json!({ "metadata": { "total_size": 1 }, "weight_map": map }).to_string()
}

/// `width` gains around one, the same for the same seed and as good as independent for another.
pub(crate) fn gain(seed: u64, width: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // xorshift64*: plain, and written nowhere in the program under test.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let high = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        // 24 bits of a number in [0, 1).
        f32::from(u16::try_from(high >> 8).unwrap()) / 65536.0
    };
    for _ in 0..8 {
        next();
    }
    (0..width).map(|_| 0.5 + next()).collect()
}

/// The configuration of a llama of this size.
pub(crate) fn llama_config(layers: usize, width: usize) -> Value {
    json!({
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": layers,
        "hidden_size": width,
    })
}

/// A llama's tensors: per layer two norms with a 20 kB matrix between them, so that no two norms are neighbours.
pub(crate) fn llama(seed: u64, layers: usize, width: usize) -> Vec<Tensor> {
    let mut tensors = vec![Tensor::filler("model.embed_tokens.weight", 100)];
    for layer in 0..layers {
        let norm = |role: &str, salt: u64| {
            let values = gain(seed * 1000 + 2 * layer as u64 + salt, width);
            Tensor::bf16(&format!("model.layers.{layer}.{role}.weight"), &values)
        };
        tensors.push(norm("input_layernorm", 0));
        tensors.push(Tensor::filler(&format!("model.layers.{layer}.mlp.down_proj.weight"), 100));
        tensors.push(norm("post_attention_layernorm", 1));
        tensors.push(Tensor::filler(&format!("model.layers.{layer}.self_attn.q_proj.weight"), 100));
    }
    tensors.push(Tensor::bf16("model.norm.weight", &gain(seed * 1000 + 999, width)));
    tensors
}
