//! I ask how linked models are made of each other, and what that may cost.

use super::lineage::{Planted, groups, is_honest};
use crate::support::{Tensor, Workspace, rows};

fn bf16(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(2).map(|pair| f32::from_bits(u32::from(u16::from_le_bytes([pair[0], pair[1]])) << 16))
}

/// Writes the sum of checkpoints of these seeds, each times its weight.
fn write_sum(at: &Workspace, id: &str, parts: &[(u64, f32)]) {
    let checkpoints = parts.iter().map(|(seed, weight)| (Planted::of(*seed).tensors(), *weight));
    let checkpoints: Vec<(Vec<Tensor>, f32)> = checkpoints.collect();
    let tensors = checkpoints[0].0.iter().enumerate().map(|(place, first)| {
        let mut values = vec![0.0; first.bytes.len() / 2];
        for (tensors, weight) in &checkpoints {
            values.iter_mut().zip(bf16(&tensors[place].bytes)).for_each(|(sum, value)| *sum += weight * value);
        }
        Tensor::raw(&first.name, "BF16", &first.shape, Tensor::bf16("", &values).bytes)
    });
    at.model(id, &Planted::of(1).config(), &tensors.collect::<Vec<_>>());
    at.file(id, "tokenizer.json", super::lineage::tokenizer().to_string());
}

/// A base, two models that changed from it each in its own way, and one of .7 of the first change and .5 of the second.
fn place() -> Workspace {
    let mut at = Workspace::new();
    write_sum(&at, "o/base", &[(1, 1.0)]);
    write_sum(&at, "o/one", &[(1, 1.0), (2, 0.1)]);
    write_sum(&at, "o/two", &[(1, 1.0), (3, 0.1)]);
    write_sum(&at, "o/sum", &[(1, 1.0), (2, 0.07), (3, 0.05)]);
    Planted::of(9).write(&at, "o/stranger");
    at.serve();
    at
}

#[test]
fn a_merge_of_changes_from_a_base_has_its_weights() {
    let at = place();
    let outcome = at.run(&["lineage", "o/one", "o/two", "o/sum", "--base", "o/base", "-o", "out"]).expect(0);
    is_honest(&outcome);
    let text = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("of the squared change of sum from base is .70 times that of one plus .50 times that of two"),
        "{outcome}"
    );
    // Of the two the other would have to be taken away.
    assert_eq!(text.matches("of the squared change of").count(), 1, "{outcome}");
    assert!(at.read("out/REPORT.md").contains(".70 times that of one plus .50 times that of two"));
    // Both changes tell all of it, and together they are 1.2 of one: it lies beside the line between them, as far as that is known.
    assert!(!text.contains("lies on the line"), "{outcome}");
    let without = at.run(&["lineage", "o/one", "o/two", "o/sum"]).expect(0);
    let text = without.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("sum lies on the line between one and two, w = .60"), "{without}");
    assert!(text.contains("that explains .94"), "{without}");
    let table = rows(&at.read("out/relation.csv"));
    let value = |model: &str, quantity: &str| -> f64 {
        let is_it = |row: &&std::collections::BTreeMap<String, String>| {
            row["model_a"] == model
                && row["model_b"] == "o/sum"
                && row["text"] == "o/base"
                && row["quantity"] == quantity
        };
        table.iter().find(is_it).unwrap()["value"].parse().unwrap()
    };
    assert!((value("o/one", "task_weight") - 0.7).abs() < 0.01);
    assert!((value("o/two", "task_weight") - 0.5).abs() < 0.01);
    assert!((0.99..=1.0).contains(&value("o/base", "task_explained")));
    assert_eq!(table.iter().filter(|row| row["quantity"] == "task_weight").count(), 6);
    // A base that is one of the models is read once.
    let named = at.run(&["lineage", "o/base", "o/one", "o/two", "o/sum", "--base", "o/base", "-o", "named"]).expect(0);
    assert!(named.stdout.contains("4 models, 6 pairs"), "{named}");
}

#[test]
fn a_base_that_nothing_is_linked_with_gives_no_weights() {
    let at = place();
    let outcome = at.run(&["lineage", "o/one", "o/two", "--base", "o/stranger", "-o", "out"]).expect(1);
    assert!(outcome.stderr.contains("no weights of changes from stranger: fewer than two models"), "{outcome}");
    assert!(at.read("out/REPORT.md").contains("no weights of changes from stranger"));
    assert!(!at.read("out/relation.csv").contains("task_"));
    let error = at.run(&["lineage", "o/one", "o/two", "--base", "no model"]).expect(2);
    assert!(error.stderr.contains("no model"), "{error}");
}

#[test]
fn a_map_of_more_than_two_hundred_layers_is_refused_with_its_cost() {
    let mut at = Workspace::new();
    let deep = |seeds: [u64; 2], layers: usize| Planted { seeds, weight: 0.9, layers, inner: 16, ..Planted::of(1) };
    deep([1, 2], 201).write(&at, "o/a");
    deep([1, 3], 201).write(&at, "o/b");
    deep([1, 3], 203).write(&at, "o/deeper");
    at.serve();
    let cost = "no layer map: 201 × 201 layers would take 93.1 MB of memory and sums of 3e8 terms";
    let outcome = at.run(&["lineage", "o/a", "o/b", "--no-deep", "--layer-map", "-o", "asked"]).expect(1);
    assert!(outcome.stdout.contains("LINKED") && outcome.stderr.contains(cost), "{outcome}");
    assert!(at.read("asked/REPORT.md").contains(cost));
    assert!(at.read("asked/layer_map.csv").contains("TooManyLayers"));
    // Nobody asked for a map, and the test of units needs none.
    let outcome = at.run(&["lineage", "o/a", "o/b", "--no-deep", "-o", "plain"]).expect(0);
    assert!(!outcome.stderr.contains("no layer map") && !at.path().join("plain/layer_map.csv").exists(), "{outcome}");
    // Here a map would be the test of units; the basis is tested without it.
    let outcome = at.run(&["lineage", "o/a", "o/deeper", "--no-deep", "-o", "depths"]).expect(0);
    assert!(outcome.stderr.contains("no layer map: 201 × 203 layers"), "{outcome}");
    assert!(outcome.stdout.contains("201 layers against 203, and maps have at most 200 × 200"), "{outcome}");
    let groups = groups(&at, "depths");
    assert_eq!(
        (groups["mlp"]["undefined"].as_str(), groups["heads"]["undefined"].as_str()),
        ("TooManyLayers", "Depth")
    );
    assert_eq!(groups[""]["sign"], "linked");
}

#[test]
fn merges_among_more_than_twenty_models_are_refused_with_their_number() {
    let mut at = Workspace::new();
    let ids: Vec<String> = (0..21).map(|number| format!("o/m{number}")).collect();
    for (id, own) in ids.iter().zip(100..) {
        Planted::relative(1, own, 0.9).write(&at, id);
    }
    at.serve();
    let options = ["--group", "mlp", "--no-deep", "-o"];
    let ask = |count: usize, out: &str| {
        let models = ids[..count].iter().map(String::as_str);
        at.run(&std::iter::once("lineage").chain(models).chain(options).chain([out]).collect::<Vec<_>>()).expect(0)
    };
    let many = ask(21, "many");
    let refusal = "merges among the 21 linked models around m0 are not looked for: 3990 triples";
    assert!(many.stderr.contains(refusal), "{many}");
    assert!(at.read("many/REPORT.md").contains(refusal) && !at.read("many/relation.csv").contains("merge_weight"));
    let few = ask(3, "few");
    assert!(!few.stderr.contains("merges among") && at.read("few/relation.csv").contains("merge_weight"), "{few}");
}
