//! What chunks prove serves other questions: `compare` reads one of two tensors for both and has the same numbers, `lineage` counts them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    chunks::{noise, write},
    support::{Asked, Outcome, Tensor, Workspace, rows},
};

const SIDE: u64 = 512;

/// Half a megabyte of numbers below 2: the upper bit of an exponent is 0.
fn numbers(seed: u64) -> Vec<u8> {
    let mut bytes = noise(seed, 2 * 512 * 512);
    bytes.iter_mut().skip(1).step_by(2).for_each(|upper| *upper &= 0xbf);
    bytes
}

fn matrix(name: &str, bytes: Vec<u8>) -> Tensor {
    Tensor::raw(name, "BF16", &[SIDE, SIDE], bytes)
}

/// Four layers, of which the last has another matrix for each `seed`; one before it holds a NaN, and one nothing but zeros.
fn model(seed: u64) -> Vec<Tensor> {
    let name = |layer: u64, role: &str| format!("model.layers.{layer}.mlp.{role}.weight");
    let mut with_nan = numbers(7);
    with_nan[1000..1002].copy_from_slice(&0x7fc0_u16.to_le_bytes());
    vec![
        matrix("model.embed_tokens.weight", numbers(1)),
        matrix(&name(0, "gate_proj"), numbers(2)),
        matrix(&name(0, "up_proj"), numbers(3)),
        matrix(&name(1, "gate_proj"), with_nan),
        matrix(&name(1, "up_proj"), numbers(4)),
        matrix(&name(2, "gate_proj"), vec![0; 2 * 512 * 512]),
        matrix(&name(2, "up_proj"), numbers(5)),
        matrix(&name(3, "gate_proj"), numbers(6)),
        matrix(&name(3, "up_proj"), numbers(seed)),
    ]
}

fn base_and_tuned() -> Workspace {
    let mut at = Workspace::new();
    write(&at, "o/base", &model(10), "pt");
    write(&at, "o/tuned", &model(11), "pt");
    at.serve();
    at
}

const PAIR: [&str; 5] = ["compare", "o/base", "o/tuned", "--formats", "csv,json"];

/// A comparison from an empty cache, and what was asked for it.
fn compared(at: &Workspace, folder: &str, words: &[&str]) -> (Outcome, Asked) {
    let _ = fs_err::remove_dir_all(at.cache());
    at.asked();
    let outcome = at.run(&[&PAIR[..], &["-o", folder], words].concat()).expect(0);
    (outcome, at.asked())
}

fn table(at: &Workspace, file: &str) -> Vec<BTreeMap<String, String>> {
    rows(&at.read(file))
}

#[test]
fn what_chunks_prove_is_read_once_for_both_and_has_the_same_numbers() {
    let at = base_and_tuned();
    let (_, asked) = compared(&at, "plain", &[]);
    assert_eq!(asked.to_cas().count(), 0, "nothing is asked of the store unless that is wanted");
    let (pairs, coverage) = (table(&at, "plain/pairs.csv"), table(&at, "plain/coverage.csv"));
    assert!(coverage.iter().all(|row| row["proven_by"].is_empty()), "{coverage:?}");
    let (outcome, asked_less) = compared(&at, "proven", &["--chunks"]);
    let (proven_pairs, mut proven_coverage) = (table(&at, "proven/pairs.csv"), table(&at, "proven/coverage.csv"));
    assert_eq!(proven_pairs, pairs);
    let mut proven = Vec::new();
    for row in &mut proven_coverage {
        let by = std::mem::take(row.get_mut("proven_by").unwrap());
        assert!(["", "chunks"].contains(&by.as_str()), "{row:?}");
        proven.extend((!by.is_empty()).then(|| row["tensor_a"].clone()));
    }
    assert_eq!(proven_coverage, coverage);
    // Of zeros nothing is proven by chunks, and the last matrices are others.
    assert!((4..=7).contains(&proven.len()), "{proven:?}");
    assert_eq!(asked.cdn_bytes() - asked_less.cdn_bytes(), proven.len() as u64 * 2 * SIDE * SIDE);
    let row = |tensor: &str| proven_pairs.iter().find(|row| row["tensor_a"] == tensor).unwrap();
    let equal = row("model.layers.0.mlp.gate_proj.weight");
    let values = ["cos_sim", "pearson", "l2", "max_abs_diff", "changed_frac"].map(|metric| equal[metric].as_str());
    assert_eq!(values, ["1", "1", "0", "0", "0"]);
    // Equal bytes are no number where the elements are none.
    let nan = "model.layers.1.mlp.gate_proj.weight";
    assert!(proven.contains(&nan.to_owned()), "{proven:?}");
    assert!(row(nan)["cos_sim"].is_empty() && row(nan)["undefined"].contains("cos_sim:"), "{:?}", row(nan));
    let text = outcome.stdout.replace('\n', " ");
    let said =
        format!("Of {} pairs the Hub's chunk hashes prove equal bytes: those of a were read for both.", proven.len());
    assert!(text.contains(&said), "{text}");
    let report: Value = serde_json::from_str(&at.read("proven/report.json")).unwrap();
    assert_eq!((&report["settings"]["read_tokens"], &report["settings"]["cas_requests"]), (&json!(2), &json!(2)));
}

#[test]
fn what_fails_at_the_store_costs_no_number() {
    let mut at = base_and_tuned();
    let (_, asked) = compared(&at, "plain", &[]);
    at.serve_with(|options| options.xet.fault = Some(hub_audit::serve::XetFault::Unknown));
    let (outcome, as_much) = compared(&at, "unknown", &["--chunks"]);
    assert_eq!(at.read("unknown/pairs.csv"), at.read("plain/pairs.csv"));
    assert_eq!(as_much.cdn_bytes(), asked.cdn_bytes());
    outcome.says(&["1 file not examined, unknown to CAS"]);
    at.run(&[&PAIR[..3], &["--fingerprints"]].concat()).expect(2).says(&["--chunks"]);
}

/// The weights are in equal files, and their scales are not: so are the values.
#[test]
fn quantised_weights_in_equal_files_are_not_the_same_where_their_scales_differ() {
    let mut at = Workspace::new();
    let name = "model.layers.0.mlp.up_proj.weight";
    for (id, scale) in [("o/a", 0.5_f32), ("o/b", 1.0)] {
        at.file(id, "config.json", crate::support::llama_config(1, 64).to_string());
        let weight = Tensor::raw(name, "I8", &[64, 64], noise(1, 64 * 64));
        let scales = Tensor::f32("", &[scale; 64]).bytes;
        let scales = Tensor::raw(&format!("{name}_scale"), "F32", &[64, 1], scales);
        for (number, tensor) in [(1, weight), (2, scales)] {
            let file = format!("model-0000{number}-of-00002.safetensors");
            at.file(id, &file, crate::support::shard_with("pt", &[tensor]).bytes);
        }
        at.part(id, &json!({}));
    }
    at.serve();
    at.run(&["compare", "o/a", "o/b", "-o", "out", "--formats", "csv"]).expect(0);
    let pairs = rows(&at.read("out/pairs.csv"));
    let row = pairs.iter().find(|row| row["tensor_a"] == name).unwrap();
    assert_eq!((row["norm_ratio"].as_str(), row["cos_sim"].as_str()), ("2", "1"), "{row:?}");
    let coverage = rows(&at.read("out/coverage.csv"));
    let row = coverage.iter().find(|row| row["tensor_a"] == name).unwrap();
    assert_eq!((row["equal_bytes"].as_str(), row["proven_by"].as_str()), ("false", ""), "{row:?}");
}

#[test]
fn lineage_counts_what_chunks_prove() {
    let mut at = base_and_tuned();
    let lineage = ["lineage", "o/base", "o/tuned", "--no-deep"];
    let plain = at.run(&lineage);
    assert_eq!(at.asked().to_cas().count(), 0);
    let outcome = at.run(&[&lineage[..], &["--chunks", "-o", "out", "--formats", "csv,md"]].concat());
    assert_eq!(outcome.status, plain.status, "{outcome}");
    let chunks = at.run(&["hash", "--chunks", "o/base", "o/tuned", "--pairs", "--format", "csv"]).expect(0);
    let found = rows(&chunks.stdout);
    assert_eq!(rows(&at.read("out/chunk_pairs.csv"))[0]["tensors_identical"], found[0]["tensors_identical"]);
    let said = format!("{} of 9 tensors equal, without reading them", found[0]["tensors_identical"]);
    assert!(outcome.stdout.contains(&said), "{outcome}");
    let page = at.read("out/REPORT.md");
    assert!(page.contains("**Proven by the Hub's chunk hashes.** ") && page.contains(&said), "{page}");
    // Of a list, the pairs that share; and where nothing is known, that is no evidence.
    write(&at, "o/other", &model(99)[8..], "pt");
    at.serve_with(|options| options.xet.fault = Some(hub_audit::serve::XetFault::Forbidden));
    let outcome = at.run(&[&lineage[..], &["--chunks"]].concat()).expect(1);
    assert!(outcome.stdout.replace('\n', " ").contains("9 could not be examined"), "{outcome}");
    at.serve();
    let list = at.run(&["lineage", "o/base", "o/tuned", "o/other", "--no-deep", "--chunks"]);
    assert!(list.stdout.replace('\n', " ").contains(&format!("base, tuned: {said}")), "{list}");
}
