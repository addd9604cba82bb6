//! I ask whether models are linked, and get an answer that says what it rests on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Outcome, Tensor, Workspace, gain, llama_config, rows};

const WIDTH: usize = 64;
const LAYERS: usize = 4;

/// Words that no answer may hold.
const FORBIDDEN: [&str; 8] =
    ["copied", "stolen", "derived from", "proves", "same model", "confirmed", "cleared", "parent"];

/// Zero-mean values, the same for the same seed.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f32> {
    gain(seed, count).into_iter().map(|value| value - 1.0).collect()
}

/// `weight` of what the first seed gives, and what is left of the second's.
fn mixed(seeds: [u64; 2], salt: u64, weight: f32, count: usize) -> Vec<f32> {
    let [first, second] = seeds.map(|seed| noise(1_000_000 * seed + salt, count));
    let rest = (1.0 - weight * weight).sqrt();
    first.iter().zip(second).map(|(a, b)| weight * a + rest * b).collect()
}

/// What a checkpoint is made of.
pub(crate) struct Planted {
    pub(crate) seeds: [u64; 2],
    pub(crate) weight: f32,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) inner: usize,
}

impl Planted {
    pub(crate) fn of(seed: u64) -> Self {
        Self { seeds: [seed, 99], weight: 1.0, width: WIDTH, layers: LAYERS, inner: 64 }
    }

    /// A relative of the checkpoint of `seed`, with something of its own.
    pub(crate) fn relative(seed: u64, own: u64, weight: f32) -> Self {
        Self { seeds: [seed, own], weight, ..Self::of(seed) }
    }

    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        let &Self { width, inner, .. } = self;
        let values = |salt: u64, count: usize| mixed(self.seeds, salt, self.weight, count);
        let matrix = |name: String, salt: u64, rows: usize| {
            let bytes = Tensor::bf16("", &values(salt, rows * width)).bytes;
            Tensor::raw(&name, "BF16", &[rows as u64, width as u64], bytes)
        };
        let norm = |name: String, salt: u64| {
            let values: Vec<f32> = values(salt, width).into_iter().map(|value| 1.0 + value).collect();
            Tensor::bf16(&name, &values)
        };
        let mut tensors = vec![matrix("model.embed_tokens.weight".to_owned(), 1, 400)];
        for layer in 0..self.layers {
            let (at, salt) = (format!("model.layers.{layer}"), 10 + 10 * layer as u64);
            tensors.push(norm(format!("{at}.input_layernorm.weight"), salt));
            tensors.push(matrix(format!("{at}.mlp.up_proj.weight"), salt + 1, inner));
            tensors.push(norm(format!("{at}.post_attention_layernorm.weight"), salt + 2));
            tensors.push(matrix(format!("{at}.self_attn.v_proj.weight"), salt + 3, 32));
            tensors.push(matrix(format!("{at}.self_attn.q_proj.weight"), salt + 4, 64));
        }
        tensors.push(norm("model.norm.weight".to_owned(), 2));
        tensors
    }

    pub(crate) fn config(&self) -> Value {
        let mut config = llama_config(self.layers, self.width);
        config["num_attention_heads"] = json!(4);
        config["num_key_value_heads"] = json!(2);
        config
    }

    pub(crate) fn write(&self, at: &Workspace, id: &str) {
        at.model(id, &self.config(), &self.tensors());
        at.file(id, "tokenizer.json", tokenizer().to_string());
    }
}

/// A byte-level vocabulary of 400 words.
pub(super) fn tokenizer() -> Value {
    let pieces = (0..400).map(|id| (format!("\u{120}word{id}"), json!(id)));
    json!({
        "added_tokens": [],
        "pre_tokenizer": { "type": "ByteLevel" },
        "model": { "type": "BPE", "vocab": pieces.collect::<serde_json::Map<_, _>>(), "merges": [] },
    })
}

/// A Hub with `o/a`, a relative `o/b`, a stranger `o/c`.
fn place() -> Workspace {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::relative(1, 2, 0.9).write(&at, "o/b");
    Planted::of(3).write(&at, "o/c");
    at.serve();
    at
}

/// The rows of `lineage.csv` for groups, by group; that of the pair has no group.
pub(super) fn groups(at: &Workspace, out: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let rows = rows(&at.read(&format!("{out}/lineage.csv"))).into_iter();
    rows.filter(|row| row["scope"] != "layer").map(|row| (row["group"].clone(), row)).collect()
}

#[track_caller]
pub(super) fn is_honest(outcome: &Outcome) {
    for line in outcome.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let text = outcome.stdout.to_lowercase();
    for word in FORBIDDEN {
        assert!(!text.contains(word), "{word}: {outcome}");
    }
}

#[test]
fn relatives_are_linked_with_a_bound_for_each_group_and_every_alternative() {
    let at = place();
    let outcome = at.run(&["lineage", "o/a", "o/b", "-o", "out"]).expect(0);
    is_honest(&outcome);
    for text in ["LINKED, not independent: p is below 1e-", "units +  basis +", "same random", "distance", "relation"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    let groups = groups(&at, "out");
    assert_eq!(groups[""]["sign"], "linked");
    assert_eq!(groups["experts"]["undefined"], "NoTensor");
    for name in ["mlp", "heads", "norms", "embeddings"] {
        let row = &groups[name];
        let [z, bound, rho]: [f64; 3] = ["z", "log10_bound", "rho"].map(|column| row[column].parse().unwrap());
        assert!(z > 8.0 && bound < -9.0 && (0.8..1.0).contains(&rho), "{row:?}");
        // Of 9,999 draws none reaches it; both tails of the norms count.
        let p: f64 = row["p"].parse().unwrap();
        assert!(row["sign"] == "+" && (0.0001..=0.0002).contains(&p), "{row:?}");
    }
    assert_eq!((groups["mlp"]["rows"].as_str(), groups["mlp"]["blocks"].as_str()), ("256", "32"));
    let report = at.read("out/REPORT.md");
    let first: String = report.lines().take(40).collect();
    for text in ["LINKED, not independent", "detectable", "may be"] {
        assert!(first.contains(text), "{text}: {first}");
    }
    for file in ["report.html", "report.json", "relation.csv", "pair-groups.svg", "pair-layers.svg"] {
        assert!(at.path().join("out").join(file).exists(), "{file}");
    }
    at.run(&["lineage", "o/a", "o/b", "--fail-if", "linked"]).expect(3);
    at.run(&["lineage", "o/a", "o/b", "--fail-if", "independent"]).expect(0);
}

#[test]
fn strangers_are_consistent_with_independence_and_it_is_said_what_would_have_been_seen() {
    let at = place();
    let outcome = at.run(&["lineage", "o/a", "o/c", "-o", "out"]).expect(0);
    is_honest(&outcome);
    for text in ["CONSISTENT WITH INDEPENDENCE. Would have been seen (power .9)", "in the units", "Not excluded:"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    let groups = groups(&at, "out");
    assert_eq!(groups[""]["sign"], "consistent with independence");
    for name in ["mlp", "heads", "norms", "embeddings"] {
        let z: f64 = groups[name]["z"].parse().unwrap();
        assert!(z.abs() < 4.0, "{name} {z}");
    }
    let detectable: f64 = groups["mlp"]["rho_detectable"].parse().unwrap();
    assert!((0.02..0.1).contains(&detectable), "{detectable}");
}

#[test]
fn the_dry_run_says_what_moves_and_a_second_run_moves_nothing() {
    let at = place();
    let specs = ["o/a@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00", "o/c@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"];
    let dry = at.run(&["lineage", specs[0], specs[1], "--dry-run"]).expect(0);
    let after_headers = at.asked().cdn_bytes();
    let outcome = at.run(&["lineage", specs[0], specs[1], "-o", "first"]).expect(0);
    let moved = at.asked().cdn_bytes();
    assert!(after_headers > 0 && moved > 0);
    let said = format!("{:.0} kB of weights still to move", moved as f64 / 1e3);
    assert!(dry.stdout.contains(&said), "{said}: {dry}");
    // 5.28/√(4 layers · 64 rows · 64 elements · 7/8).
    assert!(dry.stdout.contains("a × c: shows a mean row correlation of 0.0441 in the units at best"), "{dry}");
    assert!(outcome.stderr.contains("moved "), "{outcome}");
    at.run(&["lineage", specs[0], specs[1], "-o", "second"]).expect(0).says(&["moved 0 bytes in 0 requests"]);
    assert_eq!(at.asked().count(), 0);
    for file in ["lineage.csv", "relation.csv", "REPORT.md"] {
        assert_eq!(at.read(&format!("first/{file}")), at.read(&format!("second/{file}")));
    }
    // A third model against one that was read already: only the new one moves.
    at.run(&["lineage", specs[0], "o/b", "--no-deep"]).expect(0);
    assert_eq!(at.asked().to_cdn().filter(|request| request.path.contains("o/a")).count(), 0);
    let refused = at.run(&["lineage", specs[0], "o/c", "--cache-dir", "empty", "--max-bytes", "1000"]).expect(2);
    assert!(refused.stderr.contains("--max-bytes"), "{refused}");
}

#[test]
fn a_tokenizer_that_cannot_be_read_is_said_and_leaves_the_other_tests() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::of(3).write(&at, "o/c");
    at.file("o/c", "tokenizer.json", "no JSON");
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/c"]).expect(1);
    let told =
        "warning: c: its tokenizer was not read, so its embeddings are not tested: file `tokenizer.json` of `o/c@";
    assert!(outcome.stderr.contains(told), "{outcome}");
    assert!(outcome.stdout.contains("embeddings not tested"), "{outcome}");
    assert!(outcome.stdout.contains("CONSISTENT") || outcome.stdout.contains("INCONCLUSIVE"), "{outcome}");
}

#[test]
fn inspect_says_which_groups_can_be_tested_and_sets_configurations_side_by_side() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted { layers: 2, ..Planted::of(2) }.write(&at, "o/b");
    at.serve();
    let text = at.run(&["inspect", "o/a", "o/b"]).expect(0).stdout;
    assert!(text.contains("lineage can test: mlp, heads, norms, embeddings\n"), "{text}");
    assert!(text.contains("lineage cannot test experts: no such tensor"), "{text}");
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let cells = |name: &str| row(name).split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells("num_hidden_layers"), ["4", "2", "differs"]);
    assert_eq!(cells("num_key_value_heads"), ["2", "2"]);
    assert_eq!(row("num_experts"), "");
}

#[test]
fn folders_give_the_same_bytes_on_any_number_of_threads() {
    let at = place();
    for (out, threads) in [("one", "1"), ("two", "2")] {
        at.run(&["lineage", "./hub/o/a", "./hub/o/b", "./hub/o/c", "--threads", threads, "--offline", "-o", out])
            .expect(0);
    }
    for file in ["lineage.csv", "relation.csv", "matrix_z_mlp.csv", "matrix_z_embeddings.csv"] {
        assert_eq!(at.read(&format!("one/{file}")), at.read(&format!("two/{file}")), "{file}");
    }
    let groups = groups(&at, "one");
    assert_eq!(groups.len(), 6);
}

#[test]
fn a_list_says_each_pair_and_who_is_linked_with_whom() {
    let at = place();
    let outcome = at.run(&["lineage", "o/a", "o/b", "o/c", "-o", "out"]).expect(0);
    is_honest(&outcome);
    for text in ["3 models, 3 pairs: 1 linked, 2 consistent with independence.", "directly or through others: a, b"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    let verdicts: Vec<String> = rows(&at.read("out/lineage.csv"))
        .into_iter()
        .filter(|row| row["scope"] == "pair")
        .map(|row| format!("{} {} {}", row["model_a"], row["model_b"], row["sign"]))
        .collect();
    assert_eq!(
        verdicts,
        ["o/a o/b linked", "o/a o/c consistent with independence", "o/b o/c consistent with independence"]
    );
    // The page of a list: z model by model, clusters, and the null.
    for picture in ["z-mlp.svg", "z-heads.svg", "null-mlp.svg", "null-norms.svg"] {
        assert!(at.path().join("out").join(picture).exists(), "{picture}");
    }
    let page = at.read("out/REPORT.md");
    for text in
        ["Models that are linked with each other, directly or through others", "a, b", "Does the null hold here?"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn models_of_other_width_are_not_comparable_and_another_depth_goes_by_a_layer_map() {
    let at = place();
    Planted { width: 32, ..Planted::of(1) }.write(&at, "o/narrow");
    Planted { layers: 3, ..Planted::of(1) }.write(&at, "o/short");
    let outcome = at.run(&["lineage", "o/a", "o/narrow", "-o", "out"]).expect(1);
    is_honest(&outcome);
    for text in ["NOT COMPARABLE", "hidden sizes differ, 64 against 32", "can be tested"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    let narrow = groups(&at, "out");
    assert_eq!((narrow[""]["sign"].as_str(), narrow["norms"]["undefined"].as_str()), ("not comparable", "Width"));
    let outcome = at.run(&["lineage", "o/a", "o/short", "-o", "map"]).expect(0);
    is_honest(&outcome);
    for text in ["LINKED", "by map", "3 of the deeper match none", "4 layers against 3"] {
        assert!(outcome.stdout.contains(text), "{text}: {outcome}");
    }
    let best: Vec<String> = rows(&at.read("map/layer_map.csv"))
        .into_iter()
        .filter(|row| row["best"] == "true" && row["model_a"] != row["model_b"])
        .map(|row| format!("{}={}", row["layer_a"], row["layer_b"]))
        .collect();
    assert_eq!(best, ["0=0", "1=1", "2=2"]);
    // The page of a pair: verdict, layer map, distance, relation, alternatives.
    let page = at.read("map/REPORT.md");
    let order = ["**LINKED", "**Layers.**", "pair-map.png", "**Distance.**", "**Relation.**", "A link does not say"];
    let places: Vec<usize> =
        order.iter().map(|text| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn what_stays_unclear_is_inconclusive_and_a_weak_link_reads_more_rows() {
    let at = place();
    // Without the basis nothing is said of independence, and more rows of units would not help.
    let outcome = at.run(&["lineage", "o/a", "o/c", "--group", "mlp,heads", "-o", "units"]).expect(0);
    assert!(outcome.stdout.contains("INCONCLUSIVE: the residual basis could not be tested"), "{outcome}");
    at.run(&["lineage", "o/a", "o/c", "--group", "mlp", "--fail-if", "inconclusive"]).expect(3);
    let weak = |seeds: [u64; 2], weight: f32| Planted { seeds, weight, inner: 512, ..Planted::of(1) };
    weak([5, 6], 1.0).write(&at, "o/wide");
    weak([5, 7], 0.05).write(&at, "o/weak");
    at.run(&["lineage", "o/wide", "o/weak", "-o", "weak"]).expect(0);
    let rows: usize = groups(&at, "weak")["mlp"]["rows"].parse().unwrap();
    assert!(rows > 256, "{rows}");
}

#[test]
fn a_wrong_group_or_one_model_is_refused_with_what_to_do() {
    let at = place();
    at.run(&["lineage", "o/a"])
        .expect(2)
        .says(&["`lineage` needs at least two models, got 1", "pass two or more model ids or --models FILE"]);
    at.run(&["lineage", "o/a", "o/b", "--group", "mlps"]).expect(2).says(&["`mlps` is not a group", "embeddings"]);
}

/// A layout that is not a llama's: configuration, tensors of a layer and outside the layers, and the rows that are tested of
/// each group of units over four layers.
struct Layout {
    id: &'static str,
    config: Value,
    layer: &'static [(&'static str, &'static [usize])],
    outside: &'static [(&'static str, &'static [usize])],
    tested: &'static [(&'static str, &'static str)],
}

impl Layout {
    fn write(&self, at: &Workspace, name: &str, seeds: [u64; 2], weight: f32) {
        let in_layers = (0..LAYERS).flat_map(|layer| {
            self.layer.iter().map(move |(name, shape)| (name.replace('#', &layer.to_string()), *shape))
        });
        let outside = self.outside.iter().map(|(name, shape)| ((*name).to_owned(), *shape));
        let tensors: Vec<Tensor> = in_layers
            .chain(outside)
            .enumerate()
            .map(|(salt, (name, shape))| {
                let middle = if shape.len() == 1 { 1.0 } else { 0.0 };
                let values = mixed(seeds, 1 + salt as u64, weight, shape.iter().product());
                let values: Vec<f32> = values.into_iter().map(|value| middle + value).collect();
                let shape: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
                Tensor::raw(&name, "BF16", &shape, Tensor::bf16("", &values).bytes)
            })
            .collect();
        at.model(&format!("{}/{name}", self.id), &self.config, &tensors);
    }
}

fn layouts() -> Vec<Layout> {
    let outside: &[(&str, &[usize])] = &[("model.norm.weight", &[64]), ("model.embed_tokens.weight", &[400, 64])];
    vec![
        Layout {
            id: "fused",
            config: json!({
                "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "num_hidden_layers": 4, "hidden_size": 64,
                "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
            }),
            layer: &[
                ("model.layers.#.self_attn.qkv_proj.weight", &[128, 64]),
                ("model.layers.#.mlp.gate_up_proj.weight", &[192, 64]),
                ("model.layers.#.input_layernorm.weight", &[64]),
            ],
            outside,
            tested: &[("mlp", "256"), ("heads", "128")],
        },
        Layout {
            id: "in-out",
            config: json!({ "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 4, "n_embd": 64, "n_head": 4 }),
            layer: &[
                ("h.#.attn.c_attn.weight", &[64, 192]),
                ("h.#.attn.c_proj.weight", &[64, 64]),
                ("h.#.mlp.c_fc.weight", &[64, 256]),
                ("h.#.mlp.c_proj.weight", &[256, 64]),
                ("h.#.ln_1.weight", &[64]),
            ],
            outside: &[("ln_f.weight", &[64]), ("wte.weight", &[400, 64])],
            tested: &[("mlp", "256"), ("heads", "256")],
        },
        Layout {
            id: "experts",
            config: json!({
                "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "num_hidden_layers": 4, "hidden_size": 64,
                "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 32,
            }),
            layer: &[
                ("model.layers.#.block_sparse_moe.gate.weight", &[32, 64]),
                ("model.layers.#.self_attn.v_proj.weight", &[32, 64]),
                ("model.layers.#.input_layernorm.weight", &[64]),
            ],
            outside,
            tested: &[("heads", "128"), ("experts", "128")],
        },
        Layout {
            id: "latent",
            config: json!({
                "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "num_hidden_layers": 4, "hidden_size": 64,
                "num_attention_heads": 4, "num_key_value_heads": 4, "qk_nope_head_dim": 8, "v_head_dim": 16, "n_group": 2,
            }),
            layer: &[
                ("model.layers.#.self_attn.kv_b_proj.weight", &[96, 32]),
                ("model.layers.#.mlp.shared_experts.up_proj.weight", &[64, 64]),
                ("model.layers.#.mlp.gate.weight", &[32, 64]),
                ("model.layers.#.input_layernorm.weight", &[64]),
            ],
            outside,
            tested: &[("mlp", "256"), ("heads", "256"), ("experts", "128")],
        },
    ]
}

#[test]
fn units_are_found_in_fused_turned_and_latent_layouts_and_in_routers() {
    let mut at = Workspace::new();
    for layout in layouts() {
        layout.write(&at, "a", [1, 9], 1.0);
        layout.write(&at, "b", [1, 2], 0.9);
        layout.write(&at, "c", [3, 9], 1.0);
    }
    at.serve();
    for Layout { id, tested, .. } in layouts() {
        for (other, sign) in [("b", "+"), ("c", "-")] {
            let out = format!("{id}-{other}");
            let [a, b] = [format!("{id}/a"), format!("{id}/{other}")];
            at.run(&["lineage", &a, &b, "-o", &out, "--formats", "csv"]).expect(0);
            let groups = groups(&at, &out);
            let found: Vec<(&str, &str)> = ["mlp", "heads", "experts"]
                .into_iter()
                .filter(|group| groups[*group]["undefined"].is_empty())
                .map(|group| (group, groups[group]["rows"].as_str()))
                .collect();
            assert_eq!(found, tested, "{out}");
            for (group, _) in tested {
                assert_eq!(groups[*group]["sign"], sign, "{out} {:?}", groups[*group]);
            }
        }
    }
}

/// Gemma stores w of a gain 1 + w. In `f32` gains so near to 1 would all be 1.
#[test]
fn zero_centred_gains_keep_every_bit() {
    let mut at = Workspace::new();
    for (id, own) in [("o/a", 1), ("o/b", 2)] {
        let planted = Planted::relative(1, own, 0.9);
        let mut tensors = planted.tensors();
        for (salt, tensor) in (50..).zip(&mut tensors).filter(|(_, tensor)| tensor.name.contains("norm")) {
            let gains = mixed([1, own], salt, 0.9, WIDTH).into_iter().flat_map(|value| (1e-8 * value).to_le_bytes());
            *tensor = Tensor::raw(&tensor.name, "F32", &[WIDTH as u64], gains.collect());
        }
        let mut config = llama_config(LAYERS, WIDTH);
        config["model_type"] = json!("gemma");
        config["architectures"] = json!(["GemmaForCausalLM"]);
        at.model(id, &config, &tensors);
    }
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/b", "--group", "norms", "-o", "out"]);
    let norms = &groups(&at, "out")["norms"];
    assert!(norms["undefined"].is_empty(), "{outcome}");
    let z: f64 = norms["z"].parse().unwrap();
    assert!(z > 8.0 && norms["rows"] == "9", "{norms:?}");
}
