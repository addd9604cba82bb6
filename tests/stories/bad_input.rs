//! What bad input gets: one clear error with repository, file and figures, a hint where there is one, exit status 2, and
//! nothing half-written.

use hub_audit::serve::Fault;
use serde_json::json;

use crate::support::{Outcome, Shard, Tensor, Workspace, always, gain, llama_config};

/// A Hub with one good model and one repository for each way of being closed.
fn closed_doors() -> Workspace {
    let mut at = Workspace::with_llama(2, 64);
    for (id, part) in [
        ("o/private", json!({ "private": true })),
        ("o/gated", json!({ "gated": "manual" })),
        ("o/off", json!({ "disabled": true })),
    ] {
        at.llama(id, 2, 2, 64);
        at.part(id, &part);
    }
    at.serve();
    at
}

/// Runs a survey that must not come to anything, with this token.
#[track_caller]
fn refused(at: &Workspace, model: &str, token: Option<&str>) -> Outcome {
    let outcome = at.run_as(&["survey", model, "-q", "-o", "out"], |command| {
        if let Some(token) = token {
            command.env("HF_TOKEN", token);
        }
    });
    assert!(!at.path().join("out").exists(), "{outcome}");
    assert_eq!(at.kept_tensors(), 0);
    outcome.expect(2)
}

#[test]
fn a_typo_in_a_repository_is_said_with_advice() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/aa", None), @"
    exit status 2
    ----- stderr -----
    error: repository `o/aa` does not exist, or it is private
    hint: check the spelling of `o/aa`; for a private repository give a token by HF_TOKEN or --token-file
    ");
    // Of the commit, and of the configuration, which does not wait for it.
    assert!(at.asked().count() <= 2);
    insta::assert_snapshot!(refused(&at, "o/aa", Some("hf_test")), @"
    exit status 2
    ----- stderr -----
    error: repository `o/aa` does not exist, or the token has no access to it
    hint: check the spelling of `o/aa`, and that the token's account may read it
    ");
}

#[test]
fn a_private_repository_looks_absent_without_the_right_token() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/private", None), @"
    exit status 2
    ----- stderr -----
    error: repository `o/private` does not exist, or it is private
    hint: check the spelling of `o/private`; for a private repository give a token by HF_TOKEN or --token-file
    ");
    insta::assert_snapshot!(refused(&at, "o/private", Some("hf_stranger")), @"
    exit status 2
    ----- stderr -----
    error: repository `o/private` does not exist, or the token has no access to it
    hint: check the spelling of `o/private`, and that the token's account may read it
    ");
    at.run_as(&["fetch", "o/private"], |command| {
        command.env("HF_TOKEN", "hf_test");
    })
    .expect(0);
}

#[test]
fn a_gated_repository_says_how_to_get_in() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/gated", None), @"
    exit status 2
    ----- stderr -----
    error: repository `o/gated` is gated, and no token was given
    hint: accept the conditions on the page of `o/gated`, then give a token by HF_TOKEN or --token-file
    ");
    insta::assert_snapshot!(refused(&at, "o/gated", Some("hf_stranger")), @"
    exit status 2
    ----- stderr -----
    error: repository `o/gated` is gated, and the token's account has no access to it
    hint: accept the conditions on the page of `o/gated`, then give a token by HF_TOKEN or --token-file
    ");
    at.run_as(&["fetch", "o/gated"], |command| {
        command.env("HF_TOKEN", "hf_test");
    })
    .expect(0);
}

#[test]
fn a_disabled_repository_and_a_token_that_is_not_known_are_said() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/off", Some("hf_test")), @"
    exit status 2
    ----- stderr -----
    error: access to repository `o/off` has been disabled by the Hub
    ");
    insta::assert_snapshot!(refused(&at, "o/a", Some("hf_unknown")), @"
    exit status 2
    ----- stderr -----
    error: the Hub does not accept the token
    hint: renew HF_TOKEN (or the token file), or use --no-token for public repositories
    ");
}

#[test]
fn a_missing_revision_is_named() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/a@v2", None), @"
    exit status 2
    ----- stderr -----
    error: repository `o/a` has no revision `v2`
    hint: name a branch, a tag or a commit after `@`
    ");
    let commit = format!("o/a@{}", "d".repeat(40));
    insta::assert_snapshot!(refused(&at, &commit, None), @"
    exit status 2
    ----- stderr -----
    error: repository `o/a` has no revision `dddddddddddddddddddddddddddddddddddddddd`
    hint: name a branch, a tag or a commit after `@`
    ");
}

#[test]
fn what_is_no_model_at_all_is_refused_without_a_request() {
    let at = closed_doors();
    insta::assert_snapshot!(refused(&at, "o/a/b/c", None), @"
    exit status 2
    ----- stderr -----
    error: `o/a/b/c` is not a model: an id has the form owner/name, with one `/`
    hint: write owner/name, owner/name@revision, or a folder as ./path, /path or file:path
    ");
    insta::assert_snapshot!(refused(&at, "./nowhere", None), @"
    exit status 2
    ----- stderr -----
    error: `./nowhere` is not a folder
    hint: name a folder that holds a checkpoint, or a model on the Hub as `owner/name`
    ");
    assert_eq!(at.asked().count(), 0);
    let none = at.run(&["survey"]).expect(2);
    none.says(&["error: no models given", "hint: pass model ids or --models FILE"]);
}

#[test]
fn weights_in_other_formats_are_listed_and_not_downloaded() {
    let mut at = Workspace::new();
    at.file("o/bin", "config.json", llama_config(1, 64).to_string());
    at.file("o/bin", "pytorch_model-00001-of-00002.bin", [0; 70]);
    at.file("o/bin", "pytorch_model-00002-of-00002.bin", [0; 30]);
    at.file("o/gguf", "config.json", "{}");
    at.file("o/gguf", "model-Q4_K_M.gguf", "GGUF and so on");
    at.file("o/none", "config.json", "{}");
    at.serve();
    insta::assert_snapshot!(refused(&at, "o/bin", None), @"
    exit status 2
    ----- stderr -----
    error: `o/bin@c0ffee00` has no checkpoint that can be read
    caused by: there is no safetensors file; there is instead 2 `.bin` (100 bytes)
    hint: only safetensors is read; look for a converted copy, or for a pull request of the Hub's conversion bot (`MODEL@refs/pr/N`)
    ");
    insta::assert_snapshot!(refused(&at, "o/gguf", None), @"
    exit status 2
    ----- stderr -----
    error: `o/gguf@c0ffee00` has no checkpoint that can be read
    caused by: there is no safetensors file; there is instead 1 `.gguf` (14 bytes)
    hint: only safetensors is read; look for a converted copy, or for a pull request of the Hub's conversion bot (`MODEL@refs/pr/N`)
    ");
    insta::assert_snapshot!(refused(&at, "o/none", None), @"
    exit status 2
    ----- stderr -----
    error: `o/none@c0ffee00` has no checkpoint that can be read
    caused by: there is no safetensors file, nor weights in any other known format
    hint: check the name: the repository may be a data set, a gated stub, or empty
    ");
    let asked = at.asked();
    assert_eq!(asked.to_cdn().count() + asked.hub_paths_with(".bin") + asked.hub_paths_with(".gguf"), 0);
}

#[test]
fn a_page_for_people_instead_of_json_is_recognised() {
    let mut at = Workspace::with_llama(1, 64);
    let page = Fault::Reply {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<!doctype html>\n<html><title>Log in to the guest network</title>".to_vec(),
    };
    at.serve_with(|options| options.intercept = Some(always(|_| true, page)));
    insta::assert_snapshot!(refused(&at, "o/a", None), @"
    exit status 2
    ----- stderr -----
    error: HUB answered `o/a` with `text/html` instead of JSON; it begins with `<!doctype html> <html><title>Log in to the guest network</ti…`
    hint: the address may not be a Hub, or a proxy or login page may stand before it; check --endpoint
    ");
    // Of the commit, and of the configuration, which does not wait for it.
    assert!(at.asked().count() <= 2);
}

#[test]
fn json_of_another_form_is_recognised() {
    let mut at = Workspace::with_llama(1, 64);
    let other = Fault::Reply {
        status: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: br#"{"hello":"world"}"#.to_vec(),
    };
    at.serve_with(|options| options.intercept = Some(always(|_| true, other)));
    insta::assert_snapshot!(refused(&at, "o/a", None), @"
    exit status 2
    ----- stderr -----
    error: HUB answered `o/a` with JSON of another form than the Hub's
    caused by: missing field `sha` at line 1 column 17
    hint: the address may not be a Hub, or a proxy or login page may stand before it; check --endpoint
    ");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let at = Workspace::with_llama(1, 64);
    let outcome = at.run(&["inspect", "o/a", "--endpoint", "huggingface.co"]).expect(2);
    insta::assert_snapshot!(outcome, @"
    exit status 2
    ----- stderr -----
    error: `huggingface.co` cannot be the Hub's address: relative URL without a base
    hint: give the Hub's base URL, such as https://huggingface.co
    ");
}

/// What is said of a model whose one file holds these bytes: on the Hub, and from its folder, where it must be the same.
#[track_caller]
fn said_of(bytes: &[u8]) -> String {
    let mut at = Workspace::new();
    at.file("o/bad", "config.json", llama_config(1, 64).to_string());
    at.file("o/bad", "model.safetensors", bytes);
    at.serve();
    let outcome = refused(&at, "o/bad", None);
    let asked = at.asked();
    assert!(asked.to_cdn().count() <= 2, "{asked:?}");
    let local = refused(&at, &format!("file:{}", at.repo("o/bad").display()), None);
    let said = outcome.stderr.replace("`o/bad@c0ffee00`", "MODEL");
    assert_eq!(said, local.stderr.replace("`TMP/hub/o/bad`", "MODEL"));
    said
}

/// A header with these entries over a file of `data` bytes of tensors.
#[track_caller]
fn said_of_header(entries: &str, data: usize) -> String {
    said_of(&Shard::with_header(&format!("{{{entries}}}"), data))
}

#[test]
fn a_header_that_is_cut_short_is_refused() {
    let whole = Shard::with_header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8);
    insta::assert_snapshot!(said_of(&whole[..40]), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the header claims 54 bytes, but the file has 40 in all
    ");
    insta::assert_snapshot!(said_of(&whole[..5]), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the file has 5 bytes, and a safetensors file has at least 8
    ");
    insta::assert_snapshot!(said_of(&Shard::with_header(r#"{"a":{"dtype":"F32","sha"#, 8)), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the header is not valid JSON
    caused by: EOF while parsing a string at line 1 column 24
    ");
}

#[test]
fn a_header_longer_than_the_file_or_than_any_header_is_refused() {
    let mut past_end = Shard::with_header("{}", 100);
    past_end[..8].copy_from_slice(&1_000_u64.to_le_bytes());
    insta::assert_snapshot!(said_of(&past_end), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the header claims 1000 bytes, but the file has 110 in all
    ");
    let mut too_long = Shard::with_header("{}", 100);
    too_long[..8].copy_from_slice(&25_000_001_u64.to_le_bytes());
    insta::assert_snapshot!(said_of(&too_long), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the header claims 25000001 bytes, above the limit of 25000000
    ");
    too_long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    insta::assert_snapshot!(said_of(&too_long), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the header claims 18446744073709551615 bytes, above the limit of 25000000
    ");
}

#[test]
fn tensors_that_overlap_or_leave_the_file_are_refused() {
    let overlap =
        r#""a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}"#;
    insta::assert_snapshot!(said_of_header(overlap, 12), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: tensor `b` begins at byte 4, inside the one that ends at 8
    ");
    let hole =
        r#""a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[9,17]}"#;
    insta::assert_snapshot!(said_of_header(hole, 17), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: tensor `b` begins at byte 9, leaving a hole from 8
    ");
    let outside = r#""a":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}"#;
    insta::assert_snapshot!(said_of_header(outside, 8), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: header and tensors make 127 bytes, but the file has 71
    hint: the file is cut short: download or upload it again
    ");
    insta::assert_snapshot!(said_of_header(outside, 65), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: header and tensors make 127 bytes, but the file has 128
    ");
}

#[test]
fn a_shape_that_does_not_fill_its_bytes_is_refused() {
    let size = r#""model.norm.weight":{"dtype":"BF16","shape":[4,4],"data_offsets":[0,31]}"#;
    insta::assert_snapshot!(said_of_header(size, 31), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: tensor `model.norm.weight` of BF16 [4, 4] needs 32 bytes and has 31
    ");
    let endless = r#""a":{"dtype":"BF16","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#;
    insta::assert_snapshot!(said_of_header(endless, 0), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: tensor `a` of shape [4294967296, 4294967296] has more elements than can be counted
    ");
}

#[test]
fn a_name_that_is_used_twice_is_refused_and_shown_harmlessly() {
    let twice = r#""a\u001b[31m":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a\u001b[31m":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    insta::assert_snapshot!(said_of_header(twice, 1), @r"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: tensor `a\u{1b}[31m` is described twice
    ");
}

#[test]
fn what_is_something_else_is_called_by_its_name() {
    insta::assert_snapshot!(said_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the file is a git-lfs pointer, not safetensors
    hint: the folder holds git's pointers and not the files: run `git lfs pull` in it
    ");
    insta::assert_snapshot!(said_of(b"<!DOCTYPE html><html><body>Not Found</body></html>"), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the file is a web page, not safetensors
    hint: the server answered with a message instead of the file: check the endpoint, a proxy, or access to the repository
    ");
    insta::assert_snapshot!(said_of(b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), @"
    error: shard `model.safetensors` of MODEL cannot be read
    caused by: the file is a GGUF file, not safetensors
    hint: only safetensors files are read; look for a converted copy of the model
    ");
}

#[test]
fn an_index_that_leads_out_of_the_repository_is_refused_and_not_followed() {
    let mut at = Workspace::with_llama(1, 64);
    at.file("o/bad", "config.json", llama_config(1, 64).to_string());
    at.file("o/bad", "model-00001-of-00001.safetensors", [0; 16]);
    let index = r#"{"weight_map":{"model.norm.weight":"%2e%2e/%2e%2e/a/resolve/main/model.safetensors"}}"#;
    at.file("o/bad", "model.safetensors.index.json", index);
    at.serve();
    insta::assert_snapshot!(refused(&at, "o/bad", None), @"
    exit status 2
    ----- stderr -----
    error: file `model.safetensors.index.json` of `o/bad@c0ffee00` cannot be used
    caused by: the index places tensor `model.norm.weight` in `%2e%2e/%2e%2e/a/resolve/main/model.safetensors`: the path has an empty, `.` or `..` segment
    hint: nothing was fetched by that path; report the repository to the Hub
    ");
    let asked = at.asked();
    assert_eq!(asked.to_cdn().count() + asked.hub_paths_with("o/a"), 0);
}

#[test]
fn a_configuration_that_is_no_json_is_said() {
    let mut at = Workspace::with_llama(1, 64);
    at.file("o/a", "config.json", "{\"model_type\": ");
    at.serve();
    insta::assert_snapshot!(refused(&at, "o/a", None), @"
    exit status 2
    ----- stderr -----
    error: file `config.json` of `o/a@c0ffee00` cannot be used
    caused by: the model's configuration is not JSON
    caused by: EOF while parsing a value at line 1 column 15
    ");
}

#[test]
fn one_bad_model_among_good_ones_keeps_its_row_and_the_rest_goes_on() {
    let at = closed_doors();
    let outcome = at.run(&["survey", "o/a", "o/gone", "o/a@main", "-q", "--layers", "1", "-o", "out"]).expect(1);
    outcome.says(&["error: repository `o/gone` does not exist"]);
    let pairs = at.read("out/pairs.csv");
    let reason = "all:the model was not read: repository `o/gone` does not exist, or it is private";
    assert_eq!(pairs.lines().filter(|line| line.contains(reason)).count(), 2, "{pairs}");
    let matrix = at.read("out/matrix_cos_sim_input_layernorm_1.csv");
    insta::assert_snapshot!(matrix, @"
    ,o/a,gone,o/a (2)
    o/a,1,,1
    gone,,,
    o/a (2),1,,1
    ");
    let report = at.read("out/REPORT.md");
    assert!(report.contains("**gone** was skipped"), "{report}");
}

#[test]
fn options_that_mean_nothing_are_refused_without_a_request() {
    let at = closed_doors();
    for (args, said) in [
        (["--role", "input_layernrom"], "did you mean `input_layernorm`?"),
        (["--layers", "9-3"], "the range ends before it begins"),
        (["--tensor", "("], "`(` is not a regular expression"),
        (["--fail-if", "pearson"], "it has neither < nor >; write METRIC OP NUMBER"),
        (["--fail-if", "pearsn>0.9"], "`pearsn` is not a metric; did you mean `pearson`?"),
        (["--fail-if", "pearson>much"], "`much` is not a number"),
        (["--metric", "cos_sim,spearmann"], "`spearmann` is not a metric; did you mean `spearman`?"),
        (["--metric", "cosine"], "`cosine` is not a metric; the metrics are cos_sim, "),
        (["--formats", "docx"], "`docx` is not a format"),
        (["--max-bytes", "1 furlong"], "is not a unit of size"),
    ] {
        let outcome = at.run(&[&["survey", "o/a"], &args[..]].concat()).expect(2);
        outcome.says(&["error:", said]);
    }
    assert_eq!(at.asked().count(), 0);
}

#[test]
fn a_folder_that_is_named_like_a_repository_is_pointed_at() {
    let at = closed_doors();
    for name in ["o/gone", "one/two/three"] {
        fs_err::create_dir_all(at.path().join(name)).unwrap();
        let outcome = at.run(&["inspect", name]).expect(2);
        outcome.says(&[&format!("there is a folder of this name: write ./{name} to read it")]);
    }
}

#[test]
fn a_layer_that_no_model_has_is_named_and_told_by_the_exit_status() {
    let at = closed_doors();
    for command in ["survey", "fetch", "hash", "compare"] {
        let models: &[&str] = if command == "compare" { &["o/a", "o/a"] } else { &["o/a"] };
        let outcome = at.run(&[&[command], models, &["--layers", "0,99"]].concat()).expect(1);
        outcome.says(&["no model has layer 99 of the requested tensors"]);
    }
}

/// A model of each kind of lack: a llama of two layers, a GPT-2, and names that no family knows.
fn three_kinds() -> Workspace {
    let mut at = Workspace::with_llama(2, 64);
    let gpt = [Tensor::bf16("h.0.ln_1.weight", &gain(1, 64))];
    at.model("o/gpt", &json!({ "model_type": "gpt2", "n_layer": 1 }), &gpt);
    let odd = [Tensor::bf16("blk.0.norm", &gain(1, 64))];
    at.model("o/odd", &json!({ "model_type": "strange" }), &odd);
    at.serve();
    at
}

#[test]
fn nothing_found_says_what_was_missing_and_what_to_do() {
    let at = three_kinds();
    let cases = [
        (
            &["o/a", "--role", "q_norm"][..],
            "a: no match: its family `llama` has no `q_norm`; `inspect` lists the roles that it has, and --tensor \
             chooses by name",
        ),
        (&["o/gpt", "--role", "gate_proj"], "gpt: no match: it has no `gate_proj`: its MLP has no gate; "),
        (
            &["o/a", "--role", "gate_proj"],
            "a: no match: it has no `gate_proj`, which other models of its family `llama` have; ",
        ),
        (
            &["o/odd"],
            "odd: no match: its family is not known, so no tensor of it has a role: choose by name with --tensor; ",
        ),
        (&["o/a", "--layers", "7"], "a: no match: the requested tensors exist only in layers 0–1\n"),
        (
            &["o/odd", "--tensor", "norms"],
            "odd: no match: none of its names matches --tensor `norms`; `inspect --tensors` lists them\n",
        ),
        (&["o/a", "--skip", "input"], "a: no match: the requested tensors are excluded by --skip `input`"),
    ];
    for (args, told) in cases {
        for command in ["fetch", "survey", "layers"] {
            // Roles of matrices have a `layers` of their own, which asks for their kin as well.
            let words = [&[command], args].concat();
            at.run(&words).expect(1).says(&[told]);
        }
    }
    // The report has the reason too.
    at.run(&["survey", "o/a", "o/odd", "--layers", "7", "-o", "out", "--formats", "md", "-q"]).expect(1);
    let report = at.read("out/REPORT.md");
    assert!(report.contains("the requested tensors exist only in layers 0–1"), "{report}");
    assert!(report.contains("its family is not known"), "{report}");
}

#[test]
fn of_two_models_of_different_width_it_is_said_that_shapes_differ() {
    let at = three_kinds();
    at.llama("o/b", 2, 2, 96);
    at.run(&["compare", "o/a", "o/b", "--role", "norms"])
        .expect(1)
        .says(&["warning: no comparable tensors: of 5 pairs that correspond 5 have another shape on the other side\n"]);
}
