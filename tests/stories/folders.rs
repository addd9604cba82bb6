//! Folders on this machine that are not what they seem: files that change under the reader, pipes and devices in the place of files.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use hub_audit::serve::{Intercept, Listener, LoggedRequest};

use crate::support::{Tensor, Workspace, llama, llama_config, rows, shard};

/// A Hub with `o/a`, and beside it a folder with another model of the same form.
fn beside() -> (Workspace, PathBuf) {
    let at = Workspace::with_llama(2, 64);
    let folder = at.path().join("local");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("config.json"), llama_config(2, 64).to_string()).unwrap();
    fs_err::write(folder.join("model.safetensors"), shard(&llama(2, 2, 64)).bytes).unwrap();
    (at, folder)
}

/// Does something once, before the first byte of weights of the Hub's model is answered. Headers do not count: they are read while
/// the folder may not have been listed yet.
fn meanwhile(act: impl Fn() + Send + Sync + 'static) -> Intercept {
    let done = std::sync::Once::new();
    Intercept::new(move |request: &LoggedRequest| {
        let is_header = request.range.as_deref().is_none_or(|range| range.starts_with("bytes=0-"));
        if request.listener == Listener::Cdn && !is_header {
            done.call_once(&act);
        }
        None
    })
}

#[test]
fn a_folder_that_changes_while_it_is_read_is_an_error() {
    type Harm = fn(&Path);
    let harms: [(Harm, &str); 3] = [
        (
            |folder| fs_err::write(folder.join("model.safetensors"), shard(&llama(3, 2, 64)).bytes).unwrap(),
            "was written to",
        ),
        (
            |folder| {
                fs_err::write(folder.join("new"), shard(&llama(3, 2, 64)).bytes).unwrap();
                fs_err::rename(folder.join("new"), folder.join("model.safetensors")).unwrap();
            },
            "another file took its place",
        ),
        (|folder| fs_err::remove_file(folder.join("model.safetensors")).unwrap(), "it is gone"),
    ];
    for (harm, said) in harms {
        for command in [&["compare", "./local", "o/a"][..], &["hash", "./local", "o/a"], &["survey", "./local", "o/a"]]
        {
            let (mut at, folder) = beside();
            at.serve_with(move |options| options.intercept = Some(meanwhile(move || harm(&folder))));
            let outcome = at.run(command).expect(2);
            outcome.says(&["changed while it was read: it", said, "hint: run again when nothing writes to the folder"]);
            assert_eq!(outcome.stdout, "", "{command:?}");
            // Once, and not for each of its tensors.
            assert_eq!(outcome.stderr.matches("changed while it was read").count(), 1, "{outcome}");
        }
    }
}

#[test]
fn a_file_beside_the_model_may_change() {
    let (mut at, folder) = beside();
    fs_err::write(folder.join("trainer_state.json"), "{}").unwrap();
    let log = folder.join("trainer_state.json");
    at.serve_with(move |options| options.intercept = Some(meanwhile(move || fs_err::write(&log, "{ }").unwrap())));
    at.run(&["compare", "./local", "o/a"]).expect(0);
}

#[test]
fn a_pipe_or_device_is_refused_by_its_kind() {
    for name in ["model.safetensors", "config.json", "tokenizer.json", "model.safetensors.index.json"] {
        let (at, folder) = beside();
        let file = folder.join(name);
        let _ = fs_err::remove_file(&file);
        symlink("/dev/zero", &file).unwrap();
        at.run(&["inspect", "./local"]).expect(2).says(&[&format!("local/{name}` is a device, and no regular file")]);
        fs_err::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        for command in ["inspect", "hash"] {
            at.run(&[command, "./local"]).expect(2).says(&[&format!("local/{name}` is a pipe, and no regular file")]);
        }
    }
}

/// Bytes other than 0 and 1 are no booleans: that is said wherever they come from, and no number is made of them.
#[test]
fn booleans_are_the_same_in_a_folder_and_on_the_hub() {
    let mut at = Workspace::new();
    let mask = |byte: u8| Tensor::raw("model.layers.0.mask", "BOOL", &[6], vec![0, 1, 1, 0, byte, 1]);
    for (id, byte) in [("o/a", 0), ("o/b", 1), ("o/odd", 2), ("o/odder", 255)] {
        let mut tensors = llama(1, 1, 64);
        tensors.push(mask(byte));
        at.model(id, &llama_config(1, 64), &tensors);
    }
    at.serve();
    let here = |id: &str| format!("./hub/{id}");
    let mask_row = |folder: &str| {
        let found = rows(&at.read(&format!("{folder}/pairs.csv")));
        let row = found.into_iter().find(|row| row["tensor_a"] == "model.layers.0.mask").unwrap();
        (row["cos_sim"].clone(), row["undefined"].clone())
    };
    let args = ["compare", "--formats", "csv", "-o"];
    at.run(&[&args[..], &["hub", "o/a", "o/b"]].concat()).expect(0);
    at.run(&[&args[..], &["folder", &here("o/a"), &here("o/b")]].concat()).expect(0);
    assert_eq!(mask_row("hub"), mask_row("folder"));
    // By hand: [0 1 1 0 0 1] and [0 1 1 0 1 1] have 3 ones in common, 3/sqrt(3 * 4).
    assert!((mask_row("hub").0.parse::<f64>().unwrap() - 0.75_f64.sqrt()).abs() < 1e-15);
    let said = "element 4 of a BOOL tensor is byte 0x";
    for (id, byte) in [("o/odd", "02"), ("o/odder", "ff")] {
        for (odd, sound) in [(id.to_owned(), "o/a".to_owned()), (here(id), here("o/a"))] {
            let outcome = at.run(&["compare", &odd, &sound, "--formats", "csv", "-o", "odd"]).expect(1);
            let (cosine, undefined) = mask_row("odd");
            assert!(cosine.is_empty() && (undefined + &outcome.stderr).contains(&format!("{said}{byte}")), "{outcome}");
            let hashed = at.run(&["hash", &odd]).expect(1);
            assert!(hashed.stderr.contains(&format!("{said}{byte}, neither 0 nor 1")), "{hashed}");
            assert!(hashed.stdout.lines().count() > 5 && !hashed.stdout.contains("mask"), "{hashed}");
        }
    }
}

#[test]
fn an_index_above_64_mib_is_refused_unread() {
    let (at, folder) = beside();
    let index = fs_err::File::create(folder.join("model.safetensors.index.json")).unwrap();
    index.set_len(64 * 1024 * 1024 + 1).unwrap();
    let outcome = at.run(&["inspect", "./local"]).expect(2);
    outcome.says(&[
        "file `model.safetensors.index.json` of",
        "has 67108865 bytes, more than the 67108864 bytes read at most",
    ]);
}
