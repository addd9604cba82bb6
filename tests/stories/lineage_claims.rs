//! I read what `lineage` says of a pair, and find nothing claimed that was not read or not tested.

use serde_json::json;

use super::lineage::{Planted, groups, is_honest, tokenizer};
use crate::support::{Outcome, Tensor, Workspace, index, rows, shard};

/// Writes the tensors of seed 1 as `change` has them, which is given those of a stranger of equal names beside each.
fn write(at: &Workspace, id: &str, change: impl Fn(&Tensor, &Tensor) -> Tensor) {
    let (own, stranger) = (Planted::of(1).tensors(), Planted::of(3).tensors());
    let tensors: Vec<Tensor> = own.iter().zip(&stranger).map(|(own, stranger)| change(own, stranger)).collect();
    at.model(id, &Planted::of(1).config(), &tensors);
    at.file(id, "tokenizer.json", tokenizer().to_string());
}

fn is_one_of(tensor: &Tensor, roles: &[&str]) -> bool {
    roles.iter().any(|role| tensor.name.contains(role))
}

/// The same with every sign turned.
fn negated(tensor: &Tensor) -> Tensor {
    let bytes = tensor.bytes.chunks_exact(2).flat_map(|bits| [bits[0], bits[1] ^ 0x80]);
    Tensor { bytes: bytes.collect(), ..tensor.clone() }
}

/// The same values as F32.
fn widened(tensor: &Tensor) -> Tensor {
    let bytes = tensor.bytes.chunks_exact(2).flat_map(|bits| [0, 0, bits[0], bits[1]]);
    Tensor { dtype: "F32", bytes: bytes.collect(), ..tensor.clone() }
}

fn words(outcome: &Outcome) -> String {
    outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn verdict(at: &Workspace, out: &str, column: &str) -> String {
    rows(&at.read(&format!("{out}/verdicts.csv")))[0][column].clone()
}

#[test]
fn weights_of_opposite_sign_are_pointed_out_and_not_called_independent() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::of(5).write(&at, "o/c");
    write(
        &at,
        "o/turned",
        |own, stranger| {
            if is_one_of(own, &["up_proj", "v_proj"]) { negated(own) } else { stranger.clone() }
        },
    );
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/turned", "-o", "out"]).expect(0);
    is_honest(&outcome);
    let said = words(&outcome);
    let headline = "CORRELATED NEGATIVELY, which independent models are not: rows of mlp (z < -20), rows of heads (z < -20), as \
        where weights have the opposite sign. Would have been seen (power .9): a positive mean row correlation of";
    assert!(said.starts_with(headline) && !said.contains("CONSISTENT"), "{outcome}");
    // The rule of the verdict is one-sided and stays so; rows so alike leave no test of units sharp enough for more.
    assert_eq!(verdict(&at, "out", "verdict"), "inconclusive");
    assert!(verdict(&at, "out", "reading").starts_with("Correlated negatively"), "{outcome}");
    let groups = groups(&at, "out");
    for name in ["mlp", "heads"] {
        let [z, rho]: [f64; 2] = ["z", "rho"].map(|column| groups[name][column].parse().unwrap());
        assert!(z < -20.0 && (rho + 1.0).abs() < 1e-9, "{name} {z} {rho}");
    }
    at.run(&["lineage", "o/a", "o/turned", "--fail-if", "independent"]).expect(0);
    let list = at.run(&["lineage", "o/a", "o/turned", "o/c", "-o", "list"]).expect(0);
    let said = words(&list);
    assert!(said.contains("3 pairs: 1 correlated negatively, 2 consistent with independence."), "{list}");
    assert!(said.contains("correlated negatively a turned - -"), "{list}");
    assert!(said.contains("a positive mean row correlation of"), "{list}");
    assert!(at.read("list/REPORT.md").contains("CORRELATED NEGATIVELY"));
}

#[test]
fn what_differs_in_the_deep_rows_alone_is_not_called_equal() {
    let mut at = Workspace::new();
    for id in ["o/a", "o/same"] {
        Planted::of(1).write(&at, id);
    }
    // Another file, so that its digest says nothing.
    at.file(
        "o/same",
        "model.safetensors",
        &shard(&Planted::of(1).tensors().into_iter().rev().collect::<Vec<_>>()).bytes,
    );
    write(&at, "o/queries", |own, stranger| if is_one_of(own, &["q_proj"]) { stranger.clone() } else { own.clone() });
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/queries", "-o", "out"]).expect(0);
    assert!(outcome.stdout.contains("LINKED") && !outcome.stdout.contains("\nequal"), "{outcome}");
    assert!(!at.read("out/REPORT.md").contains("in every byte read"));
    let same = at.run(&["lineage", "o/a", "o/same"]).expect(0);
    assert!(words(&same).contains("equal in every byte read"), "{same}");
    // What was not read is not spoken of.
    let shallow = at.run(&["lineage", "o/a", "o/queries", "--no-deep"]).expect(0);
    assert!(words(&shallow).contains("equal in every byte read"), "{shallow}");
}

#[test]
fn a_cast_is_one_of_everything_that_was_read() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    write(&at, "o/cast", |own, _| widened(own));
    let other = |role: &'static str| {
        move |own: &Tensor, stranger: &Tensor| widened(if is_one_of(own, &[role]) { stranger } else { own })
    };
    write(&at, "o/norms", other("norm"));
    write(&at, "o/words", other("embed_tokens"));
    write(&at, "o/queries", other("q_proj"));
    at.serve();
    let said = "the same weights in another type";
    let cast = at.run(&["lineage", "o/a", "o/cast"]).expect(0);
    assert!(words(&cast).contains(said), "{cast}");
    for id in ["o/norms", "o/words", "o/queries"] {
        let outcome = at.run(&["lineage", "o/a", id]).expect(0);
        assert!(outcome.stdout.contains("LINKED") && !words(&outcome).contains(said), "{outcome}");
        assert!(words(&outcome).contains("relation changed; kind not recognised"), "{outcome}");
    }
    // Rounding to a narrower type is the same from either side.
    let back = at.run(&["lineage", "o/cast", "o/a"]).expect(0);
    assert!(words(&back).contains(said), "{back}");
}

#[test]
fn layers_of_which_some_only_are_linked_have_a_map_without_being_asked() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::relative(1, 2, 0.9).write(&at, "o/b");
    write(
        &at,
        "o/half",
        |own, stranger| {
            if is_one_of(own, &["layers.2.", "layers.3."]) { stranger.clone() } else { own.clone() }
        },
    );
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/half", "-o", "out"]).expect(0);
    is_honest(&outcome);
    let said = words(&outcome);
    assert!(said.contains("units + basis + Some layers are inherited"), "{outcome}");
    assert!(said.contains("layers some layers match: 0-1 match 0-1 "), "{outcome}");
    let map = rows(&at.read("out/layer_map.csv"));
    let best: Vec<[&str; 2]> = map
        .iter()
        .filter(|row| row["best"] == "true")
        .map(|row| [row["layer_a"].as_str(), row["layer_b"].as_str()])
        .collect();
    assert_eq!((map.len(), best), (16, vec![["0", "0"], ["1", "1"]]));
    // The map costs a round of its own and leaves the tests as they are.
    let asked = at.run(&["lineage", "o/a", "o/half", "--layer-map", "-o", "asked"]).expect(0);
    for file in ["lineage.csv", "layer_map.csv", "relation.csv"] {
        assert_eq!(at.read(&format!("out/{file}")), at.read(&format!("asked/{file}")), "{asked}");
    }
    // Where all layers are linked a map would say nothing more.
    let all = at.run(&["lineage", "o/a", "o/b", "-o", "all"]).expect(0);
    assert!(!at.path().join("all/layer_map.csv").exists() && words(&all).contains("+ Layers are inherited"), "{all}");
}

#[test]
fn norms_alone_are_said_to_share_a_basis_and_no_more() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    write(&at, "o/b", |own, _| if is_one_of(own, &["q_proj"]) { negated(own) } else { own.clone() });
    write(&at, "o/norms", |own, stranger| if is_one_of(own, &["norm"]) { own.clone() } else { stranger.clone() });
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/norms", "-o", "out"]).expect(0);
    is_honest(&outcome);
    let said = words(&outcome);
    assert!(said.starts_with("THE NORM WEIGHTS SHARE A RESIDUAL BASIS: p is below 1e-9 (norms)."), "{outcome}");
    assert!(!said.contains("LINKED"), "{outcome}");
    // What no permutation speaks against has the bound 1, not 1e0.0 or 1e-0.0.
    assert!(!said.contains("1e0") && !said.contains("1e-0.0"), "{outcome}");
    assert_eq!(verdict(&at, "out", "verdict"), "linked");
    let list = at.run(&["lineage", "o/a", "o/b", "o/norms"]).expect(0);
    assert!(words(&list).contains("1 linked, 2 norm weights share a residual basis."), "{list}");
}

#[test]
fn routed_experts_that_are_not_read_are_in_the_first_sentence() {
    let mut at = Workspace::new();
    for (id, seed) in [("o/a", 1), ("o/b", 3)] {
        let own = Planted::of(seed).tensors();
        let mut tensors: Vec<Tensor> = own
            .into_iter()
            .map(|tensor| {
                let name = tensor.name.replace("mlp.up_proj", "mlp.shared_expert.up_proj");
                Tensor { name, ..tensor }
            })
            .collect();
        // The same routed experts in both.
        for tensor in Planted::of(7).tensors().into_iter().filter(|tensor| is_one_of(tensor, &["up_proj"])) {
            tensors.push(Tensor { name: tensor.name.replace("mlp.", "mlp.experts.0."), ..tensor });
        }
        let mut config = Planted::of(1).config();
        config["model_type"] = json!("qwen2_moe");
        config["num_experts"] = json!(8);
        at.model(id, &config, &tensors);
        at.file(id, "tokenizer.json", tokenizer().to_string());
    }
    at.serve();
    let outcome = at.run(&["lineage", "o/a", "o/b"]).expect(0);
    is_honest(&outcome);
    let headline = "CONSISTENT WITH INDEPENDENCE, routed experts not read. Would have been seen";
    assert!(words(&outcome).starts_with(headline), "{outcome}");
    let heads = at.run(&["lineage", "o/a", "o/b", "--group", "experts,heads"]);
    assert!(words(&heads).contains("experts not tested: neither model has such a tensor that was read"), "{heads}");
}

#[test]
fn a_shard_that_is_missing_is_told_once_and_leaves_the_answer_incomplete() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    let tensors = Planted::of(1).tensors();
    let files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let file_of = |tensor: &Tensor| files[usize::from(tensor.name.contains("layers.3."))];
    let placed: Vec<(&str, &str)> = tensors.iter().map(|tensor| (tensor.name.as_str(), file_of(tensor))).collect();
    let first: Vec<Tensor> = tensors.iter().filter(|tensor| file_of(tensor) == files[0]).cloned().collect();
    at.file("o/cut", "config.json", Planted::of(1).config().to_string());
    at.file("o/cut", "tokenizer.json", tokenizer().to_string());
    at.file("o/cut", "model.safetensors.index.json", index(&placed));
    at.file("o/cut", files[0], shard(&first).bytes);
    at.serve();
    // Deep rows are read in a second round, which opens the models once more.
    let outcome = at.run(&["lineage", "o/cut", "o/a"]).expect(1);
    assert!(outcome.stdout.contains("LINKED"), "{outcome}");
    assert_eq!(outcome.stderr.matches("cannot be read").count(), 1, "{outcome}");
    assert_eq!(outcome.stderr.matches("file warning").count(), 1, "{outcome}");
}
