//! Folders on this machine that are not what they seem: files that change under the reader, pipes and devices in the place of files.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use hub_audit::serve::{Intercept, Listener, LoggedRequest};

use crate::support::{Workspace, llama, llama_config, shard};

/// A Hub with `o/a`, and beside it a folder with another model of the same form.
fn beside() -> (Workspace, PathBuf) {
    let at = Workspace::with_llama(2, 64);
    let folder = at.path().join("local");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("config.json"), llama_config(2, 64).to_string()).unwrap();
    fs_err::write(folder.join("model.safetensors"), shard(&llama(2, 2, 64)).bytes).unwrap();
    (at, folder)
}

/// Does something once, before the first byte of weights of the Hub's model is answered.
fn meanwhile(act: impl Fn() + Send + Sync + 'static) -> Intercept {
    let done = std::sync::Once::new();
    Intercept::new(move |request: &LoggedRequest| {
        if request.listener == Listener::Cdn {
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
