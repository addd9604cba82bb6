//! What the content store or the Hub gets wrong about chunks: no equality follows, it is said why, and the rest goes on.

use std::num::NonZeroUsize;

use hub_audit::serve::{Fingerprints, Listener, LoggedRequest, Packing, XetFault, XetFiles};
use serde_json::json;

use crate::{
    chunks::{PAIR, base_and_tuned, csv, model, noise, serve, verdicts, write},
    support::{COMMIT, Tensor, Workspace, always, first, llama_config, reply, rows, shard_with},
};

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

/// As while a repository is moved to Xet storage.
#[test]
fn files_without_a_hash_are_counted_and_the_others_are_examined() {
    let mut at = Workspace::new();
    for (id, format) in [("o/base", "pt"), ("o/tuned", "tp")] {
        at.file(id, "config.json", llama_config(4, 512).to_string());
        for (number, tensor) in (1..).zip(model(1, &[]).into_iter().skip(1).take(4)) {
            at.file(id, &format!("model-{number:05}-of-00004.safetensors"), shard_with(format, &[tensor]).bytes);
        }
    }
    serve(&mut at, |xet| xet.files = XetFiles::Without(NonZeroUsize::new(3).unwrap()));
    let outcome = at.run(&PAIR).expect(1);
    for label in ["base", "tuned"] {
        let said = format!("{label}: 3 of 4 files examined; 1 no Xet hash");
        assert!(outcome.stdout.contains(&said), "{outcome}");
    }
    assert_eq!(at.asked().to_cas().count(), 6);
    let found = verdicts(&csv(&at, &["o/base", "o/tuned"], 1));
    let count = |wanted: &str| found.values().filter(|(verdict, _)| verdict == wanted).count();
    assert_eq!((found.len(), count("not_examined"), count("different")), (4, 1, 0), "{found:?}");
}

/// The branch moves once the commit is known: what is asked of the Hub is of the commit all the same.
#[test]
fn a_commit_that_is_no_longer_the_branchs_is_asked_of_to_the_end() {
    let mut at = base_and_tuned();
    at.serve();
    let before = verdicts(&csv(&at, &["o/base", "o/tuned"], 0));
    fs_err::remove_dir_all(at.cache()).unwrap();
    let newer = "beef0000beef0000beef0000beef0000beef0000";
    let record = at.repo("o/base").join(".hub.json");
    let moved = json!({ "refs": { "main": newer, "former": COMMIT } }).to_string();
    let moves = move |request: &LoggedRequest| {
        if request.path.contains("o/base/xet-read-token") {
            fs_err::write(&record, &moved).unwrap();
        }
        false
    };
    at.serve_with(|options| options.intercept = Some(always(moves, reply(500, &[], ""))));
    let outcome = csv(&at, &["o/base", "o/tuned"], 0);
    assert_eq!(verdicts(&outcome), before);
    assert!(outcome.stdout.contains(COMMIT) && !outcome.stdout.contains(newer), "{outcome}");
    assert_eq!(at.asked().hub_paths_with(&format!("o/base/xet-read-token/{COMMIT}")), 1);
    // Who asks now gets the newer one.
    assert!(csv(&at, &["o/base", "o/tuned"], 0).stdout.contains(newer));
}

#[test]
fn a_token_that_is_refused_stops_its_model_alone() {
    for status in [401, 403, 404, 405] {
        let mut at = base_and_tuned();
        write(&at, "o/third", &model(1, &[1]), "pt");
        let refused = reply(status, &[("x-error-message", "no read right")], "");
        at.serve_with(|options| {
            options.intercept = Some(always(|request| request.path.contains("o/tuned/xet-read-token"), refused));
        });
        let models = ["hash", "--chunks", "o/base", "o/tuned", "o/third", "--pairs", "--format", "csv"];
        let outcome = at.run(&models).expect(1);
        outcome.says(&["tuned: 1 file not examined, token refused: ", "`o/tuned"]);
        // A 401 and a 404 are told in words of their own.
        assert!([401, 404].contains(&status) || outcome.stderr.contains("no read right"), "{outcome}");
        let names: Vec<String> = rows(&outcome.stdout).iter().map(|row| row["model_b"].clone()).collect();
        assert_eq!(names, ["o/third"], "{status}");
        assert_eq!(at.asked().hub_paths_with("o/tuned/xet-read-token"), 1, "{status}: it is not asked for again");
    }
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
        (XetFault::WrongSum, "impossible chunks: its runs end at byte"),
        (XetFault::Truncated, "impossible chunks: EOF"),
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
    for status in [429, 500, 503, 504] {
        let mut at = base_and_tuned();
        let busy = reply(status, &[("retry-after", "0")], "");
        at.serve_with(|options| options.intercept = Some(first(1, |request| request.listener == Listener::Cas, busy)));
        at.run(&PAIR).expect(0).says(&["2 tokens, 3 CAS requests, "]);
        assert_eq!(at.asked().to_cas().count(), 3, "{status}");
    }
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

/// Answers to many marks are odd, and those to all but a tensor are not.
#[test]
fn nodes_that_do_not_fit_are_asked_for_tensor_by_tensor() {
    let mut at = Workspace::new();
    let large = |layer: u64| {
        Tensor::raw(&format!("model.layers.{layer}.mlp.up_proj.weight"), "BF16", &[1024, 1024], noise(layer, 1 << 21))
    };
    for (id, format) in [("o/base", "pt"), ("o/tuned", "something longer")] {
        write(&at, id, &[large(0), large(1), large(2)], format);
    }
    serve(&mut at, |xet| (xet.packing, xet.fingerprints) = (Packing::Separate, Fingerprints::Odd));
    let outcome = csv(&at, &["o/base", "o/tuned", "--fingerprints"], 0);
    assert!(!outcome.stderr.contains("not available"), "{outcome}");
    for row in rows(&outcome.stdout) {
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        assert_eq!(row["method"], "fingerprints", "{row:?}");
        // The chunks at both ends are also of what is marked.
        assert!((0.5..1.0).contains(&(number("same") / number("size"))), "{row:?}");
    }
    let asked = at.asked();
    let marked = asked.to_cas().filter(|request| request.path.starts_with("/v2/file-chunk-hashes/")).count();
    // One or both files by their borders, then each tensor of both.
    assert!((7..=8).contains(&marked), "{marked}");
}
