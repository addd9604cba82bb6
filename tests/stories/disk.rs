//! Disks that are full or may not be written, and entries that were damaged.

use std::path::{Path, PathBuf};

use crate::support::{COMMIT, PROGRAM, Tensor, Workspace, gain, is_one_of, llama_config};

const NORM: &str = "model.layers.0.input_layernorm.weight";

/// Runs the program where no file may grow beyond `blocks` of half a kilobyte (a kilobyte in some shells): as on a full disk,
/// writing fails midway, and it is told so.
fn on_a_full_disk(at: &Workspace, blocks: u32, args: &[&str]) -> crate::support::Outcome {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = at.program(Path::new("/bin/sh"), &[]);
    let output = command.args(["-c", &script, PROGRAM]).args(args).output().unwrap();
    at.outcome(&output)
}

/// A Hub with a llama whose norms have 32 KiB each.
fn wide() -> Workspace {
    let mut at = Workspace::with_llama(1, 8192);
    at.serve();
    at
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing_half() {
    let at = wide();
    let outcome = on_a_full_disk(&at, 16, &["fetch", "o/a"]).expect(1);
    outcome.says(&[
        &format!("tensor `{NORM}` was not fetched"),
        &format!("`TMP/store/models/o/a/{COMMIT}/{NORM}.npy` in the cache cannot be written"),
        "File too large",
    ]);
    let left = Workspace::files(&at.kept("o/a"));
    let left: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).filter(|name| *name != ".lock").collect();
    assert_eq!(left, ["headers.json"]);
    at.asked();
    at.run(&["fetch", "o/a"]).expect(0);
    // What was kept before the disk was full is not paid twice: the branch, the address, the tensor.
    assert_eq!(at.asked().count(), 3);
}

#[test]
fn a_report_that_does_not_fit_on_the_disk_leaves_no_half_of_a_file() {
    let at = wide();
    at.run(&["survey", "o/a", "-o", "whole"]).expect(0);
    let whole = Workspace::files(&at.path().join("whole"));
    let outcome = on_a_full_disk(&at, 4, &["survey", "o/a", "-o", "out"]).expect(2);
    outcome.says(&["error: ", "File too large"]);
    for (name, bytes) in Workspace::files(&at.path().join("out")) {
        // Provenance tells what moved, which differs.
        let is_whole = whole.iter().any(|(known, right)| *known == name && (*right == bytes || name == "report.json"));
        assert!(is_whole, "{name} is half a file, or none of the report's");
    }
}

/// The program as a user who owns nothing here: the superuser may write everywhere.
#[cfg(unix)]
fn as_a_stranger(at: &Workspace, args: &[&str]) -> crate::support::Outcome {
    use std::os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    };
    const NOBODY: u32 = 65534;
    let mode = |path: &Path, mode| {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let is_root = fs_err::metadata(at.path()).unwrap().uid() == 0;
    let mut program = PathBuf::from(PROGRAM);
    if is_root {
        // Where the program was built a stranger may have no entry. Another process copies it: a program that is open for
        // writing here, and so in whatever another story starts meanwhile, could not be run.
        program = at.path().join("program");
        let copied = std::process::Command::new("cp").arg(PROGRAM).arg(&program).status();
        assert!(copied.unwrap().success());
        mode(&program, 0o755);
        mode(at.path(), 0o755);
    }
    let folders = || {
        let mut found = vec![at.cache()];
        let mut next = 0;
        while let Some(folder) = found.get(next).cloned() {
            let entries = fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            found.extend(entries.filter(|path| path.is_dir()));
            next += 1;
        }
        found
    };
    for folder in folders() {
        mode(&folder, 0o555);
    }
    let mut command = at.program(&program, args);
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    for (name, _) in Workspace::files(&at.cache()) {
        mode(&at.cache().join(name), 0o444);
    }
    let output = command.output().unwrap();
    for folder in folders() {
        mode(&folder, 0o755);
    }
    at.outcome(&output)
}

#[cfg(unix)]
#[test]
fn a_cache_that_may_only_be_read_is_read() {
    let at = wide();
    at.run(&["fetch", "o/a"]).expect(0);
    let before = Workspace::files(&at.cache());
    let pinned = format!("o/a@{COMMIT}");
    for model in ["o/a", pinned.as_str()] {
        as_a_stranger(&at, &["fetch", model]).expect(0).says(&["0 tensors fetched, 1 from cache"]);
    }
    assert_eq!(Workspace::files(&at.cache()), before);
}

#[cfg(unix)]
#[test]
fn what_a_cache_that_may_only_be_read_lacks_is_said() {
    let at = wide();
    at.run(&["fetch", "o/a"]).expect(0);
    let outcome = as_a_stranger(&at, &["fetch", "o/a", "--role", "post_attention_layernorm"]).expect(1);
    outcome.says(&["was not fetched", "cannot be written", "Permission denied"]);
    assert_eq!(at.kept_tensors(), 1);
}

#[test]
fn an_entry_without_its_sidecar_is_fetched_again() {
    let at = wide();
    at.run(&["fetch", "o/a"]).expect(0);
    let whole = Workspace::files(&at.kept("o/a"));
    for damage in ["gone", "cut", "flipped"] {
        let sidecar = at.kept("o/a").join(format!("{NORM}.json"));
        let mut text = fs_err::read(&sidecar).unwrap();
        match damage {
            "gone" => fs_err::remove_file(&sidecar).unwrap(),
            "cut" => fs_err::write(&sidecar, &text[..text.len() / 2]).unwrap(),
            _ => {
                let digit = text.iter().position(u8::is_ascii_digit).unwrap();
                text[digit] ^= 1;
                fs_err::write(&sidecar, text).unwrap();
            }
        }
        at.run(&["survey", "o/a"]).expect(0).says(&["1 tensor fetched, 0 from cache"]);
        assert_eq!(Workspace::files(&at.kept("o/a")), whole, "{damage}");
    }
}

#[test]
fn a_broken_record_of_a_commit_is_asked_again() {
    let at = wide();
    // By its commit the same is asked each time, whatever is left of the record.
    let pinned = format!("o/a@{COMMIT}");
    at.run(&["fetch", &pinned]).expect(0);
    let record = at.kept("o/a").join("headers.json");
    let whole = fs_err::read(&record).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    for broken in [String::new(), "{".to_owned(), text.replacen("8192", "8191", 1)] {
        assert_ne!(broken, text);
        fs_err::write(&record, broken).unwrap();
        at.run(&["fetch", &pinned]).expect(0).says(&["0 tensors fetched, 1 from cache"]);
        assert_eq!(fs_err::read(&record).unwrap(), whole);
    }
}

#[test]
fn names_that_would_meet_in_one_file_are_kept_apart() {
    let mut at = Workspace::new();
    let long = "x".repeat(300);
    let names = ["a/b_c", "a_b/c", "a%2Fb_c", "..", "headers", "con", &long, &format!("{long}y")];
    let tensors: Vec<Tensor> = names.iter().zip(1..).map(|(name, seed)| Tensor::f32(name, &gain(seed, 16))).collect();
    // The same again where a repository's own name could meet another's.
    for id in ["a/b_c", "a_b/c"] {
        at.model(id, &llama_config(1, 16), &tensors);
    }
    at.serve();
    for id in ["a/b_c", "a_b/c"] {
        at.run(&["fetch", id, "--tensor", ""]).expect(0);
        let mut kept: Vec<Vec<u8>> = Workspace::files(&at.kept(id))
            .into_iter()
            .filter(|(name, _)| is_one_of(name, &["npy"]))
            .map(|(_, bytes)| bytes)
            .collect();
        kept.sort();
        kept.dedup();
        assert_eq!(kept.len(), names.len());
    }
    at.run(&["cache", "verify"]).expect(0).says(&["16 tensors checked, 0 broken"]);
    let outside = Workspace::files(at.path());
    assert!(outside.iter().all(|(name, _)| name.starts_with("hub/") || name.starts_with("store/")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_made_is_refused_before_anything_is_asked() {
    let mut at = Workspace::with_llama(2, 64);
    at.serve();
    for folder in ["/proc/x", "/proc/x/y", "/sys/x"] {
        let outcome = at.run(&["survey", "o/a", "-o", folder]).expect(2);
        outcome
            .says(&[&format!("error: cannot create the folder `{folder}`"), "hint: name a folder that can be created"]);
        assert_eq!(at.asked().count(), 0);
    }
}
