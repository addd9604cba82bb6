//! The cache: what is kept, what happens when it is damaged, and doing without the network.

use std::path::{Path, PathBuf};

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
    let outcome = at.run(&["cache", "ls", "--tensors"]).expect(0);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome}");
    assert!(lines[0].starts_with(&format!("o/a@{COMMIT}\tmodel.layers.0.input_layernorm.weight\t")), "{outcome}");
    outcome.says(&["2 tensors in TMP/store, "]);
    assert_eq!(at.run(&["cache", "dir"]).expect(0).stdout, "TMP/store\n");
    assert_eq!(Workspace::new().run(&["cache", "dir"]).expect(0).stdout, "TMP/store\n", "also where there is none yet");
}

#[test]
fn models_are_listed_with_size_and_age_and_removed_one_by_one() {
    let at = warm();
    at.llama("o/longer", 2, 3, 64);
    at.run(&["fetch", "o/longer"]).expect(0);
    let days_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(24 * 3);
    for (name, _) in Workspace::files(&at.kept("o/a")) {
        let file = std::fs::File::options().write(true).open(at.kept("o/a").join(name)).unwrap();
        file.set_modified(days_ago).unwrap();
    }
    let listed = at.run(&["cache", "ls"]).expect(0);
    let lines: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split("  ").collect()).collect();
    assert_eq!(lines.len(), 2, "{listed}");
    for (line, (repo, tensors, age)) in
        lines.iter().zip([("o/a", "2 tensors", "3 d ago"), ("o/longer", "3 tensors", "")])
    {
        let cells: Vec<&str> = line.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells[..3], [repo, "c0ffee00", tensors], "{listed}");
        assert!(cells[3].ends_with(" kB") && cells[4].contains(age) && cells[4].ends_with(" ago"), "{listed}");
    }
    listed.says(&["2 models, 5 tensors in TMP/store, "]);

    at.run(&["cache", "rm", "o/a@main2"]).expect(2).says(&["`main2` of `o/a` is no commit"]);
    at.run(&["cache", "rm", "o/a", "./o"]).expect(2).says(&["folders are not copied into the cache"]);
    at.run(&["cache", "rm", "o/a@c0ffee11"]).expect(1).says(&["nothing of `o/a@c0ffee11` is in the cache"]);
    assert_eq!(at.kept_tensors(), 5);
    at.run(&["cache", "rm", "o/longer@C0FFEE00"]).expect(0).says(&["o/longer@c0ffee00 removed: 3 tensors, "]);
    assert!(!at.kept("o/longer").exists() && at.kept("o/a").exists());
    at.run(&["cache", "rm", "o/a"]).expect(0).says(&["o/a@c0ffee00 removed: 2 tensors, "]);
    at.run(&["cache", "rm", "o/a"]).expect(1);
    assert!(!at.cache().join("models").exists() && !at.cache().join("revisions/o/a").exists());
    // Without network nothing of it is known any more, and with it all comes back.
    at.run(&["fetch", "o/a", "--offline"]).expect(2);
    at.run(&["fetch", "o/a"]).expect(0).says(&["2 tensors fetched"]);
}

#[test]
fn a_plan_of_pruning_tells_what_would_go_and_removes_nothing() {
    let at = warm();
    let before = Workspace::files(&at.cache());
    let plan = at.run(&["cache", "prune", "--max-size", "1B", "--dry-run"]).expect(0);
    plan.says(&["2 tensors would be removed, ", " freed; 0 tensors kept, 0 bytes; nothing was removed"]);
    let plan = at.run(&["cache", "prune", "--older-than", "30d", "--dry-run"]).expect(0);
    plan.says(&["0 tensors would be removed, 0 bytes freed; 2 tensors kept, "]);
    assert_eq!(Workspace::files(&at.cache()), before);
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
    // A digest takes no more than what is whole from the cache.
    let hashed = at.run(&["hash", "o/a"]).expect(0);
    damage(&at);
    let healed = at.run(&["hash", "o/a"]).expect(0);
    healed.says(&["9 tensors fetched, 1 from cache"]);
    assert_eq!(healed.stdout, hashed.stdout);
    at.run(&["fetch", "o/a"]).expect(0);
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
fn what_another_hub_gave_is_nobodys_but_its_own() {
    let at = warm();
    // Another Hub has other weights under the same name and commit.
    let mut mirror = Workspace::new();
    mirror.llama("o/a", 7, 2, 64);
    mirror.serve();
    let store = at.cache();
    let store = store.to_str().unwrap();
    let elsewhere = |args: &[&str]| mirror.run(&[args, &["--cache-dir", store]].concat());
    let right = mirror.run(&["hash", "o/a", "--cache-dir", "own"]).expect(0);
    let hashed = elsewhere(&["hash", "o/a"]).expect(0);
    hashed.says(&["10 tensors fetched, 0 from cache"]);
    assert_eq!(hashed.stdout, right.stdout);
    assert_ne!(hashed.stdout, at.run(&["hash", "o/a"]).expect(0).stdout);
    let survey = ["survey", "o/a", "--formats", "csv", "-o"];
    mirror.run(&[&survey[..], &["right", "--cache-dir", "own"]].concat()).expect(0);
    elsewhere(&[&survey[..], &["found"]].concat()).expect(0).says(&["2 tensors fetched, 0 from cache"]);
    assert_eq!(mirror.read("found/pairs.csv"), mirror.read("right/pairs.csv"));
    // The entries are the mirror's now, and the first Hub fetches its own again.
    at.run(&["hash", "o/a"]).expect(0).says(&["10 tensors fetched, 0 from cache"]);
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
    warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers
    error: `main` of `o/b` is not in the cache, and network access is off
    hint: run once without --offline to download it
    moved 0 bytes in 0 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    let pinned = format!("o/b@{COMMIT}");
    insta::assert_snapshot!(at.run(&["survey", &pinned, "--offline"]).expect(2), @"
    exit status 2
    ----- stderr -----
    warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers
    error: `o/b@c0ffee00` is not in the cache, and network access is off
    hint: run once without --offline (or HF_HUB_OFFLINE) to download it
    moved 0 bytes in 0 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    assert_eq!(at.asked().count(), 0);
    at.close();
    // The headers are known, these tensors are not.
    let other = at.run(&["survey", "o/a", "--offline", "--role", "post_attention_layernorm"]);
    other.says(&["is not in the cache, and network access is off"]);
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

#[test]
fn values_without_their_sidecar_are_unfinished_and_not_broken() {
    let at = warm();
    fs_err::remove_file(at.kept("o/a").join(npy(0).replace(".npy", ".json"))).unwrap();
    at.run(&["cache", "verify"]).expect(0).says(&["1 tensor checked, 0 broken", "1 unfinished"]);
    at.run(&["cache", "ls"]).expect(0).says(&["1 tensor in TMP/store"]);
    at.run(&["fetch", "o/a"]).expect(0).says(&["1 tensor fetched, 1 from cache"]);
}

#[test]
fn what_a_killed_program_left_is_gone_after_the_next_run() {
    let at = warm();
    let left = at.kept("o/a").join(".tmp-left");
    fs_err::write(&left, vec![0; 1000]).unwrap();
    at.run(&["fetch", "o/a"]).expect(0);
    assert!(left.exists(), "nothing was written, so nobody had the lock");
    at.run(&["fetch", "o/a", "--role", "post_attention_layernorm"]).expect(0);
    assert!(!left.exists());
}

#[cfg(unix)]
type Make = fn(&Path);

#[cfg(unix)]
const FOREIGN: [Make; 4] = [
    |path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
    |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
    |path| fs_err::create_dir_all(path.join("inner")).unwrap(),
    |path| {
        // A gigabyte that takes no room.
        fs_err::File::create(path).unwrap().set_len(1 << 30).unwrap();
    },
];

/// Nothing hangs, nothing fills the memory, and one warning is enough.
#[cfg(unix)]
#[test]
fn what_does_not_belong_into_the_cache_is_fetched_again_with_a_warning() {
    let at = warm();
    // By its commit the same is asked each time, whatever is left of the record.
    let pinned = format!("o/a@{COMMIT}");
    fs_err::remove_dir_all(at.cache()).unwrap();
    at.run(&["fetch", &pinned]).expect(0);
    let sound = Workspace::files(&at.kept("o/a"));
    for file in [npy(0), npy(0).replace(".npy", ".json"), "headers.json".to_owned()] {
        for (number, make) in FOREIGN.into_iter().enumerate() {
            let path = at.kept("o/a").join(&file);
            fs_err::remove_file(&path).unwrap();
            make(&path);
            let outcome = at.run(&["fetch", &pinned]).expect(0);
            assert_eq!(Workspace::files(&at.kept("o/a")), sound, "{file} {number}");
            // Values of another length are an accident like others.
            let is_values = file.rsplit_once('.').is_some_and(|(_, end)| end == "npy");
            let is_foreign = !(is_values && number == 3);
            assert_eq!(outcome.stderr.matches("it counts as absent").count(), usize::from(is_foreign), "{outcome}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_no_file_is_said_at_once_and_nothing_is_made_through_it() {
    for make in &FOREIGN[..3] {
        let mut at = Workspace::with_llama(1, 64);
        at.serve();
        fs_err::create_dir_all(at.cache()).unwrap();
        make(&at.cache().join(".lock"));
        let outcome = at.run(&["fetch", "o/a"]);
        assert!(outcome.status > 0, "{outcome}");
        outcome.says(&["`TMP/store/.lock` in the cache is no regular file", "hint: remove it"]);
    }
    let mut at = Workspace::with_llama(1, 64);
    at.serve();
    fs_err::create_dir_all(at.cache()).unwrap();
    std::os::unix::fs::symlink("../made", at.cache().join(".lock")).unwrap();
    at.run(&["fetch", "o/a"]);
    assert!(!at.path().join("made").exists());
}

#[cfg(unix)]
#[test]
fn the_cache_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let at = warm();
    let mode = |path: PathBuf| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    for (name, _) in Workspace::files(&at.cache()) {
        assert_eq!(mode(at.cache().join(&name)), 0o600, "{name}");
    }
    for folder in [at.cache(), at.cache().join("models"), at.kept("o/a")] {
        assert_eq!(mode(folder.clone()), 0o700, "{}", folder.display());
    }
}

#[test]
fn a_folder_that_happens_to_be_called_cache_is_left_alone() {
    let mut at = Workspace::with_llama(1, 64);
    at.serve();
    let run = || {
        at.run_as(&["fetch", "o/a"], |command| {
            command.env_remove("HUB_AUDIT_CACHE");
        })
        .expect(0)
        .stdout
    };
    let folder = at.path().join("cache");
    fs_err::create_dir(&folder).unwrap();
    assert!(run().starts_with("TMP/home/.cache/hub-audit/models/"));
    // Another program's mark is none of ours.
    fs_err::write(folder.join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n# by pip\n").unwrap();
    assert!(run().starts_with("TMP/home/.cache/hub-audit/models/"));
    fs_err::remove_dir_all(&folder).unwrap();
    at.run(&["fetch", "o/a", "--cache-dir", "cache"]).expect(0);
    assert!(run().starts_with("cache/models/"));
}
