//! Numbers: every element type, gains that are stored less one, and what has no number.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Tensor, Workspace, gain, is_one_of, llama_config, rows};

/// Bits of 1, 2, ½ and 1½ in each floating-point type.
const FLOATS: [(&str, usize, [u64; 4]); 6] = [
    ("F64", 8, [0x3ff0 << 48, 0x4000 << 48, 0x3fe0 << 48, 0x3ff8 << 48]),
    ("F32", 4, [0x3f80_0000, 0x4000_0000, 0x3f00_0000, 0x3fc0_0000]),
    ("BF16", 2, [0x3f80, 0x4000, 0x3f00, 0x3fc0]),
    ("F16", 2, [0x3c00, 0x4000, 0x3800, 0x3e00]),
    ("F8_E4M3", 1, [0x38, 0x40, 0x30, 0x3c]),
    ("F8_E5M2", 1, [0x3c, 0x40, 0x38, 0x3e]),
];
const VALUES: [f64; 4] = [1.0, 2.0, 0.5, 1.5];

/// Which of the values two models have, element by element.
const A: [usize; 10] = [0, 1, 2, 3, 3, 0, 1, 2, 0, 1];
const B: [usize; 10] = [1, 1, 0, 3, 2, 0, 3, 2, 1, 0];

fn bytes(width: usize, bits: u64) -> Vec<u8> {
    bits.to_le_bytes()[..width].to_vec()
}

/// One tensor of each type with the chosen values; integers and truths have the numbers of the values instead.
fn every_type(chosen: &[usize; 10]) -> Vec<Tensor> {
    let mut tensors: Vec<Tensor> = FLOATS
        .iter()
        .enumerate()
        .map(|(number, &(dtype, width, bits))| {
            let stored = chosen.iter().flat_map(|&value| bytes(width, bits[value])).collect();
            Tensor::raw(&format!("t.{number}.w"), dtype, &[10], stored)
        })
        .collect();
    for (number, (dtype, width)) in
        [("I8", 1), ("U8", 1), ("I16", 2), ("U16", 2), ("I32", 4), ("U32", 4), ("I64", 8), ("U64", 8)]
            .into_iter()
            .enumerate()
    {
        let stored = chosen.iter().flat_map(|&value| bytes(width, value as u64)).collect();
        tensors.push(Tensor::raw(&format!("t.{}.w", 10 + number), dtype, &[10], stored));
    }
    let truths = chosen.iter().map(|&value| u8::from(value > 1)).collect();
    tensors.push(Tensor::raw("t.20.w", "BOOL", &[10], truths));
    tensors
}

fn cosine(a: impl Fn(usize) -> f64) -> f64 {
    let dot = |x: &[usize; 10], y: &[usize; 10]| -> f64 { x.iter().zip(y).map(|(&x, &y)| a(x) * a(y)).sum() };
    dot(&A, &B) / (dot(&A, &A).sqrt() * dot(&B, &B).sqrt())
}

/// The rows of a `pairs.csv` without what says where a model is.
fn comparisons(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut rows = rows(text);
    for row in &mut rows {
        for place in ["model_a", "commit_a", "model_b", "commit_b"] {
            row.remove(place);
        }
    }
    rows
}

#[test]
fn every_element_type_is_read_exactly_from_the_hub_and_from_a_folder() {
    let mut at = Workspace::new();
    at.model("o/a", &json!({}), &every_type(&A));
    at.model("o/b", &json!({}), &every_type(&B));
    at.serve();
    let pattern = ["--tensor", r"t\.(?<layer>\d+)\.w", "-q", "--formats", "csv", "-o"];
    at.run(&[&["survey", "o/a", "o/b"], &pattern[..], &["hub"]].concat()).expect(0);
    at.run(&[&["survey", "./hub/o/a", "./hub/o/b", "--offline"], &pattern[..], &["folder"]].concat()).expect(0);
    let pairs = comparisons(&at.read("hub/pairs.csv"));
    assert_eq!(pairs, comparisons(&at.read("folder/pairs.csv")));
    assert_eq!(pairs.len(), 15);
    for pair in &pairs {
        let layer: u32 = pair["layer_a"].parse().unwrap();
        let expected = match layer {
            0..10 => cosine(|value| VALUES[value]),
            10..20 => cosine(|value| value as f64),
            _ => cosine(|value| f64::from(u8::from(value > 1))),
        };
        let got: f64 = pair["cos_sim"].parse().unwrap();
        assert!((got - expected).abs() < 1e-12, "{}: {got} is not {expected}", pair["dtype_a"]);
    }
}

#[test]
fn an_element_type_that_has_no_numbers_is_said() {
    let mut at = Workspace::new();
    for id in ["o/a", "o/b"] {
        let fine = Tensor::f32("t.1.w", &gain(1, 8));
        at.model(id, &json!({}), &[Tensor::raw("t.0.w", "F4", &[16], vec![0x21; 8]), fine]);
    }
    at.serve();
    let outcome = at.run(&["survey", "o/a", "o/b", "--tensor", r"t\.(?<layer>\d+)\.w", "-o", "out"]);
    let pairs = comparisons(&at.read("out/pairs.csv"));
    assert_eq!(pairs.len(), 2);
    assert!(pairs[0]["undefined"].contains("F4 elements are not decoded"), "{outcome}\n{}", pairs[0]["undefined"]);
    assert!(!pairs[1]["cos_sim"].is_empty());
    // Four-bit weights would be paid for in vain.
    assert!(at.asked().cdn_bytes() < 1000);
    let fetched = at.run(&["fetch", "o/a", "--tensor", "t"]).expect(1);
    fetched.says(&["tensor `t.0.w` (F4) cannot be decoded"]);
}

#[test]
fn what_is_not_a_number_is_undefined_and_never_printed() {
    let mut at = Workspace::new();
    let mut values = gain(1, 64);
    at.model("o/a", &llama_config(1, 64), &[Tensor::bf16("model.layers.0.input_layernorm.weight", &values)]);
    values[3] = f32::NAN;
    values[5] = f32::INFINITY;
    at.model("o/broken", &llama_config(1, 64), &[Tensor::bf16("model.layers.0.input_layernorm.weight", &values)]);
    at.model("o/zero", &llama_config(1, 64), &[Tensor::bf16("model.layers.0.input_layernorm.weight", &[0.0; 64])]);
    at.serve();
    let outcome = at.run(&["survey", "o/a", "o/broken", "o/zero", "-o", "out"]);
    let pairs = comparisons(&at.read("out/pairs.csv"));
    assert_eq!((pairs[0]["cos_sim"].as_str(), pairs[0]["pearson"].as_str()), ("", ""));
    assert!(pairs[0]["undefined"].contains("NonFinite{2}"), "{}", pairs[0]["undefined"]);
    assert!(pairs[1]["undefined"].contains("cos_sim:ZeroNorm"), "{}", pairs[1]["undefined"]);
    let mut texts = vec![("output".to_owned(), outcome.raw)];
    for (name, bytes) in Workspace::files(&at.path().join("out")) {
        if is_one_of(&name, &["csv", "json", "md", "svg"]) {
            texts.push((name, String::from_utf8(bytes).unwrap()));
        }
    }
    assert_eq!(texts.len(), 10);
    let word = regex::Regex::new(r"(?i)\b(nan|inf|infinity)\b").unwrap();
    for (name, text) in texts {
        let found = word.find(&text).map(|found| &text[found.start().saturating_sub(40)..found.end()]);
        assert_eq!(found, None, "{name}");
    }
}

#[test]
fn a_gain_that_is_stored_less_one_is_compared_as_it_acts() {
    let mut at = Workspace::new();
    // Multiples of 1/256, so that one more and one less are exact.
    let effective: Vec<f32> = gain(1, 64).iter().map(|value| (value * 256.0).round() / 256.0).collect();
    let stored: Vec<f32> = effective.iter().map(|value| value - 1.0).collect();
    let name = "model.layers.0.input_layernorm.weight";
    at.model("o/llama", &llama_config(1, 64), &[Tensor::f32(name, &effective)]);
    let mut config = llama_config(1, 64);
    config["model_type"] = "gemma2".into();
    config["architectures"] = json!(["Gemma2ForCausalLM"]);
    at.model("o/gemma", &config, &[Tensor::f32(name, &stored)]);
    at.serve();
    at.run(&["survey", "o/llama", "o/gemma", "-q", "-o", "out"]).expect(0);
    let pairs = comparisons(&at.read("out/pairs.csv"));
    assert_eq!((pairs[0]["l2"].parse(), pairs[0]["changed_frac"].parse()), (Ok(0.0), Ok(0.0)), "{:?}", pairs[0]);
    let report = at.read("out/REPORT.md");
    assert!(
        report.contains("**gemma** stores the gain of its norms zero-centred; the effective gain 1 + w is compared"),
        "{report}"
    );
}
