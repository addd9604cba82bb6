//! The answer comes first: on the terminal, and at the head of every page.

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
        answer.starts_with("All 6 pairs of models are correlated beyond chance, most a × b: r = 1.0000, z = 16.0, "),
        "{outcome}"
    );
    assert!(
        answer.ends_with("In all of them every compared tensor holds the same numbers: copies, as far as compared."),
        "{outcome}"
    );
    let said = words(&outcome.stdout);
    assert!(said.contains("Most pairs are correlated far beyond chance (median z "), "{outcome}");
    assert!(said.contains("): the other pairs are no baseline. Each is judged against chance alone."), "{outcome}");
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
        first(&copy)
            .starts_with("a × copy are correlated beyond chance: r = 1.0000, z = 16.0, input_layernorm, layer 1"),
        "{copy}"
    );
    assert!(
        first(&copy).ends_with("Every compared tensor holds the same numbers in both: copies, as far as compared."),
        "{copy}"
    );
    assert!(words(&copy).contains("Too few pairs to compare with each other (1; at least 4 needed)."), "{copy}");
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
        bytes <= 12_000_000,
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
    // Thirty pairs of one width, two norms in each of eight layers, and the last norm.
    assert_eq!(pairs.len(), 30 * 17);
    assert!(pairs.iter().all(|row| !row["cos_sim"].is_empty()));
    // One row a model and role; all pairs are in either file, those of unequal widths once for each side.
    assert_eq!(others.len(), 61 * 3);
    let unequal: usize = others.iter().map(|row| row["pairs"].parse::<usize>().unwrap()).sum();
    assert_eq!(pairs.len() + unequal / 2, 17 * 61 * 60 / 2);
    assert!(at.read("out/related.csv").lines().count() == 31, "one pair a width");
}
