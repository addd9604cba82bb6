//! Which files are a model, which tensor meets which, and what is said of what cannot be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Shard, Tensor, Workspace, gain, index, llama_config, rows, shard};

const WIDTH: usize = 8;

fn norm(layer: usize, role: &str, seed: u64) -> Tensor {
    Tensor::f32(&format!("model.layers.{layer}.{role}.weight"), &gain(seed, WIDTH))
}

/// A norm of each of two roles in each layer, one file a role.
fn halves(layers: usize, seed: u64) -> [Shard; 2] {
    ["input_layernorm", "post_attention_layernorm"].map(|role| {
        let tensors: Vec<Tensor> = (0..layers).map(|layer| norm(layer, role, seed + layer as u64)).collect();
        shard(&tensors)
    })
}

fn inspected(at: &Workspace, model: &str, status: i32) -> Value {
    let outcome = at.run(&["inspect", model, "--format", "json"]).expect(status);
    serde_json::from_str(&outcome.stdout).unwrap_or(Value::Null)
}

fn parameters(at: &Workspace, model: &str) -> Value {
    inspected(at, model, 0)["models"][0]["parameters"].clone()
}

fn warnings(at: &Workspace, model: &str, status: i32) -> String {
    inspected(at, model, status)["models"][0]["warnings"].to_string()
}

fn coverage(at: &Workspace, words: &[&str], status: i32) -> Vec<BTreeMap<String, String>> {
    at.run(&[&["compare", "./hub/o/a", "./hub/o/b", "-o", "out", "--formats", "csv"], words].concat()).expect(status);
    rows(&at.read("out/coverage.csv"))
}

#[test]
fn shards_numbered_in_any_way_are_one_checkpoint() {
    let at = Workspace::new();
    let spellings = [
        ["model-1-of-2", "model-2-of-2"],
        ["model_00001_of_00002", "model_00002_of_00002"],
        ["model.0", "model.1"],
        ["layers-0", "layers-1"],
        ["model.part0", "model.part1"],
        ["consolidated.00", "consolidated.01"],
        ["weights7", "weights12"],
    ];
    for (number, names) in spellings.iter().enumerate() {
        let id = format!("o/m{number}");
        for (name, half) in names.iter().zip(halves(2, 1)) {
            at.file(&id, &format!("{name}.safetensors"), half.bytes);
        }
        at.file(&id, "config.json", llama_config(2, WIDTH).to_string());
        assert_eq!(parameters(&at, &format!("./hub/{id}")), json!(4 * WIDTH), "{names:?}");
    }
}

#[test]
fn numbered_files_that_hold_the_same_names_are_refused() {
    let at = Workspace::new();
    for number in [0, 1] {
        at.file("o/a", &format!("model-rank-{number}.safetensors"), shard(&[norm(0, "input_layernorm", number)]).bytes);
    }
    let outcome = at.run(&["inspect", "./hub/o/a"]).expect(2);
    let told =
        ["`model-rank-0.safetensors` and `model-rank-1.safetensors`", "both hold tensor", "must be merged first"];
    assert!(told.iter().all(|words| outcome.stderr.contains(words)), "{outcome}");
}

#[test]
fn the_set_of_files_that_is_whole_and_fits_the_configuration_is_read() {
    let at = Workspace::new();
    // One of two large files of another model, and a whole one of two small ones.
    at.file("o/a", "model-00001-of-00003.safetensors", halves(9, 5)[0].bytes.clone());
    for (number, half) in halves(2, 1).into_iter().enumerate() {
        at.file("o/a", &format!("model-0000{}-of-00002.safetensors", number + 1), half.bytes);
    }
    at.file("o/a", "config.json", llama_config(2, WIDTH).to_string());
    assert_eq!(parameters(&at, "./hub/o/a"), json!(4 * WIDTH));
    assert!(warnings(&at, "./hub/o/a", 0).contains("not whole, or fits the configuration less"));
    // Both are whole: the configuration tells.
    for (number, half) in halves(9, 5).into_iter().enumerate() {
        at.file("o/b", &format!("model-{number}-of-2.safetensors"), half.bytes);
    }
    for (number, half) in halves(2, 1).into_iter().enumerate() {
        at.file("o/b", &format!("model-0000{}-of-00002.safetensors", number + 1), half.bytes);
    }
    at.file("o/b", "config.json", llama_config(2, WIDTH).to_string());
    assert_eq!(parameters(&at, "./hub/o/b"), json!(4 * WIDTH));
    // An interrupted download beside a whole model of other names.
    at.file("o/d", "model-00001-of-00002.safetensors", halves(9, 5)[0].bytes.clone());
    let placed = [
        ("model.layers.0.input_layernorm.weight", "model-00001-of-00002.safetensors"),
        ("model.norm.weight", "model-00002-of-00002.safetensors"),
    ];
    at.file("o/d", "tiny.safetensors", halves(2, 1)[0].bytes.clone());
    at.file("o/d", "config.json", llama_config(2, WIDTH).to_string());
    assert_eq!(parameters(&at, "./hub/o/d"), json!(2 * WIDTH));
    at.file("o/d", "model.safetensors.index.json", index(&placed));
    assert_eq!(parameters(&at, "./hub/o/d"), json!(2 * WIDTH));
    // A merged model beside the adapter that was merged into it.
    let adapter = Tensor::f32("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", &gain(1, 2 * WIDTH));
    at.file("o/c", "adapter_model.safetensors", shard(&[adapter]).bytes);
    at.file("o/c", "merged.safetensors", halves(2, 1)[0].bytes.clone());
    at.file("o/c", "config.json", llama_config(2, WIDTH).to_string());
    assert_eq!(parameters(&at, "./hub/o/c"), json!(2 * WIDTH));
}

#[test]
fn the_part_that_modules_json_calls_the_transformer_is_read() {
    let mut at = Workspace::new();
    let dense = shard(&[Tensor::f32("linear.weight", &gain(1, 100 * WIDTH))]);
    at.file("o/a", "2_Dense/model.safetensors", &dense.bytes);
    at.file("o/a", "0_Transformer/model.safetensors", halves(2, 1)[0].bytes.clone());
    at.file("o/a", "0_Transformer/config.json", llama_config(2, WIDTH).to_string());
    let module =
        |path: &str, class: &str| json!({ "path": path, "type": format!("sentence_transformers.models.{class}") });
    let modules = json!([module("0_Transformer", "Transformer"), module("2_Dense", "Dense")]);
    at.file("o/a", "modules.json", modules.to_string());
    // The transformer is at the root, in another format.
    at.file("o/b", "2_Dense/model.safetensors", &dense.bytes);
    at.file("o/b", "pytorch_model.bin", "x");
    at.file("o/b", "modules.json", json!([module("", "Transformer"), module("2_Dense", "Dense")]).to_string());
    at.serve();
    for model in ["./hub/o/a", "o/a"] {
        assert_eq!(parameters(&at, model), json!(2 * WIDTH));
    }
    let outcome = at.run(&["inspect", "./hub/o/b"]).expect(2);
    assert!(
        outcome.stderr.contains("in its root, where the model says that its weights are; there is instead 1 `.bin`"),
        "{outcome}"
    );
}

#[test]
fn what_was_asked_for_and_cannot_be_read_is_told_once_in_every_command() {
    let at = Workspace::new();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let others = [norm(1, "input_layernorm", 2), norm(0, "post_attention_layernorm", 3)];
    let names: Vec<String> = others.iter().map(|tensor| tensor.name.clone()).collect();
    let [twice, absent] = ["model.layers.0.input_layernorm.weight", "model.layers.1.post_attention_layernorm.weight"];
    at.model(
        "o/a",
        &llama_config(2, WIDTH),
        &[norm(0, "input_layernorm", 1), others[0].clone(), others[1].clone(), norm(1, "post_attention_layernorm", 4)],
    );
    // Two copies, and no index.
    at.file("o/b", files[0], shard(&[norm(0, "input_layernorm", 1), others[0].clone()]).bytes);
    at.file(
        "o/b",
        files[1],
        shard(&[norm(0, "input_layernorm", 9), others[1].clone(), norm(1, "post_attention_layernorm", 4)]).bytes,
    );
    at.file("o/b", "config.json", llama_config(2, WIDTH).to_string());
    // A shard that is not there.
    at.file("o/c", files[0], shard(&[norm(0, "input_layernorm", 1), others[0].clone(), others[1].clone()]).bytes);
    let placed = [(twice, files[0]), (&names[0], files[0]), (&names[1], files[0]), (absent, files[1])];
    at.file("o/c", "model.safetensors.index.json", index(&placed));
    at.file("o/c", "config.json", llama_config(2, WIDTH).to_string());
    for (model, tensor, reason) in
        [("./hub/o/b", twice, "no index tells which counts"), ("./hub/o/c", absent, "does not exist")]
    {
        for words in [
            &["survey", "./hub/o/a", model][..],
            &["layers", model],
            &["fetch", model],
            &["hash", model],
            &["compare", "./hub/o/a", model],
        ] {
            let outcome = at.run(&[words, &["--role", "norms"]].concat()).expect(1);
            let told = format!("tensor `{tensor}` cannot be read: ");
            assert_eq!(outcome.stderr.matches(&told).count(), 1, "{outcome}");
            assert!(outcome.stderr.contains(reason), "{outcome}");
        }
        let out = ["-o", "out", "--formats", "csv,json"];
        at.run(&[&["survey", "./hub/o/a", model, "--role", "norms"][..], &out].concat()).expect(1);
        assert!(!at.read("out/report.json").contains("it has no such tensor"));
        at.run(&[&["compare", "./hub/o/a", model][..], &out].concat()).expect(1);
        let rows = rows(&at.read("out/coverage.csv"));
        let of = |side: &str| {
            rows.iter().filter(|row| row[side] == tensor).map(|row| row["status"].as_str()).collect::<Vec<_>>()
        };
        assert_eq!((of("tensor_a"), of("tensor_b")), (vec!["failed"], vec!["failed"]));
    }
}

#[test]
fn one_cause_of_many_tensors_is_one_warning() {
    let at = Workspace::new();
    let [present, gone] = halves(3, 1);
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    at.file("o/a", files[0], &present.bytes);
    at.file("o/a", "config.json", llama_config(3, WIDTH).to_string());
    let mut placed: Vec<(&str, &str)> = present.ranges.keys().map(|name| (name.as_str(), files[0])).collect();
    placed.extend(gone.ranges.keys().map(|name| (name.as_str(), files[1])));
    at.file("o/a", "model.safetensors.index.json", index(&placed));
    let told = "tensor `model.layers.0.post_attention_layernorm.weight` and 2 more cannot be read: its shard";
    let outcome = at.run(&["hash", "./hub/o/a"]).expect(1);
    assert_eq!(
        (outcome.stderr.matches("cannot be read").count(), outcome.stderr.contains(told)),
        (1, true),
        "{outcome}"
    );
    let outcome = at.run(&["hash", "./hub/o/a", "-v"]).expect(1);
    outcome.says(&[told, "tensor `model.layers.2.post_attention_layernorm.weight` cannot be read"]);
}

#[test]
fn thousands_of_misplaced_tensors_are_counted_and_twenty_named() {
    let at = Workspace::new();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let count = 2000;
    let tensors: Vec<Tensor> = (0..count).map(|number| Tensor::f32(&format!("x{number}"), &[1.0])).collect();
    at.file("o/a", files[0], shard(&tensors[..1]).bytes);
    at.file("o/a", files[1], shard(&tensors[1..]).bytes);
    // All of them in the first file, and as many that are nowhere, one of these in the second.
    let names: Vec<String> = (0..2 * count).map(|number| format!("x{number}")).collect();
    let file_of = |number: usize| files[usize::from(number == 2 * count - 1)];
    let placed: Vec<(&str, &str)> = names.iter().zip(0..).map(|(name, at)| (name.as_str(), file_of(at))).collect();
    at.file("o/a", "model.safetensors.index.json", index(&placed));
    let warnings: Vec<Value> = inspected(&at, "./hub/o/a", 0)["models"][0]["warnings"].as_array().unwrap().clone();
    let of = |what: &str| warnings.iter().filter(|told| told.as_str().unwrap().contains(what)).count();
    assert_eq!(of("` is in the index, but not in shard"), 20, "{warnings:?}");
    assert_eq!(of(&format!("{} more tensors are in the index, but not in their shards", 2 * count - 1 - 20)), 1);
    assert_eq!(of(&format!("{} more tensors are not in the index", count - 1 - 20)), 1);
}

#[test]
fn codes_whose_scales_cannot_be_read_are_no_values() {
    let at = Workspace::new();
    let name = "model.layers.0.self_attn.q_proj.weight";
    let scale = "model.layers.0.self_attn.q_proj.weight_scale_inv";
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    at.file("o/a", files[0], shard(&[Tensor::raw(name, "F8_E4M3", &[8, 8], vec![56; 64])]).bytes);
    at.file("o/a", "config.json", llama_config(1, WIDTH).to_string());
    at.file("o/a", "model.safetensors.index.json", index(&[(name, files[0]), (scale, files[1])]));
    let outcome = at.run(&["survey", "./hub/o/a", "./hub/o/a", "--role", "q_proj"]).expect(1);
    assert!(
        outcome.stderr.contains("`model.layers.0.self_attn.q_proj.weight_scale_inv`, which scales it, cannot be read"),
        "{outcome}"
    );
    assert!(!outcome.stdout.contains("1.0000"), "{outcome}");
}

#[test]
fn several_tensors_for_one_place_are_told_by_the_status_of_a_survey() {
    let at = Workspace::new();
    at.model("o/a", &llama_config(1, WIDTH), &[norm(0, "input_layernorm", 1), norm(0, "post_attention_layernorm", 1)]);
    let copy =
        Tensor { name: "module.model.layers.0.input_layernorm.weight".to_owned(), ..norm(0, "input_layernorm", 2) };
    at.model(
        "o/b",
        &llama_config(1, WIDTH),
        &[norm(0, "input_layernorm", 1), copy, norm(0, "post_attention_layernorm", 1)],
    );
    let outcome = at.run(&["survey", "./hub/o/a", "./hub/o/b", "--role", "norms"]).expect(1);
    assert!(outcome.stderr.contains("skipped input_layernorm, layer 0: 2 tensors fit"), "{outcome}");
}

#[test]
fn what_is_left_out_names_the_rule_and_the_option() {
    let at = Workspace::new();
    let expert = Tensor { name: "model.layers.0.mlp.experts.0.up_proj.weight".to_owned(), ..norm(0, "x", 1) };
    for id in ["o/a", "o/b"] {
        at.model(
            id,
            &llama_config(1, WIDTH),
            &[norm(0, "input_layernorm", 1), norm(0, "post_attention_layernorm", 2), expert.clone()],
        );
    }
    let reason = |words: &[&str], name: &str| {
        let rows = coverage(&at, words, 0);
        rows.iter().find(|row| row["tensor_a"] == name).unwrap()["reason"].clone()
    };
    assert!(
        reason(&[], &expert.name).contains("excluded by default") && reason(&[], &expert.name).contains("--experts")
    );
    let other = "model.layers.0.post_attention_layernorm.weight";
    assert_eq!(reason(&["--role", "input_layernorm"], other), "excluded by --role");
    assert_eq!(reason(&["--skip", "post"], other), "excluded by --skip `post`");
}

#[test]
fn names_that_libraries_changed_meet_and_the_rule_is_counted() {
    let at = Workspace::new();
    let old = [
        "visual.blocks.0.attn.weight",
        "actor.value.weight",
        "conv.parametrizations.weight.original0",
        "model.layers.0.q.lora_A.weight",
    ];
    let new = [
        "model.visual.blocks.0.attn.weight",
        "value.weight",
        "audio.conv.weight_g",
        "base_model.model.model.layers.0.q.lora_A.weight",
    ];
    let tensors = |names: [&str; 4]| -> Vec<Tensor> {
        names.iter().enumerate().map(|(seed, name)| Tensor::f32(name, &gain(seed as u64 + 1, WIDTH))).collect()
    };
    let norms = [norm(0, "input_layernorm", 7), norm(0, "post_attention_layernorm", 8)];
    at.model("o/a", &llama_config(1, WIDTH), &[tensors(old), norms.to_vec()].concat());
    at.model("o/b", &llama_config(1, WIDTH), &[tensors(new), norms.to_vec()].concat());
    let rows = coverage(&at, &[], 0);
    let by = |how: &str| rows.iter().filter(|row| row["matched_by"] == how && row["equal_bytes"] == "true").count();
    assert_eq!((by("suffix"), by("name"), rows.len()), (4, 2, 6), "{rows:?}");
    let outcome = at.run(&["compare", "./hub/o/a", "./hub/o/b"]).expect(0);
    let said = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("matched by: name 2, suffix 4"), "{outcome}");
}

#[test]
fn a_table_of_names_and_a_pattern_pair_what_no_rule_can() {
    let at = Workspace::new();
    let model = |id: &str, names: [&str; 2]| {
        let tensors: Vec<Tensor> =
            names.iter().zip(1..).map(|(name, seed)| Tensor::f32(name, &gain(seed, WIDTH))).collect();
        at.model(id, &json!({}), &tensors);
    };
    model("o/a", ["block_0.mix", "block_1.mix"]);
    model("o/b", ["stage.0.token", "stage.1.token"]);
    fs_err::write(at.path().join("names.toml"), "'^block_(\\d+)\\.mix$' = 'stage.$1.token'\n'^never' = 'x'\n").unwrap();
    fs_err::write(at.path().join("names.csv"), "# names\n^block_(\\d+)\\.mix$,stage.$1.token\n").unwrap();
    let by = |words: &[&str]| -> Vec<String> {
        let rows = coverage(&at, words, 0);
        assert!(rows.iter().all(|row| row["equal_bytes"] == "true"), "{rows:?}");
        rows.iter().map(|row| row["matched_by"].clone()).collect()
    };
    assert_eq!(by(&["--map", "names.toml"]), ["map", "map"]);
    assert_eq!(by(&["--map", "names.csv"]), ["map", "map"]);
    assert_eq!(by(&["--tensor", r"(?:block_|stage\.)(?<layer>\d+)"]), ["pattern", "pattern"]);
    let outcome = at.run(&["compare", "./hub/o/a", "./hub/o/b", "--map", "names.toml"]).expect(0);
    assert!(outcome.stderr.contains("line 2 of --map matches no name"), "{outcome}");
    fs_err::write(at.path().join("wrong.csv"), "a,b\n(,c\n").unwrap();
    let outcome = at.run(&["compare", "./hub/o/a", "./hub/o/b", "--map", "wrong.csv"]).expect(2);
    assert!(outcome.stderr.contains("line 2 of the name map is invalid"), "{outcome}");
}

#[test]
fn a_tensor_that_a_file_ties_to_another_meets_it() {
    let at = Workspace::new();
    let table = gain(1, 3 * WIDTH);
    let of = |name: &str, note: Value| {
        let json = json!({ "__metadata__": note, name: { "dtype": "F32", "shape": [3, WIDTH], "data_offsets": [0, 12 * WIDTH] } });
        let mut bytes = Shard::with_header(&json.to_string(), 0);
        bytes.extend(table.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    };
    at.file("o/a", "model.safetensors", of("lm_head.weight", json!({ "model.embed_tokens.weight": "lm_head.weight" })));
    at.file(
        "o/b",
        "model.safetensors",
        of("model.embed_tokens.weight", json!({ "lm_head.weight": "model.embed_tokens.weight" })),
    );
    for id in ["o/a", "o/b"] {
        at.file(id, "config.json", llama_config(1, WIDTH).to_string());
    }
    let rows = coverage(&at, &[], 0);
    assert_eq!((rows.len(), rows[0]["matched_by"].as_str(), rows[0]["equal_bytes"].as_str()), (1, "tied", "true"));
}

#[test]
fn whether_embeddings_are_tied_is_what_the_configuration_says() {
    let at = Workspace::new();
    let table = |name: &str| Tensor { shape: vec![3, WIDTH as u64], ..Tensor::f32(name, &gain(1, 3 * WIDTH)) };
    let config = |tied: bool| {
        let mut config = llama_config(1, WIDTH);
        config["tie_word_embeddings"] = json!(tied);
        config
    };
    at.model("o/a", &config(false), &[table("model.embed_tokens.weight"), norm(0, "input_layernorm", 1)]);
    at.model("o/b", &config(true), &[table("lm_head.weight"), norm(0, "input_layernorm", 1)]);
    let outcome = at.run(&["fetch", "./hub/o/a", "--role", "lm_head"]).expect(1);
    assert!(outcome.stderr.contains("says that its output embeddings are not the token embeddings"), "{outcome}");
    at.run(&["survey", "./hub/o/a", "./hub/o/b", "--role", "embed_tokens", "-o", "out", "--formats", "csv"]).expect(0);
    assert_eq!(rows(&at.read("out/pairs.csv"))[0]["l2"], "0");
}

#[test]
fn layers_past_the_last_that_is_stated_are_not_called_prediction_blocks() {
    let at = Workspace::new();
    let norms: Vec<Tensor> = (0..3).map(|layer| norm(layer, "input_layernorm", layer as u64)).collect();
    at.model("o/a", &llama_config(2, WIDTH), &norms);
    let mut predicting = llama_config(2, WIDTH);
    (predicting["model_type"], predicting["num_nextn_predict_layers"]) = (json!("glm4_moe"), json!(1));
    at.model("o/b", &predicting, &norms);
    let told = |model: &str| at.run(&["inspect", model]).expect(0).stdout;
    let [plain, blocks] = ["./hub/o/a", "./hub/o/b"].map(told);
    assert!(
        plain.contains("1 tensor of layers past the last that is stated") && !plain.contains("prediction"),
        "{plain}"
    );
    assert!(plain.contains("states 2 layers, and tensors of layers 2 to 2 are there as well"), "{plain}");
    assert!(blocks.contains("1 tensor of multi-token-prediction blocks"), "{blocks}");
    assert!(at.run(&["layers", "./hub/o/a"]).expect(0).stdout.contains("2 (past the last)"));
}

#[test]
fn pointers_and_marks_in_small_files_are_known() {
    let at = Workspace::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    let file = "model-00001-of-00001.safetensors";
    for (id, small) in [("o/a", "config.json"), ("o/b", "model.safetensors.index.json")] {
        at.file(id, file, halves(2, 1)[0].bytes.clone());
        at.file(id, small, pointer);
        let outcome = at.run(&["inspect", &format!("./hub/{id}")]).expect(2);
        let told = [small, "it is a git-lfs pointer", "git lfs pull"];
        assert!(told.iter().all(|words| outcome.stderr.contains(words)), "{outcome}");
    }
    let names: Vec<String> = halves(2, 1)[0].ranges.keys().cloned().collect();
    let placed: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), file)).collect();
    at.file("o/c", file, halves(2, 1)[0].bytes.clone());
    at.file("o/c", "config.json", format!("\u{feff}{}", llama_config(2, WIDTH)));
    at.file("o/c", "model.safetensors.index.json", format!("\u{feff}{}", index(&placed)));
    assert_eq!(parameters(&at, "./hub/o/c"), json!(2 * WIDTH));
}

#[test]
fn an_index_may_be_wrong_of_size_and_write_its_own_folder() {
    let at = Workspace::new();
    let file = "model-00001-of-00001.safetensors";
    let half = &halves(2, 1)[0];
    let bytes = 2 * 4 * WIDTH;
    for (id, size, told) in [
        ("o/a", json!(7), Some("7 bytes")),
        ("o/b", json!("64"), Some("`\\\\\\\"64\\\\\\\"`")),
        ("o/c", json!(bytes), None),
    ] {
        let map: BTreeMap<&String, String> = half.ranges.keys().map(|name| (name, format!("./{file}"))).collect();
        at.file(id, file, &half.bytes);
        at.file(
            id,
            "model.safetensors.index.json",
            json!({ "metadata": { "total_size": size }, "weight_map": map }).to_string(),
        );
        let model = format!("./hub/{id}");
        assert_eq!(parameters(&at, &model), json!(2 * WIDTH));
        let warnings = warnings(&at, &model, 0);
        assert_eq!(warnings.contains("states a total size of"), told.is_some(), "{warnings}");
        assert!(told.is_none_or(|told| warnings.contains(told)), "{warnings}");
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_are_named() {
    let at = Workspace::new();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let half = &halves(2, 1)[0];
    let dangle = |id: &str, file: &str| {
        at.part(id, &json!({}));
        std::os::unix::fs::symlink("/nonexistent/blob", at.repo(id).join(file)).unwrap();
    };
    dangle("o/a", "model.safetensors");
    let outcome = at.run(&["inspect", "./hub/o/a"]).expect(2);
    assert!(outcome.stderr.contains("`model.safetensors` is a link that leads nowhere"), "{outcome}");
    at.file("o/b", "model.safetensors", &half.bytes);
    dangle("o/b", "config.json");
    let outcome = at.run(&["inspect", "./hub/o/b"]).expect(2);
    assert!(outcome.stderr.contains("`config.json` is a link that leads nowhere"), "{outcome}");
    at.file("o/c", files[0], &half.bytes);
    at.file("o/c", "config.json", llama_config(2, WIDTH).to_string());
    let absent = "model.layers.0.post_attention_layernorm.weight";
    let mut placed: Vec<(&str, &str)> = half.ranges.keys().map(|name| (name.as_str(), files[0])).collect();
    placed.push((absent, files[1]));
    at.file("o/c", "model.safetensors.index.json", index(&placed));
    dangle("o/c", files[1]);
    let outcome = at.run(&["hash", "./hub/o/c"]).expect(1);
    assert!(
        outcome.stderr.contains("its shard `model-00002-of-00002.safetensors` is a link that leads nowhere"),
        "{outcome}"
    );
}
