//! Which bytes are the same, by the chunks in which the Hub stores files: what is proven, and what is said where nothing is. What the
//! store gets wrong is in `chunk_faults.rs`.

use std::collections::BTreeMap;

use hub_audit::serve::{Fingerprints, Packing, XetOptions};
use serde_json::{Value, json};

use crate::support::{COMMIT, Outcome, Tensor, Workspace, llama_config, rows, shard_with};

/// Bytes that no other seed has.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    (0..len.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(len).collect()
}

/// A matrix of 512 × 512 BF16, half a megabyte.
fn matrix(name: &str, seed: u64) -> Tensor {
    Tensor::raw(name, "BF16", &[512, 512], noise(seed, 512 * 512 * 2))
}

/// Embeddings, two matrices in each of four layers, and a norm; `changed` says which layers have others.
pub(crate) fn model(seed: u64, changed: &[usize]) -> Vec<Tensor> {
    let mut tensors = vec![matrix("model.embed_tokens.weight", seed)];
    for layer in 0..4 {
        let seed = if changed.contains(&layer) { seed + 1000 } else { seed } + 10 * (layer as u64 + 1);
        tensors.push(matrix(&format!("model.layers.{layer}.self_attn.q_proj.weight"), seed));
        tensors.push(matrix(&format!("model.layers.{layer}.mlp.up_proj.weight"), seed + 1));
    }
    tensors.push(Tensor::raw("model.norm.weight", "BF16", &[512], noise(seed + 2, 1024)));
    tensors
}

pub(crate) fn write(at: &Workspace, id: &str, tensors: &[Tensor], format: &str) {
    at.file(id, "config.json", llama_config(4, 512).to_string());
    at.file(id, "model.safetensors", shard_with(format, tensors).bytes);
}

/// A base, and what was made of it: the last two layers are others.
pub(crate) fn base_and_tuned() -> Workspace {
    let at = Workspace::new();
    write(&at, "o/base", &model(1, &[]), "pt");
    write(&at, "o/tuned", &model(1, &[2, 3]), "pt");
    let card = json!({ "base_model": "o/base", "base_model_relation": "finetune" });
    at.part("o/tuned", &json!({ "cardData": card }));
    at
}

pub(crate) fn serve(at: &mut Workspace, change: impl FnOnce(&mut XetOptions)) {
    at.serve_with(|options| change(&mut options.xet));
}

pub(crate) const PAIR: [&str; 4] = ["hash", "--chunks", "o/base", "o/tuned"];

/// Verdict and method of each tensor of the second model.
pub(crate) fn verdicts(outcome: &Outcome) -> BTreeMap<String, (String, String)> {
    let of =
        |row: &BTreeMap<String, String>| (row["tensor_b"].clone(), (row["verdict"].clone(), row["method"].clone()));
    rows(&outcome.stdout).iter().map(of).collect()
}

pub(crate) fn csv(at: &Workspace, models: &[&str], status: i32) -> Outcome {
    at.run(&[&["hash", "--chunks", "--format", "csv"], models].concat()).expect(status)
}

#[test]
fn a_fine_tune_is_told_apart_without_reading_a_weight() {
    let mut at = base_and_tuned();
    at.serve();
    let outcome = at.run(&PAIR);
    outcome.says(&["2 tokens, 2 CAS requests, ", "; 2 headers; no weight byte was read"]);
    insta::assert_snapshot!(outcome.expect(0).stdout, @r#"
    o/base@c0ffee00  1 file, 4.7 MB
    o/tuned@c0ffee00  1 file, 4.7 MB
    claimed by the card of o/tuned: finetune of o/base

    Same bytes, by the Hub's chunk hashes (no weight byte was read)

                     tensors  identical  partly  not shown        same bytes
    embed_tokens           1          1       0          0  524 kB of 524 kB
    layers 0-1 attn        2          2       0          0  1.0 MB of 1.0 MB
    layers 2-3 attn        2          0       0          2     0 B of 1.0 MB
    layer 0 mlp            1          1       0          0  524 kB of 524 kB
    layer 1 mlp            1          0       1          0  483 kB of 524 kB
    layers 2-3 mlp         2          0       0          2     0 B of 1.0 MB
    norms                  1          0       0          1     0 B of 1.0 kB
    all                   10          4       1          5  2.6 MB of 4.7 MB

    partly: 40.9 kB were not decided; --close would read 4.3 MB.

    "Not shown" is no evidence of difference; --close reads the bytes in doubt,
    where they are few.

    All of this rests on the Hub's word for its hashes; `hash --matches` reads the
    bytes themselves.
    "#);
    let asked = at.asked();
    let tokens: Vec<String> = ["base", "tuned"]
        .map(|name| format!("/api/models/o/{name}/xet-read-token/{COMMIT}"))
        .into_iter()
        .filter(|path| asked.hub_paths_with(path) == 1)
        .collect();
    assert_eq!((tokens.len(), asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (2, 2, 2));
    assert!(asked.to_cas().all(|request| request.authorised && request.path.starts_with("/v2/reconstructions/")));
    // Of weights nothing but what comes with the first guess at a header's length.
    assert!(asked.to_cdn().all(|request| !request.authorised));
    let ranges = asked.ranges("");
    assert!(ranges.iter().all(|range| range == "bytes=0-65535"), "{ranges:?}");
    // Programs see the same.
    let outcome = csv(&at, &["o/base", "o/tuned"], 0);
    let found = verdicts(&outcome);
    assert_eq!(found.len(), 10);
    for (tensor, (verdict, method)) in &found {
        let is_changed = ["layers.2", "layers.3"].iter().any(|layer| tensor.contains(layer));
        // The norm is in one chunk with the end of a layer that is another.
        let is_shown = !is_changed && tensor != "model.norm.weight";
        let allowed: &[&str] = if is_shown { &["identical", "partly"] } else { &["not_shown", "partly"] };
        assert!(allowed.contains(&verdict.as_str()), "{tensor}: {verdict}\n{outcome}");
        assert_eq!(method.is_empty(), verdict == "not_shown", "{tensor}");
    }
    let json = at.run(&[&PAIR[..], &["--format", "json"]].concat()).expect(0);
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(value["chunk_pairs"][0]["claimed_relation"], "o/tuned: finetune of o/base");
    assert_eq!(value["chunk_tensors"][0]["verdict"], "identical");
    assert_eq!(value["settings"]["weight_bytes"], 0);
    let pairs = at.run(&[&PAIR[..], &["--format", "csv", "--pairs"]].concat()).expect(0);
    let pairs = rows(&pairs.stdout);
    assert_eq!(pairs.len(), 1);
    assert_eq!(pairs[0]["tensors_identical"], value["chunk_pairs"][0]["tensors_identical"].to_string());
    assert!(pairs[0]["share_b"].parse::<f64>().unwrap() > 0.3, "{pairs:?}");
}

#[test]
fn equal_files_need_no_answer_of_the_store() {
    let mut at = base_and_tuned();
    write(&at, "o/twin", &model(1, &[]), "pt");
    at.serve();
    let outcome = csv(&at, &["o/base", "o/twin"], 0);
    assert!(
        verdicts(&outcome).values().all(|found| *found == ("identical".to_owned(), "file".to_owned())),
        "{outcome}"
    );
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (0, 0));
}

/// The same tensors behind other metadata, uploaded by two who do not share storage: nothing is shown, and that is all that is said.
#[test]
fn what_is_stored_twice_is_not_called_different() {
    let mut at = Workspace::new();
    write(&at, "o/base", &model(1, &[]), "pt");
    write(&at, "o/tuned", &model(1, &[]), "something longer");
    serve(&mut at, |xet| xet.packing = Packing::Separate);
    let outcome = at.run(&PAIR).expect(0);
    let said = outcome.stdout.replace('\n', " ");
    assert!(
        said.contains("This says nothing: independent uploads of equal bytes are often stored twice."),
        "{outcome}"
    );
    for word in ["differ", "independently", "from scratch", "0 %", "similar"] {
        assert!(!said.contains(word), "{word}: {outcome}");
    }
    serve(&mut at, |_| {});
    let found = verdicts(&csv(&at, &["o/base", "o/tuned"], 0));
    assert!(found.values().filter(|(verdict, _)| verdict == "identical").count() >= 8, "{found:?}");
}

#[test]
fn what_a_model_repeats_is_shown_within_it() {
    let mut at = Workspace::new();
    let mut tensors = model(1, &[]);
    let tied = Tensor { name: "lm_head.weight".to_owned(), ..tensors[0].clone() };
    tensors.push(tied);
    write(&at, "o/base", &tensors, "pt");
    at.serve();
    let outcome = at.run(&["hash", "--chunks", "o/base"]).expect(0);
    assert!(outcome.stdout.contains("lm_head.weight"), "{outcome}");
    let found = rows(&csv(&at, &["o/base"], 0).stdout);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&*found[0]["tensor_b"], &*found[0]["verdict"]), ("lm_head.weight", "partly"));
    assert_eq!(found[0]["tensor_a"], "model.embed_tokens.weight");
    let bytes = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<u64>().unwrap();
    assert!(bytes(&found[0], "same") > 200_000, "{found:?}");
    // Unless the store is asked, it is known which of its bytes they are, and not where else they stand: the run lies within another.
    let unasked = rows(&csv(&at, &["o/base", "--probes", "0"], 0).stdout);
    assert!(bytes(&unasked[0], "moved") > 200_000 && bytes(&unasked[0], "same") == 0, "{unasked:?}");
}

#[test]
fn a_run_within_another_is_placed_by_asking_for_one_of_its_chunks() {
    let mut at = Workspace::new();
    write(&at, "o/base", &model(1, &[]), "pt");
    write(&at, "o/tuned", &model(1, &[1, 3]), "pt");
    at.serve();
    let same = |words: &[&str]| -> (u64, usize) {
        at.asked();
        let outcome = csv(&at, &[&["o/base", "o/tuned"], words].concat(), 0);
        let same = rows(&outcome.stdout).iter().map(|row| row["same"].parse::<u64>().unwrap()).sum();
        (same, at.asked().to_cas().count())
    };
    let (unasked, requests) = same(&["--probes", "0"]);
    assert_eq!(requests, 2);
    // The two matrices of the layer between.
    let (asked, requests) = same(&[]);
    assert!(asked > unasked + 700_000 && (3..=5).contains(&requests), "{unasked}, {asked} by {requests} requests");
    assert_eq!(same(&["--fingerprints"]).1, 4, "nodes have places");
}

#[test]
fn of_a_list_each_model_is_met_with_the_first_that_has_its_bytes() {
    let mut at = base_and_tuned();
    write(&at, "o/other", &model(50, &[]), "pt");
    write(&at, "o/copy", &model(50, &[]), "pt");
    at.serve();
    let models = ["hash", "--chunks", "o/base", "o/tuned", "o/other", "o/copy"];
    let outcome = at.run(&models).expect(0);
    assert!(outcome.stdout.contains("Files that several models have, byte for byte"), "{outcome}");
    let pairs = at.run(&[&models[..], &["--pairs", "--format", "csv"]].concat()).expect(0);
    let pairs = rows(&pairs.stdout);
    let names: Vec<(&str, &str)> = pairs.iter().map(|row| (&*row["model_a"], &*row["model_b"])).collect();
    assert_eq!(names, [("o/base", "o/tuned"), ("o/other", "o/copy")]);
    assert_eq!(pairs[0]["claimed_relation"], "o/tuned: finetune of o/base");
}

#[test]
fn sixty_shards_cost_two_tokens_and_a_request_a_shard() {
    let mut at = Workspace::new();
    for (id, format) in [("o/base", "pt"), ("o/tuned", "tp")] {
        at.file(id, "config.json", llama_config(60, 512).to_string());
        for shard in 0..60_u64 {
            let tensor = Tensor::raw(
                &format!("model.layers.{shard}.mlp.up_proj.weight"),
                "BF16",
                &[64, 512],
                noise(shard, 1 << 16),
            );
            let name = format!("model-{:05}-of-00060.safetensors", shard + 1);
            at.file(id, &name, shard_with(format, &[tensor]).bytes);
        }
    }
    at.serve();
    let outcome = csv(&at, &["o/base", "o/tuned"], 0);
    assert_eq!(rows(&outcome.stdout).len(), 60);
    outcome.says(&["2 tokens, 120 CAS requests, ", "; 120 headers; no weight byte was read"]);
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (2, 120));
    let sent: u64 = asked.to_cas().map(|request| request.bytes_sent).sum();
    assert!(sent < 10_000_000, "{sent}");
}

#[test]
fn options_that_choose_tensors_are_refused_beside_chunks() {
    let at = base_and_tuned();
    for words in [&["--role", "norms"][..], &["--matches"], &["--files"], &["--dry-run"], &["--tensor", "x"]] {
        at.run(&[&PAIR[..], words].concat()).expect(2).says(&["cannot be used with"]);
    }
    at.run(&["hash", "o/base", "--format", "text"]).expect(2).says(&["--format text needs --chunks"]);
}

/// Two uploads that share no storage, of the same tensors behind other metadata.
#[test]
fn equal_content_is_shown_by_fingerprints_however_it_is_stored() {
    let mut at = Workspace::new();
    let large = |name: &str, seed: u64| Tensor::raw(name, "BF16", &[1024, 1024], noise(seed, 1 << 21));
    let tensors = |last: u64| -> Vec<Tensor> {
        let name = |layer: u64| format!("model.layers.{layer}.mlp.up_proj.weight");
        (0..4).map(|layer| large(&name(layer), if layer == 3 { last } else { layer })).collect()
    };
    write(&at, "o/base", &tensors(3), "pt");
    write(&at, "o/tuned", &tensors(99), "something longer");
    serve(&mut at, |xet| xet.packing = Packing::Separate);
    let by_terms = verdicts(&csv(&at, &["o/base", "o/tuned"], 0));
    assert!(by_terms.values().all(|(verdict, _)| verdict == "not_shown"), "{by_terms:?}");
    at.asked();
    let outcome = csv(&at, &["o/base", "o/tuned", "--fingerprints"], 0);
    let shares = rows(&outcome.stdout).into_iter().map(|row| {
        let number = |name: &str| row[name].parse::<u32>().unwrap();
        (row["verdict"].clone(), row["method"].clone(), f64::from(number("same")) / f64::from(number("size")))
    });
    let shares: Vec<(String, String, f64)> = shares.collect();
    for (verdict, method, share) in &shares[..3] {
        assert!(
            ["identical", "partly"].contains(&verdict.as_str()) && method == "fingerprints" && *share > 0.8,
            "{shares:?}"
        );
    }
    assert_eq!((shares[3].0.as_str(), shares[3].2), ("not_shown", 0.0), "{shares:?}");
    let asked = at.asked();
    let nodes = asked.to_cas().filter(|request| request.path.starts_with("/v2/file-chunk-hashes/")).count();
    assert_eq!((nodes, asked.to_cas().count()), (4, 6), "two requests a file beside the terms");
    let text = at.run(&[&PAIR[..], &["--fingerprints"]].concat()).expect(0);
    assert!(text.stdout.replace('\n', " ").contains("this was not yet checked on the live Hub"), "{text}");
    // A store that gives none is asked once, and terms tell what they tell.
    serve(&mut at, |xet| {
        xet.fingerprints = Fingerprints::Off;
        xet.packing = Packing::Separate;
    });
    let outcome = csv(&at, &["o/base", "o/tuned", "--fingerprints"], 0);
    outcome.says(&["fingerprints are not available for all files: "]);
    assert_eq!(verdicts(&outcome), by_terms);
}

/// Borders of equal tensors and small tensors are decided by their bytes, and only those are read.
#[test]
fn what_is_in_doubt_is_decided_by_reading_few_bytes() {
    let mut at = base_and_tuned();
    at.serve();
    let before = at.run(&PAIR).expect(0);
    assert!(before.stdout.replace('\n', " ").contains("; --close would read "), "{before}");
    at.asked();
    let outcome = csv(&at, &["o/base", "o/tuned", "--close"], 0);
    for row in rows(&outcome.stdout) {
        let is_changed = ["layers.2", "layers.3"].iter().any(|layer| row["tensor_b"].contains(layer));
        let expected = if is_changed { "different" } else { "identical" };
        assert_eq!(row["verdict"], expected, "{row:?}");
        assert!(["chunks", "chunks+bytes", "bytes"].contains(&row["method"].as_str()), "{row:?}");
        assert!(is_changed || row["open"] == "0", "{row:?}");
    }
    outcome.says(&[" of weights were read"]);
    let refused = csv(&at, &["o/base", "o/tuned", "--close", "--max-bytes", "1kB"], 2);
    refused.says(&["more than the limit of 1.0 kB"]);
}
