//! Serving: the program plays the Hub for another that reads from it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::support::Workspace;

/// A program that is stopped when the story ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_folder_of_checkpoints_is_served_at_the_address_on_the_first_line() {
    let at = Workspace::with_llama(2, 64);
    let child = Command::new(env!("CARGO_BIN_EXE_hub-audit"))
        .args(["serve", "hub"])
        .current_dir(at.path())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut url = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let outcome = at.run(&["fetch", "o/a", "--endpoint", url.trim()]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
}

#[test]
fn a_folder_without_checkpoints_is_not_served() {
    let at = Workspace::new();
    fs_err::create_dir_all(at.path().join("empty/owner/name")).unwrap();
    at.run(&["serve", "nowhere"]).expect(2).says(&["error: cannot read the folder `nowhere`", "hint: "]);
    fs_err::remove_dir_all(at.path().join("empty/owner")).unwrap();
    at.run(&["serve", "empty"]).expect(2).says(&["error: no model below `empty`", "hint: "]);
    at.run(&["serve"]).expect(2);
}
