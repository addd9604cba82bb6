//! I ask whether a checkpoint of four bits is linked with a plain one: GPTQ, AWQ, MXFP4 and NF4 as their libraries write them, made and
//! tested by `fixtures/packed/make.py`, which shares no code with this program.

use std::path::Path;

use fs_err as fs;
use serde_json::{Value, json};

use crate::{
    lineage::{groups, is_honest},
    support::{Workspace, rows},
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/packed");

const FORMATS: [&str; 4] = ["gptq", "awq", "mxfp4", "nf4"];

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join(path)).unwrap()
}

fn config(name: &str) -> Value {
    serde_json::from_slice(&fixture(&format!("{name}/config.json"))).unwrap()
}

fn place() -> Workspace {
    let at = Workspace::new();
    for name in FORMATS.into_iter().chain(["plain", "stranger"]) {
        put(&at, name, &format!("o/{name}"), &config(name));
    }
    at
}

/// A checkpoint of the fixtures with this configuration.
fn put(at: &Workspace, name: &str, id: &str, config: &Value) {
    at.file(id, "model.safetensors", fixture(&format!("{name}/model.safetensors")));
    at.file(id, "config.json", config.to_string());
}

/// A pinned model: its commit costs no request.
fn pinned(name: &str) -> String {
    format!("o/{name}@c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00")
}

#[test]
fn a_child_of_four_bits_is_linked_by_its_units_and_a_stranger_is_not() {
    let mut at = place();
    at.serve();
    let expected: Value = serde_json::from_slice(&fixture("expected.json")).unwrap();
    for format in FORMATS {
        for (other, headline) in [("plain", "LINKED"), ("stranger", "")] {
            let outcome = at.run(&["lineage", &pinned(other), &pinned(format), "-o", "net"]).expect(0);
            is_honest(&outcome);
            assert!(outcome.stdout.starts_with(headline), "{format}: {outcome}");
            let folders = [format!("./hub/o/{other}"), format!("./hub/o/{format}")];
            at.run(&["lineage", &folders[0], &folders[1], "--offline", "-o", "folder"]).expect(0);
            let [net, folder] = ["net", "folder"].map(|out| groups(&at, out));
            for group in ["mlp", "heads"] {
                let oracle = &expected[format][other][group];
                for (column, golden) in oracle.as_object().unwrap() {
                    let value: f64 = net[group][column].parse().unwrap();
                    let golden = golden.as_f64().unwrap();
                    let allowed = 1e-9 * golden.abs().max(1.0);
                    assert!(
                        (value - golden).abs() <= allowed,
                        "{format} × {other} {group} {column}: {value}, {golden}"
                    );
                    assert_eq!(net[group][column], folder[group][column], "{format} × {other} {group} {column}");
                }
            }
            let (linked, sign) = if other == "plain" { ("linked", "+") } else { ("consistent with independence", "-") };
            assert_eq!((net["mlp"]["sign"].as_str(), net["heads"]["undefined"].as_str()), (sign, ""), "{format}");
            if other == "plain" {
                assert_eq!(net[""]["sign"], linked, "{format}");
                let of_pair = rows(&at.read("net/relation.csv"));
                let kind = of_pair.iter().find(|row| row["quantity"] == "kind").unwrap();
                assert_eq!(kind["text"], "quantised", "{format}: {outcome}");
                assert!(outcome.stdout.contains("second lies on a grid (4-bit"), "{format}: {outcome}");
            } else {
                assert!(!outcome.stdout.contains("LINKED") && net[""]["sign"] != "linked", "{format}: {outcome}");
            }
        }
    }
    // Two packed children of one model are linked as well, whichever way each is stored.
    let outcome = at.run(&["lineage", "o/gptq", "o/nf4", "-o", "both"]).expect(0);
    assert!(outcome.stdout.starts_with("LINKED"), "{outcome}");
    assert_eq!(groups(&at, "both")["mlp"]["sign"], "+");
    let text = at.run(&["inspect", "o/awq"]).expect(0).stdout;
    assert!(text.contains("lineage can test: mlp, heads, norms\n"), "{text}");
}

#[test]
fn codes_and_what_stands_beside_them_are_in_the_plan_and_move_once() {
    let mut at = place();
    at.serve();
    for format in FORMATS {
        let run =
            |more: &[&str]| at.run(&[&["lineage", &pinned("stranger"), &pinned(format)], more].concat()).expect(0);
        let dry = run(&["--dry-run"]);
        at.asked();
        run(&["--no-deep"]);
        let moved = at.asked().cdn_bytes();
        let kilobytes = moved as f64 / 1e3;
        let said = format!("{kilobytes:.*} kB of weights still to move", usize::from(kilobytes < 100.0));
        assert!(dry.stdout.contains(&said), "{format} {said}: {dry}");
        run(&["--no-deep"]);
        assert_eq!(at.asked().cdn_bytes(), 0, "{format}");
    }
}

#[test]
fn what_is_not_known_for_sure_is_not_tested_and_it_is_said_why() {
    let mut at = place();
    let layout = |name: &str, key: &str, value: &str| {
        let mut config = config(name);
        config["quantization_config"][key] = json!(value);
        config
    };
    put(&at, "gptq", "o/marlin", &layout("gptq", "checkpoint_format", "marlin"));
    put(&at, "awq", "o/gemv", &layout("awq", "version", "gemv"));
    at.serve();
    for (id, reason) in
        [("o/marlin", "the layout `marlin` of GPTQ is not known"), ("o/gemv", "the layout `gemv` of AWQ is not known")]
    {
        at.run(&["lineage", "o/plain", id, "-o", "out"]).expect(0);
        let groups = groups(&at, "out");
        for group in ["mlp", "heads"] {
            assert_eq!(groups[group]["undefined"], "Packed", "{id}");
        }
        let text = at.run(&["inspect", id]).expect(0).stdout;
        assert!(text.contains(&format!("weights that cannot be dequantised by rows: {reason}")), "{text}");
    }
}
