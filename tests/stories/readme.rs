//! What is written about the program is what the program says.

use crate::support::Workspace;

/// Precedes the block of the README that holds the help text.
const MARK: &str = "<!-- usage -->";

#[test]
fn the_readme_shows_the_help_text_as_it_is() {
    let readme = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let after = readme.split_once(MARK).expect("the mark stands before the block").1;
    let block = after.trim_start().strip_prefix("```text\n").and_then(|rest| rest.split_once("\n```"));
    let help = Workspace::new().run(&["--help"]).expect(0);
    assert_eq!(block.map(|(block, _)| block.trim_end()), Some(help.stdout.trim_end()));
}

#[test]
fn every_command_explains_itself() {
    let at = Workspace::new();
    for command in ["inspect", "fetch", "survey", "embeddings", "cache", "serve", "completions"] {
        let help = at.run(&[command, "--help"]).expect(0);
        assert!(help.stdout.contains(&format!("Usage: hub-audit {command}")), "{help}");
    }
    at.run(&["--version"]).expect(0);
    at.run(&["nonsense"]).expect(2);
}

#[test]
fn completions_are_scripts_that_know_the_commands() {
    let at = Workspace::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = at.run(&["completions", shell]).expect(0);
        assert!(script.stdout.contains("survey") && script.stdout.contains("max-bytes"), "{shell}");
    }
}
