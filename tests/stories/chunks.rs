//! Which bytes are the same, by the chunks in which the Hub stores files: what is proven, and what is said where nothing is.

use std::collections::BTreeMap;

use hub_audit::serve::{Fingerprints, Listener, Packing, XetFault, XetFiles, XetOptions};
use serde_json::{Value, json};

use crate::support::{COMMIT, Outcome, Tensor, Workspace, always, first, llama_config, reply, rows, shard_with};

/// Bytes that no other seed has.
fn noise(seed: u64, len: usize) -> Vec<u8> {
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
fn model(seed: u64, changed: &[usize]) -> Vec<Tensor> {
    let mut tensors = vec![matrix("model.embed_tokens.weight", seed)];
    for layer in 0..4 {
        let seed = if changed.contains(&layer) { seed + 1000 } else { seed } + 10 * (layer as u64 + 1);
        tensors.push(matrix(&format!("model.layers.{layer}.self_attn.q_proj.weight"), seed));
        tensors.push(matrix(&format!("model.layers.{layer}.mlp.up_proj.weight"), seed + 1));
    }
    tensors.push(Tensor::raw("model.norm.weight", "BF16", &[512], noise(seed + 2, 1024)));
    tensors
}

fn write(at: &Workspace, id: &str, tensors: &[Tensor], format: &str) {
    at.file(id, "config.json", llama_config(4, 512).to_string());
    at.file(id, "model.safetensors", shard_with(format, tensors).bytes);
}

/// A base, and what was made of it: the last two layers are others.
fn base_and_tuned() -> Workspace {
    let at = Workspace::new();
    write(&at, "o/base", &model(1, &[]), "pt");
    write(&at, "o/tuned", &model(1, &[2, 3]), "pt");
    let card = json!({ "base_model": "o/base", "base_model_relation": "finetune" });
    at.part("o/tuned", &json!({ "cardData": card }));
    at
}

fn serve(at: &mut Workspace, change: impl FnOnce(&mut XetOptions)) {
    at.serve_with(|options| change(&mut options.xet));
}

const PAIR: [&str; 4] = ["hash", "--chunks", "o/base", "o/tuned"];

/// Verdict and method of each tensor of the second model.
fn verdicts(outcome: &Outcome) -> BTreeMap<String, (String, String)> {
    let of =
        |row: &BTreeMap<String, String>| (row["tensor_b"].clone(), (row["verdict"].clone(), row["method"].clone()));
    rows(&outcome.stdout).iter().map(of).collect()
}

fn csv(at: &Workspace, models: &[&str], status: i32) -> Outcome {
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
    // Which of its bytes they are is known, and where else they stand is not: the run lies within another.
    assert!(found[0]["moved"].parse::<u64>().unwrap() > 200_000, "{found:?}");
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

/// Trees of gated repositories have asterisks where hashes would be: nothing is equal for that.
#[test]
fn hashes_that_are_withheld_make_no_files_equal() {
    let mut at = base_and_tuned();
    let stars = |digits: usize| "*".repeat(digits);
    let size = 4_000_000;
    let entry = json!([{
        "type": "file", "path": "model.safetensors", "size": size, "oid": stars(40), "xetHash": stars(64),
        "lfs": { "oid": stars(64), "size": size, "pointerSize": 134 },
    }]);
    let tree = reply(200, &[("content-type", "application/json")], entry.to_string());
    at.serve_with(|options| options.intercept = Some(always(|request| request.path.contains("/tree/"), tree)));
    let outcome = at.run(&["hash", "--files", "o/base", "o/tuned"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    outcome.says(&["0 groups of identical files"]);
    // Once they are told, they are asked for again.
    fs_err::remove_dir_all(at.cache()).unwrap();
    serve(&mut at, |xet| xet.files = XetFiles::Redacted);
    let outcome = at.run(&PAIR).expect(1);
    assert!(outcome.stdout.contains("base: 0 of 1 file examined; 1 withheld (gated)"), "{outcome}");
    assert!(!outcome.stdout.contains("This says nothing"), "what was not looked at was not looked for: {outcome}");
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (0, 0));
    at.close();
}

#[test]
fn a_file_that_is_not_in_the_store_is_said_to_be_not_examined() {
    let mut at = base_and_tuned();
    serve(&mut at, |xet| xet.files = XetFiles::None);
    let outcome = at.run(&PAIR).expect(1);
    assert!(outcome.stdout.contains("0 of 1 file examined; 1 no Xet hash"), "{outcome}");
}

#[test]
fn a_token_that_is_refused_stops_its_model_alone() {
    let mut at = base_and_tuned();
    write(&at, "o/third", &model(1, &[1]), "pt");
    let refused = reply(403, &[("x-error-message", "no read right")], "");
    at.serve_with(|options| {
        options.intercept = Some(always(|request| request.path.contains("o/tuned/xet-read-token"), refused));
    });
    let outcome = at.run(&["hash", "--chunks", "o/base", "o/tuned", "o/third", "--pairs", "--format", "csv"]).expect(1);
    outcome.says(&[
        "tuned: 1 file not examined, token refused: the Hub refuses access to `o/tuned@c0ffee00`",
        "no read right",
    ]);
    let names: Vec<String> = rows(&outcome.stdout).iter().map(|row| row["model_b"].clone()).collect();
    assert_eq!(names, ["o/third"]);
    assert_eq!(at.asked().hub_paths_with("o/tuned/xet-read-token"), 1, "it is not asked for again");
}

#[test]
fn a_store_that_is_not_reached_is_left_soon() {
    let mut at = base_and_tuned();
    serve(&mut at, |xet| xet.fault = Some(XetFault::Down));
    let outcome = at.run(&PAIR).expect(1);
    outcome.says(&["base: 1 file not examined, CAS unreachable: CAS cannot be reached (2 attempts)"]);
    assert!(outcome.stdout.contains("1 CAS unreachable"), "{outcome}");
}

#[test]
fn answers_that_cannot_be_are_not_believed() {
    for (fault, reason) in [
        (XetFault::WrongSum, "chunks that cannot be: its runs end at byte"),
        (XetFault::Truncated, "chunks that cannot be: EOF"),
    ] {
        let mut at = base_and_tuned();
        serve(&mut at, |xet| xet.fault = Some(fault));
        let outcome = at.run(&PAIR).expect(1);
        outcome.says(&["inconsistent answer", reason]);
        let found = verdicts(&csv(&at, &["o/base", "o/tuned"], 1));
        assert!(found.values().all(|(verdict, _)| verdict == "not_examined"), "{fault:?}: {found:?}");
    }
}

/// Both have the chunks of a third from the second on, and the store tells two lengths of them.
#[test]
fn answers_that_contradict_each_other_are_not_believed() {
    let mut at = Workspace::new();
    for (id, format) in [("o/base", "pt"), ("o/one", "something longer"), ("o/two", "something else")] {
        write(&at, id, &model(1, &[]), format);
    }
    serve(&mut at, |xet| xet.fault = Some(XetFault::Conflict));
    let outcome = csv(&at, &["o/one", "o/two"], 1);
    outcome.says(&[
        "1 file not examined, inconsistent answer: two terms of one stored block give its chunks different lengths",
    ]);
    assert!(verdicts(&outcome).values().all(|(verdict, _)| verdict == "not_examined"), "{outcome}");
    serve(&mut at, |_| {});
    let found = verdicts(&csv(&at, &["o/one", "o/two"], 0));
    assert!(found.values().filter(|(verdict, _)| verdict == "identical").count() >= 8, "{found:?}");
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let mut at = base_and_tuned();
    let huge = reply(200, &[], vec![b' '; 33_600_000]);
    at.serve_with(|options| options.intercept = Some(always(|request| request.listener == Listener::Cas, huge)));
    at.run(&PAIR).expect(1).says(&["inconsistent answer", "more than the 33554432 bytes read at most"]);
}

#[test]
fn a_file_that_the_store_does_not_know_or_tell_is_not_examined() {
    for (fault, requests) in [(XetFault::Unknown, 4), (XetFault::Forbidden, 2)] {
        let mut at = base_and_tuned();
        serve(&mut at, |xet| xet.fault = Some(fault));
        at.run(&PAIR).expect(1).says(&["1 file not examined, unknown to CAS: CAS answered 40"]);
        // Where a file is not found it may be the route, once a file and version.
        assert_eq!(at.asked().to_cas().count(), requests, "{fault:?}");
    }
}

#[test]
fn an_older_store_is_asked_in_its_own_version_and_an_expired_token_is_renewed_once() {
    let mut at = base_and_tuned();
    serve(&mut at, |xet| xet.v1_only = true);
    at.run(&PAIR).expect(0);
    let asked = at.asked();
    assert!(asked.to_cas().filter(|request| request.path.starts_with("/v1/")).count() == 2, "{asked:?}");
    serve(&mut at, |xet| xet.fault = Some(XetFault::ExpiredOnce));
    at.run(&PAIR).expect(0);
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (3, 3));
    // One that is refused for ever is not renewed for ever.
    let expired = reply(401, &[], "");
    at.serve_with(|options| options.intercept = Some(always(|request| request.listener == Listener::Cas, expired)));
    at.run(&PAIR).expect(1).says(&["token refused"]);
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (4, 4));
}

#[test]
fn a_busy_store_is_waited_for() {
    let mut at = base_and_tuned();
    let busy = reply(429, &[("retry-after", "0")], "");
    at.serve_with(|options| options.intercept = Some(first(1, |request| request.listener == Listener::Cas, busy)));
    at.run(&PAIR).expect(0);
    assert_eq!(at.asked().to_cas().count(), 3);
}

#[test]
fn the_store_is_not_asked_where_that_is_switched_off() {
    let mut at = base_and_tuned();
    write(&at, "o/twin", &model(1, &[]), "pt");
    at.serve();
    let models = ["hash", "--chunks", "o/base", "o/tuned", "o/twin", "--format", "csv"];
    let off = at.run_as(&models, |command| {
        command.env("HF_HUB_DISABLE_XET", "1");
    });
    let off = off.expect(1);
    let asked = at.asked();
    assert_eq!((asked.hub_paths_with("xet-read-token"), asked.to_cas().count()), (0, 0));
    // Listings tell of equal files all the same, and they do so without network too.
    assert!(verdicts(&off).values().all(|(verdict, method)| verdict == "identical" && method == "file"), "{off}");
    let offline = at.run(&[&models[..], &["--offline"]].concat()).expect(1);
    assert_eq!(verdicts(&offline), verdicts(&off));
    assert_eq!(at.asked().count(), 0);
    let text = at.run(&[&PAIR[..], &["--offline"]].concat()).expect(1);
    assert!(text.stdout.contains("1 Xet off"), "{text}");
}

/// What stands in the place of the store's address may be anything.
#[test]
fn an_address_that_is_no_store_gets_no_token() {
    for address in ["ftp://127.0.0.1/", "http://me:secret@127.0.0.1:1", "", "/cas", "http://127.0.0.1:1/?a=b"] {
        let mut at = base_and_tuned();
        let token = json!({ "accessToken": "xet_0123456789abcdef", "exp": 4_000_000_000_u64, "casUrl": address });
        let answer = reply(200, &[("content-type", "application/json")], token.to_string());
        at.serve_with(|options| {
            options.intercept = Some(always(|request| request.path.contains("/xet-read-token/"), answer));
        });
        let outcome = at.run(&PAIR).expect(1);
        outcome.says(&["base: 1 file not examined, failed: HUB redirects `o/base@c0ffee00` to "]);
        assert!(!outcome.raw.contains("xet_0123456789abcdef") && !outcome.raw.contains("secret"), "{outcome}");
    }
    // A token in a field that is none is not repeated.
    let mut at = base_and_tuned();
    let odd =
        reply(200, &[], json!({ "accessToken": "a", "exp": "xet_0123456789abcdef", "casUrl": "http://c" }).to_string());
    at.serve_with(|options| options.intercept = Some(always(|request| request.path.contains("/xet-read-token/"), odd)));
    let outcome = at.run(&PAIR).expect(1);
    outcome.says(&["HUB gives no token for the content store of `o/base@c0ffee00`"]);
    assert!(!outcome.raw.contains("xet_0123456789abcdef"), "{outcome}");
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
    at.run(&["hash", "o/base", "--format", "text"]).expect(2).says(&["--format text is for --chunks"]);
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
    refused.says(&["more than the 1000 bytes allowed"]);
}
