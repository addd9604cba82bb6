//! What files of the field really hold: the right value, or the reason why there is none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Tensor, Workspace, gain, llama_config, rows as csv_rows};

const WIDTH: usize = 8;

fn matrix(name: &str, values: &[f32], columns: usize) -> Tensor {
    let vector = Tensor::f32(name, values);
    Tensor { shape: vec![(values.len() / columns) as u64, columns as u64], ..vector }
}

fn packed(name: &str, values: &[f32], [rows, columns]: [usize; 2]) -> Tensor {
    let vector = Tensor::f32(name, values);
    Tensor { shape: [values.len() / rows / columns, rows, columns].map(|extent| extent as u64).to_vec(), ..vector }
}

fn config(model_type: &str) -> Value {
    let mut config = llama_config(1, WIDTH);
    (config["model_type"], config["architectures"]) = (json!(model_type), json!([]));
    (config["num_attention_heads"], config["head_dim"]) = (json!(2), json!(4));
    config
}

/// `coverage.csv` by the first model's tensor, and `pairs.csv` likewise.
fn compare(at: &Workspace, status: i32) -> [BTreeMap<String, BTreeMap<String, String>>; 2] {
    at.run(&["compare", "o/a", "o/b", "-o", "out", "--formats", "csv"]).expect(status);
    ["coverage.csv", "pairs.csv"].map(|file| {
        let rows = csv_rows(&at.read(&format!("out/{file}")));
        rows.into_iter().map(|row| (row["tensor_a"].clone(), row)).collect()
    })
}

#[test]
fn codes_are_compared_by_what_their_scales_make_of_them() {
    let mut at = Workspace::new();
    let q = "model.layers.0.self_attn.q_proj";
    let codes: Vec<u8> = (0..64_u8).collect();
    let values: Vec<f32> = codes.iter().enumerate().map(|(at, &code)| f32::from(code) * (1 + at / 8) as f32).collect();
    let scales: Vec<f32> = (1..=8_u8).map(f32::from).collect();
    at.model(
        "o/a",
        &config("llama"),
        &[Tensor::raw(&format!("{q}.weight"), "I8", &[8, 8], codes), matrix(&format!("{q}.scale"), &scales, 1)],
    );
    at.model("o/b", &config("llama"), &[matrix(&format!("{q}.weight"), &values, 8)]);
    at.serve();
    let [_, pairs] = compare(&at, 0);
    assert_eq!(pairs[&format!("{q}.weight")]["l2"], "0");
    let survey = ["survey", "o/a", "o/b", "--role", "q_proj", "--layers", "0", "-o", "survey", "--formats", "csv"];
    at.run(&survey).expect(0);
    assert_eq!(csv_rows(&at.read("survey/pairs.csv"))[0]["l2"], "0");
}

#[test]
fn integers_of_no_known_form_are_no_weights() {
    let mut at = Workspace::new();
    let name = "model.layers.0.self_attn.q_proj.trellis";
    for model in ["o/a", "o/b"] {
        at.model(model, &config("llama"), &[Tensor::raw(name, "I16", &[4, 8], vec![1; 64])]);
    }
    at.serve();
    let [coverage, _] = compare(&at, 1);
    assert_eq!(coverage[name]["status"], "undecodable");
    assert!(coverage[name]["reason"].contains("codes or indices"), "{coverage:?}");
}

#[test]
fn why_nothing_could_be_compared_is_said() {
    let mut at = Workspace::new();
    let name = "model.layers.0.input_layernorm.weight";
    at.model("o/a", &config("llama"), &[Tensor::raw(name, "F7_E3M3", &[8], vec![1; 8])]);
    at.model("o/b", &config("llama"), &[Tensor::f32(name, &gain(1, WIDTH))]);
    at.serve();
    at.run(&["compare", "o/a", "o/b"]).expect(1).says(&["1 have no exact values: F7_E3M3 elements are not decoded"]);
    at.close();
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    at.file("o/b", "config.json", utf16);
    at.serve();
    let outcome = at.run(&["inspect", "o/b", "--cache-dir", "other"]).expect(2);
    outcome.says(&["the model's configuration is UTF-16 text; JSON is UTF-8"]);
}

#[test]
fn packed_experts_are_compared_whichever_way_they_are_stored() {
    let mut at = Workspace::new();
    let (gate, up, down) = (gain(1, 2 * 64), gain(2, 2 * 64), gain(3, 2 * 64));
    let experts = "model.layers.0.mlp.experts";
    let turned = |values: &[f32]| -> Vec<f32> {
        let one = |matrix: &[f32]| (0..64).map(|at| matrix[at % 8 * 8 + at / 8]).collect::<Vec<_>>();
        values.chunks(64).flat_map(one).collect()
    };
    // [expert, in, out], a column of gate and one of up in turn.
    let fused = turned(&gate).into_iter().zip(turned(&up)).flat_map(|(gate, up)| [gate, up]).collect::<Vec<_>>();
    let stored = [
        packed(&format!("{experts}.gate_up_proj"), &fused, [8, 16]),
        packed(&format!("{experts}.down_proj"), &turned(&down), [8, 8]),
    ];
    at.model("o/a", &config("gpt_oss"), &stored);
    let modules = [("gate_proj", &gate), ("up_proj", &up), ("down_proj", &down)];
    let by_mlx = modules.map(|(role, values)| packed(&format!("{experts}.{role}.weight"), values, [8, 8]));
    at.model("o/b", &config("gpt_oss"), &by_mlx);
    at.serve();
    at.run(&["compare", "o/a", "o/b", "--experts", "-o", "out", "--formats", "csv"]).expect(0);
    let pairs = csv_rows(&at.read("out/pairs.csv"));
    assert_eq!(pairs.iter().map(|row| row["l2"].as_str()).collect::<Vec<_>>(), ["0"; 3]);
    // One by one on the other side: a pair an expert and part.
    let single = modules.iter().flat_map(|(role, values)| {
        let one = |(number, values): (usize, &[f32])| matrix(&format!("{experts}.{number}.{role}.weight"), values, 8);
        values.chunks(64).enumerate().map(one).collect::<Vec<_>>()
    });
    at.close();
    at.model("o/b", &config("gpt_oss"), &single.collect::<Vec<_>>());
    at.serve();
    at.run(&["compare", "o/a", "o/b", "--experts", "-o", "out", "--formats", "csv", "--cache-dir", "other"]).expect(0);
    let pairs = csv_rows(&at.read("out/pairs.csv"));
    assert_eq!(pairs.iter().map(|row| row["l2"].as_str()).collect::<Vec<_>>(), ["0"; 6]);
}

#[test]
fn rows_for_the_other_rotary_order_meet_theirs() {
    let mut at = Workspace::new();
    let rows = gain(1, 64);
    let halves: Vec<f32> =
        [0, 2, 1, 3, 4, 6, 5, 7].iter().flat_map(|row| rows[row * 8..row * 8 + 8].to_vec()).collect();
    let names = |q: &str, norm: &str| [format!("layers.0.{q}.weight"), format!("layers.0.{norm}.weight")];
    let [q, norm] = names("attention.wq", "attention_norm");
    at.model("o/a", &config("mistral"), &[matrix(&q, &rows, 8), Tensor::f32(&norm, &gain(2, 8))]);
    let [q_b, norm_b] = names("self_attn.q_proj", "input_layernorm").map(|name| format!("model.{name}"));
    at.model("o/b", &config("mistral"), &[matrix(&q_b, &halves, 8), Tensor::f32(&norm_b, &gain(2, 8))]);
    at.serve();
    let [_, pairs] = compare(&at, 0);
    assert_eq!(pairs[&q]["l2"], "0");
}

#[test]
fn a_family_that_names_alone_suggest_yields_to_the_one_beside_it() {
    let mut at = Workspace::new();
    let tensors = ["input_layernorm", "post_attention_layernorm"]
        .map(|role| Tensor::f32(&format!("model.layers.0.{role}.weight"), &gain(1, WIDTH)));
    at.model("o/a", &config("gemma"), &tensors);
    at.model("o/b", &json!({ "hidden_size": WIDTH }), &tensors);
    at.serve();
    let [_, pairs] = compare(&at, 0);
    assert!(pairs.values().all(|row| row["l2"] == "0"), "{pairs:?}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_copy_of_the_index_counts() {
    let mut at = Workspace::new();
    let name = "model.layers.0.input_layernorm.weight";
    let copy = |seed: u64| crate::support::shard(&[Tensor::f32(name, &gain(seed, WIDTH))]).bytes;
    for (file, seed) in [("model-00001-of-00002.safetensors", 1), ("model-00002-of-00002.safetensors", 2)] {
        at.file("o/a", file, copy(seed));
    }
    at.file("o/a", "config.json", config("llama").to_string());
    at.serve();
    let outcome = at.run(&["hash", "o/a"]).expect(1);
    assert!(outcome.stderr.contains("no index tells which counts"), "{outcome}");
    at.close();
    let other = "model.layers.0.post_attention_layernorm.weight";
    let both = [Tensor::f32(name, &gain(1, WIDTH)), Tensor::f32(other, &gain(3, WIDTH))];
    at.file("o/a", "model-00001-of-00002.safetensors", crate::support::shard(&both).bytes);
    let files = ["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"];
    let index = crate::support::index(&[(name, files[0]), (other, files[1])]);
    at.file("o/a", "model.safetensors.index.json", index);
    at.part("o/a", &json!({ "refs": { "main": "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee01" } }));
    at.serve();
    let outcome = at.run(&["inspect", "o/a", "--format", "json"]).expect(0);
    let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(told["models"][0]["parameters"], json!(2 * WIDTH));
    assert!(told["models"][0]["warnings"].to_string().contains("its copy in"), "{told}");
}
