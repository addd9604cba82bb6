//! Inspecting: what is in a model, from its headers alone.

use serde_json::{Value, json};

use crate::support::{Tensor, Workspace, gain, llama, llama_config};

/// `o/a`, and `o/b` of another width with a tensor that no family knows.
fn two_models() -> Workspace {
    let mut at = Workspace::with_llama(2, 64);
    let mut tensors = llama(2, 3, 96);
    tensors.push(Tensor::f32("adapter.mystery", &gain(3, 8)));
    at.model("o/b", &llama_config(3, 96), &tensors);
    at.serve();
    at
}

#[test]
fn one_model_is_described_without_a_byte_of_its_weights() {
    let at = two_models();
    let outcome = at.run(&["inspect", "o/b"]).expect(0);
    insta::assert_snapshot!(outcome.stdout, @"
    o/b@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00
      family        llama (recognised by model_type)
      model_type    llama
      layers        3
      width         96
      files         1 safetensors file, 143 kB
      tensors       15
      parameters    70680
      quantisation  none stated

      dtype  tensors  elements     bytes
      BF16        14     70672    141 kB
      F32          1         8  32 bytes

      role                      tensors  layers  shapes
      input_layernorm                 3  0–2     96
      post_attention_layernorm        3  0–2     96
      final_norm                      1  –       96
      q_proj                          3  0–2     100×100
      down_proj                       3  0–2     100×100
      embed_tokens                    1  –       100×100
      lineage can test: norms
      lineage cannot test mlp: no such tensor
      lineage cannot test heads: no such tensor
      lineage cannot test experts: no such tensor
      lineage cannot test embeddings: rows differ in width
      unclassified: 1
        adapter.mystery
    ");
    let asked = at.asked();
    assert_eq!(asked.ranges("model.safetensors"), ["bytes=0-65535"]);
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn every_tensor_is_listed_when_asked_for() {
    let at = two_models();
    let outcome = at.run(&["inspect", "o/b", "--tensors"]).expect(0);
    let line = |name: &str| {
        let found = outcome.stdout.lines().find(|line| line.starts_with(&format!("{name}\t")));
        found.map(|line| line.split('\t').skip(1).take(3).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(line("model.layers.2.input_layernorm.weight").as_deref(), Some("input_layernorm BF16 96"));
    assert_eq!(line("adapter.mystery").as_deref(), Some("unclassified F32 8"));
    assert_eq!(outcome.stdout.lines().filter(|line| line.contains('\t')).count(), 15);
}

#[test]
fn two_models_are_set_side_by_side_with_what_can_be_compared() {
    let at = two_models();
    let outcome = at.run(&["inspect", "o/a", "o/b", "--format", "json"]).expect(0);
    let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(value["models"][0]["layers"], 2);
    assert_eq!(value["models"][1]["unclassified"], json!(["adapter.mystery"]));
    let rows = value["comparable"].as_array().unwrap();
    let row = |role: &str| rows.iter().find(|row| row["role"] == role).unwrap();
    assert_eq!(row("input_layernorm")["models"][1]["shapes"], "96");
    assert!(row("input_layernorm")["models_sharing_a_shape"].is_null());
    assert!(row("input_layernorm")["reason"].is_string());
    assert_eq!(row("q_proj")["models_sharing_a_shape"], 2);
    let text = at.run(&["inspect", "o/a", "o/b"]).expect(0);
    let table = text.stdout.split("models that share a shape").nth(1).unwrap_or_default();
    assert!(table.contains("input_layernorm") && table.contains("b: 96"), "{text}");
}

#[test]
fn blocks_past_the_last_layer_are_kept_apart() {
    let mut at = Workspace::new();
    let mut config = llama_config(2, 64);
    config["model_type"] = "glm4_moe".into();
    config["architectures"] = json!(["Glm4MoeForCausalLM"]);
    at.model("o/mtp", &config, &llama(1, 3, 64));
    at.serve();
    let outcome = at.run(&["inspect", "o/mtp"]).expect(0);
    assert!(outcome.stdout.contains("4 tensors of multi-token-prediction blocks, kept apart"), "{outcome}");
    at.run(&["fetch", "o/mtp"]).expect(0);
    assert_eq!(at.kept_tensors(), 2);
    at.run(&["survey", "o/mtp", "-q", "-o", "out"]).expect(0);
    let report = at.read("out/REPORT.md");
    assert!(report.contains("multi-token-prediction block, which is kept apart"), "{report}");
}

#[test]
fn a_model_that_cannot_be_read_does_not_hide_the_others() {
    let at = two_models();
    let outcome = at.run(&["inspect", "o/a", "o/gone"]).expect(1);
    // Once, where errors are told.
    assert_eq!(outcome.raw.matches("repository `o/gone` does not exist").count(), 1, "{outcome}");
    assert!(!outcome.stdout.contains("does not exist"), "{outcome}");
    assert!(outcome.stdout.contains("parameters"), "{outcome}");
}

#[test]
fn what_is_read_of_headers_alone_counts_nothing_from_the_cache() {
    let mut at = Workspace::with_llama(2, 64);
    at.serve();
    at.run(&["fetch", "o/a"]).expect(0).says(&["2 tensors fetched"]);
    for args in [&["inspect", "o/a"][..], &["hash", "--files", "o/a"]] {
        at.run(args).says(&["0 tensors fetched, 0 from cache, "]);
    }
}

#[test]
fn same_files_are_told_by_listings_alone() {
    let mut at = Workspace::with_llama(2, 64);
    at.llama("o/b", 1, 2, 64);
    at.serve();
    // What is known of a model from another question has no Xet hashes; they are asked for where they are wanted.
    at.run(&["inspect", "o/a"]).expect(0);
    assert_eq!(at.asked().hub_paths_with("/tree/"), 0);
    let outcome = at.run(&["hash", "--files", "o/a", "o/b"]).expect(0);
    let xet = outcome.stdout.lines().skip(1).map(|line| line.split(',').nth(2).unwrap_or_default().len());
    assert!(xet.clone().count() > 0 && xet.clone().all(|digits| digits == 64), "{outcome}");
    assert!(outcome.stdout.lines().count() == 3 && outcome.stdout.contains(",o/b,"), "{outcome}");
    let asked = at.asked();
    assert_eq!((asked.count(), asked.hub_paths_with("/revision/"), asked.hub_paths_with("/tree/")), (4, 2, 2));
    at.run(&["hash", "--files", "o/a", "o/none"]).expect(1).says(&["repository `o/none` does not exist"]);
    // Of one model there are no groups; its files are listed with what the Hub states of them.
    let one = at.run(&["hash", "--files", "o/a"]).expect(0);
    let rows: Vec<Vec<&str>> = one.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["sha256", "xet_hash", "git_oid", "size", "model", "commit", "file"]);
    let of = |file: &str| {
        let row = rows.iter().find(|row| row[6] == file).unwrap_or_else(|| panic!("{file}: {one}"));
        [row[0].len(), row[1].len(), row[2].len()]
    };
    assert_eq!((of("model.safetensors"), of("config.json")), ([64, 64, 0], [0, 0, 40]));
    assert!(!one.stderr.contains("group"), "{one}");
    at.run(&["hash", "--files", "o/none"]).expect(2);
}

#[test]
fn of_folders_alone_no_cost_is_told() {
    let mut at = Workspace::with_llama(2, 64);
    at.serve();
    for (args, status) in [
        (&["inspect", "./hub/o/a"][..], 0),
        (&["layers", "./hub/o/a"], 0),
        (&["layers", "./hub/o/a", "--dry-run"], 0),
        (&["layers", "./hub/o/none"], 2),
        (&["inspect", "./hub/o/a", "./hub/o/none"], 1),
    ] {
        let outcome = at.run(args).expect(status);
        assert!(!outcome.stderr.contains("moved"), "{outcome}");
    }
    at.run(&["inspect", "o/a", "./hub/o/a"]).expect(0).says(&["moved "]);
}
