//! I read what `hash` says of tensors, and find none counted twice, none passed over in silence, and nothing said of what was not examined.

use serde_json::Value;

use super::lineage::{Planted, noise};
use crate::support::{Outcome, Tensor, Workspace, llama_config, rows};

/// Elements of half a megabyte.
const HALF: usize = 1 << 18;

fn words(outcome: &Outcome) -> String {
    outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn matrix(name: &str, values: &[f32]) -> Tensor {
    Tensor::raw(name, "BF16", &[512, values.len() as u64 / 512], Tensor::bf16("", values).bytes)
}

/// Two models of three matrices and a norm: the middle half of the first's second matrix begins the second's, and the norm is the same.
fn shifted() -> Workspace {
    let mut at = Workspace::new();
    let (own, other) = (noise(1, 4 * HALF), noise(2, 4 * HALF));
    let values = |seed: u64| noise(seed, 2 * HALF);
    let norm = Tensor::bf16("model.norm.weight", &noise(9, 512));
    let model = |id: &str, second: &[f32], seed: u64| {
        let tensors = [
            matrix("model.layers.0.mlp.up_proj.weight", &values(seed)),
            matrix("model.layers.0.mlp.down_proj.weight", second),
            norm.clone(),
            matrix("model.layers.1.mlp.up_proj.weight", &values(seed + 1)),
        ];
        at.model(id, &llama_config(2, 512), &tensors);
    };
    model("o/a", &own, 10);
    model("o/b", &[&own[HALF..3 * HALF], &other[..2 * HALF]].concat(), 20);
    at.serve();
    at
}

#[test]
fn bytes_at_another_place_are_some_of_the_same_bytes_and_not_more_of_them() {
    let at = shifted();
    let pair = ["hash", "--chunks", "o/a", "o/b"];
    let found = rows(&at.run(&[&pair[..], &["--format", "csv"]].concat()).expect(0).stdout);
    let moved: Vec<u64> = found.iter().map(|row| row["moved"].parse().unwrap()).collect();
    // A megabyte but for the chunks at its ends.
    assert!((500_000..1 << 20).contains(&moved.iter().sum::<u64>()), "{found:?}");
    assert!(found.iter().all(|row| row["same"] == "0"), "{found:?}");
    let text = at.run(&pair).expect(0);
    let said = words(&text);
    assert!(said.contains("kB are in a at another place or at one that is not known"), "{text}");
    assert!(!said.contains("more occur"), "{text}");
}

#[test]
fn small_tensors_that_were_read_are_not_too_few_chunks() {
    let mut at = Workspace::new();
    for (id, seed) in [("o/a", 1), ("o/b", 2)] {
        let norm = Tensor::bf16("model.norm.weight", &noise(9, 512));
        let tensors = [matrix("model.layers.0.mlp.up_proj.weight", &noise(seed, 4 * HALF)), norm];
        at.model(id, &llama_config(1, 512), &tensors);
    }
    at.serve();
    let text = at.run(&["hash", "--chunks", "o/a", "o/b", "--close"]).expect(0);
    assert!(words(&text).contains("norms 1 1 "), "{text}");
    let found = rows(&at.run(&["hash", "--chunks", "o/a", "o/b", "--close", "--format", "csv"]).expect(0).stdout);
    let norm = found.iter().find(|row| row["tensor_b"] == "model.norm.weight").unwrap();
    assert_eq!((norm["verdict"].as_str(), norm["method"].as_str()), ("identical", "bytes"));
    assert!(!words(&text).contains("too few to say anything"), "{text}");
}

#[test]
fn of_folders_nothing_is_said_to_be_shared_or_not() {
    let at = shifted();
    let pair = ["hash", "--chunks", "./hub/o/a", "./hub/o/a/../b"];
    let text = at.run(&pair).expect(1);
    assert!(words(&text).contains("not examined") && !words(&text).contains("0 B of"), "{text}");
    let json = at.run(&[&pair[..], &["--format", "json"]].concat()).expect(1);
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    let reasons: Vec<&str> =
        value["not_examined"].as_array().unwrap().iter().map(|of| of["reason"].as_str().unwrap()).collect();
    assert!(reasons.len() == 2 && reasons.iter().all(|reason| reason.starts_with("no listing states")), "{json}");
    for row in value["chunk_tensors"].as_array().unwrap() {
        assert_eq!(row["verdict"], "not_examined");
        assert!(["same", "moved", "open"].iter().all(|column| row.get(column).is_none()), "{row}");
    }
    let of_pair = &value["chunk_pairs"][0];
    for column in ["shared_bytes", "share_a", "share_b", "distinct_chunks", "tensors_identical"] {
        assert!(of_pair.get(column).is_none(), "{column}: {of_pair}");
    }
    let alone = at.run(&["hash", "--chunks", "./hub/o/a", "--pairs", "--format", "csv"]).expect(1);
    assert_eq!(rows(&alone.stdout)[0]["shared_bytes"], "", "{alone}");
}

#[test]
fn equal_files_are_known_by_their_own_hashes() {
    let at = shifted();
    let shard = fs_err::read(at.repo("o/a").join("model.safetensors")).unwrap();
    at.file("o/twin", "model.safetensors", shard);
    at.file("o/twin", "config.json", llama_config(2, 512).to_string());
    let text = at.run(&["hash", "--chunks", "o/a", "o/twin"]).expect(0);
    assert!(words(&text).contains("Same bytes, by the Hub's file hashes (no weight byte was read)"), "{text}");
    text.says(&["0 CAS requests"]);
}

#[test]
fn each_tensor_that_has_an_equal_is_counted_once() {
    let mut at = Workspace::new();
    for id in ["o/a", "o/b"] {
        Planted::of(1).write(&at, id);
    }
    let widened = Planted::of(1).tensors().into_iter().map(|tensor| {
        let bytes = tensor.bytes.chunks_exact(2).flat_map(|bits| [0, 0, bits[0], bits[1]]);
        Tensor { dtype: "F32", bytes: bytes.collect(), ..tensor }
    });
    at.model("o/wide", &Planted::of(1).config(), &widened.collect::<Vec<_>>());
    at.serve();
    let outcome = at.run(&["hash", "--matches", "o/a", "o/b", "o/wide"]).expect(0);
    outcome.says(&["66 tensors: 44 in 22 groups are byte-identical, 22 more equal others after rounding to BF16, which makes 22 groups; 0 more are constant or fixed buffers"]);
    let kinds: std::collections::BTreeSet<String> =
        rows(&outcome.stdout).iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["bf16", "bytes"]);
}

#[test]
fn routed_experts_that_are_left_out_are_counted() {
    let mut at = Workspace::new();
    for (id, seed) in [("o/a", 1), ("o/b", 3)] {
        let mut tensors = Planted::of(seed).tensors();
        for tensor in Planted::of(7).tensors().into_iter().filter(|tensor| tensor.name.contains("up_proj")) {
            tensors.push(Tensor { name: tensor.name.replace("mlp.", "mlp.experts.0."), ..tensor });
        }
        at.model(id, &Planted::of(1).config(), &tensors);
    }
    at.serve();
    let matches = ["hash", "--matches", "o/a", "o/b"];
    at.run(&matches).expect(0).says(&[
        "44 tensors, beside 8 tensors of routed experts excluded (--experts includes them): no two of them equal",
    ]);
    let all = at.run(&[&matches[..], &["--experts"]].concat()).expect(0);
    all.says(&["52 tensors: 8 in 4 groups are byte-identical"]);
    let plain = at.run(&["hash", "o/a"]).expect(0);
    plain.says(&["4 tensors of routed experts excluded; --experts includes them"]);
    let chosen = at.run(&["hash", "o/a", "--role", "v_proj"]).expect(0);
    assert!(!chosen.stderr.contains("left out"), "{chosen}");
}
