//! I look at how the weight matrices of one model change along depth.

use std::{collections::BTreeMap, path::Path};

use hub_audit::serve::Store;
use serde_json::{Value, json};

use crate::support::{Asked, Tensor, Workspace, rows};

/// The rows of `structure.csv` as (role, layer a, layer b, quantity) with value, null and reason.
type Rows = BTreeMap<(String, String, String, String), (Option<f64>, Option<f64>, String)>;

fn structure(at: &Workspace, folder: &str) -> Rows {
    let text = at.read(&format!("{folder}/structure.csv"));
    assert!(!text.contains("NaN") && !text.contains("inf,"), "{text}");
    let mut found = Rows::new();
    for mut row in rows(&text) {
        let mut take = |name: &str| row.remove(name).unwrap();
        let key = (take("role"), take("layer_a"), take("layer_b"), take("quantity"));
        let value = (take("value").parse().ok(), take("null").parse().ok(), take("undefined"));
        assert_eq!(value.0.is_none(), !value.2.is_empty(), "{key:?}");
        assert_eq!(found.insert(key, value), None);
    }
    found
}

fn value(found: &Rows, role: &str, a: usize, b: Option<usize>, quantity: &str) -> f64 {
    let layer = |layer: Option<usize>| layer.map(|layer| layer.to_string()).unwrap_or_default();
    let key = (role.to_owned(), layer(Some(a)), layer(b), quantity.to_owned());
    found[&key].0.unwrap_or_else(|| panic!("{key:?}: {}", found[&key].2))
}

/// The matrices of `fixtures/structure_goldens.py`: role, name, rows, columns.
const ROLES: [(&str, &str, usize, usize); 7] = [
    ("q_proj", "self_attn.q_proj", 320, 320),
    ("k_proj", "self_attn.k_proj", 64, 320),
    ("v_proj", "self_attn.v_proj", 64, 320),
    ("o_proj", "self_attn.o_proj", 320, 320),
    ("gate_proj", "mlp.gate_proj", 864, 320),
    ("up_proj", "mlp.up_proj", 864, 320),
    ("down_proj", "mlp.down_proj", 320, 864),
];

/// Sums of four uniforms from a 64-bit mixer, centred; as in the script.
fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mixed = |mut word: u64| {
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    (0..count as u64)
        .map(|index| {
            let word = mixed(index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed * 1_000_003));
            let parts = (0..4).map(|part| f64::from(u16::try_from((word >> (16 * part)) & 0xffff).unwrap()));
            parts.sum::<f64>() / 65536.0 - 2.0
        })
        .collect()
}

/// Upper halves of `f32`, cut off.
fn stored(values: &[f64], scale: f64) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the stored type is the point")]
    let upper = |value: &f64| ((value * scale) as f32).to_le_bytes()[2..].to_vec();
    values.iter().flat_map(upper).collect()
}

/// The configuration and the tensors of the script's model.
fn golden_model() -> (Value, Vec<Tensor>) {
    let mut before: Option<Vec<Vec<f64>>> = None;
    let mut tensors = Vec::new();
    for layer in 0..12_u32 {
        let now: Vec<Vec<f64>> = (0..)
            .zip(&ROLES)
            .map(|(number, &(.., rows, columns))| {
                let new = noise(u64::from(100 * layer) + number, rows * columns);
                match &before {
                    None => new,
                    Some(before) => {
                        let old = &before[usize::try_from(number).unwrap()];
                        old.iter().zip(&new).map(|(old, new)| 0.1 * old + new).collect()
                    }
                }
            })
            .collect();
        for ((number, &(_, name, rows, columns)), values) in (0..7_u32).zip(&ROLES).zip(&now) {
            let scale = 0.02 * (1.0 + 0.05 * f64::from(layer) * (1.0 + 0.3 * f64::from(number)));
            tensors.push(Tensor::raw(
                &format!("model.layers.{layer}.{name}.weight"),
                "BF16",
                &[rows as u64, columns as u64],
                stored(values, scale),
            ));
        }
        before = Some(now);
    }
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 12, "hidden_size": 320,
        "intermediate_size": 864, "num_attention_heads": 10, "num_key_value_heads": 2, "rope_theta": 10000.0,
    });
    (config, tensors)
}

fn goldens() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/structure_goldens.json");
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what}: {found}, and NumPy has {expected}");
}

#[test]
fn the_raw_test_the_scale_and_its_modes_are_those_of_numpy() {
    let at = Workspace::new();
    let (config, tensors) = golden_model();
    at.model("o/m", &config, &tensors);
    let run = ["layers", "./hub/o/m", "--role", "matrices", "-o", "out", "--formats", "csv,json,md,html,svg"];
    let outcome = at.run(&run).expect(0);
    assert!(outcome.stdout.lines().all(|line| line.chars().count() <= 80), "{outcome}");
    let (found, golden) = (structure(&at, "out"), goldens());
    for (role, ..) in ROLES {
        for quantity in ["cos_sim", "residual", "residual_scaled"] {
            for pair in 0..11 {
                let here = value(&found, role, pair, Some(pair + 1), quantity);
                near(here, &golden[quantity][role][pair], &format!("{quantity} of {role}, {pair}"));
            }
        }
        for layer in 0..12 {
            let norm = value(&found, role, layer, None, "frobenius_norm");
            near(norm, &golden["frobenius_norm"][role][layer], role);
        }
    }
    for row in rows(&at.read("out/modes.csv")) {
        let mode = row["mode"].parse::<usize>().unwrap() - 1;
        let Some(golden) = golden["modes"].get(mode) else {
            continue;
        };
        near(row["explained"].parse().unwrap(), &golden["share"], "share");
        let role = ROLES.iter().position(|(role, ..)| *role == row["role"]);
        if let Some(role) = role {
            near(row["loading"].parse().unwrap(), &golden["loadings"][role], "loading");
        } else {
            let layer: usize = row["layer"].parse().unwrap();
            near(row["score"].parse().unwrap(), &golden["scores"][layer], "score");
        }
    }
    let report = at.read("out/REPORT.md");
    assert!(report.contains("modes_m.svg") && !report.contains("NaN"), "{report}");
    assert!(report.contains("`cos_sim` by layer and role.") && report.contains("cos_sim_m.svg"), "{report}");
    for (name, bytes) in Workspace::files(&at.path().join("out")) {
        if Path::new(&name).extension().is_some_and(|extension| extension == "svg") {
            let picture = String::from_utf8(bytes).unwrap();
            let combining = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
            assert_eq!(picture.chars().find(combining), None, "the bundled font has no such sign: {name}");
        }
    }
}

#[test]
fn norms_are_drawn_beside_their_own_null_and_not_beside_that_of_matrices() {
    let at = Workspace::new();
    let (config, _) = small(3);
    let mut tensors = Vec::new();
    for layer in 0..3_u8 {
        // With mean 0, so that the null of its cosine is 0.
        let half = noise(u64::from(layer), 32);
        let values: Vec<f64> = half.iter().copied().chain(half.iter().map(|x| -x)).collect();
        let name = format!("model.layers.{layer}.self_attn.o_proj.weight");
        tensors.push(Tensor::raw(&name, "BF16", &[8, 8], stored(&values, 1.0)));
        let gain: Vec<f32> = (0..8_u8).map(|i| 1.0 + 0.1 * f32::from((i * (layer + 3)) % 5)).collect();
        tensors.push(Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &gain));
    }
    at.model("o/m", &config, &tensors);
    let role = "o_proj,input_layernorm";
    at.run(&["layers", "./hub/o/m", "--role", role, "-o", "out", "--formats", "json,svg"]).expect(0);
    let picture = at.read("out/residual_m.svg");
    assert!(
        picture.matches(">null, below its line</text>").count() == 2 && picture.contains(", null 1.4142"),
        "{picture}"
    );
}

#[test]
fn effective_ranks_and_aligned_residuals_are_those_of_numpy() {
    let at = Workspace::new();
    let (config, tensors) = golden_model();
    at.model("o/m", &config, &tensors);
    let run = ["layers", "./hub/o/m", "--role", "q_proj,k_proj", "--block", "0-2", "--effective-rank"];
    let align = ["--align", "heads,attention", "-o", "out", "--formats", "csv,md"];
    let outcome = at.run(&[&run[..], &align].concat()).expect(0);
    outcome.says(&["GFLOP/s measured"]);
    assert!(outcome.stdout.contains("within rotary pairs only"), "{outcome}");
    let (found, golden) = (structure(&at, "out"), goldens());
    for pair in 0..2 {
        let of = |role: &str, quantity: &str| value(&found, role, pair, Some(pair + 1), quantity);
        for role in ["q_proj", "k_proj"] {
            near(of(role, "effective_rank"), &golden["effective_rank"][role][pair], role);
        }
        let all = "q_proj+k_proj+v_proj+o_proj";
        near(of(all, "aligned_heads"), &golden["aligned_heads"][pair], "heads");
        assert!(of(all, "aligned_heads") <= of(all, "residual"));
        for (number, role) in ["q_proj", "k_proj", "v_proj", "o_proj"].into_iter().enumerate() {
            near(of(role, "aligned_heads"), &golden["aligned_heads_each"][pair][number], role);
            near(of(role, "aligned_attention"), &golden["aligned_attention"][pair][role], role);
        }
        near(of("q_proj+k_proj", "aligned_attention"), &golden["aligned_attention"][pair]["qk"], "qk");
        near(of("v_proj+o_proj", "aligned_attention"), &golden["aligned_attention"][pair]["vo"], "vo");
    }
    assert!(!found.keys().any(|(role, a, ..)| role == "v_proj" && a.is_empty()));
}

#[test]
fn aligned_units_are_those_of_numpy() {
    let at = Workspace::new();
    let (config, tensors) = golden_model();
    at.model("o/m", &config, &tensors);
    let run = ["layers", "./hub/o/m", "--role", "gate_proj", "--block", "0-1", "-o", "out", "--formats", "csv"];
    at.run(&[&run[..], &["--align", "mlp-rotation,mlp-permutation"]].concat()).expect(0);
    let (found, golden, all) = (structure(&at, "out"), goldens(), "gate_proj+up_proj+down_proj");
    for gauge in ["aligned_mlp_rotation", "aligned_mlp_permutation"] {
        near(value(&found, all, 0, Some(1), gauge), &golden[gauge][0], gauge);
    }
    for (number, role) in ["gate_proj", "up_proj", "down_proj"].into_iter().enumerate() {
        let each = value(&found, role, 0, Some(1), "aligned_mlp_rotation");
        near(each, &golden["aligned_mlp_rotation_each"][0][number], role);
    }
}

/// A llama of `layers` layers, 8 wide, with 2 heads of 4 and 6 units.
fn small(layers: u32) -> (Value, Vec<Tensor>) {
    let mut tensors = Vec::new();
    let shapes = [[8, 8], [4, 8], [4, 8], [8, 8], [6, 8], [6, 8], [8, 6]];
    for layer in 0..layers {
        for (number, ((_, name, ..), shape)) in (0_u64..).zip(ROLES.iter().zip(shapes)) {
            let count = usize::try_from(shape[0] * shape[1]).unwrap();
            let values = noise(u64::from(layer) * 10 + number, count);
            let name = format!("model.layers.{layer}.{name}.weight");
            tensors.push(Tensor::raw(&name, "BF16", &shape, stored(&values, 1.0)));
        }
    }
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": layers, "hidden_size": 8,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
    });
    (config, tensors)
}

fn reasons(found: &Rows) -> Vec<String> {
    let mut reasons: Vec<String> = found.values().map(|(.., reason)| reason.clone()).collect();
    reasons.retain(|reason| !reason.is_empty());
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Runs on `o/m` with all alignments; gives what is in `structure.csv`, after exit status 1.
fn incomplete(at: &Workspace, arguments: &[&str]) -> Rows {
    let run =
        ["layers", "./hub/o/m", "--role", "matrices", "--effective-rank", "-o", "out", "--formats", "csv,md,html,json"];
    at.run(&[&run[..], arguments].concat()).expect(1);
    structure(at, "out")
}

const EVERY: [&str; 2] = ["--align", "heads,attention,mlp-rotation,mlp-permutation"];

#[test]
fn a_missing_layer_and_a_weight_that_is_no_number_cost_their_own_pairs_only() {
    let at = Workspace::new();
    let (config, mut tensors) = small(5);
    tensors.retain(|tensor| !tensor.name.starts_with("model.layers.1.self_attn"));
    let broken = tensors.iter_mut().find(|tensor| tensor.name.starts_with("model.layers.4.mlp.up")).unwrap();
    broken.bytes[..2].copy_from_slice(&half::bf16::NAN.to_le_bytes());
    at.model("o/m", &config, &tensors);
    let found = incomplete(&at, &EVERY);
    let known = reasons(&found);
    assert_eq!(known, ["NonFinite{1}", "layer 1: it has no such tensor"]);
    assert!(value(&found, "q_proj", 2, Some(3), "effective_rank") > 1.0);
    assert!(value(&found, "q_proj+k_proj+v_proj+o_proj", 2, Some(3), "aligned_heads") < 1.5);
    assert!(value(&found, "gate_proj+up_proj+down_proj", 2, Some(3), "aligned_mlp_permutation") < 1.5);
}

#[test]
fn heads_that_do_not_divide_and_a_family_without_a_gate_get_their_reason() {
    let at = Workspace::new();
    let (mut config, tensors) = small(3);
    config["num_key_value_heads"] = json!(3);
    at.model("o/m", &config, &tensors);
    let known = reasons(&incomplete(&at, &EVERY));
    assert_eq!(known, ["2 query heads of 4 rows cannot be shared among 3 key and value heads"]);
    config["num_key_value_heads"] = json!(2);
    at.model("o/m", &config, &tensors);
    let known = reasons(&incomplete(&at, &EVERY));
    assert!(known.len() == 1 && known[0].starts_with("k_proj is 4 × 8, and 2 query heads and 2 key"), "{known:?}");
    let bare = json!({ "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 3 });
    at.model("o/m", &bare, &tensors);
    let known = reasons(&incomplete(&at, &EVERY));
    assert_eq!(known, ["the model's configuration does not state num_attention_heads"]);
    let ungated: Vec<Tensor> = tensors.into_iter().filter(|tensor| !tensor.name.contains("gate_proj")).collect();
    config["num_key_value_heads"] = json!(1);
    at.model("o/m", &config, &ungated);
    let found = incomplete(&at, &EVERY);
    let known = reasons(&found);
    assert!(known.len() == 1 && known[0].starts_with("gate_proj: "), "{known:?}");
    assert!(value(&found, "up_proj", 0, Some(1), "residual") > 1.0);
}

#[test]
fn a_stride_compares_layers_that_far_apart_and_any_number_of_threads_gives_the_same_files() {
    let at = Workspace::new();
    let (config, tensors) = small(6);
    at.model("o/m", &config, &tensors);
    let run = ["layers", "./hub/o/m", "--role", "matrices", "--stride", "2", "--effective-rank", "--formats", "csv,md"];
    for threads in ["1", "2"] {
        let out = format!("out-{threads}");
        at.run(&[&run[..], &EVERY, &["--threads", threads, "-o", &out]].concat()).expect(0);
    }
    for file in ["structure.csv", "modes.csv", "REPORT.md"] {
        assert!(at.read(&format!("out-1/{file}")) == at.read(&format!("out-2/{file}")), "{file}");
    }
    let found = structure(&at, "out-1");
    let pairs: Vec<String> = found
        .keys()
        .filter(|(role, _, _, quantity)| role == "q_proj" && quantity == "residual")
        .map(|(_, a, b, _)| format!("{a}-{b}"))
        .collect();
    assert_eq!(pairs, ["0-2", "1-3", "2-4", "3-5"]);
}

#[test]
fn matrices_read_strip_by_strip_have_the_rows_of_matrices_read_whole() {
    let at = Workspace::new();
    let mut tensors = Vec::new();
    // More layers than are read side by side, one of them absent, one no number, one of another shape; fused ones as well.
    for layer in (0..150_u64).filter(|layer| *layer != 70) {
        let rows = if layer == 20 { 10 } else { 12 };
        let shapes = [("self_attn.qkv_proj", [16, 8]), ("self_attn.o_proj", [8, 8]), ("mlp.gate_up_proj", [rows, 8])];
        for (number, (name, shape)) in (0..).zip(shapes) {
            let mut bytes = stored(&noise(layer * 10 + number, usize::try_from(shape[0] * shape[1]).unwrap()), 1.0);
            if layer == 90 && number == 1 {
                bytes[..2].copy_from_slice(&half::bf16::INFINITY.to_le_bytes());
            }
            tensors.push(Tensor::raw(&format!("model.layers.{layer}.{name}.weight"), "BF16", &shape, bytes));
        }
    }
    let config = json!({
        "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "num_hidden_layers": 150, "hidden_size": 8,
        "intermediate_size": 6, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
    });
    at.model("o/m", &config, &tensors);
    let run = ["layers", "./hub/o/m", "--role", "matrices", "--formats", "csv"];
    for stride in ["1", "7"] {
        let with = |arguments: &[&str]| {
            at.run(&[&run[..], &["--stride", stride, "-o", "out"], arguments].concat()).expect(1);
            structure(&at, "out")
        };
        let (strips, mut whole) = (with(&[]), with(&["--effective-rank"]));
        // The spectrum alone needs whole matrices.
        whole.retain(|(.., quantity), _| quantity != "effective_rank" && quantity != "spectral_entropy");
        assert_eq!(strips, whole, "{stride}");
        let known = reasons(&strips);
        assert!(known.iter().any(|reason| reason == "NonFinite{1}") && known.len() >= 3, "{known:?}");
        assert!(value(&strips, "v_proj", 100, Some(100 + stride.parse::<usize>().unwrap()), "residual") > 1.0);
    }
}

#[test]
fn only_the_tensors_that_are_needed_move_and_the_plan_says_how_much_and_how_long() {
    let mut at = Workspace::with_llama(1, 8);
    at.serve_with(|options| options.store = Store::replica());
    let run = ["layers", "Qwen/Qwen3-4B", "--role", "k_proj", "--block", "34-35"];
    let plan = at.run(&[&run[..], &["--dry-run"]].concat()).expect(0);
    let bytes = 2 * 1024 * 2560 * 2;
    assert!(plan.stdout.contains("10.5 MB") && plan.stdout.contains("GFLOP"), "{plan}");
    let large = |asked: &Asked| asked.cdn_bytes();
    let headers = large(&at.asked());
    let done = at.run(&[&run[..], &["-o", "out", "--formats", "csv"]].concat()).expect(0);
    assert!(done.stderr.contains("2 tensors fetched"), "{done}");
    assert_eq!(large(&at.asked()), bytes, "{headers} bytes of headers came before");
    let found = structure(&at, "out");
    assert!((value(&found, "k_proj", 34, Some(35), "residual") - std::f64::consts::SQRT_2).abs() < 0.01);
}
