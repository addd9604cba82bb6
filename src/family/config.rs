//! What a model's `config.json` (or Mistral's `params.json`) says about its architecture.
//!
//! Configurations are written by many hands: keys have aliases, vision–language models nest the text model's figures,
//! and Python writes `Infinity` where JSON knows none. Everything is optional here, a value of the wrong type counts as
//! absent, and nothing is filled in from a family's defaults: a figure that is not known must not look known.

use serde_json::Value;

use super::{FamilyError, keys::Keys};

/// Keys under which a composite model keeps its text model's configuration, outermost first.
const NESTED: [&str; 5] = ["text_config", "llm_config", "language_config", "thinker_config", "decoder"];

/// Keys of the number of blocks of multi-token prediction.
const PREDICTION: [&str; 6] = [
    "num_nextn_predict_layers",
    "num_mtp_layers",
    "mtp_num_hidden_layers",
    "num_mtp_modules",
    "n_mtp_layers",
    "mtp_num_layers",
];

/// How deep text configurations may nest (`thinker_config.text_config` is the deepest known).
const MAX_NESTING: usize = 4;

/// What is known of an architecture; [`Default`] knows nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelConfig {
    /// `model_type` as written, outermost first: a vision–language model's own, then its text model's.
    pub model_types: Vec<String>,
    /// `architectures` as written, outermost first.
    pub architectures: Vec<String>,
    /// Layers of the (text) model; the layers past them are multi-token-prediction blocks.
    pub num_hidden_layers: Option<u32>,
    /// Blocks of multi-token prediction.
    pub prediction_blocks: Option<u64>,
    /// Whether layers past the last are such blocks: stated, or told by names, or by the family.
    pub predicts: bool,
    /// Layers of the encoder of an encoder–decoder model.
    pub encoder_layers: Option<u32>,
    /// Layers of the decoder of an encoder–decoder model.
    pub decoder_layers: Option<u32>,
    /// Width of the residual stream.
    pub hidden_size: Option<u64>,
    /// Width inside the MLP.
    pub intermediate_size: Option<u64>,
    /// Query heads.
    pub num_attention_heads: Option<u64>,
    /// Key and value heads.
    pub num_key_value_heads: Option<u64>,
    /// Width of one head, where written; see [`ModelConfig::width_of_head`].
    pub head_dim: Option<u64>,
    /// Rows of the token embedding.
    pub vocab_size: Option<u64>,
    /// Routed experts of a layer.
    pub num_experts: Option<u64>,
    /// Routed experts that a token passes.
    pub experts_per_token: Option<u64>,
    /// Units of one routed expert.
    pub expert_size: Option<u64>,
    /// Base of the rotary frequencies.
    pub rope_theta: Option<f64>,
    /// Whether the output embeddings are the token embeddings.
    pub tie_word_embeddings: Option<bool>,
    /// `torch_dtype`, or `dtype`.
    pub dtype: Option<String>,
    /// How the weights are quantised: `gptq`, `fp8`, `mxfp4`, `mlx`, …
    pub quantisation: Option<String>,
    /// Rows and columns of a block of a weight that shares a scale, where the quantisation says so.
    pub quantisation_block: Option<[u64; 2]>,
    /// Bits of a packed weight, where the quantisation says so of all.
    pub quantisation_bits: Option<u64>,
    /// Weights that share a scale along the input, likewise.
    pub quantisation_group: Option<u64>,
    /// In which of its layouts the quantisation packs weights, as GPTQ and AWQ have more than one.
    pub quantisation_layout: Option<String>,
    /// Whether rotary position embeddings are mentioned.
    pub rope: bool,
    /// Rows of each head that rotary embeddings turn, where written, or as the written share of a head.
    pub rotary_dim: Option<u64>,
    /// Falcon: keys and values are grouped.
    pub new_decoder_architecture: Option<bool>,
    /// Falcon, GPT-BigCode: one key and value head.
    pub multi_query: Option<bool>,
    /// Rows of a head's key that no rotary embedding turns, and rows of its value (multi-head latent attention).
    pub latent_head: Option<[u64; 2]>,
    /// Groups of experts among which the router chooses first.
    pub expert_groups: Option<u64>,
    /// OPT: whether norms stand before the blocks; where `false`, the same names hold post-norms.
    pub do_layer_norm_before: Option<bool>,
}

impl ModelConfig {
    /// Reads `config.json` or `params.json`.
    ///
    /// Fails only where the bytes are not a JSON object. Python's `NaN`, `Infinity` and `-Infinity` are read as `null`.
    pub fn parse(bytes: &[u8]) -> Result<Self, FamilyError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(FamilyError::ConfigUtf16);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(source) => {
                serde_json::from_slice(&without_python_numbers(bytes)).map_err(|_| FamilyError::Config { source })?
            }
        };
        if !value.is_object() {
            return Err(FamilyError::ConfigNotObject);
        }
        Ok(Self::from_value(&value))
    }

    /// Width of one head: `head_dim`, else `hidden_size / num_attention_heads` where that is whole.
    pub fn width_of_head(&self) -> Option<u64> {
        self.head_dim.or_else(|| {
            let (hidden, heads) = (self.hidden_size?, self.num_attention_heads?);
            (heads > 0 && hidden % heads == 0).then(|| hidden / heads)
        })
    }

    /// Key and value heads: one with `multi_query`, whatever is written beside it, unless they are grouped; else as written; else as
    /// many as query heads.
    pub fn key_value_heads(&self) -> Option<u64> {
        let is_one = self.multi_query == Some(true) && self.new_decoder_architecture != Some(true);
        is_one.then_some(1).or(self.num_key_value_heads).or(self.num_attention_heads)
    }

    fn from_value(outer: &Value) -> Self {
        // Innermost first: the text model's figures are the ones that its tensors obey.
        let mut levels = vec![outer];
        while levels.len() <= MAX_NESTING {
            let last = levels[levels.len() - 1];
            match NESTED.iter().find_map(|key| last.get(key).filter(|inner| inner.is_object())) {
                Some(inner) => levels.push(inner),
                None => break,
            }
        }
        let outward = Keys(levels.iter().rev().copied().collect());
        let strings = |key: &str| levels.iter().filter_map(|level| level.get(key)).flat_map(texts).collect();
        let known = Self {
            model_types: strings("model_type"),
            architectures: strings("architectures"),
            num_hidden_layers: outward.figure(&["num_hidden_layers", "n_layer", "n_layers", "num_layers"]),
            prediction_blocks: outward.figure(&PREDICTION),
            predicts: outward.figure::<u64>(&PREDICTION).is_some_and(|blocks| blocks > 0),
            encoder_layers: outward
                .figure(&["encoder_layers", "num_encoder_layers"])
                .or_else(|| outward.figure_in("encoder", "num_hidden_layers"))
                .or_else(|| outward.seq2seq("num_layers")),
            decoder_layers: outward
                .figure(&["decoder_layers", "num_decoder_layers"])
                .or_else(|| outward.figure_in("decoder", "num_hidden_layers"))
                .or_else(|| outward.seq2seq("num_layers")),
            hidden_size: outward.figure(&["hidden_size", "n_embd", "d_model", "dim"]),
            intermediate_size: outward
                .figure(&["intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim", "d_ff", "hidden_dim"])
                .or_else(|| outward.figure(&["encoder_ffn_dim"]))
                .or_else(|| outward.figure_in("ffn_config", "ffn_hidden_size")),
            num_attention_heads: outward.figure(&[
                "num_attention_heads",
                "n_head",
                "n_heads",
                "num_heads",
                "encoder_attention_heads",
            ]),
            num_key_value_heads: outward
                .figure(&["num_key_value_heads", "n_kv_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"])
                .or_else(|| outward.figure_in("attn_config", "kv_n_heads")),
            head_dim: outward.figure(&["head_dim", "kv_channels", "d_kv", "attention_head_dim"]),
            vocab_size: outward.figure(&["vocab_size", "padded_vocab_size"]),
            num_experts: outward
                .figure(&["num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"])
                .or_else(|| outward.figure_in("ffn_config", "moe_num_experts"))
                .or_else(|| outward.figure_in("moe", "num_experts")),
            experts_per_token: outward.figure(&[
                "num_experts_per_tok",
                "num_experts_per_token",
                "moe_top_k",
                "moe_topk",
            ]),
            expert_size: outward.figure(&["moe_intermediate_size"]),
            rope_theta: outward.share(&["rope_theta", "rotary_emb_base", "rotary_base"]),
            tie_word_embeddings: outward.flag("tie_word_embeddings"),
            dtype: outward.text("torch_dtype").or_else(|| outward.text("dtype")),
            quantisation: outward.quantisation(),
            quantisation_block: outward.quantisation_block(),
            quantisation_bits: outward.quantisation_figure(&["bits", "num_bits", "w_bit"]),
            quantisation_group: outward.quantisation_figure(&["group_size", "q_group_size"]),
            quantisation_layout: outward.quantisation_layout(),
            rope: outward
                .find(|level| {
                    ["rope_theta", "rope_scaling", "rope_parameters", "rotary_dim", "rotary_pct"]
                        .iter()
                        .any(|key| level.get(key).is_some_and(|value| !value.is_null()))
                        .then_some(true)
                })
                .unwrap_or_default(),
            new_decoder_architecture: outward.flag("new_decoder_architecture"),
            multi_query: outward.flag("multi_query"),
            do_layer_norm_before: outward.flag("do_layer_norm_before"),
            rotary_dim: outward.figure(&["rotary_dim"]),
            latent_head: outward
                .figure(&["qk_nope_head_dim"])
                .and_then(|key| Some([key, outward.figure(&["v_head_dim"])?])),
            expert_groups: outward.figure(&["n_group", "num_expert_group"]),
        };
        let share = outward.share(&["partial_rotary_factor", "rotary_pct"]);
        Self { rotary_dim: known.rotary_dim.or_else(|| known.share_of_head(share?)), ..known }
    }

    /// A share of a head's width, in whole rows; `None` where it is no share.
    fn share_of_head(&self, share: f64) -> Option<u64> {
        let width = self.width_of_head()?;
        // Nothing is converted: the number of rows that comes nearest to the share is looked for.
        (0..=width.min(4096)).find(|&rows| (rows as f64 - share * width as f64).abs() < 0.5)
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Replaces the bare words that Python writes for non-finite numbers with `null`, outside strings.
fn without_python_numbers(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut rest, mut quoted) = (bytes, false);
    while let [first, tail @ ..] = rest {
        let word = ["-Infinity", "Infinity", "NaN"].iter().find(|word| rest.starts_with(word.as_bytes()));
        match (first, word) {
            (b'\\', _) if quoted => {
                out.extend(rest.iter().take(2));
                rest = rest.get(2..).unwrap_or_default();
                continue;
            }
            (_, Some(word)) if !quoted => {
                out.extend_from_slice(b"null");
                rest = &rest[word.len()..];
                continue;
            }
            (b'"', _) => quoted = !quoted,
            _ => {}
        }
        out.push(*first);
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> ModelConfig {
        ModelConfig::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn aliases_of_a_figure_mean_the_same() {
        let llama = parse(r#"{"model_type":"llama","num_hidden_layers":2,"hidden_size":64,"num_attention_heads":4}"#);
        let gpt2 = parse(r#"{"model_type":"llama","n_layer":2,"n_embd":64,"n_head":4}"#);
        let mistral = parse(r#"{"model_type":"llama","n_layers":2,"dim":64,"n_heads":4}"#);
        assert_eq!(llama, gpt2);
        assert_eq!(llama, mistral);
        assert_eq!(llama.width_of_head(), Some(16));
        assert_eq!(llama.key_value_heads(), Some(4));
    }

    #[test]
    fn one_key_and_value_head_is_one_whatever_is_written_beside_it_unless_heads_are_grouped() {
        let falcon = |grouped: bool| {
            let config =
                ModelConfig { num_key_value_heads: Some(8), multi_query: Some(true), ..ModelConfig::default() };
            ModelConfig { new_decoder_architecture: Some(grouped), ..config }.key_value_heads()
        };
        assert_eq!((falcon(false), falcon(true)), (Some(1), Some(8)));
    }

    #[test]
    fn rotary_rows_are_stated_as_a_number_or_as_a_share_of_a_head() {
        let dims = |text: &str| parse(&format!(r#"{{"hidden_size":64,"num_attention_heads":4,{text}}}"#)).rotary_dim;
        assert_eq!(dims(r#""rotary_dim":8"#), Some(8));
        assert_eq!(dims(r#""partial_rotary_factor":0.5"#), Some(8));
        assert_eq!(dims(r#""rope_parameters":{"partial_rotary_factor":0.25}"#), Some(4));
        assert_eq!(dims(r#""rotary_pct":7.0"#), None);
        assert_eq!(dims(r#""rope_theta":1.0"#), None);
    }

    #[test]
    fn the_text_models_figures_win_over_the_outer_ones() {
        let config = parse(
            r#"{"model_type":"llava","architectures":["LlavaForConditionalGeneration"],"vocab_size":9,
                "vision_config":{"num_hidden_layers":24},
                "text_config":{"model_type":"mistral","num_hidden_layers":32,"hidden_size":4096}}"#,
        );
        assert_eq!(config.model_types, ["llava", "mistral"]);
        assert_eq!((config.num_hidden_layers, config.vocab_size), (Some(32), Some(9)));
    }

    #[test]
    fn encoder_decoder_models_have_two_depths() {
        let whisper = parse(r#"{"encoder_layers":4,"decoder_layers":2,"num_hidden_layers":4}"#);
        assert_eq!((whisper.encoder_layers, whisper.decoder_layers), (Some(4), Some(2)));
        let t5 = parse(r#"{"is_encoder_decoder":true,"num_layers":6,"num_decoder_layers":3}"#);
        assert_eq!((t5.encoder_layers, t5.decoder_layers), (Some(6), Some(3)));
    }

    #[test]
    fn quantisation_is_named_by_its_method() {
        assert_eq!(parse(r#"{"quantization_config":{"quant_method":"fp8"}}"#).quantisation.as_deref(), Some("fp8"));
        assert_eq!(parse(r#"{"quantization":{"bits":4}}"#).quantisation.as_deref(), Some("mlx"));
        assert_eq!(parse(r#"{"quantization_config":null}"#).quantisation, None);
    }

    #[test]
    fn a_quantisations_block_is_read_where_it_is_one() {
        let block = |text: &str| parse(&format!(r#"{{"quantization_config":{text}}}"#)).quantisation_block;
        assert_eq!(block(r#"{"quant_method":"fp8","weight_block_size":[128,64]}"#), Some([128, 64]));
        assert_eq!(block(r#"{"weight_block_size":[128,0]}"#), None);
        assert_eq!(block(r#"{"weight_block_size":null}"#), None);
        let group = |weights: &str| format!(r#"{{"weights":{weights}}}"#);
        let of = |a: &str, b: &str| block(&format!(r#"{{"config_groups":{{"a":{},"b":{}}}}}"#, group(a), group(b)));
        let blocks = r#"{"strategy":"block","block_structure":[128,128]}"#;
        let groups = r#"{"strategy":"group","group_size":32}"#;
        assert_eq!(of(blocks, blocks), Some([128, 128]));
        assert_eq!(of(groups, groups), Some([1, 32]));
        assert_eq!(of(blocks, groups), None);
    }

    #[test]
    fn pythons_infinity_is_read_as_absent_and_strings_are_left_alone() {
        let config = parse(r#"{"time_step_limit":[0.0,Infinity],"x":-Infinity,"model_type":"a\"NaN","n_layer":3}"#);
        assert_eq!(config.model_types, ["a\"NaN"]);
        assert_eq!(config.num_hidden_layers, Some(3));
    }

    #[test]
    fn values_of_the_wrong_type_are_absent() {
        let config = parse(r#"{"model_type":5,"num_hidden_layers":"12","hidden_size":-1,"num_key_value_heads":[1,2]}"#);
        assert_eq!(config, ModelConfig::default());
        assert_eq!(parse(r#"{"num_hidden_layers":99999999999}"#).num_hidden_layers, None);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(matches!(ModelConfig::parse(b"[]"), Err(FamilyError::ConfigNotObject)));
        assert!(matches!(ModelConfig::parse(b"\xff\xfe{\0}\0"), Err(FamilyError::ConfigUtf16)));
        assert!(matches!(ModelConfig::parse(b"{"), Err(FamilyError::Config { .. })));
        let deep = "[".repeat(100_000);
        assert!(ModelConfig::parse(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn parse_never_panics(bytes: Vec<u8>, text in r#"[\[\]{}":,a\\NIntfy-]{0,40}"#) {
            let _ = ModelConfig::parse(&bytes);
            let _ = ModelConfig::parse(text.as_bytes());
        }
    }
}
