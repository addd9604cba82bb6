//! I survey models, or run the study, and want to know in the same run which of them are linked.

use super::lineage::{Planted, is_honest};
use crate::support::{COMMIT, Workspace, rows};

/// `o/a`, its relative `o/b`, and `o/c`, which is unrelated.
fn place() -> Workspace {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::relative(1, 2, 0.9).write(&at, "o/b");
    Planted::of(3).write(&at, "o/c");
    at.serve();
    at
}

/// Files that `lineage` writes of three models.
const FILES: [&str; 6] = [
    "lineage.csv",
    "relation.csv",
    "matrix_z_mlp.csv",
    "matrix_z_heads.csv",
    "matrix_z_norms.csv",
    "matrix_z_embeddings.csv",
];

#[test]
fn a_survey_has_the_answer_of_lineage_where_it_is_asked_for() {
    let at = place();
    let plain = at.run(&["survey", "o/a", "o/b", "o/c", "--role", "norms", "-o", "plain"]);
    assert!(!at.path().join("plain/lineage.csv").exists() && !plain.stdout.contains("linked"), "{plain}");
    let both = at.run(&["survey", "o/a", "o/b", "o/c", "--role", "norms", "--lineage", "-o", "both"]);
    let both = both.expect(plain.status);
    is_honest(&both);
    assert!(both.stdout.starts_with(plain.stdout.trim_end()), "{both}");
    assert!(both.stdout.contains("3 models, 3 pairs: 1 linked, 2 consistent with independence."), "{both}");
    let alone = at.run(&["lineage", "o/a", "o/b", "o/c", "-o", "alone"]).expect(0);
    assert!(both.stdout.ends_with(&alone.stdout), "{both}");
    for file in FILES {
        assert_eq!(at.read(&format!("both/{file}")), at.read(&format!("alone/{file}")), "{file}");
    }
    for (file, bytes) in
        Workspace::files(&at.path().join("plain")).into_iter().filter(|(file, _)| file.ends_with("csv"))
    {
        assert_eq!(String::from_utf8(bytes).unwrap(), at.read(&format!("both/{file}")), "{file}");
    }
    let report = at.read("both/REPORT.md");
    assert!(report.contains("## Linked or independent?") && report.contains("linked"), "{report}");
}

#[test]
fn rows_for_a_link_are_in_the_plan_of_the_survey_and_move_once() {
    let at = place();
    let specs = ["o/a", "o/c"].map(|id| format!("{id}@{COMMIT}"));
    let run = |more: &[&str]| {
        let survey = ["survey", &specs[0], &specs[1], "--role", "input_layernorm,v_proj", "--lineage"];
        at.run(&[survey.as_slice(), more].concat())
    };
    let dry = run(&["--dry-run"]).expect(0);
    assert!(dry.stdout.contains("Inconclusive pairs then read up to four times as many rows"), "{dry}");
    let refused = run(&["--max-bytes", "100kB"]).expect(2);
    assert!(refused.stderr.contains("--max-bytes"), "{refused}");
    at.asked();
    let outcome = run(&["-o", "first"]).expect(0);
    let moved = at.asked().cdn_bytes();
    let said = format!("{:.0} kB of weights still to move", moved as f64 / 1e3);
    assert!(dry.stdout.contains(&said), "{said}: {dry}{outcome}");
    run(&["-o", "second"]).expect(0).says(&["moved 0 bytes in 0 requests"]);
    assert_eq!(at.asked().count(), 0);
    assert_eq!(at.read("first/lineage.csv"), at.read("second/lineage.csv"));
}

#[test]
fn the_study_has_the_answer_for_its_first_two_models_beside_experiment_6() {
    let at = place();
    let models = ["o/a", "o/c", "o/b"];
    let plain = at.run(&[&["critique", "-o", "plain"], models.as_slice()].concat());
    let both = at.run(&[&["critique", "--lineage", "-o", "both"], models.as_slice()].concat()).expect(plain.status);
    let alone = at.run(&["lineage", "o/a", "o/c", "-o", "alone"]).expect(0);
    assert!(both.stdout.starts_with(&plain.stdout) && both.stdout.ends_with(&alone.stdout), "{both}");
    for file in ["lineage.csv", "relation.csv"] {
        assert_eq!(at.read(&format!("both/{file}")), at.read(&format!("alone/{file}")), "{file}");
    }
    let verdicts = rows(&at.read("both/lineage.csv")).into_iter().filter(|row| row["scope"] == "pair");
    assert_eq!(verdicts.map(|row| row["sign"].clone()).collect::<Vec<_>>(), ["consistent with independence"]);
    let report = at.read("both/REPORT.md");
    let places: Vec<usize> = ["Experiment 6", "a and c: linked or independent?", "Every layer that was read"]
        .iter()
        .map(|title| report.find(&format!("## {title}")).unwrap_or_else(|| panic!("{title}: {report}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let korean = at.run(&[&["critique", "--lineage", "--lang", "ko", "-o", "ko"], models.as_slice()].concat());
    assert!(at.read("ko/REPORT.md").contains("연결되었는가, 독립인가?"), "{korean}");
}
