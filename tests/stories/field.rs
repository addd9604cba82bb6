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

/// `fixtures/quantised_goldens.py` says how codes, scales and values were made.
fn quantised() -> Vec<Value> {
    let goldens: Value = serde_json::from_str(include_str!("../../fixtures/quantised_goldens.json")).unwrap();
    goldens["cases"].as_array().unwrap().clone()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A tensor of the types that the goldens have.
fn stored(name: &str, dtype: &Value, shape: &Value, bytes: Vec<u8>) -> Tensor {
    let known = ["F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "F32", "F16", "BF16"];
    let dtype = known.into_iter().find(|known| dtype == known).unwrap();
    let shape: Vec<u64> = shape.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect();
    Tensor::raw(name, dtype, &shape, bytes)
}

/// Makes `o/a` with the codes in layer 0 and a plain weight in layer 1, and `o/b` with that plain weight in layer 0 and NumPy's values
/// in layer 1; returns what each of the two pairs of layers has for a cosine, `None` with a value that is no number.
fn quantised_and_plain(at: &Workspace, case: &Value, name: impl Fn(u64) -> String) -> Option<f64> {
    let values: Vec<f32> = case["values"].as_array().unwrap().iter().map(golden_value).collect();
    let plain = gain(7, values.len());
    let bits = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let f32s = |layer, values: &[f32]| stored(&name(layer), &json!("F32"), &case["shape"], bits(values));
    let mut tensors = vec![stored(&name(0), &case["dtype"], &case["shape"], bytes(&case["stored"]))];
    let scale = format!("{}_scale", name(0));
    tensors.push(stored(&scale, &case["scale_dtype"], &case["scale_shape"], bytes(&case["scale"])));
    if case["zero_point"].is_string() {
        let zero_points = bytes(&case["zero_point"]);
        tensors.push(stored(&format!("{}_zero_point", name(0)), &json!("I8"), &case["scale_shape"], zero_points));
    }
    tensors.push(f32s(1, &plain));
    let mut config = llama_config(2, WIDTH);
    if case["block"].is_array() {
        config["quantization_config"] = json!({ "quant_method": "fp8", "weight_block_size": case["block"] });
    }
    at.model("o/a", &config, &tensors);
    at.model("o/b", &llama_config(2, WIDTH), &[f32s(0, &plain), f32s(1, &values)]);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&values, &plain) / (dot(&values, &values) * dot(&plain, &plain)).sqrt();
    values.iter().all(|value| value.is_finite()).then_some(cosine)
}

fn golden_value(value: &Value) -> f32 {
    value.as_u64().map_or(f32::NAN, |bits| f32::from_bits(u32::try_from(bits).unwrap()))
}

#[test]
fn compare_survey_and_layers_make_the_same_values_of_every_layout_of_scales() {
    let cases = quantised();
    assert_eq!(cases.len(), 14);
    let mut told = 0;
    for case in cases {
        let at = Workspace::new();
        // A matrix has a role; what has more axes is named.
        let is_matrix = case["shape"].as_array().unwrap().len() == 2;
        let module = if is_matrix { "self_attn.q_proj" } else { "conv" };
        let expected = quantised_and_plain(&at, &case, |layer| format!("model.layers.{layer}.{module}.weight"));
        let chosen: &[&str] =
            if is_matrix { &["--role", "q_proj"] } else { &["--tensor", r"layers\.(?<layer>\d+)\.conv\.weight$"] };
        let run = |arguments: &[&str]| {
            let end = ["-o", arguments[0], "--formats", "csv"];
            let run = at.run(&[arguments, chosen, &end].concat());
            assert!(run.status == 0 || expected.is_none(), "{}: {run}", case["name"]);
        };
        run(&["compare", "./hub/o/a", "./hub/o/b"]);
        run(&["survey", "./hub/o/a", "./hub/o/b"]);
        run(&["layers", "./hub/o/a"]);
        let file = if is_matrix { "layers/structure.csv" } else { "layers/pairs.csv" };
        let mut found: Vec<(String, String)> = Vec::new();
        for file in ["compare/pairs.csv", "survey/pairs.csv", file] {
            for row in csv_rows(&at.read(file)) {
                match row.get("quantity").map(String::as_str) {
                    None => found.push((row["cos_sim"].clone(), row["undefined"].clone())),
                    Some("cos_sim") => found.push((row["value"].clone(), row["undefined"].clone())),
                    Some(_) => {}
                }
            }
        }
        assert_eq!(found.len(), 5, "{}: {found:?}", case["name"]);
        for (value, undefined) in found {
            match expected {
                Some(cosine) => {
                    let value: f64 = value.parse().unwrap_or_else(|_| panic!("{}: {undefined}", case["name"]));
                    assert!((value - cosine).abs() < 1e-9, "{}: {value} {cosine}", case["name"]);
                    told += 1;
                }
                None => assert!(value.is_empty() && undefined.contains("NonFinite"), "{}: {undefined}", case["name"]),
            }
        }
    }
    assert_eq!(told, 5 * 12);
}
