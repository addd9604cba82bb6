//! Two whole checkpoints beside each other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Tensor, Workspace, gain, llama_config, rows, shard};

const WIDTH: usize = 8;

/// Heads 2, one key and value head, width of a head 4.
fn config(model_type: &str, architecture: &str) -> Value {
    json!({
        "model_type": model_type,
        "architectures": [architecture],
        "num_hidden_layers": 1,
        "hidden_size": WIDTH,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 4,
        "intermediate_size": 6,
    })
}

fn matrix(name: &str, values: &[f32], rows: usize) -> Tensor {
    let mut tensor = Tensor::bf16(name, values);
    tensor.shape = vec![rows as u64, (values.len() / rows) as u64];
    tensor
}

/// Rows `chosen` of a matrix with `WIDTH` columns.
fn taken(values: &[f32], chosen: &[usize]) -> Vec<f32> {
    chosen.iter().flat_map(|&row| values[row * WIDTH..(row + 1) * WIDTH].to_vec()).collect()
}

fn turned(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// `pairs.csv` of a comparison by role, and what it printed.
fn compare(at: &Workspace, a: &str, b: &str, more: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut words = vec!["compare", a, b, "-o", "out", "--formats", "csv"];
    words.extend(more);
    at.run(&words).expect(0);
    let pairs = table(at, "pairs.csv");
    pairs.into_iter().map(|row| (row["role"].clone(), row)).collect()
}

fn coverage(at: &Workspace) -> Vec<BTreeMap<String, String>> {
    table(at, "coverage.csv")
}

fn table(at: &Workspace, name: &str) -> Vec<BTreeMap<String, String>> {
    rows(&fs_err::read_to_string(at.path().join("out").join(name)).expect("the comparison wrote it"))
}

#[test]
fn a_fused_internlm2_meets_a_split_llama_row_by_row() {
    let mut at = Workspace::new();
    let (q, k, v) = (gain(1, 8 * WIDTH), gain(2, 4 * WIDTH), gain(3, 4 * WIDTH));
    // view(1, 2 + 2, 4): both queries, the key, the value of the one group.
    let wqkv = [q.clone(), k.clone(), v.clone()].concat();
    let mut internlm = config("internlm2", "InternLM2ForCausalLM");
    internlm["num_key_value_heads"] = json!(1);
    at.model(
        "o/intern",
        &internlm,
        &[
            matrix("model.layers.0.attention.wqkv.weight", &wqkv, 16),
            Tensor::bf16("model.layers.0.attention_norm.weight", &gain(4, WIDTH)),
        ],
    );
    at.model(
        "o/llama",
        &config("llama", "LlamaForCausalLM"),
        &[
            matrix("model.layers.0.self_attn.q_proj.weight", &q, 8),
            matrix("model.layers.0.self_attn.k_proj.weight", &k, 4),
            matrix("model.layers.0.self_attn.v_proj.weight", &taken(&v, &[1, 0, 2, 3]), 4),
            Tensor::bf16("model.layers.0.input_layernorm.weight", &gain(4, WIDTH)),
            matrix("lm_head.weight", &gain(5, 3 * WIDTH), 3),
        ],
    );
    at.serve();
    let pairs = compare(&at, "o/intern", "o/llama", &[]);
    let changed = |role: &str| pairs[role]["changed_frac"].parse::<f64>().unwrap();
    assert_eq!((changed("q_proj"), changed("k_proj"), changed("input_layernorm")), (0.0, 0.0, 0.0));
    // Two rows of four are swapped.
    assert!(changed("v_proj") > 0.3 && changed("v_proj") <= 0.5);
    assert_eq!(pairs["q_proj"]["tensor_a"], "model.layers.0.attention.wqkv.weight");
    assert_eq!((pairs["q_proj"]["shape"].as_str(), pairs["v_proj"]["numel"].as_str()), ("8×8", "32"));
    let alone: Vec<_> = coverage(&at).into_iter().filter(|row| row["status"] == "only_in_b").collect();
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0]["tensor_b"], "lm_head.weight");
}

#[test]
fn gpt2_is_turned_before_it_meets_a_linear() {
    let mut at = Workspace::new();
    let parts = [gain(1, 8 * WIDTH), gain(2, 8 * WIDTH), gain(3, 8 * WIDTH)];
    let out = gain(4, WIDTH * WIDTH);
    let columns = turned(&parts.concat(), 24);
    at.model(
        "o/gpt2",
        &json!({ "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 1, "n_embd": 8, "n_head": 2 }),
        &[
            matrix("h.0.attn.c_attn.weight", &columns, WIDTH),
            Tensor::bf16("h.0.attn.c_attn.bias", &gain(6, 24)),
            matrix("h.0.attn.c_proj.weight", &turned(&out, WIDTH), WIDTH),
        ],
    );
    let mut llama = config("llama", "LlamaForCausalLM");
    llama["num_key_value_heads"] = json!(2);
    let name = |role: &str, part: &str| format!("model.layers.0.self_attn.{role}_proj.{part}");
    let mut tensors = vec![matrix(&name("o", "weight"), &out, WIDTH)];
    for (at, role) in ["q", "k", "v"].into_iter().enumerate() {
        tensors.push(matrix(&name(role, "weight"), &parts[at], 8));
        tensors.push(Tensor::bf16(&name(role, "bias"), &gain(6, 24)[8 * at..8 * (at + 1)]));
    }
    at.model("o/llama", &llama, &tensors);
    at.serve();
    let pairs = compare(&at, "o/gpt2", "o/llama", &[]);
    let roles = ["q_proj", "k_proj", "v_proj", "o_proj", "q_proj_bias", "k_proj_bias", "v_proj_bias"];
    assert_eq!(pairs.keys().count(), roles.len());
    for role in roles {
        assert_eq!(pairs[role]["changed_frac"], "0", "{role}");
    }
    assert!(coverage(&at).iter().all(|row| row["status"] == "compared" && row["equal_bytes"] == "true"));
}

#[test]
fn a_split_that_does_not_add_up_is_a_reason_and_no_comparison() {
    let mut at = Workspace::new();
    let mut wrong = config("internlm2", "InternLM2ForCausalLM");
    wrong["head_dim"] = json!(5);
    at.model("o/intern", &wrong, &[matrix("model.layers.0.attention.wqkv.weight", &gain(1, 16 * WIDTH), 16)]);
    at.model(
        "o/llama",
        &config("llama", "LlamaForCausalLM"),
        &[matrix("model.layers.0.self_attn.q_proj.weight", &gain(1, 8 * WIDTH), 8)],
    );
    at.serve();
    let outcome = at.run(&["compare", "o/intern", "o/llama", "-o", "out", "--formats", "csv"]).expect(1);
    outcome.says(&["no comparable tensors"]);
    let intern = coverage(&at).into_iter().find(|row| row["status"] == "only_in_a").unwrap();
    assert!(intern["reason"].contains("do not add up to its 16 rows"), "{intern:?}");
}

#[test]
fn over_the_hub_and_from_folders_the_pairs_are_the_same_but_for_the_commits() {
    let mut at = Workspace::new();
    // Larger than what is held, so that it streams, from the cache's widened elements and from the shard's own.
    let many = 1 << 17;
    for (id, seed) in [("o/a", 1), ("o/b", 2)] {
        let mut tensors = vec![
            matrix("model.layers.0.mlp.up_proj.weight", &gain(seed, many), 256),
            Tensor::bf16("model.layers.0.input_layernorm.weight", &gain(seed + 7, 64)),
            Tensor::f32("model.norm.weight", &gain(seed + 9, 64)),
        ];
        tensors.push(Tensor::raw("model.layers.0.odd", "I64", &[2], vec![seed.to_le_bytes()[0]; 16]));
        at.model(id, &llama_config(1, 64), &tensors);
    }
    at.serve();
    let read = |at: &Workspace| {
        let mut rows = table(at, "pairs.csv");
        for row in &mut rows {
            for column in ["model_a", "model_b", "commit_a", "commit_b"] {
                row.remove(column);
            }
        }
        rows
    };
    compare(&at, "o/a", "o/b", &[]);
    let over_hub = read(&at);
    assert_eq!(over_hub.len(), 4);
    let folders = ["o/a", "o/b"].map(|id| at.repo(id).display().to_string());
    compare(&at, &folders[0], &folders[1], &[]);
    assert_eq!(read(&at), over_hub);
    compare(&at, "o/a", &folders[1], &["--threads", "3"]);
    assert_eq!(read(&at), over_hub);
}

#[test]
fn of_two_copies_of_one_file_one_is_read() {
    let mut at = Workspace::new();
    let tensors = [matrix("model.layers.0.mlp.up_proj.weight", &gain(1, 1 << 14), 128)];
    let shard = at.model("o/a", &llama_config(1, 128), &tensors);
    at.model("o/b", &llama_config(1, 128), &tensors);
    at.serve();
    let pairs = compare(&at, "o/a", "o/b", &[]);
    assert_eq!(pairs["up_proj"]["cos_sim"], "1");
    assert_eq!(coverage(&at)[0]["equal_bytes"], "true");
    let range = shard.asked("model.layers.0.mlp.up_proj.weight");
    let read = at.asked().ranges("model.safetensors").into_iter().filter(|asked| *asked == range);
    assert_eq!(read.count(), 1);
}

#[test]
fn norms_stand_apart_from_matrices_in_every_table() {
    let mut at = Workspace::new();
    for (id, seed) in [("o/a", 1), ("o/b", 2)] {
        at.model(
            id,
            &llama_config(2, 16),
            &[
                matrix("model.layers.0.mlp.up_proj.weight", &gain(seed, 256), 16),
                matrix("model.layers.1.mlp.up_proj.weight", &gain(seed + 2, 256), 16),
                Tensor::bf16("model.layers.0.input_layernorm.weight", &gain(seed + 4, 16)),
                Tensor::bf16("model.layers.1.input_layernorm.weight", &gain(seed + 6, 16)),
            ],
        );
    }
    at.serve();
    compare(&at, "o/a", "o/b", &[]);
    let read = |name: &str| table(&at, name);
    let counts: Vec<_> = read("summary.csv")
        .into_iter()
        .filter(|row| row["metric"] == "cos_sim")
        .map(|row| (row["group"].clone(), row["count"].clone()))
        .collect();
    let expected = [("norms_and_biases", "2"), ("rest", "2"), ("input_layernorm", "2"), ("up_proj", "2")];
    assert_eq!(counts, expected.map(|(group, count)| (group.to_owned(), count.to_owned())));
    let layers: Vec<_> = read("layers.csv")
        .into_iter()
        .filter(|row| row["metric"] == "pearson" && row["group"] == "rest")
        .map(|row| row["layer"].clone())
        .collect();
    assert_eq!(layers, ["0", "1"]);
    let matrices: u32 = read("bands.csv").iter().map(|row| row["matrices"].parse::<u32>().unwrap()).sum();
    assert_eq!(matrices, 2);
}

#[test]
fn the_first_pairs_alone_are_read_where_no_more_are_asked_for() {
    let mut at = Workspace::new();
    let shards = [("o/a", 1), ("o/b", 2)].map(|(id, seed)| at.llama(id, seed, 3, 64));
    at.serve();
    let more = ["--role", "input_layernorm", "--max-tensors", "1"];
    compare(&at, "o/a", "o/b", &more);
    let beyond = |row: &&BTreeMap<String, String>| row["reason"].contains("--max-tensors");
    assert_eq!(coverage(&at).iter().filter(beyond).count(), 2);
    let far = shards[0].asked("model.layers.2.input_layernorm.weight");
    assert!(!at.asked().ranges("model.safetensors").contains(&far));
}

#[test]
fn a_condition_on_a_pair_is_an_exit_status() {
    let mut at = Workspace::new();
    at.llama("o/a", 1, 2, 64);
    at.llama("o/b", 2, 2, 64);
    at.serve();
    at.run(&["compare", "o/a", "o/b", "--role", "norms", "--fail-if", "cos_sim>0.5"])
        .expect(3)
        .says(&["--fail-if cos_sim>0.5 holds: `model.layers.0.input_layernorm.weight`"]);
    at.run(&["compare", "o/a", "o/b", "--role", "norms", "--fail-if", "abs(pearson)>0.9"]).expect(0);
    at.run(&["compare", "o/a"]).expect(2).says(&["`compare` needs exactly two models, got 1"]);
}

#[test]
fn what_is_constant_or_a_fixed_buffer_on_both_sides_is_listed_and_counts_nowhere() {
    let mut at = Workspace::new();
    let ones = [1.0; WIDTH];
    let one_hot: Vec<f32> = (0..WIDTH * WIDTH).map(|at| f32::from(u8::from(at % (WIDTH + 1) == 0))).collect();
    for (id, seed) in [("o/a", 1), ("o/b", 20)] {
        at.model(
            id,
            &config("llama", "LlamaForCausalLM"),
            &[
                matrix("model.layers.0.self_attn.q_proj.weight", &gain(seed, 8 * WIDTH), 8),
                matrix("model.layers.0.self_attn.o_proj.weight", &one_hot, 8),
                Tensor::bf16("model.layers.0.input_layernorm.weight", &ones),
                Tensor::bf16("model.layers.0.post_attention_layernorm.weight", &gain(seed + 1, WIDTH)),
            ],
        );
    }
    at.serve();
    let pairs = compare(&at, "o/a", "o/b", &["--fail-if", "changed_frac<0.1"]);
    // The numbers are there, with what they are worth.
    assert_eq!(pairs["o_proj"]["cos_sim"], "1");
    let told: BTreeMap<String, [String; 2]> = coverage(&at)
        .into_iter()
        .map(|row| (row["role"].clone(), [row["status"].clone(), row["reason"].clone()]))
        .collect();
    let expected = [
        ("input_layernorm", "trivial", "constant on both sides"),
        ("o_proj", "trivial", "fixed-buffer:one-hot on both sides"),
        ("post_attention_layernorm", "compared", ""),
        ("q_proj", "compared", ""),
    ];
    for (role, status, reason) in expected {
        assert_eq!(told[role], [status.to_owned(), reason.to_owned()], "{role}");
    }
    let groups: Vec<[String; 3]> = table(&at, "closeness.csv")
        .into_iter()
        .map(|row| [row["group"].clone(), row["n_cos_sim"].clone(), row["equal_bytes"].clone()])
        .collect();
    assert_eq!(groups.len(), 4, "{groups:?}");
    assert!(groups.iter().all(|[_, with, equal]| with == "1" && equal == "0"), "{groups:?}");
}

#[test]
fn a_condition_says_what_it_was_not_asked_of() {
    let mut at = Workspace::new();
    let name = |layer: u32| format!("model.layers.{layer}.input_layernorm.weight");
    let norm = |layer: u32, seed: u64, width: usize| Tensor::bf16(&name(layer), &gain(seed, width));
    let deep: Vec<Tensor> = (0..14).map(|layer| norm(layer, u64::from(layer) + 1, 16)).collect();
    let mut other: Vec<Tensor> = (0..13).map(|layer| norm(layer, u64::from(layer) + 50, 16)).collect();
    other[12] = norm(12, 99, 32);
    other.push(Tensor::bf16("lm_head.weight", &gain(3, 16)));
    at.model("o/a", &llama_config(14, 16), &deep);
    at.model("o/b", &llama_config(14, 16), &other);
    at.model("o/c", &llama_config(1, 32), &[norm(0, 1, 32)]);
    at.serve();
    let outcome = at.run(&["compare", "o/a", "o/b", "--fail-if", "cos_sim>0.5"]).expect(3);
    assert_eq!(outcome.stderr.matches("holds: ").count(), 10, "{outcome}");
    outcome.says(&[
        "--fail-if cos_sim>0.5 holds for 12 of 12 pairs, of which the first 10 are above, and all in the CSV files under -o; not \
         checked: 1 of differing shape, 1 only in the first model, 1 only in the second model\n",
    ]);
    at.run(&["compare", "o/a", "o/b", "--fail-if", "cos_sim<0.5"])
        .expect(0)
        .says(&["--fail-if cos_sim<0.5 holds for none of 12 pairs; not checked: 1 of differing shape, "]);
    // A condition that was asked of nothing does not pass.
    let survey = ["survey", "o/a", "o/c", "--layers", "0", "--fail-if", "cos_sim>0.5"];
    at.run(&survey)
        .expect(1)
        .says(&["warning: --fail-if cos_sim>0.5: no pair to check; not checked: 1 of differing shape\n"]);
}

#[test]
fn a_scaled_weight_has_one_value_in_every_command() {
    let mut at = Workspace::new();
    let name = |layer: u32| format!("model.layers.{layer}.self_attn.q_proj.weight");
    let mut config = llama_config(5, 16);
    config["quantization_config"] = json!({ "quant_method": "fp8", "weight_block_size": [16, 16] });
    for (id, seed) in [("o/a", 3_u8), ("o/b", 7)] {
        let tensors: Vec<Tensor> = (0..5)
            .flat_map(|layer| {
                let stored = (0..=255_u8).map(|at| at.wrapping_mul(seed) % 0x70).collect();
                [
                    Tensor::raw(&name(layer), "F8_E4M3", &[16, 16], stored),
                    Tensor::raw(&format!("{}_scale_inv", name(layer)), "F32", &[1, 1], 0.5_f32.to_le_bytes().to_vec()),
                ]
            })
            .collect();
        at.model(id, &config, &tensors);
    }
    at.serve();
    let compared = compare(&at, "o/a", "o/b", &["--layers", "0"])["q_proj"]["cos_sim"].clone();
    let survey = ["survey", "o/a", "o/b", "--role", "q_proj", "--layers", "0", "-o", "out", "--formats", "csv"];
    at.run(&survey).expect(0);
    let surveyed = table(&at, "pairs.csv")[0]["cos_sim"].clone();
    let near = |text: &str| text.parse::<f64>().unwrap();
    assert!((near(&surveyed) - near(&compared)).abs() < 1e-12, "{surveyed} {compared}");
    // Every layer holds the same codes and scales.
    let outcome = at.run(&["layers", "o/a", "--role", "q_proj"]).expect(0);
    assert!(outcome.stdout.contains("q_proj  residual        4  0.0000  0.0000  0.0000"), "{outcome}");
}

#[test]
fn scales_in_another_shard_are_seen_though_nothing_else_of_it_is_needed() {
    let mut at = Workspace::new();
    let name = |layer: u32| format!("model.layers.{layer}.self_attn.q_proj.weight");
    let weights: Vec<Tensor> =
        (0..2).map(|layer| Tensor::raw(&name(layer), "F8_E4M3", &[16, 16], vec![0x38; 256])).collect();
    let scales: Vec<Tensor> = (0..2)
        .map(|layer| {
            let stored = 0.5_f32.to_le_bytes().to_vec();
            Tensor::raw(&format!("{}_scale_inv", name(layer)), "F32", &[1, 1], stored)
        })
        .collect();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let mut placed = serde_json::Map::new();
    for (file, tensors) in files.into_iter().zip([&weights, &scales]) {
        at.file("o/a", file, &shard(tensors).bytes);
        placed.extend(tensors.iter().map(|tensor| (tensor.name.clone(), json!(file))));
    }
    at.file("o/a", "config.json", llama_config(2, 16).to_string());
    at.file("o/a", "model.safetensors.index.json", json!({ "weight_map": placed }).to_string());
    at.serve();
    // 256 ones, times one half.
    let outcome = at.run(&["layers", "o/a", "--role", "q_proj"]).expect(0);
    assert!(outcome.stdout.contains("q_proj  frobenius_norm  2  8.0000  8.0000  8.0000"), "{outcome}");
}

#[test]
fn a_cosine_in_a_picture_stands_beside_its_null() {
    let mut at = Workspace::new();
    at.llama("o/a", 1, 3, 64);
    at.llama("o/b", 2, 3, 64);
    at.serve();
    let words = ["compare", "o/a", "o/b", "--role", "norms", "-o", "out", "--formats", "svg"];
    at.run(&words).expect(0);
    let histogram = at.read("out/cosines_norms.svg");
    assert!(histogram.contains(">mean = 0.9") && histogram.contains(">mean null = 0.9"), "{histogram}");
    let by_layer = at.read("out/layers_norms.svg");
    assert!(by_layer.contains(">cos_sim") && by_layer.contains(">null, below its line<"), "{by_layer}");
    assert!(by_layer.matches(", null 0.9").count() == 6, "each of two roles in three layers: {by_layer}");
}

#[test]
fn embeddings_are_no_part_of_the_mean_of_layers_and_pairs_say_how_many_have_a_value() {
    let mut at = Workspace::new();
    let model = |at: &Workspace, id: &str, salt: u64| {
        let mut names = vec![("model.embed_tokens.weight".to_owned(), 1), ("lm_head.weight".to_owned(), 2)];
        names.push(("model.layers.0.self_attn.o_proj.weight".to_owned(), salt));
        names.push(("model.layers.0.self_attn.q_proj.weight".to_owned(), salt + 1));
        let mut tensors: Vec<Tensor> = names.iter().map(|(name, seed)| matrix(name, &gain(*seed, 64), 8)).collect();
        // Infinities leave counts and no cosine; an empty tensor leaves nothing.
        let mut infinite = gain(salt + 2, 32);
        infinite[0] = f32::INFINITY;
        tensors.push(matrix("model.layers.0.self_attn.v_proj.weight", &infinite, 4));
        let mut empty = matrix("model.layers.0.mlp.down_proj.weight", &[], 1);
        empty.shape = vec![8, 0];
        tensors.push(empty);
        at.model(id, &config("llama", "LlamaForCausalLM"), &tensors);
    };
    model(&at, "o/a", 10);
    model(&at, "o/b", 20);
    at.serve();
    let outcome = at.run(&["compare", "o/a", "o/b", "-o", "out", "--formats", "csv,md"]).expect(0);
    let counts: BTreeMap<String, String> = table(&at, "summary.csv")
        .into_iter()
        .filter(|row| row["metric"] == "cos_sim" && ["embeddings", "rest"].contains(&row["group"].as_str()))
        .map(|row| {
            (row["group"].clone(), format!("{} {}", row["count"], row["mean"].parse::<f64>().unwrap() > 0.999_999))
        })
        .collect();
    assert_eq!(counts, BTreeMap::from([("embeddings".into(), "2 true".into()), ("rest".into(), "2 false".into())]));
    let line = |group: &str| {
        let line = outcome.stdout.lines().find(|line| line.starts_with(group)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert!(line("embeddings").starts_with("2 1.0000"), "{outcome}");
    assert!(line("rest").starts_with("2 of 3 "), "{outcome}");
    let status = |tensor: &str| {
        let found = coverage(&at).into_iter().find(|row| row["tensor_a"].ends_with(tensor)).unwrap();
        (found["status"].clone(), found["reason"].clone())
    };
    assert_eq!(status("down_proj.weight"), ("no_value".to_owned(), "TooFew".to_owned()));
    assert_eq!(status("v_proj.weight").0, "compared");
}

#[test]
fn a_published_pages_mean_and_patterns_over_layers_are_set_beside_matrices_alone() {
    let at = Workspace::new();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let (mut tensors, mut cosines) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for layer in 0..7_u64 {
        // Early layers are equal, late ones have nothing in common; norms are alike throughout.
        let own = if layer < 4 { [layer, layer] } else { [layer, 50 + layer] };
        let matrices = own.map(|seed| gain(seed, 256).iter().map(|value| value - 1.0).collect::<Vec<f32>>());
        let norms = [100 + layer, 200 + layer].map(|seed| gain(seed, 16));
        for (role, of, values) in [("self_attn.q_proj", 1, &matrices), ("input_layernorm", 0, &norms)] {
            let name = format!("model.layers.{layer}.{role}.weight");
            for (tensors, values) in tensors.iter_mut().zip(values) {
                let vector = Tensor::f32(&name, values);
                tensors.push(if of == 1 { Tensor { shape: vec![16, 16], ..vector } } else { vector });
            }
            let [a, b] = values;
            cosines[of].push(dot(a, b) / (dot(a, a) * dot(b, b)).sqrt());
        }
    }
    for (id, tensors) in ["o/a", "o/b"].into_iter().zip(&tensors) {
        at.model(id, &llama_config(7, 16), tensors);
    }
    let run = at.run(&["compare", "./hub/o/a", "./hub/o/b", "-o", "out", "--formats", "md"]).expect(0);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let all = mean(&cosines.concat());
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        format!("Mean cos_sim of all tensors (14): {all:.4}, null "),
        format!("Mean cos_sim of matrices alone (7): {:.4}, null ", mean(&cosines[1])),
    ] {
        assert!(said.contains(&line), "{line}: {run}");
    }
    assert!(said.contains("reads such a mean as “partial reuse”"), "{run}");
    let report = at.read("out/REPORT.md");
    let line = |start: &str| report.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
    let of = |name: &str| line(&format!("| {name} |")).split('|').map(str::trim).collect::<Vec<_>>();
    assert_eq!(of("early")[2..4], ["0–1", "2"]);
    assert_eq!(of("early")[5..7], ["2", "0"]);
    assert_eq!(of("middle")[2..4], ["2–4", "3"]);
    assert_eq!(of("late")[2..7], ["5–6", "2", of("late")[4], "0", "2"]);
    assert_eq!(of("early layers high, late ones low")[3], "yes");
    assert_eq!([of("all layers low")[3], of("only some layers high")[3]], ["no", "no"]);
}
