//! The cache: what is kept, what happens when it is damaged, and doing without the network.

use crate::support::{COMMIT, Outcome, Workspace};

/// A Hub with `o/a`, whose two norms are in the cache.
fn warm() -> Workspace {
    let mut at = Workspace::with_llama(2, 64);
    at.serve();
    at.run(&["fetch", "o/a"]).expect(0);
    at.asked();
    at
}

fn npy(layer: u32) -> String {
    format!("model.layers.{layer}.input_layernorm.weight.npy")
}

/// Changes one byte of the values of layer 0, which leaves their length.
fn damage(at: &Workspace) {
    let path = at.kept("o/a").join(npy(0));
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, bytes).unwrap();
}

#[test]
fn what_is_kept_is_listed() {
    let at = warm();
    let outcome = at.run(&["cache", "ls"]).expect(0);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome}");
    assert!(lines[0].starts_with(&format!("o/a@{COMMIT}\tmodel.layers.0.input_layernorm.weight\t")), "{outcome}");
    outcome.says(&["2 tensors in TMP/store, "]);
}

#[test]
fn a_sound_cache_verifies_and_a_damaged_one_does_not() {
    let at = warm();
    at.run(&["cache", "verify"]).expect(0).says(&["2 tensors checked, 0 broken"]);
    damage(&at);
    let outcome = at.run(&["cache", "verify"]).expect(1);
    assert!(outcome.stdout.contains("model.layers.0.input_layernorm.weight\tbytes differ"), "{outcome}");
    outcome.says(&["2 tensors checked, 1 broken"]);
}

#[test]
fn a_damaged_entry_is_fetched_again_within_the_same_run() {
    let at = warm();
    let sound = Workspace::files(&at.kept("o/a"));
    for command in ["fetch", "survey"] {
        damage(&at);
        let outcome = at.run(&[command, "o/a"]).expect(0);
        outcome.says(&["1 tensor fetched, 1 from cache"]);
        assert_eq!(Workspace::files(&at.kept("o/a")), sound);
    }
    // A file that is cut short, and one that is gone.
    let path = at.kept("o/a").join(npy(1));
    fs_err::write(&path, b"\x93NUMPY").unwrap();
    at.run(&["survey", "o/a"]).expect(0);
    assert_eq!(Workspace::files(&at.kept("o/a")), sound);
    fs_err::remove_file(&path).unwrap();
    at.run(&["survey", "o/a"]).expect(0);
    assert_eq!(Workspace::files(&at.kept("o/a")), sound);
}

#[test]
fn what_one_hub_said_of_a_branch_is_not_taken_for_anothers() {
    let at = warm();
    let outcome = at.run(&["fetch", "o/a", "--offline", "--endpoint", "http://127.0.0.1:1"]).expect(2);
    outcome.says(&["`main` of `o/a` is not in the cache"]);
}

#[test]
fn room_is_made_by_age_and_by_size() {
    let at = warm();
    at.run(&["cache", "prune"]).expect(0).says(&["0 tensors removed"]);
    assert_eq!(at.kept_tensors(), 2);
    at.run(&["cache", "prune", "--older-than", "30d"]).expect(0).says(&["0 tensors removed"]);
    at.run(&["cache", "prune", "--max-size", "1B"]).expect(0).says(&["2 tensors removed"]);
    assert_eq!(at.kept_tensors(), 0);
    // It is a cache: what is gone comes back.
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(at.kept_tensors(), 2);
    at.run(&["cache", "prune", "--older-than", "0s"]).expect(0);
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn without_network_the_cache_answers() {
    let mut at = warm();
    at.close();
    for args in [["survey", "o/a", "--offline"], ["survey", "o/a@main", "--offline"]] {
        at.run(&args).expect(0).says(&["moved 0 bytes in 0 requests, 0 tensors fetched, 2 from cache"]);
    }
    let by_variable = at.run_as(&["fetch", "o/a"], |command| {
        command.env("HF_HUB_OFFLINE", "1");
    });
    by_variable.expect(0);
}

#[test]
fn without_network_and_without_cache_it_is_said() {
    let mut at = warm();
    at.llama("o/b", 2, 2, 64);
    let unknown = at.run(&["survey", "o/b", "--offline"]).expect(2);
    insta::assert_snapshot!(unknown, @"
    exit status 2
    ----- stderr -----
    error: `main` of `o/b` is not in the cache, and the network is switched off
    hint: run once without --offline to bring it into the cache
    moved 0 bytes in 0 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    let pinned = format!("o/b@{COMMIT}");
    insta::assert_snapshot!(at.run(&["survey", &pinned, "--offline"]).expect(2), @"
    exit status 2
    ----- stderr -----
    error: `o/b@c0ffee00` is not in the cache, and the network is switched off
    hint: run once without --offline (or HF_HUB_OFFLINE) to bring it into the cache
    moved 0 bytes in 0 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    assert_eq!(at.asked().count(), 0);
    at.close();
    // The headers are known, these tensors are not.
    let other = at.run(&["survey", "o/a", "--offline", "--role", "post_attention_layernorm"]);
    other.says(&["is not in the cache, and the network is switched off"]);
    assert_eq!(other.status, 1, "{other}");
}

#[test]
fn two_programs_share_a_cache_at_the_same_time() {
    let mut at = Workspace::with_llama(12, 64);
    at.serve();
    let runs: Vec<Outcome> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..2).map(|_| scope.spawn(|| at.run(&["fetch", "o/a"]))).collect();
        started.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for outcome in runs {
        assert_eq!(outcome.expect(0).stdout.lines().count(), 12);
    }
    at.run(&["cache", "verify"]).expect(0).says(&["12 tensors checked, 0 broken"]);
}

#[test]
fn the_cache_says_what_it_is() {
    let at = warm();
    let names: Vec<String> = Workspace::files(&at.cache())
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.contains(".lock"))
        .collect();
    let kept = format!("models/o/a/{COMMIT}");
    for expected in [
        "CACHEDIR.TAG".to_owned(),
        "README.md".to_owned(),
        format!("{kept}/headers.json"),
        format!("{kept}/{}", npy(0)),
        format!("{kept}/{}", npy(0).replace(".npy", ".json")),
    ] {
        assert!(names.contains(&expected), "{expected} is not in {names:?}");
    }
    let sidecar = at.read(&format!("store/{kept}/{}", npy(0).replace(".npy", ".json")));
    for field in ["dtype", "shape", "shard", "sha256", "source"] {
        assert!(sidecar.contains(&format!("\"{field}\"")), "{sidecar}");
    }
    assert!(!names.iter().any(|name| name.contains(".tmp")), "{names:?}");
}
