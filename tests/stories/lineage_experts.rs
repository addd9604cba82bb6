//! I ask whether mixtures of experts are linked by the units inside their routed experts, which are permuted in all experts alike. Made and
//! tested by `fixtures/experts/make.py`, which shares no code with this program.

use std::path::Path;

use fs_err as fs;
use serde_json::Value;

use crate::{lineage::groups, support::Workspace};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/experts");

fn place() -> Workspace {
    let mut at = Workspace::new();
    for name in ["one", "child", "stranger"] {
        for file in ["config.json", "model.safetensors"] {
            at.file(&format!("o/{name}"), file, fs::read(Path::new(FIXTURES).join(name).join(file)).unwrap());
        }
    }
    at.serve();
    at
}

#[test]
fn units_of_routed_experts_are_tested_side_by_side() {
    let at = place();
    let expected: Value =
        serde_json::from_slice(&fs::read(Path::new(FIXTURES).join("expected.json")).unwrap()).unwrap();
    for other in ["child", "stranger"] {
        at.run(&["lineage", "o/one", &format!("o/{other}"), "-o", other]).expect(0);
        let groups = groups(&at, other);
        for (column, golden) in expected[other].as_object().unwrap() {
            let (value, golden): (f64, f64) = (groups["mlp"][column].parse().unwrap(), golden.as_f64().unwrap());
            assert!((value - golden).abs() <= 1e-9 * golden.abs().max(1.0), "{other} {column}: {value}, {golden}");
        }
        assert_eq!(groups["mlp"]["width"], "128", "two experts of 64");
    }
    let [child, stranger] = ["child", "stranger"].map(|other| groups(&at, other)["mlp"]["sign"].clone());
    assert_eq!((child.as_str(), stranger.as_str()), ("+", "-"));
}

#[test]
fn of_three_experts_two_are_read() {
    let at = place();
    let pinned = |name: &str| format!("o/{name}@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00");
    let dry = at.run(&["lineage", &pinned("one"), &pinned("stranger"), "--dry-run"]).expect(0);
    at.asked();
    at.run(&["lineage", &pinned("one"), &pinned("stranger"), "--no-deep"]).expect(0);
    let moved = at.asked().cdn_bytes();
    // Of each model two experts of two layers, 64 rows of 64 BF16 each, and three norms.
    assert_eq!(moved, 2 * (2 * 2 * 64 * 64 * 2 + 3 * 64 * 2));
    assert!(dry.stdout.contains(&format!("{:.1} kB of weights still to move", moved as f64 / 1e3)), "{dry}");
}
