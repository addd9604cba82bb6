//! Surveys: what is written, what is said, and how it ends.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Tensor, Workspace, gain, is_one_of, llama, llama_config, rows};

/// The columns of `pairs.csv`, in the order that scripts rely on.
const PAIRS: &str = "model_a,commit_a,tensor_a,layer_a,model_b,commit_b,tensor_b,layer_b,role,dtype_a,dtype_b,shape,numel,\
    cos_sim,cos_null,cos_null_sd,pearson,z_perm,log10_p_perm,spearman,l2,rel_l2_err,rel_l2_err_b,rel_l2_sym,mean_abs_diff,\
    max_abs_diff,q01_abs_diff,q05_abs_diff,q50_abs_diff,q95_abs_diff,q99_abs_diff,mean_rel_diff,max_rel_diff,norm_ratio,\
    mean_ratio,std_ratio,zero_frac_a,zero_frac_b,changed_frac,cv_gap,abs_value_q99_gap,residual,residual_scaled,sign_agreement,undefined";

/// `o/a` and `o/b` unrelated, `o/c` as `o/a`, `o/wide` of another width.
fn four_models() -> Workspace {
    let mut at = Workspace::with_llama(3, 64);
    at.llama("o/b", 2, 3, 64);
    at.llama("o/c", 1, 3, 64);
    at.llama("o/wide", 4, 3, 96);
    at.serve();
    at
}

#[test]
fn every_file_of_the_contract_is_written() {
    let at = four_models();
    let outcome = at.run(&["survey", "o/a", "o/b", "--layers", "1", "-o", "out"]).expect(0);
    let names: Vec<String> = Workspace::files(&at.path().join("out")).into_iter().map(|(name, _)| name).collect();
    insta::assert_snapshot!(names.join("\n"), @"
    REPORT.md
    groups.csv
    heatmap_input_layernorm_1.png
    heatmap_input_layernorm_1.svg
    matrix_cos_null_input_layernorm_1.csv
    matrix_cos_sim_input_layernorm_1.csv
    matrix_pearson_input_layernorm_1.csv
    pairs.csv
    related.csv
    report.html
    report.json
    ");
    assert_eq!(at.read("out/pairs.csv").lines().next(), Some(PAIRS));
    outcome.says(&["wrote 11 files to out"]);
    let report = at.read("out/REPORT.md");
    let places = ["cos\\_null", "## Models", "## input\\_layernorm", "## Excluded", "## Traffic"];
    let found: Vec<Option<usize>> = places.iter().map(|place| report.find(place)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}\n{report}");
    let png = fs_err::read(at.path().join("out/heatmap_input_layernorm_1.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn only_the_formats_asked_for_are_written() {
    let at = four_models();
    at.run(&["survey", "o/a", "o/b", "--layers", "1", "-o", "out", "--formats", "csv,md", "--metric", "spearman"])
        .expect(0);
    let names: Vec<String> = Workspace::files(&at.path().join("out")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["REPORT.md", "groups.csv", "matrix_spearman_input_layernorm_1.csv", "pairs.csv", "related.csv"]);
}

#[test]
fn a_model_of_another_width_keeps_its_row_with_the_reason() {
    let at = four_models();
    at.run(&["survey", "o/a", "o/b", "o/wide", "--layers", "1", "-q", "-o", "out"]).expect(0);
    let matrix = at.read("out/matrix_pearson_input_layernorm_1.csv");
    let last: Vec<&str> = matrix.lines().last().unwrap().split(',').collect();
    assert_eq!((last[0], last[1], last[2]), ("wide", "", ""), "{matrix}");
    let pairs = rows(&at.read("out/pairs.csv"));
    assert_eq!(pairs.len(), 3);
    assert_eq!((pairs[1]["undefined"].as_str(), pairs[1]["cos_sim"].as_str()), ("all:Shape", ""));
    let json: serde_json::Value = serde_json::from_str(&at.read("out/report.json")).unwrap();
    assert_eq!(json["pairs"].as_array().map(Vec::len), Some(1), "in JSON those that have numbers");
    let others = rows(&at.read("out/not_compared.csv"));
    let told: Vec<_> = others
        .iter()
        .map(|row| ["model", "layers", "shape", "pairs", "reason"].map(|name| row[name].as_str()))
        .collect();
    let why = "the others have another shape";
    assert_eq!(told, [["o/a", "1", "64", "1", why], ["o/b", "1", "64", "1", why], ["o/wide", "1", "96", "2", why]]);
    let report = at.read("out/REPORT.md");
    assert!(
        report.contains("its shape is 96, that of others 64: vectors of different width cannot be compared"),
        "{report}"
    );
}

#[test]
fn a_condition_that_holds_is_the_exit_status() {
    let at = four_models();
    let related = ["survey", "o/a", "o/c", "--layers", "1", "--fail-if", "pearson>0.9"];
    let outcome = at.run(&related).expect(3);
    outcome.says(&["--fail-if pearson>0.9 holds: a × c, input_layernorm, layer 1, pearson = 1"]);
    at.run(&["survey", "o/a", "o/b", "--layers", "1", "--fail-if", "abs(pearson)>0.9"]).expect(0);
}

#[test]
fn a_list_of_models_has_groups_labels_and_comments() {
    let at = four_models();
    let list = "# the models\n\no/a group=first label=Alpha # the oldest\no/b@main group=second\n";
    fs_err::write(at.path().join("models.txt"), list).unwrap();
    at.run(&["survey", "--models", "models.txt", "--layers", "1", "-q", "-o", "out"]).expect(0);
    assert!(at.read("out/matrix_cos_sim_input_layernorm_1.csv").starts_with(",Alpha,b\n"));
    let report = at.read("out/REPORT.md");
    let row = |label: &str| report.lines().find(|line| line.starts_with(&format!("| {label} |"))).map(str::to_owned);
    assert!(row("Alpha").is_some_and(|row| row.ends_with("| first |")), "{report}");
    assert!(row("b").is_some_and(|row| row.ends_with("| second |")), "{report}");
    at.run_as(&["survey", "--models", "-", "--layers", "1", "-q", "-o", "again"], |command| {
        command.stdin(fs_err::File::open(at.path().join("models.txt")).unwrap().into_parts().0);
    })
    .expect(0);
    assert_eq!(at.read("again/pairs.csv"), at.read("out/pairs.csv"));
}

#[test]
fn a_faulty_line_of_a_list_is_numbered() {
    let at = four_models();
    let list = at.path().join("faulty.txt");
    fs_err::write(&list, "o/a\n# fine\no/b colour=red\n").unwrap();
    let outcome = at.run_as(&["survey", "--models", "-"], |command| {
        command.stdin(fs_err::File::open(&list).unwrap().into_parts().0);
    });
    insta::assert_snapshot!(outcome.expect(2), @"
    exit status 2
    ----- stderr -----
    error: line 3 of the model list
    caused by: `colour=red` is neither `group=NAME`, `label=NAME` nor `layer=N`
    ");
    at.run(&["survey", "--models", "absent.txt"]).expect(2).says(&["the model list cannot be read", "absent.txt"]);
}

#[test]
fn json_on_stdout_is_the_report() {
    let at = four_models();
    let outcome = at.run(&["survey", "o/a", "o/b", "--layers", "1", "--format", "json"]).expect(0);
    let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(value["models"].as_array().map(Vec::len), Some(2));
    assert_eq!(value["synthetic"], false);
}

#[test]
fn quiet_is_quiet() {
    let at = four_models();
    let outcome = at.run(&["survey", "o/a", "o/b", "-q"]).expect(0);
    assert_eq!(outcome.stderr, "");
    let loud = at.run(&["survey", "o/a", "o/b"]).expect(0);
    let last = loud.stderr.lines().last().unwrap();
    assert!(last.starts_with("moved ") && last.ends_with(", TIME"), "{loud}");
}

#[test]
fn a_second_run_gives_the_same_bytes() {
    let at = four_models();
    let run = || {
        at.run(&["survey", "o/a", "o/b", "o/c", "o/wide", "-q", "-o", "out"]).expect(0);
        let mut files = Workspace::files(&at.path().join("out"));
        files.retain(|(name, _)| name != "report.json");
        let mut report: Value = serde_json::from_str(&at.read("out/report.json")).unwrap();
        let provenance = report["provenance"].as_object_mut().unwrap();
        // What a run cost and when it was is its own; the rest must not differ.
        for own in ["generated_at", "requests", "bytes", "cache_hits"] {
            assert!(provenance.remove(own).is_some(), "{own}");
        }
        (files, report)
    };
    let (files, report) = run();
    let (again, report_again) = run();
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&files), names(&again));
    for ((name, bytes), (_, bytes_again)) in files.iter().zip(&again) {
        assert!(bytes == bytes_again, "{name} differs");
    }
    assert_eq!(report, report_again);
}

#[test]
fn numbers_do_not_depend_on_the_number_of_threads() {
    let at = four_models();
    let run = |threads: &str| {
        let models = ["survey", "o/a", "o/b", "o/c", "o/wide", "-q", "-o", threads];
        at.run(&[&models[..], &["--formats", "csv,svg", "--threads", threads]].concat()).expect(0);
        Workspace::files(&at.path().join(threads))
    };
    let one = run("1");
    assert!(one.iter().filter(|(name, _)| is_one_of(name, &["csv"])).count() > 6);
    assert!(one == run("2"));
}

#[test]
fn a_pattern_that_fits_several_tensors_of_a_layer_is_not_guessed_at() {
    let at = four_models();
    let pattern = r"layers\.(?<layer>\d+)\..*norm";
    let outcome = at.run(&["survey", "o/a", "o/b", "--layers", "1", "--tensor", pattern, "-o", "out"]).expect(1);
    let report = at.read("out/REPORT.md");
    let reason =
        "2 tensors fit: model.layers.1.input\\_layernorm.weight, model.layers.1.post\\_attention\\_layernorm.weight";
    assert!(report.contains(reason), "{outcome}\n{report}");
    let pairs = rows(&at.read("out/pairs.csv"));
    assert!(pairs.len() == 1 && pairs[0]["undefined"].contains("2 tensors fit"), "{pairs:?}");
    let others = rows(&at.read("out/not_compared.csv"));
    assert!(others.len() == 2 && others.iter().all(|row| row["reason"].contains("2 tensors fit")), "{others:?}");
}

#[test]
fn layers_that_only_some_models_have_are_reported() {
    let mut at = four_models();
    at.close();
    at.llama("o/short", 5, 2, 64);
    at.serve();
    at.run(&["survey", "o/a", "o/short", "-q", "-o", "out"]).expect(0);
    let report = at.read("out/REPORT.md");
    assert!(report.contains("it has 2 layers"), "{report}");
    // Each model's own last layer, whichever that is.
    at.run(&["survey", "o/a", "o/short", "--layers", "last", "-q", "-o", "last"]).expect(0);
    let pairs = rows(&at.read("last/pairs.csv"));
    assert_eq!((pairs[0]["layer_a"].as_str(), pairs[0]["layer_b"].as_str()), ("2", "1"));
    assert!(!pairs[0]["cos_sim"].is_empty());
}

#[test]
fn asking_for_what_no_model_has_is_said_and_ends_with_one() {
    let at = four_models();
    let outcome = at.run(&["survey", "o/a", "o/b", "--role", "router", "-o", "out"]).expect(1);
    outcome.says(&["warning: no comparable tensors"]);
    assert!(at.read("out/REPORT.md").contains("No comparable tensors"));
    assert_eq!(at.read("out/pairs.csv").lines().count(), 1);
}

#[test]
fn routed_experts_are_left_out_unless_asked_for() {
    let mut at = Workspace::new();
    for (id, seed) in [("o/a", 1), ("o/b", 2)] {
        let tensors: Vec<Tensor> = (0..2)
            .map(|expert| {
                Tensor::f32(&format!("model.layers.0.mlp.experts.{expert}.gate_proj.weight"), &gain(seed + expert, 64))
            })
            .chain([Tensor::f32("model.layers.0.input_layernorm.weight", &gain(seed, 64))])
            .collect();
        let mut config = llama_config(1, 64);
        config["model_type"] = "qwen3_moe".into();
        config["architectures"] = serde_json::json!(["Qwen3MoeForCausalLM"]);
        at.model(id, &config, &tensors);
    }
    at.serve();
    let plain = at.run(&["fetch", "o/a", "--role", "all"]).expect(0);
    assert_eq!(plain.stdout.lines().count(), 1, "{plain}");
    let all = at.run(&["fetch", "o/a", "--role", "all", "--experts"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 3, "{all}");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let at = four_models();
    fs_err::write(at.path().join("taken"), "a file").unwrap();
    let outcome = at.run(&["survey", "o/a", "o/b", "--layers", "1", "-q", "-o", "taken"]).expect(2);
    outcome.says(&["error: `taken` is a file, and a report is a folder of files", "hint: name a folder with `-o DIR`"]);
    assert_eq!(at.asked().count(), 0, "refused before anything was asked");
    let below = at.run(&["survey", "o/a", "o/b", "--layers", "1", "-q", "-o", "taken/below"]);
    below.expect(2).says(&["error: cannot create the folder `taken/below`", "hint: "]);
}

#[test]
fn the_demo_says_that_it_is_synthetic_everywhere() {
    let at = Workspace::new();
    let outcome = at.run(&["survey", "--demo", "-o", "out", "--formats", "csv,md,html,svg,json"]).expect(0);
    let words = "Synthetic replica, not the real weights";
    assert!(outcome.stdout.contains(words), "{outcome}");
    for file in ["REPORT.md", "report.html", "heatmap_input_layernorm_10.svg"] {
        assert!(at.read(&format!("out/{file}")).to_lowercase().contains(&words.to_lowercase()), "{file}");
    }
    let pairs = rows(&at.read("out/pairs.csv"));
    assert_eq!(pairs.len(), 36);
    let related: Vec<_> = pairs
        .iter()
        .filter(|pair| pair["pearson"].parse::<f64>().unwrap().abs() > 0.1)
        .map(|pair| (pair["model_a"].as_str(), pair["model_b"].as_str()))
        .collect();
    assert_eq!(
        related,
        [
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistralai/Mistral-7B-Instruct-v0.3"),
            ("01-ai/Yi-1.5-6B-Chat", "01-ai/Yi-1.5-9B-Chat"),
        ]
    );
    // At most ten requests a model and eight megabytes.
    let report: Value = serde_json::from_str(&at.read("out/report.json")).unwrap();
    let cost = |key: &str| report["provenance"][key].as_u64().unwrap();
    assert!(cost("requests") <= 90 && cost("bytes") <= 8_000_000, "{}", report["provenance"]);
}

#[test]
fn one_model_has_nothing_to_be_compared_with_and_that_is_said() {
    let at = four_models();
    let outcome = at.run(&["survey", "o/a", "-o", "out", "--formats", "md"]).expect(0);
    // Before anything is asked of the Hub.
    let said = "warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers\n";
    assert!(outcome.stderr.starts_with(said), "{outcome}");
    assert!(outcome.stdout.contains(": nothing to compare it with.\n"), "{outcome}");
    assert!(!outcome.stdout.contains("cos_null"), "{outcome}");
    let report = at.read("out/REPORT.md");
    assert!(report.contains("**One model.** There is nothing to compare it with"), "{report}");
    // A condition asked of no pair is no success.
    at.run(&["survey", "o/a", "--fail-if", "pearson>0.9"])
        .expect(1)
        .says(&["warning: --fail-if pearson>0.9: no pair to check"]);
}

#[test]
fn what_is_piped_fits_eighty_columns_and_breaks_names_at_their_marks() {
    let mut at = Workspace::new();
    let names = ["o/Mistral-Small-3.1-24B-Instruct-2503", "o/DeepSeek-R1-Distill-Qwen-32B-checkpoint_epoch3"];
    for (seed, id) in (1..).zip(names) {
        at.llama(id, seed, 2, 64);
    }
    at.serve();
    let outcome = at.run(&["survey", names[0], names[1]]).expect(0);
    for line in outcome.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in ["Mistral-Small-", "DeepSeek-R1-"] {
        assert!(
            outcome.stdout.lines().any(|line| line.starts_with(part) || line.contains(&format!(" {part}"))),
            "{outcome}"
        );
    }
    // Of each name every line ends where a part of it does.
    let rows: Vec<&str> = outcome.stdout.lines().skip_while(|line| !line.starts_with("pair ")).skip(1).collect();
    let words = rows.iter().take_while(|line| !line.is_empty()).flat_map(|line| line.split_whitespace());
    let whole = |word: &str| names.iter().any(|name| name.trim_start_matches("o/").ends_with(word));
    for word in words.filter(|word| word.starts_with(char::is_alphabetic) && !matches!(*word, "layer" | "chance")) {
        assert!(word.ends_with(['-', '_', '.']) || whole(word), "{word}: {outcome}");
    }
}

#[test]
fn depths_are_of_all_layers_also_where_only_names_tell_how_many_there_are() {
    let at = Workspace::new();
    for (id, seed, layers) in [("o/a", 1, 48), ("o/b", 2, 33)] {
        let mut config = llama_config(layers, 16);
        config.as_object_mut().unwrap().remove("num_hidden_layers");
        at.model(id, &config, &llama(seed, layers, 16));
    }
    let depths = ["--pairing", "depth", "--layers", "0,10,15,20", "-o", "out"];
    at.run(&[&["survey", "./hub/o/a", "./hub/o/b"], &depths[..]].concat()).expect(0);
    let report = at.read("out/REPORT.md");
    assert!(report.contains("The reference is **a** with 48 layers"), "{report}");
    let pairs = rows(&at.read("out/pairs.csv"));
    let layers: Vec<(&str, &str)> =
        pairs.iter().map(|row| (row["layer_a"].as_str(), row["layer_b"].as_str())).collect();
    // 10·32/47 = 6.8, 15·32/47 = 10.2, 20·32/47 = 13.6
    assert_eq!(layers, [("0", "0"), ("10", "7"), ("15", "10"), ("20", "14")]);
    assert!(pairs.iter().all(|row| !row["pearson"].is_empty()));
}

/// `o/f0` to `o/f3` are one model with a little noise each, `o/s0` and `o/s1` have nothing to do with it or each other.
fn family() -> Workspace {
    let at = Workspace::new();
    let norms = |id: &str, own: u64, share: f32| {
        let layer = |layer: u64| {
            let (base, own) = (gain(900 + layer, 1024), gain(1000 * own + layer, 1024));
            let mixed: Vec<f32> = base.iter().zip(&own).map(|(base, own)| share * base + (1.0 - share) * own).collect();
            Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &mixed)
        };
        at.model(id, &llama_config(4, 1024), &(0..4).map(layer).collect::<Vec<_>>());
    };
    for own in 0..4 {
        norms(&format!("o/f{own}"), own + 1, 0.96);
    }
    norms("o/s0", 8, 0.0);
    norms("o/s1", 9, 0.0);
    at
}

fn folders(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("./hub/o/{name}")).collect()
}

#[test]
fn a_base_and_its_fine_tunes_are_judged_against_the_permutation_null() {
    let at = family();
    let models = folders(&["f0", "f1", "f2", "f3"]);
    let run: Vec<&str> = ["survey"].into_iter().chain(models.iter().map(String::as_str)).collect();
    let out = ["--role", "input_layernorm", "-o", "out", "--formats", "csv,md"];
    let outcome = at.run(&[&run[..], &out].concat()).expect(0);
    let said = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "All 6 pairs of models are correlated beyond chance",
        ": the other pairs are no baseline. Each is judged against chance alone.",
        "beyond 4/4",
    ] {
        assert!(said.contains(part), "{part}: {outcome}");
    }
    assert!(!said.contains("No pair stands out"), "{outcome}");
    let related = rows(&at.read("out/related.csv"));
    assert_eq!(related.len(), 6);
    for row in &related {
        let cells = (row["set_apart"].as_str(), row["cells_set_apart"].as_str(), row["judged_against"].as_str());
        assert_eq!(cells, ("true", "4", "permutation_null"), "{row:?}");
        assert_eq!((row["robust_z"].as_str(), row["log10_q"].as_str(), row["cells_identical"].as_str()), ("", "", "0"));
        assert!(row["z_null"].parse::<f64>().unwrap() > 100.0, "{row:?}");
    }
    let groups = rows(&at.read("out/groups.csv"));
    assert!(groups.iter().all(|row| (row["n"].as_str(), row["n_unrelated"].as_str()) == ("6", "0")), "{groups:?}");
}

#[test]
fn of_a_few_pairs_each_is_judged_against_the_permutation_null() {
    let at = family();
    let judged = |names: &[&str]| {
        let models = folders(names);
        let run: Vec<&str> = ["survey"].into_iter().chain(models.iter().map(String::as_str)).collect();
        let outcome = at.run(&[&run[..], &["-o", "out", "--formats", "csv"]].concat()).expect(0);
        let related: Vec<bool> =
            rows(&at.read("out/related.csv")).iter().map(|row| row["set_apart"] == "true").collect();
        (outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" "), related)
    };
    let (said, related) = judged(&["f0", "f1"]);
    assert!(said.starts_with("f0 × f1 are correlated beyond chance in 4 of 4 tests: most r = 0.99"), "{said}");
    assert!(said.contains("Too few pairs to compare with each other (1; at least 4 needed)."), "{said}");
    assert_eq!(related, [true]);
    let (said, related) = judged(&["s0", "s1"]);
    assert!(said.starts_with("s0 × s1 do not stand out: the strongest of 4 tests has r = "), "{said}");
    assert!(said.contains(", within chance (s0 × s1, input_layernorm, layer "), "{said}");
    assert_eq!(related, [false]);
}

#[test]
fn a_population_supports_no_rate_below_one_in_its_pairs_and_equal_bytes_are_identical() {
    let at = family();
    at.model("o/copy", &llama_config(4, 1024), &{
        let norm = |layer: u64| {
            Tensor::f32(&format!("model.layers.{layer}.input_layernorm.weight"), &gain(8000 + layer, 1024))
        };
        (0..4).map(norm).collect::<Vec<_>>()
    });
    let models = folders(&["s0", "copy", "s1", "f0", "f1"]);
    let run: Vec<&str> = ["survey"].into_iter().chain(models.iter().map(String::as_str)).collect();
    let outcome = at.run(&[&run[..], &["-o", "out", "--formats", "csv"]].concat()).expect(0);
    let related = rows(&at.read("out/related.csv"));
    assert_eq!(related.len(), 10);
    // One in 10 pairs and one more.
    let least = -11_f64.log10();
    for row in &related {
        assert!(row["log10_q"].parse::<f64>().unwrap() >= least - 1e-12, "{row:?}");
        assert_eq!(row["judged_against"], "population");
    }
    let apart: Vec<(&str, &str, &str)> = related
        .iter()
        .filter(|row| row["set_apart"] == "true")
        .map(|row| (row["model_a"].as_str(), row["model_b"].as_str(), row["cells_identical"].as_str()))
        .collect();
    assert_eq!(apart, [("./hub/o/s0", "./hub/o/copy", "4"), ("./hub/o/f0", "./hub/o/f1", "0")]);
    let said = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "2 of 10 pairs of models are correlated beyond chance, most s0 × copy: r = 1.0000",
        "In 1 of them every compared tensor holds the same numbers; only norms were compared, no matrix.",
        "Pairs that stand out from the other pairs: s0 × copy (identical), f0 × f1 (robust z > 20).",
    ] {
        assert!(said.contains(part), "{part}: {outcome}");
    }
    // One line a pair, the mean over its cells.
    let of = |begin: &str| outcome.stdout.lines().find(|line| line.starts_with(begin)).map(str::to_owned);
    assert!(of("s0 × copy ").is_some_and(|line| line.ends_with("identical")), "{outcome}");
    assert!(of("f0 × f1 ").is_some_and(|line| line.ends_with("outlier 4/4")), "{outcome}");
    // Of those within chance three are enough.
    assert_eq!(outcome.stdout.lines().filter(|line| line.ends_with("chance")).count(), 3, "{outcome}");
}

/// Two models of three layers whose query matrices are above the size up to which layers are held.
fn large_matrices() -> Workspace {
    let at = Workspace::new();
    for (number, id) in (1_u64..).zip(["o/a", "o/b"]) {
        let matrix = |layer: u64| {
            let values: Vec<f32> = gain(number * 10 + layer, 260 * 256).iter().map(|value| value - 1.0).collect();
            let vector = Tensor::f32(&format!("model.layers.{layer}.self_attn.q_proj.weight"), &values);
            Tensor { shape: vec![260, 256], ..vector }
        };
        at.model(id, &llama_config(3, 256), &(0..3).map(matrix).collect::<Vec<_>>());
    }
    at
}

#[test]
fn matrices_have_components_where_they_are_asked_for_and_a_reason_where_not() {
    let at = large_matrices();
    let survey = |more: &[&str], out: &str| {
        let base = ["survey", "./hub/o/a", "./hub/o/b", "--role", "q_proj", "-o", out, "--formats", "csv,md"];
        at.run(&[&base, more].concat()).expect(0);
    };
    survey(&[], "plain");
    assert!(
        at.read("plain/REPORT.md")
            .contains("**No principal components** of `q_proj`: matrices would have to be read once more")
    );
    assert!(!at.path().join("plain/components.csv").exists());
    survey(&["--components"], "out");
    let scores = rows(&at.read("out/components.csv"));
    assert_eq!(scores.len(), 2 * 6);
    let of = |model: &str, layer: &str| -> Vec<f64> {
        let is_it = |row: &&BTreeMap<String, String>| {
            row["scale"] == "kept" && row["model"].ends_with(model) && row["layer"] == layer
        };
        let row = scores.iter().find(is_it).unwrap();
        (1..=5).map(|component| row[&format!("score_{component}")].parse().unwrap()).collect()
    };
    // Six vectors less their mean have five components, which keep every distance.
    for row in rows(&at.read("out/pairs.csv")) {
        let [a, b] = [of("o/a", &row["layer_a"]), of("o/b", &row["layer_b"])];
        let distance = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        let l2: f64 = row["l2"].parse().unwrap();
        assert!((distance - l2).abs() < 1e-9 * l2, "{distance} {l2}");
    }
}

#[test]
fn of_many_pairs_that_stand_out_the_page_lists_the_first_sixty() {
    let mut at = Workspace::new();
    let names: Vec<String> = (0..12).map(|number| format!("o/copy{number:02}")).collect();
    for name in &names {
        at.llama(name, 1, 2, 64);
    }
    at.serve();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    at.run(&[&["survey", "--layers", "0", "--formats", "csv,md", "-o", "out"][..], &names].concat()).expect(0);
    let page = at.read("out/REPORT.md");
    assert!(
        page.contains("**66 pairs stand out") && page.contains("The first 60 of 66; `related.csv` has all."),
        "{page}"
    );
    assert_eq!(rows(&at.read("out/related.csv")).len(), 66);
}
