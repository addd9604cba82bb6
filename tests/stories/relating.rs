//! I survey models and want to know which pairs are outliers, what groups amount to, and which layers meet.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::support::PROGRAM;

const MOE: [&str; 4] = [
    "upstage/Solar-Open-100B",
    "zai-org/GLM-4.5-Air",
    "microsoft/Phi-3.5-MoE-instruct",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
];
const DENSE: [&str; 5] = [
    "mistralai/Mistral-7B-Instruct-v0.3",
    "01-ai/Yi-1.5-6B-Chat",
    "01-ai/Yi-1.5-9B-Chat",
    "internlm/internlm2-chat-7b",
    "Qwen/Qwen1.5-7B-Chat",
];

fn group(name: &str, models: &[&str]) -> String {
    format!("--group={name}={}", models.join(","))
}

/// Runs a survey of the embedded Hub's models; `folder` keeps the report and a cache of its own.
fn survey(folder: &Path, report: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("HOME", folder)
        .args(["survey", "--demo", "--formats", "csv,md", "--cache-dir"])
        .arg(folder.join(format!("{report}-cache")))
        .arg("-o")
        .arg(folder.join(report))
        .args(arguments);
    command.output().unwrap()
}

fn rows(folder: &Path, file: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(Result::unwrap).collect()
}

/// Every file of a report. Its command line, which names threads and folder, is not compared.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs_err::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let text = fs_err::read_to_string(entry.path()).unwrap();
            let lines = text.lines().filter(|line| !line.contains(" survey --demo "));
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

#[test]
fn the_two_related_pairs_are_set_apart_and_every_pair_of_the_groups_is_counted() {
    let home = TempDir::new().unwrap();
    let (moe, dense) = (group("moe", &MOE), group("dense", &DENSE));
    let arguments =
        |threads| vec![moe.as_str(), dense.as_str(), "--layers", "10,20", "--trials", "3", "--threads", threads];
    let first = survey(home.path(), "one", &arguments("1"));
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let stdout = String::from_utf8(first.stdout).unwrap();
    let said = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("Pairs that stand out from the other pairs: Mixtral-8x7B-Instruct-v0.1 × Mistral"),
        "{stdout}"
    );
    assert!(said.contains("2 of 36 pairs of models are correlated beyond chance"), "{stdout}");

    let one = home.path().join("one");
    let apart: Vec<(String, String)> = rows(&one, "related.csv")
        .into_iter()
        .filter(|row| row["set_apart"] == "true")
        .map(|row| (row["model_a"].clone(), row["model_b"].clone()))
        .collect();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(apart, [pair(MOE[3], DENSE[0]), pair(DENSE[1], DENSE[2])]);

    let groups = rows(&one, "groups.csv");
    let row_of = |a: &str, b: &str, layer: &str, metric: &str| {
        let is_it = |row: &&BTreeMap<String, String>| {
            row["group_a"] == a && row["group_b"] == b && row["layer"] == layer && row["metric"] == metric
        };
        groups.iter().find(is_it).unwrap()
    };
    let counts = |a: &str, b: &str, layer: &str| {
        let row = row_of(a, b, layer, "pearson");
        let unrelated: f64 = row["mean_unrelated"].parse().unwrap();
        assert!(unrelated.abs() < 0.03, "{row:?}");
        assert_eq!((row["mean_null"].as_str(), row["mean_null_unrelated"].as_str()), ("", ""));
        // Of pairs that are not flagged the cosine is what its null says.
        let cosine = row_of(a, b, layer, "cos_sim");
        let of = |column: &str| cosine[column].parse::<f64>().unwrap();
        assert!((of("mean_unrelated") - of("mean_null_unrelated")).abs() < 0.01, "{cosine:?}");
        assert!(of("mean_null") > 0.5, "{cosine:?}");
        (row["n"].clone(), row["n_unrelated"].clone())
    };
    for layer in ["10", "20"] {
        assert_eq!(counts("moe", "moe", layer), pair("6", "6"));
        assert_eq!(counts("moe", "dense", layer), pair("20", "19"));
        assert_eq!(counts("dense", "dense", layer), pair("10", "9"));
    }
    let averages = rows(&one, "averages.csv");
    assert_eq!(averages.len(), 36);
    for row in &averages {
        let number = |name: &str| row[name].parse::<f64>().unwrap().abs();
        assert!(number("z") < number("naive_z"), "layers of the replica resemble each other: {row:?}");
    }
    assert_eq!(rows(&one, "baselines.csv").len(), 2 * 36 * 2);

    // Again, on two threads.
    let second = survey(home.path(), "two", &arguments("2"));
    assert_eq!(second.status.code(), Some(0));
    let (one, mut two) = (files(&one), files(&home.path().join("two")));
    for (name, text) in &one {
        assert!(two.remove(name).as_ref() == Some(text), "{name} differs between one thread and two");
    }
    assert!(two.is_empty());
}

#[test]
fn a_group_whose_models_are_missing_has_no_mean() {
    let home = TempDir::new().unwrap();
    let arguments = [group("moe", &MOE[..2]), group("ghosts", &["nobody/one", "nobody/two"]), "--layers=10".to_owned()];
    let outcome = survey(home.path(), "r", &arguments.each_ref().map(String::as_str)[..]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("no comparable tensors"));
    let report = home.path().join("r");
    for row in rows(&report, "groups.csv").iter().filter(|row| row["group_b"] == "ghosts") {
        assert_eq!((row["n"].as_str(), row["mean"].as_str(), row["sd"].as_str()), ("0", "", ""));
    }
    let text = fs_err::read_to_string(report.join("REPORT.md")).unwrap();
    assert!(text.contains("ghosts × ghosts, input\\_layernorm: no comparable tensors"), "{text}");
}

#[test]
fn every_layer_meets_every_layer_of_two_models() {
    let home = TempDir::new().unwrap();
    let outcome = survey(home.path(), "r", &["--pairing=all", MOE[3], DENSE[0], "--layers=5-8"]);
    assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
    let stdout = String::from_utf8(outcome.stdout).unwrap();
    let said = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("are correlated beyond chance in 16 of 16 tests: most r = 0.99"), "{stdout}");
    assert!(said.contains("4 of 4 layers are most like the layer of their own index (chance: 1.0)"), "{stdout}");
    assert_eq!(rows(&home.path().join("r"), "pairs.csv").len(), 16);
    let three = survey(home.path(), "r", &["--pairing=all", MOE[0], MOE[1], MOE[2]]);
    assert_eq!(three.status.code(), Some(2));
}

#[test]
fn layers_meet_at_their_relative_depth_and_no_other_is_fetched() {
    let home = TempDir::new().unwrap();
    let outcome = survey(home.path(), "r", &["--pairing=depth", MOE[0], MOE[2], "--layers=0,10,47"]);
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("6 tensors fetched"), "{stderr}");
    let pairs = rows(&home.path().join("r"), "pairs.csv");
    let layers: Vec<(&str, &str)> =
        pairs.iter().map(|row| (row["layer_a"].as_str(), row["layer_b"].as_str())).collect();
    assert_eq!(layers, [("0", "0"), ("10", "7"), ("47", "31")]);
}

#[test]
fn chosen_layers_meet() {
    let home = TempDir::new().unwrap();
    let outcome = survey(home.path(), "r", &[MOE[0], MOE[1], "--at", "Solar-Open-100B=3,zai-org/GLM-4.5-Air=9"]);
    assert_eq!(outcome.status.code(), Some(0), "{}", String::from_utf8_lossy(&outcome.stderr));
    let pairs = rows(&home.path().join("r"), "pairs.csv");
    assert_eq!((pairs[0]["layer_a"].as_str(), pairs[0]["layer_b"].as_str()), ("3", "9"));
    let refused = survey(home.path(), "r", &[MOE[0], MOE[1], "--at", "elsewhere=3"]);
    assert_eq!(refused.status.code(), Some(2));
}
