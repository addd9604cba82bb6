//! I run the published study, or its experiments on other models.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Tensor, Workspace, gain, llama_config, rows};

const WIDTH: usize = 16;

const LAYERS: u64 = 46;

fn matrix(name: &str, seed: u64, rows: usize) -> Tensor {
    let vector = Tensor::f32(name, &gain(seed, rows * WIDTH));
    Tensor { shape: vec![rows as u64, WIDTH as u64], ..vector }
}

fn k_proj(model: u64, layer: u64) -> u64 {
    10_000 * model + 10 * layer
}

/// A GLM of 46 layers and a block of multi-token prediction. Returns its parameters as Transformers counts them.
fn glm(at: &Workspace, id: &str, model: u64) -> u64 {
    let mut config = llama_config(46, WIDTH);
    (config["model_type"], config["architectures"]) = (json!("glm4_moe"), json!(["Glm4MoeForCausalLM"]));
    config["num_nextn_predict_layers"] = json!(1);
    let mut tensors =
        vec![matrix("model.embed_tokens.weight", model, 5), Tensor::f32("model.norm.weight", &[1.0; WIDTH])];
    for layer in 0..LAYERS {
        let name = |role: &str| format!("model.layers.{layer}.{role}.weight");
        let seed = k_proj(model, layer);
        tensors.push(Tensor::f32(&name("input_layernorm"), &gain(seed + 1, WIDTH)));
        tensors.push(Tensor::f32(&name("post_attention_layernorm"), &gain(seed + 2, WIDTH)));
        tensors.push(matrix(&name("self_attn.k_proj"), seed, 4));
        tensors.push(matrix(&name("self_attn.v_proj"), seed + 3, 4));
    }
    let counted: u64 = tensors.iter().map(|tensor| tensor.shape.iter().product::<u64>()).sum();
    // Neither is a parameter to `AutoModel`: it has no output embeddings, and the other is a buffer to it.
    tensors.push(matrix("lm_head.weight", model + 5, 5));
    tensors.push(Tensor::f32("model.layers.1.mlp.gate.e_score_correction_bias", &[0.5, 0.25]));
    // Nor is the block, which it does not load.
    tensors.push(matrix("model.layers.46.eh_proj.weight", model + 6, 4));
    tensors.push(Tensor::f32("model.layers.46.input_layernorm.weight", &gain(model + 7, WIDTH)));
    at.model(id, &config, &tensors);
    counted
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn published_figures_of_matrices_and_numbers_of_parameters_are_checked_where_all_roles_are_read() {
    let (solar, glm_air) = ("upstage/Solar-Open-100B", "zai-org/GLM-4.5-Air");
    let mut at = Workspace::new();
    let counted = [(solar, 1), (glm_air, 2)].map(|(id, model)| glm(&at, id, model));
    at.serve();
    let plain = at.run(&["critique", solar, glm_air, "-o", "plain", "--formats", "csv"]).expect(0);
    assert!(plain.stdout.contains("rest on what `--all-roles` reads"), "{plain}");
    let run = at.run(&["critique", solar, glm_air, "--all-roles", "-o", "out", "--formats", "csv,md"]).expect(0);
    assert!(!run.stdout.contains("what `--all-roles`"), "{run}");
    assert!(run.stdout.contains("rest on what `--all-layers` reads"), "{run}");
    let published = rows(&at.read("out/published.csv"));
    let find = |experiment: &str, tensor: &str, repos: [&str; 2], layers: [&str; 2], metric: &str| {
        let is_it = |row: &&BTreeMap<String, String>| {
            row["experiment"] == experiment
                && row["tensor"].ends_with(tensor)
                && [row["repo_a"].as_str(), &row["repo_b"]] == repos
                && [row["layer_a"].as_str(), &row["layer_b"]] == layers
                && row["metric"] == metric
        };
        let found = published.iter().find(is_it).unwrap_or_else(|| panic!("{experiment} {tensor}"));
        found["value"].parse::<f64>().unwrap_or_else(|_| panic!("{found:?}"))
    };
    let of = |model, layer| gain(k_proj(model, layer), 4 * WIDTH);
    for (repos, layers, expected) in [
        ([solar, glm_air], ["10", "10"], cosine(&of(1, 10), &of(2, 10))),
        ([solar, solar], ["10", "30"], cosine(&of(1, 10), &of(1, 30))),
    ] {
        let experiment = if repos[0] == repos[1] { "within" } else { "confusion" };
        let found = find(experiment, "k_proj.weight", repos, layers, "cosine");
        assert!((found - expected).abs() < 1e-12, "{repos:?}: {found} {expected}");
    }
    for (id, counted) in [solar, glm_air].into_iter().zip(counted) {
        let found = find("sizes", "*", [id, ""], ["", ""], "params_billion");
        assert!((found * 1e9 - counted as f64).abs() < 1e-3, "{id}: {found} {counted}");
    }
    // The matrices are in no experiment, and only those of the layers that figures name were read.
    let pairs = rows(&at.read("out/pairs.csv"));
    assert!(pairs.iter().all(|row| row["role"].ends_with("layernorm")));
    let tensors = |arguments: &[&str]| {
        let run = at.run(&[&["critique", solar, glm_air, "--dry-run"], arguments].concat()).expect(0);
        let count = run.stdout.split(" tensors, ").next().and_then(|text| text.rsplit(' ').next().map(str::to_owned));
        count.and_then(|count| count.parse::<u64>().ok()).unwrap_or_else(|| panic!("{run}"))
    };
    let norms = tensors(&["--roles", "input_layernorm,post_attention_layernorm"]);
    assert_eq!(tensors(&["--all-roles"]), norms + 2 * 2 * 3);
}

#[test]
fn every_experiment_has_its_lines_on_a_terminal_of_eighty_columns() {
    let at = Workspace::new();
    let run = at.run_as(&["critique", "--demo"], |command| {
        command.env("COLUMNS", "80");
    });
    let run = run.expect(0);
    for line in
        ["1 Solar ", "1 GLM ", "2 Solar ", "3 MoE ", "4 MoE ", "5 MoE × dense ", "Solar × GLM, 10 ", "N(1, 0.1²) "]
    {
        assert!(run.stdout.lines().any(|found| found.starts_with(line)), "{line}: {run}");
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{run}");
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let answer = "Solar × GLM, input_layernorm at layer 10: r = -0.0006, z = -0.04, no correlation beyond chance (cos 0.9808 where its \
                  null is 0.9808). Over 8 layers the mean r is -0.0031 (z -0.36), and 0 of 8 are beyond chance";
    assert!(said.starts_with(&format!("Synthetic replica, not the real weights. {answer}")), "{run}");
}

#[test]
fn a_korean_report_says_its_language_and_captions_every_picture() {
    let at = Workspace::new();
    at.run(&["critique", "--demo", "--lang", "ko", "-o", "out", "--formats", "html,svg"]).expect(0);
    let page = at.read("out/report.html");
    assert!(page.contains("<html lang=\"ko\">"), "{}", &page[..200]);
    let is_korean = |text: &str| text.chars().any(|letter| ('가'..='힣').contains(&letter));
    let figures: Vec<&str> = page.split("<figure id=").skip(1).collect();
    assert_eq!(figures.len(), 10);
    assert!(page.contains("실제 가중치가 아닌 합성 복제본</div>"), "the banner");
    assert!(page.contains("레이어 0을 같은 모델의 레이어 10, 20, 30, 40과 비교한다"), "particles");
    assert!(!page.contains("(를)") && !page.contains("(와)") && !page.contains("(과)"), "particles");
    for figure in figures {
        let caption = figure.split("<figcaption>").nth(1).and_then(|rest| rest.split("</figcaption>").next());
        assert!(caption.is_some_and(is_korean), "{caption:?}");
        let described = figure.split("<desc>").nth(1).and_then(|rest| rest.split("</desc>").next());
        assert!(described.is_some_and(is_korean), "{described:?}");
    }
}
