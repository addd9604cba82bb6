//! The answer comes first: on the terminal, and at the head of every page.

use serde_json::json;

use crate::support::{Tensor, Workspace, gain, is_one_of, llama_config, rows};

/// Words with single blanks, without the marks of names and emphasis.
fn words(text: &str) -> String {
    text.replace(['`', '*', '\\'], "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first paragraph of a text.
fn first(text: &str) -> String {
    words(text.split("\n\n").next().unwrap_or_default())
}

#[test]
fn four_copies_are_said_to_be_copies() {
    let at = Workspace::new();
    for id in ["o/a", "o/b", "o/c", "o/d"] {
        at.llama(id, 1, 3, 256);
    }
    let run = ["survey", "./hub/o/a", "./hub/o/b", "./hub/o/c", "./hub/o/d", "-o", "out", "--formats", "csv,md,html"];
    let outcome = at.run(&[&run[..], &["--layers", "1"]].concat()).expect(0);
    let answer = first(&outcome.stdout);
    assert!(
        answer.starts_with(
            "All 6 pairs of models are correlated beyond chance, most a × b: r = 1.0000, ρ = 1.0000, z = 16.0, "
        ),
        "{outcome}"
    );
    assert!(
        answer.ends_with(
            "In all of them every compared tensor holds the same numbers; only norms were compared, no matrix."
        ),
        "{outcome}"
    );
    let said = words(&outcome.stdout);
    // Of r = 1 there is no Fisher z, and no median of six of them.
    assert!(
        said.contains("Too few pairs to compare with each other (0 with |r| below 1; at least 4 needed)."),
        "{outcome}"
    );
    assert!(!said.contains("median"), "{outcome}");
    let related = rows(&at.read("out/related.csv"));
    assert_eq!(related.len(), 6);
    for row in &related {
        let cells = ["set_apart", "cells_identical", "robust_z", "z_null", "log10_q"].map(|name| row[name].as_str());
        assert_eq!(cells, ["true", "1", "", "", ""], "{row:?}");
    }
    assert_eq!(outcome.stdout.lines().filter(|line| line.ends_with("identical")).count(), 6, "{outcome}");
    // The page opens with the same sentence, before its contents and its models, and then shows the picture.
    let report = at.read("out/REPORT.md");
    let place = |part: &str| report.find(part).unwrap_or_else(|| panic!("{part}: {report}"));
    assert_eq!(first(report.split("more than unrelated models would?\n\n").nth(1).unwrap()), answer);
    assert!(
        place("correlated beyond chance") < place("Heatmaps of input")
            && place("Heatmaps of input") < place("## Models")
    );
    let page = at.read("out/report.html");
    let at_page = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part}"));
    let order = [
        "<h1>",
        "<div class=\"answer\">",
        "correlated beyond chance",
        "id=\"heatmap_input_layernorm_1\"",
        "<nav ",
        "id=\"models\"",
    ];
    assert!(order.map(at_page).is_sorted(), "{order:?}");
    assert_eq!(page.matches("id=\"heatmap_input_layernorm_1\"").count(), 1);
}

#[test]
fn two_models_and_three_have_an_answer_too() {
    let at = Workspace::new();
    at.llama("o/a", 1, 3, 256);
    at.llama("o/b", 2, 3, 256);
    at.llama("o/copy", 1, 3, 256);
    let survey = |models: &[&str]| {
        let folders: Vec<String> = models.iter().map(|model| format!("./hub/o/{model}")).collect();
        let run: Vec<&str> =
            ["survey", "--layers", "1"].into_iter().chain(folders.iter().map(String::as_str)).collect();
        at.run(&run).expect(0).stdout.clone()
    };
    let [copy, other] = [survey(&["a", "copy"]), survey(&["a", "b"])];
    assert!(
        first(&copy).starts_with(
            "a × copy are correlated beyond chance: r = 1.0000, ρ = 1.0000, z = 16.0, input_layernorm, layer 1"
        ),
        "{copy}"
    );
    assert!(
        first(&copy)
            .ends_with("Every compared tensor holds the same numbers in both; only norms were compared, no matrix."),
        "{copy}"
    );
    assert!(
        words(&copy).contains("Too few pairs to compare with each other (0 with |r| below 1; at least 4 needed)."),
        "{copy}"
    );
    assert!(first(&other).starts_with("a × b do not stand out: the only test has r = "), "{other}");
    let three = survey(&["a", "b", "copy"]);
    assert!(
        first(&three).starts_with("1 of 3 pairs of models is correlated beyond chance, most a × copy: "),
        "{three}"
    );
}

#[test]
fn the_survey_of_the_readme_has_an_answer() {
    let at = Workspace::new();
    let models = ["upstage/Solar-Open-100B", "zai-org/GLM-4.5-Air", "mistralai/Mixtral-8x7B-Instruct-v0.1"];
    let outcome = at.run(&[&["survey", "--demo", "--layers", "10"], &models[..]].concat()).expect(0);
    let said = words(&outcome.stdout);
    assert!(
        said.starts_with(
            "Synthetic replica, not the real weights. No pair stands out: the strongest of 3 tests has r = "
        ),
        "{outcome}"
    );
    assert!(said.contains(", within chance ("), "{outcome}");
    let readme = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains(&format!("hub-audit survey {} --layers 10", models.join(" "))));
}

#[test]
fn a_comparison_says_what_is_identical_and_what_is_alike() {
    let at = Workspace::new();
    let matrix = |name: &str, seed: u64| {
        let values: Vec<f32> = gain(seed, 64 * 64).iter().map(|value| value - 1.0).collect();
        Tensor { shape: vec![64, 64], ..Tensor::f32(name, &values) }
    };
    let model = |id: &str, seed: u64| {
        let tensors = [
            matrix("model.embed_tokens.weight", 7),
            matrix("model.layers.0.self_attn.q_proj.weight", seed),
            matrix("model.layers.1.self_attn.q_proj.weight", seed + 1),
            Tensor::f32("model.layers.0.input_layernorm.weight", &gain(seed + 2, 64)),
        ];
        at.model(id, &llama_config(2, 64), &tensors);
    };
    model("o/a", 10);
    model("o/b", 20);
    model("o/copy", 10);
    let compare =
        |b: &str| at.run(&["compare", "./hub/o/a", b, "-o", "out", "--formats", "md"]).expect(0).stdout.clone();
    let same = compare("./hub/o/copy");
    assert_eq!(first(&same), "4 of 4 tensors byte-identical.");
    assert!(words(&at.read("out/REPORT.md")).contains("which have no counterpart? 4 of 4 tensors byte-identical."));
    let other = compare("./hub/o/b");
    let answer = "1 of 4 tensors byte-identical. Embeddings: all 1 alike (r 1.000); matrices of layers: none of 2 alike (largest |r| 0.0";
    assert!(first(&other).starts_with(answer), "{other}");
}

#[test]
fn layers_and_matrices_name_the_most_and_the_least_alike() {
    let at = Workspace::new();
    at.llama("o/a", 1, 4, 256);
    let outcome = at.run(&["layers", "./hub/o/a"]).expect(0);
    let answer = first(&outcome.stdout);
    assert!(answer.starts_with("3 pairs of neighbouring layers of a, input_layernorm: mean r "), "{outcome}");
    assert!(answer.contains("; most alike layers ") && answer.contains(", least alike layers "), "{outcome}");
    assert_eq!(answer.matches(", null ").count(), 2, "{outcome}");
}

/// Sixty models of twelve widths: few of their pairs can be compared.
#[test]
fn a_mixed_list_of_sixty_models_writes_few_megabytes_and_draws_what_is_comparable() {
    let at = Workspace::new();
    for (seed, number) in (1..).zip(0..60_usize) {
        at.llama(&format!("o/model-{number}"), seed, 8, 32 + 16 * (number % 30));
    }
    at.llama("o/lonely", 99, 8, 1000);
    let mut list: Vec<String> = (0..60).map(|number| format!("./hub/o/model-{number}")).collect();
    list.push("./hub/o/lonely".to_owned());
    let list = list.join("\n");
    fs_err::write(at.path().join("list.txt"), list).unwrap();
    // PNGs are left out for the time that a debug build takes over them; they are smaller than the SVGs.
    let run =
        ["survey", "--models", "list.txt", "--role", "norms", "-o", "out", "--formats", "csv,json,md,html,svg", "-q"];
    at.run(&run).expect(0);
    let files = Workspace::files(&at.path().join("out"));
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(
        bytes <= 15_000_000,
        "{bytes} bytes: {:?}",
        files.iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>()
    );
    let pictures: Vec<&str> =
        files.iter().map(|(name, _)| name.as_str()).filter(|name| is_one_of(name, &["svg"])).collect();
    assert!(pictures.contains(&"heatmap_input_layernorm_mean.svg"), "{pictures:?}");
    let svg = at.read("out/heatmap_input_layernorm_mean.svg");
    assert!(svg.contains("model-31</text>") && !svg.contains("lonely</text>"), "rows of what can be compared");
    assert!(!svg.contains(": undefined, "), "no description of a cell without a number");
    let report = words(&at.read("out/report.html"));
    assert!(report.contains("Not comparable with any other: lonely."), "the picture says whom it leaves out");
    let (pairs, others) = (rows(&at.read("out/pairs.csv")), rows(&at.read("out/not_compared.csv")));
    assert!(pairs.iter().all(|row| !row["tensor_a"].is_empty() || !row["tensor_b"].is_empty()));
    // Thirty pairs of one width, two norms in each of eight layers, and the last norm.
    let compared = pairs.iter().filter(|row| !row["cos_sim"].is_empty()).count();
    assert_eq!(compared, 30 * 17);
    // One row a model and role; all pairs are in either file, those of unequal widths once for each side.
    assert_eq!(others.len(), 61 * 3);
    let unequal: usize = others.iter().map(|row| row["pairs"].parse::<usize>().unwrap()).sum();
    assert_eq!(compared + unequal / 2, 17 * 61 * 60 / 2);
    assert!(at.read("out/related.csv").lines().count() == 31, "one pair a width");
}

#[test]
fn a_negated_copy_stands_out_and_one_large_channel_of_strangers_does_not() {
    let at = Workspace::new();
    let model = |id: &str, change: &dyn Fn(u64) -> Vec<f32>| {
        let norm = |layer: u64| Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &change(layer));
        at.model(id, &llama_config(2, 64), &(0..2).map(norm).collect::<Vec<_>>());
    };
    model("o/a", &|layer| gain(10 + layer, 64));
    model("o/neg", &|layer| gain(10 + layer, 64).iter().map(|value| -value).collect());
    model("o/b", &|layer| gain(20 + layer, 64));
    model("o/c", &|layer| gain(30 + layer, 64));
    let large = |seed: u64| {
        let mut values = gain(seed, 64);
        values[17] = 50.0;
        values
    };
    model("o/large", &|layer| large(40 + layer));
    model("o/big", &|layer| large(50 + layer));
    let survey = |models: &[&str]| {
        let folders: Vec<String> = models.iter().map(|model| format!("./hub/o/{model}")).collect();
        let run = ["survey", "-o", "out", "--formats", "csv,md"].into_iter().chain(folders.iter().map(String::as_str));
        words(&at.run(&run.collect::<Vec<_>>()).expect(0).stdout)
    };
    let said = survey(&["a", "neg", "b", "c"]);
    assert!(
        said.starts_with("1 of 6 pairs of models is correlated beyond chance, most a × neg: r = -1.0000"),
        "{said}"
    );
    assert!(said.contains("Pairs that stand out from the other pairs: a × neg (r = -1.0000)."), "{said}");
    let related = rows(&at.read("out/related.csv"));
    let first = ["set_apart", "cells_identical", "robust_z", "pearson"].map(|name| related[0][name].as_str());
    assert_eq!(first[..3], ["true", "0", ""], "{related:?}");
    assert!((first[3].parse::<f64>().unwrap() + 1.0).abs() < 1e-12);
    // r is 0.99 and more, and of 64 channels one is the largest of both by chance once in 64.
    let said = survey(&["large", "big"]);
    assert!(said.starts_with("large × big do not stand out: the strongest of 2 tests has r = 0.99"), "{said}");
    assert!(said.contains("In 2 tests r lies beyond chance and ρ does not: a few channels carry it."), "{said}");
    assert_eq!(rows(&at.read("out/related.csv"))[0]["set_apart"], "false");
    let compared = words(&at.run(&["compare", "./hub/o/large", "./hub/o/big"]).expect(0).stdout);
    assert!(compared.contains("Norms and biases: none of 2 alike (largest |r| 0.99"), "{compared}");
    assert!(compared.contains(", r of 2 at least 0.5 by few elements alone)"), "{compared}");
}

#[test]
fn what_is_in_no_number_is_said_first_and_in_every_list() {
    let at = Workspace::new();
    let expert = |number: u64| Tensor {
        shape: vec![8, 8],
        ..Tensor::f32(&format!("model.layers.0.mlp.experts.{number}.up_proj.weight"), &gain(number, 64))
    };
    let norms = |seed: u64| {
        let norm =
            |layer: u64| Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &gain(seed + layer, 64));
        (0..3).map(norm).collect::<Vec<_>>()
    };
    let config = json!({
        "model_type": "qwen3_moe",
        "architectures": ["Qwen3MoeForCausalLM"],
        "num_hidden_layers": 3,
        "hidden_size": 64,
        "num_experts": 2,
    });
    let with = |id: &str, mut tensors: Vec<Tensor>, experts: [u64; 2]| {
        tensors.extend(experts.map(|seed| Tensor {
            name: format!("model.layers.0.mlp.experts.{}.up_proj.weight", seed % 10),
            ..expert(seed)
        }));
        at.model(id, &config, &tensors);
    };
    with("o/a", norms(100), [10, 11]);
    with("o/b", norms(100), [20, 21]);
    // Every compared tensor is equal, and no expert was compared.
    let compared = words(&at.run(&["compare", "./hub/o/a", "./hub/o/b"]).expect(0).stdout);
    let answer = "3 of 3 compared tensors byte-identical; not compared: 2 excluded by default (names with .experts. are many): use --experts.";
    assert!(compared.starts_with(answer), "{compared}");
    let out = ["-o", "out", "--formats", "json,md"];
    let survey = |more: &[&str], status: i32| {
        let run = [&["survey", "./hub/o/a", "./hub/o/b"], more, &out[..]].concat();
        let outcome = at.run(&run).expect(status);
        (words(&outcome.stdout), outcome.raw.clone(), words(&at.read("out/REPORT.md")))
    };
    let (said, _, report) = survey(&["--role", "all"], 0);
    assert!(
        said.contains("Some tensors of a, b are excluded by default (names with .experts. are many): use --experts."),
        "{said}"
    );
    assert!(report.contains("model.layers.0.mlp.experts.0.up_proj.weight and 1 more"), "{report}");
    assert!(!report.contains("Nothing: every requested tensor was compared"), "{report}");
    // A role and a layer that no model has.
    let (said, raw, report) = survey(&["--role", "input_layernorm,q_norm", "--layers", "0,1,99"], 1);
    assert!(raw.contains("no model has a tensor of role `q_norm`") && raw.contains("no model has layer 99"), "{raw}");
    assert!(said.contains("q_norm (it has no q_norm"), "{said}");
    assert!(report.contains("layer 99") && report.contains("it has 3 layers"), "{report}");
    let layers = at.run(&["layers", "./hub/o/a", "--layers", "0,1,99", "-o", "out", "--formats", "md"]).expect(1);
    assert!(layers.raw.contains("no model has layer 99"), "{layers}");
    assert!(at.read("out/REPORT.md").contains("layer 99"));
    at.run(&["fetch", "./hub/o/a", "--role", "input_layernorm,q_norm"]).expect(1);
}

#[test]
fn tensors_without_a_number_are_named_with_their_reason() {
    let at = Workspace::new();
    let model = |id: &str, layers: [Vec<f32>; 4]| {
        let norm = |(layer, values): (usize, Vec<f32>)| {
            Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &values)
        };
        at.model(id, &llama_config(4, 64), &layers.into_iter().enumerate().map(norm).collect::<Vec<_>>());
    };
    let sound = |layer: u64| gain(10 + layer, 64);
    let mut broken = sound(0);
    broken[3] = f32::NAN;
    model("o/a", [sound(0), sound(1), sound(2), sound(3)]);
    model("o/nan", [broken.clone(), sound(1), sound(2), sound(3)]);
    model("o/odd", [broken, vec![1.0; 64], sound(2), sound(3)]);
    let ones = || [1.0, 1.0, 1.0, 1.0].map(|value: f32| vec![value; 64]);
    model("o/ones", ones());
    model("o/one", ones());
    let out = ["-o", "out", "--formats", "md"];
    let run = |arguments: &[&str], status: i32| {
        let outcome = at.run(&[arguments, &out[..]].concat()).expect(status);
        (words(&outcome.stdout), words(&at.read("out/REPORT.md")))
    };
    let nan = "1 of its elements is not finite";
    // Three layers are equal, and what a NaN is equal to nobody knows.
    let (said, report) = run(&["survey", "./hub/o/nan", "./hub/o/a"], 0);
    assert!(!said.contains("same numbers") && !said.contains("identical"), "{said}");
    assert!(said.contains(nan) && report.contains(nan), "{said}");
    let (said, report) = run(&["survey", "./hub/o/ones", "./hub/o/one"], 1);
    assert!(said.contains("it has no correlation: all its elements are equal"), "{said}");
    assert!(!report.contains("Nothing: every"), "{report}");
    let (said, report) = run(&["layers", "./hub/o/odd"], 0);
    assert!(said.contains(nan) && said.contains("all its elements are equal"), "{said}");
    assert!(report.contains(nan) && !report.contains("Nothing: every"), "{report}");
    let (said, report) = run(&["compare", "./hub/o/nan", "./hub/o/a"], 0);
    assert!(
        said.starts_with(
            "3 of 4 compared tensors byte-identical; not compared: 1 with elements that are not finite, but for their bytes"
        ),
        "{said}"
    );
    assert!(report.contains("no number but counts") && !report.contains("Nothing: every"), "{report}");
}

#[test]
fn a_model_of_another_width_is_named_and_one_named_twice_is_not_judged() {
    let at = Workspace::new();
    at.llama("o/a", 1, 3, 64);
    at.llama("o/b", 2, 3, 64);
    at.llama("o/narrow", 3, 3, 32);
    let outcome = at.run(&["survey", "./hub/o/a", "./hub/o/b", "./hub/o/narrow"]).expect(0);
    assert!(words(&outcome.stdout).contains("its shape is 32, that of others 64"), "{outcome}");
    let twice = at.run(&["survey", "./hub/o/a", "./hub/o/a", "--fail-if", "pearson>0.9"]).expect(1);
    twice.says(&["no pair to check; not checked: 3 of a model with itself, named twice"]);
}
