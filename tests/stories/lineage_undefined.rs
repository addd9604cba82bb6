//! I compare models of which some test cannot be made: its place has the reason, never 0 or NaN, and the other layers and groups are tested.
//!
//! Reasons that need a layout of their own are told elsewhere: `Orientation` in `lineage_layouts`, `Packed` in `lineage_quantised` and
//! `lineage_packed`, `TooManyLayers` in `lineage_relation`, `Width` and `Depth` in `lineage`.

use serde_json::{Value, json};

use crate::{
    lineage::{Planted, groups, tokenizer},
    support::{Tensor, Workspace, rows},
};

/// Tensors of a checkpoint, those whose names hold `part` changed.
fn changed(part: &str, change: impl Fn(&mut Tensor)) -> Vec<Tensor> {
    let mut tensors = Planted::of(3).tensors();
    let found = tensors.iter_mut().filter(|tensor| tensor.name.contains(part));
    assert!(found.map(change).count() > 0, "{part}");
    tensors
}

/// Takes the length off so many rows of 64 BF16.
fn without_length(tensor: &mut Tensor, rows: usize) {
    tensor.bytes[..rows * 128].fill(0);
}

/// Makes the first element no number.
fn not_finite(tensor: &mut Tensor) {
    tensor.bytes[..2].copy_from_slice(&[0xC0, 0x7F]);
}

fn words(name: &str) -> Value {
    let mut other = tokenizer();
    let pieces = (0..400).map(|id| (format!("\u{120}{name}{id}"), json!(id)));
    other["model"]["vocab"] = Value::Object(pieces.collect());
    other
}

#[test]
fn what_no_test_can_be_made_of_has_its_reason_and_leaves_the_rest() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    let config = Planted::of(3).config();
    let numbered = json!({ "model_type": "xglm", "architectures": ["XGLMForCausalLM"] });
    let numbered = numbered.as_object().unwrap().iter().fold(config.clone(), |mut config, (key, value)| {
        config[key] = value.clone();
        config
    });
    let own = |id: &str, config: &Value, tensors: &[Tensor], tokenizer: Option<Value>| {
        at.model(id, config, tensors);
        if let Some(tokenizer) = tokenizer {
            at.file(id, "tokenizer.json", tokenizer.to_string());
        }
    };
    let plain = Planted::of(3).tensors();
    own("o/tokens", &config, &plain, Some(words("other")));
    own("o/mute", &config, &plain, None);
    own("o/numbered", &numbered, &plain, Some(tokenizer()));
    own("o/flat", &config, &changed("up_proj", |tensor| without_length(tensor, 40)), Some(tokenizer()));
    own("o/infinite", &config, &changed("up_proj", not_finite), Some(tokenizer()));
    own("o/pruned", &config, &changed("up_proj", |tensor| without_length(tensor, 20)), Some(tokenizer()));
    own("o/one-layer", &config, &changed("layers.2.mlp.up_proj", not_finite), Some(tokenizer()));
    Planted { inner: 128, ..Planted::of(3) }.write(&at, "o/units");
    Planted { width: 16, ..Planted::of(1) }.write(&at, "o/thin-1");
    Planted { width: 16, ..Planted::of(3) }.write(&at, "o/thin-3");
    at.serve();
    for (a, b, group, reason, rest) in [
        ("o/a", "o/units", "mlp", "Units", "heads"),
        ("o/a", "o/tokens", "embeddings", "TooFewTokens", "norms"),
        ("o/a", "o/mute", "embeddings", "NoTokenizer", "norms"),
        ("o/a", "o/numbered", "norms", "NotExchangeable", "mlp"),
        ("o/a", "o/numbered", "embeddings", "NotExchangeable", "heads"),
        ("o/a", "o/flat", "mlp", "Constant", "heads"),
        ("o/a", "o/infinite", "mlp", "NonFinite{1}", "heads"),
        ("o/thin-1", "o/thin-3", "norms", "TooFew", "mlp"),
        ("o/thin-1", "o/thin-3", "embeddings", "TooFew", "mlp"),
    ] {
        at.run(&["lineage", a, b, "-o", "out"]).expect(0);
        let groups = groups(&at, "out");
        assert_eq!(groups[group]["undefined"], reason, "{b} {group}");
        for figure in ["z", "p", "log10_bound", "rho"] {
            assert_eq!(groups[group][figure], "", "{b} {group} {figure}");
        }
        assert!(
            groups[rest]["undefined"].is_empty() && !groups[rest]["z"].is_empty(),
            "{b}: {rest} {:?}",
            groups[rest]
        );
    }
    // Rows that were pruned stay rows without length; a layer that is undefined is left out and named.
    at.run(&["lineage", "o/a", "o/pruned", "-o", "out"]).expect(0);
    assert_eq!(
        (groups(&at, "out")["mlp"]["rows"].as_str(), groups(&at, "out")["mlp"]["undefined"].as_str()),
        ("256", "")
    );
    at.run(&["lineage", "o/a", "o/one-layer", "-o", "out"]).expect(0);
    assert_eq!(
        (groups(&at, "out")["mlp"]["rows"].as_str(), groups(&at, "out")["mlp"]["undefined"].as_str()),
        ("192", "")
    );
    let layers = rows(&at.read("out/lineage.csv")).into_iter();
    let layers = layers.filter(|row| row["scope"] == "layer" && row["group"] == "mlp" && !row["undefined"].is_empty());
    let layers: Vec<(String, String)> = layers.map(|row| (row["layer"].clone(), row["undefined"].clone())).collect();
    assert_eq!(layers, [("2".to_owned(), "NonFinite{1}".to_owned())]);
}
