//! Help that helps: examples that do what they say, values that are listed and completed, and what program this is.

use std::path::Path;

use serde_json::json;

use crate::support::{Outcome, PROGRAM, Tensor, Workspace, gain, llama_config};

/// Commands whose examples are run, in an order in which what one needs is there. `serve` runs until it is stopped.
const COMMANDS: [&str; 12] = [
    "inspect",
    "fetch",
    "lineage",
    "layers",
    "compare",
    "hash",
    "survey",
    "critique",
    "embeddings",
    "completions",
    "man",
    "cache",
];

const WIDTH: usize = 32;

/// A small llama in the folder `name`, whose weights are seed `near` and a little of seed `own`.
fn folder(at: &Workspace, name: &str, near: u64, own: u64) {
    let values = |salt: u64, count: usize, centre: f32| -> Vec<f32> {
        let (base, change) = (gain(near * 100 + salt, count), gain(own * 100 + salt, count));
        base.iter().zip(change).map(|(base, change)| base - 1.0 + 0.05 * (change - 1.0) + centre).collect()
    };
    let matrix = |tensor: &str, salt: u64, rows: usize| {
        let bytes = Tensor::bf16("", &values(salt, rows * WIDTH, 0.0)).bytes;
        Tensor::raw(tensor, "BF16", &[rows as u64, WIDTH as u64], bytes)
    };
    let mut tensors = vec![matrix("model.embed_tokens.weight", 0, 60)];
    for layer in 0..3_u64 {
        let name = |role: &str| format!("model.layers.{layer}.{role}.weight");
        tensors.push(Tensor::bf16(&name("input_layernorm"), &values(layer * 10 + 1, WIDTH, 1.0)));
        tensors.push(Tensor::bf16(&name("post_attention_layernorm"), &values(layer * 10 + 2, WIDTH, 1.0)));
        for (salt, role) in (3..).zip(["self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj"]) {
            tensors.push(matrix(&name(role), layer * 10 + salt, WIDTH));
        }
    }
    let mut config = llama_config(3, WIDTH);
    config["num_attention_heads"] = json!(4);
    at.model(&format!("o/{name}"), &config, &tensors);
    fs_err::rename(at.repo(&format!("o/{name}")), at.path().join(name)).unwrap();
}

/// A place with what the examples name, whose Hub has the nine models.
fn place() -> Workspace {
    let mut at = Workspace::new();
    folder(&at, "base", 1, 2);
    folder(&at, "tuned", 1, 3);
    fs_err::write(at.path().join("list.txt"), "# of one family\n./base\n./tuned group=chat\n").unwrap();
    for folder in [".local/share/bash-completion/completions", ".config/fish/completions"] {
        fs_err::create_dir_all(at.path().join("home").join(folder)).unwrap();
    }
    at.serve_replica();
    at
}

/// Runs a line as a shell does.
fn typed(at: &Workspace, line: &str) -> Outcome {
    let mut shell = at.program(Path::new("bash"), &["-c", line]);
    let folder = Path::new(PROGRAM).parent().unwrap();
    let output = shell.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).output().unwrap();
    at.outcome(&output)
}

#[test]
fn every_example_of_the_help_does_what_it_says() {
    let at = place();
    let mut lines = Vec::new();
    for command in COMMANDS {
        let help = at.run(&[command, "--help"]).expect(0);
        let (_, examples) = help.stdout.split_once("Examples:\n").expect(command);
        lines.extend(
            examples.lines().filter(|line| line.starts_with("  hub-audit ")).map(|line| line.trim().to_owned()),
        );
    }
    assert!(lines.len() > 2 * COMMANDS.len(), "{lines:#?}");
    for line in &lines {
        let outcome = typed(&at, line);
        // ./tuned is made of ./base: what asks for such a pair finds it.
        let expected = if line.contains("--fail-if") { 3 } else { 0 };
        assert_eq!(outcome.status, expected, "{line}\n{outcome}");
    }
    for written in ["report/REPORT.md", "layers/REPORT.md", "results/pairs.csv", "study-ko/REPORT.md"] {
        assert!(at.path().join(written).is_file(), "{written}");
    }
}

#[test]
fn the_short_help_is_a_sentence_an_option_and_the_long_one_tells_all() {
    let at = Workspace::new();
    for command in COMMANDS {
        let [short, long] = ["-h", "--help"].map(|help| at.run(&[command, help]).expect(0).stdout);
        assert!(!short.contains("Examples:") && long.contains("Examples:"), "{command}");
        assert!(short.lines().count() < long.lines().count(), "{command}");
    }
}

#[test]
fn what_an_option_takes_is_listed() {
    let at = Workspace::new();
    // Columns differ with the width of a terminal.
    let long = |command: &str| {
        let help = at.run(&[command, "--help"]).expect(0).stdout;
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (command, listed) in [
        ("survey", "norms: input_layernorm, post_attention_layernorm, attn_output_norm"),
        ("survey", "matrices: q_proj, k_proj"),
        ("survey", "metrics: cos_sim, cos_null"),
        ("survey", "[possible values: csv, json, md, html, svg, png, pdf]"),
        ("survey", "[possible values: same, depth, all, mixed]"),
        ("layers", "[possible values: heads, attention, mlp-rotation, mlp-permutation]"),
        ("lineage", "[possible values: all, mlp, heads, experts, norms, embeddings]"),
        ("critique", "[possible values: en, ko]"),
        ("compare", "others: mixer_other, "),
    ] {
        assert!(long(command).contains(listed), "{command}: {listed}\n{}", long(command));
    }
    // What is listed may still stand together.
    at.run(&["survey", "--demo", "--role", "q_norm,norms", "--metric", "pearson,l2", "--dry-run"]).expect(0);
}

#[test]
fn the_demo_alone_has_models_for_every_command() {
    let at = Workspace::new();
    let lines = |words: &[&str]| at.run(words).expect(0).stdout.lines().count();
    assert_eq!(lines(&["inspect", "--demo", "--format", "csv"]), 1 + 9);
    assert_eq!(lines(&["fetch", "--demo"]), 9);
    assert_eq!(lines(&["survey", "--demo", "--format", "csv"]), 1 + 9 * 8 / 2);
    // No two have a file in common.
    assert_eq!(lines(&["hash", "--demo", "--files"]), 1);
    assert!(lines(&["hash", "--demo", "--files", "zai-org/GLM-4.5-Air"]) > 40);
    for command in ["hash", "compare"] {
        let outcome = at.run(&[command, "--demo", "--format", "csv"]).expect(0);
        outcome
            .says(&["--demo without models: final norms and those of layer 10; --role and --layers choose others\n"]);
        let is_norm = |line: &&str| line.contains("model.layers.10.") || line.contains("model.norm.");
        let norms = outcome.stdout.lines().filter(is_norm).count();
        assert_eq!(norms, outcome.stdout.lines().count() - 1, "{outcome}");
    }
    at.run(&["fetch", "--demo", "--revision", "v1"]).expect(2).says(&["--revision applies to models that you give"]);
    for command in ["inspect", "fetch", "hash", "survey", "layers", "compare", "embeddings", "lineage", "critique"] {
        let help = at.run(&[command, "--help"]).expect(0).stdout;
        assert!(["upstage/Solar-Open-100B", "Qwen/Qwen1.5-7B-Chat"].iter().all(|model| help.contains(model)), "{help}");
    }
}

/// What bash offers for a line that ends where the cursor is.
fn offered(at: &Workspace, words: &[&str]) -> Vec<String> {
    let script = r#"source <(hub-audit completions bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _hub__audit hub-audit "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = at.program(Path::new("bash"), &["-c", script, "bash", "hub-audit"]);
    let folder = Path::new(PROGRAM).parent().unwrap();
    let output = bash.args(words).env("PATH", format!("{}:/usr/bin:/bin", folder.display())).output().unwrap();
    let outcome = at.outcome(&output).expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_options_subcommands_and_words() {
    let at = Workspace::new();
    assert_eq!(offered(&at, &["survey", "--me"]), ["--metric"]);
    assert_eq!(offered(&at, &["survey", "--role", "inp"]), ["input_layernorm"]);
    assert_eq!(offered(&at, &["survey", "--metric", "pea"]), ["pearson"]);
    assert_eq!(offered(&at, &["survey", "--pairing", ""]), ["same", "depth", "all", "mixed"]);
    assert_eq!(offered(&at, &["layers", "--align", "mlp"]), ["mlp-rotation", "mlp-permutation"]);
    assert_eq!(offered(&at, &["compare", "--formats", "h"]), ["html"]);
    let of_cache = offered(&at, &["cache", ""]);
    for command in ["ls", "verify", "prune", "rm", "dir"] {
        assert!(of_cache.contains(&command.to_owned()), "{of_cache:?}");
    }
}

#[test]
fn the_version_says_what_was_built() {
    let at = Workspace::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(at.run(&["-V"]).expect(0).stdout, format!("hub-audit {version}\n"));
    let long = at.run(&["--version"]).expect(0).stdout;
    let commit = option_env!("HUB_AUDIT_COMMIT").map_or_else(String::new, |commit| format!(" (commit {commit})"));
    let platform = format!("platform: {} {}", std::env::consts::OS, std::env::consts::ARCH);
    assert_eq!(long, format!("hub-audit {version}{commit}\n{platform}\nfeatures: hf-cache, png, serve\n"));
}

#[test]
fn where_two_models_are_wanted_the_usage_says_so() {
    let at = Workspace::new();
    for command in ["compare", "embeddings"] {
        let usage = format!("Usage: hub-audit {command} [OPTIONS] <A> <B>\n");
        let help = at.run(&[command, "--help"]).expect(0);
        assert!(help.stdout.contains(&usage), "{help}");
        at.run(&[command, "--no-such-option"]).expect(2).says(&[&usage]);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let at = Workspace::new();
    let written = at.run(&["man", "pages"]).expect(0).stdout;
    assert_eq!(written.lines().count(), COMMANDS.len() + 2, "{written}");
    for command in COMMANDS.iter().chain(&["serve"]) {
        let page = fs_err::read_to_string(at.path().join(format!("pages/hub-audit-{command}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("Examples:"), "{page}");
    }
    let program = fs_err::read_to_string(at.path().join("pages/hub-audit.1")).unwrap();
    // Roman's hyphens are escaped, so that a terminal's search finds them.
    assert!(program.contains("hub\\-audit\\-survey(1)"), "{program}");
}

#[test]
fn messages_have_colors_only_when_they_are_wanted() {
    let at = Workspace::new();
    let stderr = |color: &[&str]| at.run(&[&["survey"], color].concat()).expect(2).stderr;
    assert!(!stderr(&[]).contains('\u{1b}'));
    assert!(!stderr(&["--color", "never"]).contains('\u{1b}'));
    assert!(
        stderr(&["--color", "always"]).contains("\u{1b}[1m") || stderr(&["--color", "always"]).contains("\u{1b}[31m")
    );
}
