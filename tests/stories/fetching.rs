//! Fetching: only what the question needs is asked of the Hub, and nothing twice.

use hub_audit::{serve::Intercept, spec::Commit};
use serde_json::{Value, json};

use crate::support::{COMMIT, Shard, Tensor, Workspace, always, gain, index, llama_config, reply, shard};

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

/// `o/two`: layers 0 and 1 in one file, 2 and 3 in another, an index over both.
fn two_shards() -> (Workspace, Shard, Shard) {
    let at = Workspace::new();
    let layers = |range: std::ops::Range<u64>| -> Vec<Tensor> {
        range
            .flat_map(|layer| {
                let norm = format!("model.layers.{layer}.input_layernorm.weight");
                let matrix = format!("model.layers.{layer}.mlp.down_proj.weight");
                [Tensor::bf16(&norm, &gain(layer, 64)), Tensor::filler(&matrix, 100)]
            })
            .collect()
    };
    let shards = [(FIRST, layers(0..2)), (SECOND, layers(2..4))];
    let placed: Vec<(&str, &str)> = shards
        .iter()
        .flat_map(|(file, tensors)| tensors.iter().map(move |tensor| (tensor.name.as_str(), *file)))
        .collect();
    at.file("o/two", "config.json", llama_config(4, 64).to_string());
    at.file("o/two", "model.safetensors.index.json", index(&placed));
    let written = shards.each_ref().map(|(file, tensors)| {
        let written = shard(tensors);
        at.file("o/two", file, &written.bytes);
        written
    });
    let [first, second] = written;
    (at, first, second)
}

#[test]
fn i_fetch_four_tensors_and_not_one_byte_more() {
    let (mut at, first, second) = two_shards();
    at.serve();
    let outcome = at.run(&["fetch", "o/two"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 4, "{outcome}");
    let asked = at.asked();
    let norm = |layer: u32| format!("model.layers.{layer}.input_layernorm.weight");
    for (file, shard, layers) in [(FIRST, &first, [0, 1]), (SECOND, &second, [2, 3])] {
        let mut expected: Vec<String> = layers.iter().map(|&layer| shard.asked(&norm(layer))).collect();
        // The header is read up to a length predicted from the index, never far into the weights.
        let ranges = asked.ranges(file);
        let (header, tensors): (Vec<_>, Vec<_>) = ranges.into_iter().partition(|range| range.starts_with("bytes=0-"));
        expected.sort();
        assert_eq!(tensors, expected, "{file}");
        let [header] = header.as_slice() else { panic!("{file}: {header:?}") };
        let last: u64 = header.trim_start_matches("bytes=0-").parse().unwrap();
        assert!(last < shard.ranges[&norm(layers[0])].start + 300, "{file}: {header}");
    }
    // Info with the listing, configuration and index (a redirect each), and one look for each shard's address.
    assert_eq!(asked.to_hub().count(), 1 + 2 + 2 + 2);
    assert_eq!(asked.to_cdn().count(), 2 + 4);
    assert!(asked.cdn_bytes() < 4 * 128 + 2 * 700, "{}", asked.cdn_bytes());
    assert!(asked.0.iter().all(|request| request.method == "GET"));
    // Ranges come as they are; what is read whole may come as gzip.
    for request in &asked.0 {
        let is_small = request.path.rsplit('.').next() == Some("json");
        let expected = if is_small { "gzip" } else { "identity" };
        assert_eq!(request.accept_encoding.as_deref(), Some(expected), "{request:?}");
    }
}

#[test]
fn a_layer_of_one_role_touches_one_shard() {
    let (mut at, ..) = two_shards();
    at.serve();
    at.run(&["fetch", "o/two", "--layers", "3"]).expect(0);
    let asked = at.asked();
    assert_eq!(asked.ranges(FIRST), Vec::<String>::new());
    assert_eq!(asked.ranges(SECOND).len(), 2);
    assert_eq!(asked.hub_paths_with("/resolve/"), 3);
}

#[test]
fn neighbours_share_a_request() {
    let mut at = Workspace::new();
    let norms: Vec<Tensor> = (0..5)
        .map(|layer| Tensor::bf16(&format!("model.layers.{layer}.input_layernorm.weight"), &gain(layer, 64)))
        .collect();
    let mut tensors = vec![Tensor::filler("model.embed_tokens.weight", 200)];
    tensors.extend(norms);
    let shard = at.model("o/a", &llama_config(5, 64), &tensors);
    at.serve();
    at.run(&["fetch", "o/a"]).expect(0);
    let first = shard.ranges["model.layers.0.input_layernorm.weight"];
    let last = shard.ranges["model.layers.4.input_layernorm.weight"];
    let together = format!("bytes={}-{}", first.start, last.end - 1);
    assert_eq!(at.asked().ranges("model.safetensors"), ["bytes=0-65535", &together]);
    assert_eq!(at.kept_tensors(), 5);
}

#[test]
fn a_warm_run_on_a_commit_asks_nothing_and_on_a_branch_one_thing() {
    let mut at = Workspace::with_llama(3, 64);
    at.serve();
    let pinned = format!("o/a@{COMMIT}");
    let cold = at.run(&["fetch", "o/a"]).expect(0);
    assert!(at.asked().count() > 3);
    let warm = at.run(&["fetch", &pinned]).expect(0);
    assert_eq!(at.asked().count(), 0);
    assert_eq!(warm.stdout, cold.stdout);
    warm.says(&["moved 0 bytes in 0 requests, 0 tensors fetched, 3 from cache"]);
    let branch = at.run(&["fetch", "o/a@main"]).expect(0);
    let asked = at.asked();
    assert_eq!((asked.count(), asked.hub_paths_with("/revision/main")), (1, 1));
    branch.says(&["in 1 request, 0 tensors fetched, 3 from cache"]);
    let survey = at.run(&["survey", &pinned, "-o", "out"]).expect(0);
    assert_eq!(at.asked().count(), 0, "{survey}");
}

#[test]
fn what_was_fetched_before_is_not_fetched_again() {
    let mut at = Workspace::with_llama(3, 64);
    at.serve();
    at.run(&["fetch", "o/a", "--layers", "1"]).expect(0);
    at.asked();
    let more = at.run(&["fetch", "o/a"]).expect(0);
    more.says(&["2 tensors fetched, 1 from cache"]);
    // One question for the branch, one for the file's address, two tensors.
    assert_eq!(at.asked().count(), 1 + 1 + 2);
}

#[test]
fn a_dry_run_prints_the_plan_and_moves_no_weight() {
    let (mut at, ..) = two_shards();
    at.serve();
    let outcome = at.run(&["fetch", "o/two", "--layers", "0-2", "--dry-run"]).expect(0);
    insta::assert_snapshot!(outcome, @"
    exit status 0
    ----- stdout -----
    model  tensors  cached  local  requests      bytes
    two          3       0      0         3  384 bytes

    1 model, 3 tensors, 0 from cache: 3 requests and 384 bytes of weights still to move
    Headers, indexes, listings and small files of the run: 256 MB at most (--max-metadata)
    ----- stderr -----
    moved 4.2 kB in 9 requests, 0 tensors fetched, 0 from cache, TIME
    ");
    let asked = at.asked();
    // The headers alone.
    assert_eq!(asked.to_cdn().count(), 2);
    assert!(asked.to_cdn().all(|request| request.range.as_deref().unwrap().starts_with("bytes=0-")));
    assert_eq!(at.kept_tensors(), 0);
    let survey = at.run(&["survey", "o/two", "--dry-run", "-o", "out"]).expect(0);
    assert!(survey.stdout.contains("4 tensors"), "{survey}");
    assert!(!at.path().join("out").exists());
    assert_eq!(at.asked().to_cdn().count(), 0);
}

#[test]
fn a_plan_above_the_limit_is_refused_before_the_first_weight() {
    let (mut at, ..) = two_shards();
    at.serve();
    let outcome = at.run(&["survey", "o/two", "--max-bytes", "511", "-o", "out"]).expect(2);
    insta::assert_snapshot!(outcome, @"
    exit status 2
    ----- stderr -----
    warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers
    error: the plan downloads 512 B of weights, more than the limit of 511 B
    hint: select fewer layers or roles, or raise the limit with --max-bytes 1MB
    ");
    assert_eq!(at.asked().to_cdn().count(), 2);
    assert_eq!(at.kept_tensors(), 0);
    assert!(!at.path().join("out").exists());
    at.run(&["survey", "o/two", "--max-bytes", "512", "-o", "out"]).expect(0);
}

#[test]
fn a_branch_that_moves_meanwhile_does_not_matter() {
    let mut at = Workspace::with_llama(2, 64);
    let moved = at.repo("o/a").join(".hub.json");
    let part = json!({ "refs": { "main": "ab".repeat(20), "before": COMMIT } }).to_string();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            if request.path.ends_with("model.safetensors") {
                fs_err::write(&moved, &part).unwrap();
            }
            None
        }));
    });
    at.run(&["fetch", "o/a"]).expect(0);
    let commit: Commit = COMMIT.parse().unwrap();
    let asked = at.asked();
    let is_early = |path: &str| path.contains("/revision/") || path.ends_with("/resolve/main/config.json");
    for request in asked.to_hub().filter(|request| !is_early(&request.path)) {
        assert!(request.path.contains(commit.as_str()), "{}", request.path);
    }
    assert_eq!(at.kept_tensors(), 2);
    assert!(at.kept("o/a").is_dir());
}

/// What is asked for by the branch, while it is not known which commit that is, counts only if it is that commit's.
#[test]
fn a_file_of_another_commit_than_was_pinned_is_asked_for_again_by_the_commit() {
    for (stated, hashes) in [("ab", true), ("ab", false), ("c0", false)] {
        let mut at = Workspace::with_llama(2, 64);
        let truth = fs_err::read(at.repo("o/a").join("config.json")).unwrap();
        // Of the same length, and of fewer layers.
        let other =
            String::from_utf8(truth.clone()).unwrap().replace("\"num_hidden_layers\":2", "\"num_hidden_layers\":1");
        assert_ne!(other.as_bytes(), truth);
        let entry = |path: &str| {
            let size = fs_err::metadata(at.repo("o/a").join(path)).unwrap().len();
            json!({ "rfilename": path, "size": size })
        };
        // A mirror that states no hash.
        let plain =
            json!({ "sha": COMMIT, "siblings": [entry("config.json"), entry("model.safetensors")] }).to_string();
        let commit = if stated == "ab" { "ab".repeat(20) } else { COMMIT.to_owned() };
        let body = if stated == "ab" { other.clone() } else { String::from_utf8(truth).unwrap() };
        at.serve_with(|options| {
            options.intercept = Some(Intercept::new(move |request| {
                if request.path.ends_with("/resolve/main/config.json") {
                    return Some(reply(200, &[("x-repo-commit", &commit)], body.as_bytes()));
                }
                (!hashes && request.path.contains("/revision/")).then(|| reply(200, &[], plain.as_bytes()))
            }));
        });
        let inspected = at.run(&["inspect", "o/a"]).expect(0);
        assert!(inspected.stdout.contains("layers        2"), "{inspected}");
        // By the branch once, and by the commit only where the branch had moved on.
        let again = at.asked().hub_paths_with(&format!("/resolve/{COMMIT}/config.json"));
        assert_eq!(again, usize::from(stated == "ab"), "{stated} {hashes}");
    }
}

/// The Hub's answer about a model is not taken for the list of its files where it may not be all of it.
#[test]
fn files_that_are_not_all_told_with_the_commit_are_listed_apart() {
    let many: Vec<Value> = (0..1001).map(|n| json!({ "rfilename": format!("f{n}"), "size": 1 })).collect();
    for siblings in [json!([]), Value::Null, json!([{ "rfilename": "config.json" }]), json!("none"), json!(many)] {
        let mut at = Workspace::with_llama(2, 64);
        let info = json!({ "sha": COMMIT, "id": "o/a", "siblings": siblings }).to_string();
        at.serve_with(|options| {
            options.intercept = Some(always(|request| request.path.contains("/revision/"), reply(200, &[], info)));
        });
        at.run(&["fetch", "o/a"]).expect(0).says(&["2 tensors fetched"]);
        assert_eq!(at.asked().hub_paths_with("/tree/"), 1, "{siblings}");
    }
}

/// As mirrors do, and the Hub itself for repositories that are not public.
#[test]
fn a_server_that_sends_files_itself_answers_with_the_header_at_once() {
    let mut at = Workspace::new();
    let shard = at.llama("o/a", 1, 2, 64);
    let bytes = shard.bytes.clone();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            let (first, last) = request.range.as_deref()?.strip_prefix("bytes=")?.split_once('-')?;
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            let range = format!("bytes {first}-{last}/{}", bytes.len());
            let length = (last + 1 - first).to_string();
            Some(reply(206, &[("content-range", &range), ("content-length", &length)], &bytes[first..=last]))
        }));
    });
    at.run(&["fetch", "o/a"]).expect(0).says(&["2 tensors fetched"]);
    let asked = at.asked();
    let of_weights = asked.to_hub().filter(|request| request.path.ends_with("model.safetensors"));
    let ranges: Vec<&str> = of_weights.map(|request| request.range.as_deref().unwrap()).collect();
    let norm = |layer: u32| shard.asked(&format!("model.layers.{layer}.input_layernorm.weight"));
    assert_eq!((ranges.len(), ranges[0]), (3, "bytes=0-65535"));
    assert!(ranges.contains(&&*norm(0)) && ranges.contains(&&*norm(1)), "{ranges:?}");
    // Info, configuration, header and two tensors.
    assert_eq!(asked.count(), 1 + 2 + 1 + 2);
}

#[test]
fn a_revision_is_that_of_every_model_without_one() {
    let mut at = Workspace::new();
    for (seed, model) in (1..).zip(["o/a", "o/b", "o/c"]) {
        at.llama(model, seed, 2, 64);
        at.part(model, &json!({ "refs": { "main": COMMIT, "v1": "ab".repeat(20), "v2": "cd".repeat(20) } }));
    }
    at.serve();
    fs_err::write(at.path().join("list"), "o/b@v2\no/c\n").unwrap();
    let args = ["survey", "o/a", "--models", "list", "--group", "both=a,o/c", "--revision", "v1"];
    let survey = at.run(&[&args[..], &["-o", "out", "--formats", "csv"]].concat()).expect(0);
    assert!(!survey.stderr.contains("is surveyed too"), "{survey}");
    let added = at.run(&["survey", "o/a", "--group", "both=a,o/c", "--dry-run"]).expect(0);
    added.says(&["o/c is included: --group names it"]);
    let pairs = crate::support::rows(&at.read("out/pairs.csv"));
    let commits = |model: &str| -> std::collections::BTreeSet<String> {
        let sides =
            pairs.iter().flat_map(|row| [(&row["model_a"], &row["commit_a"]), (&row["model_b"], &row["commit_b"])]);
        sides.filter(|(found, _)| found.contains(model)).map(|(_, commit)| commit[..2].to_owned()).collect()
    };
    assert_eq!([commits("a"), commits("b"), commits("c")], ["ab", "cd", "ab"].map(|start| [start.to_owned()].into()));
    let folder = at.run(&["inspect", "./hub/o/a", "--revision", "v1"]).expect(2);
    folder.says(&["--revision v1 applies to models of the Hub, and only folders are given"]);
    at.run(&["critique", "--demo", "--revision", "v1"]).expect(2).says(&["the study has its own"]);
    at.run(&["inspect", "o/a", "--revision", "a..b"]).expect(2).says(&["is not a revision"]);
}

#[test]
fn a_renamed_repository_is_followed_and_named_as_it_is_now() {
    let mut at = Workspace::new();
    at.llama("o/new", 1, 2, 64);
    at.part("o/new", &json!({ "renamed_from": ["o/old"] }));
    at.serve();
    let outcome = at.run(&["fetch", "o/old"]).expect(0);
    assert!(outcome.stdout.lines().all(|path| path.contains("/models/o/new/")), "{outcome}");
    // The listing and the configuration were asked for side by side.
    assert_eq!(at.asked().hub_paths_with("o/old"), 2);
}

#[test]
fn npy_files_hold_the_bytes_of_the_weights() {
    let mut at = Workspace::new();
    let values = gain(7, 48);
    at.model("o/a", &llama_config(1, 48), &[Tensor::f32("model.layers.0.input_layernorm.weight", &values)]);
    at.serve();
    let outcome = at.run(&["fetch", "o/a"]).expect(0);
    let path = outcome.stdout.trim().replace("TMP", &at.path().display().to_string());
    let npy = fs_err::read(path).unwrap();
    // Version 1.0: magic, version, length of the header, header, data.
    assert_eq!(&npy[..8], b"\x93NUMPY\x01\x00");
    let data = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let header = String::from_utf8(npy[10..data].to_vec()).unwrap();
    assert!(header.contains("'descr': '<f4'") && header.contains("(48,)"), "{header}");
    assert_eq!(data % 64, 0);
    let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(&npy[data..], expected);
}

#[test]
fn unknown_names_are_chosen_by_a_pattern_that_tells_the_layer() {
    let mut at = Workspace::new();
    let tensors: Vec<Tensor> =
        (0..3).map(|layer| Tensor::f32(&format!("strange.block{layer}.gamma_in"), &gain(layer, 32))).collect();
    at.model("o/odd", &json!({ "model_type": "never_seen" }), &tensors);
    at.serve();
    let pattern = r"block(?<layer>\d+)\.gamma_in$";
    let outcome = at.run(&["fetch", "o/odd", "--tensor", pattern, "--layers", "1-2"]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
    assert!(outcome.stdout.contains("block2"), "{outcome}");
    let nothing = at.run(&["fetch", "o/odd"]).expect(1);
    nothing.says(&["no match"]);
}

#[test]
fn a_folders_tensors_are_not_copied() {
    let at = Workspace::with_llama(2, 64);
    let folder = format!("file:{}", at.repo("o/a").display());
    let outcome = at.run(&["fetch", &folder, "--offline"]).expect(0);
    assert!(outcome.stdout.lines().all(|path| path.ends_with("o/a/model.safetensors")), "{outcome}");
    assert_eq!(at.kept_tensors(), 0);
}

/// Twelve models and one more, of which each file is small enough.
#[test]
fn what_comes_before_any_plan_has_one_limit_a_run() {
    let mut at = Workspace::new();
    let names: Vec<String> = (0..12).map(|number| format!("o/m{number}")).collect();
    for (seed, name) in (1..).zip(&names) {
        at.llama(name, seed, 2, 64);
    }
    at.serve();
    let models: Vec<&str> = names.iter().map(String::as_str).collect();
    // A header is asked for by 64 KiB.
    let inspect = [&["inspect", "--max-metadata", "300kB"], &models[..]].concat();
    let outcome = at.run(&inspect).expect(1);
    outcome.says(&[
        "is not read: more than the 300000 bytes of headers, indexes, listings and small files that a run may read would arrive",
        "hint: ask for fewer models at once, or allow more with --max-metadata 1MB",
    ]);
    assert_eq!(outcome.stderr.matches("is not read: more than").count(), 8, "{outcome}");
    let moved = outcome.stderr.split("moved ").nth(1).and_then(|rest| rest.split(" kB").next()).unwrap();
    assert!((262.0..300.0).contains(&moved.parse::<f64>().unwrap()), "{outcome}");
    // It is no limit on weights, nor are weights counted.
    at.run(&["hash", "o/m0", "--max-metadata", "100kB"]).expect(0);
    // Which of the twelve were read before the limit differs from run to run: an empty cache holds none of them.
    at.run(&["inspect", "o/m1", "--max-metadata", "100", "--cache-dir", "empty"]).expect(2);
    let plan = at.run(&["fetch", "o/m0", "--dry-run"]).expect(0);
    assert!(
        plan.stdout.contains("Headers, indexes, listings and small files of the run: 256 MB at most (--max-metadata)"),
        "{plan}"
    );
}

#[test]
fn a_model_that_is_named_again_is_asked_for_once_and_has_its_rows() {
    let mut at = Workspace::with_llama(2, 64);
    at.serve();
    let once = at.run(&["hash", "o/a", "--cache-dir", "one"]).expect(0);
    let asked_once = at.asked().count();
    fs_err::write(at.path().join("list"), "o/a label=second\n".to_owned() + &"o/a\n".repeat(40)).unwrap();
    let many = at.run(&["hash", "o/a", "--models", "list", "--cache-dir", "many"]).expect(0);
    assert_eq!(at.asked().count(), asked_once);
    let rows = |outcome: &crate::support::Outcome| -> Vec<String> {
        let mut lines: Vec<String> = outcome.stdout.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let mut expected: Vec<String> = (0..42).flat_map(|_| rows(&once)).collect();
    expected.sort();
    assert_eq!(rows(&many), expected);
    at.run(&["survey", "o/a", "o/a", "--formats", "csv", "-o", "out"])
        .expect(0)
        .says(&["2 tensors fetched, 0 from cache"]);
    let pairs = crate::support::rows(&at.read("out/pairs.csv"));
    assert!(pairs.iter().all(|row| row["cos_sim"] == "1" || row["cos_sim"] == "1.0"), "{pairs:?}");
    let gone = at.run(&["hash", "o/none", "o/none", "o/a", "--cache-dir", "one"]).expect(1);
    gone.says(&["repository `o/none` does not exist", "it is the same model as `o/none`, which could not be opened"]);
    assert_eq!(at.asked().hub_paths_with("o/none/revision"), 1);
}

/// `o/q`: a norm as it is, and a matrix of F8 codes with a scale for each of its two rows.
fn with_codes() -> Workspace {
    let at = Workspace::new();
    let name = "model.layers.0.mlp.down_proj.weight";
    let tensors = [
        Tensor::bf16("model.layers.0.input_layernorm.weight", &gain(1, 64)),
        Tensor::raw(name, "F8_E4M3", &[2, 64], vec![0x38; 128]),
        Tensor::raw(
            &format!("{name}_scale"),
            "F32",
            &[2, 1],
            [2.0_f32, 3.0].iter().flat_map(|n| n.to_le_bytes()).collect(),
        ),
    ];
    at.model("o/q", &llama_config(1, 64), &tensors);
    at
}

#[test]
fn quantised_tensors_are_fetched_as_codes_and_that_is_said() {
    let mut at = with_codes();
    at.serve();
    let fetch = ["fetch", "o/q", "--role", "down_proj,input_layernorm"];
    let said = "warning: q: 1 quantised tensor: files hold codes as stored, not values; the values of \
                `model.layers.0.mlp.down_proj.weight` also need `model.layers.0.mlp.down_proj.weight_scale`\n";
    for format in ["text", "csv", "json"] {
        let outcome = at.run(&[&fetch[..], &["--format", format]].concat()).expect(0);
        assert!(outcome.stderr.contains(said), "{format}: {outcome}");
    }
    let json: Value = serde_json::from_str(&at.run(&[&fetch[..], &["--format", "json"]].concat()).stdout).unwrap();
    let of = |tensor: &str| json["tensors"].as_array().unwrap().iter().find(|row| row["tensor"] == tensor).unwrap();
    let codes = of("model.layers.0.mlp.down_proj.weight");
    assert_eq!(codes["companions"], "model.layers.0.mlp.down_proj.weight_scale");
    assert!(codes["quantised"].as_str().unwrap().starts_with("scaled, "), "{codes}");
    let norm = of("model.layers.0.input_layernorm.weight");
    assert!(norm.get("quantised").is_none() && norm.get("companions").is_none(), "{norm}");
    // Plain tensors alone say nothing.
    let plain = at.run(&["fetch", "o/q"]).expect(0);
    assert!(!plain.stderr.contains("quantised"), "{plain}");
}
