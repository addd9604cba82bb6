//! Fetching: only what the question needs is asked of the Hub, and nothing twice.

use hub_audit::spec::Commit;
use serde_json::json;

use crate::support::{COMMIT, Shard, Tensor, Workspace, gain, index, llama_config, shard};

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
    // Info, listing, configuration and index (a redirect each), and one look for each shard's address.
    assert_eq!(asked.to_hub().count(), 1 + 1 + 2 + 2 + 2);
    assert_eq!(asked.to_cdn().count(), 2 + 4);
    assert!(asked.cdn_bytes() < 4 * 128 + 2 * 700, "{}", asked.cdn_bytes());
    assert!(asked.0.iter().all(|request| request.method == "GET"));
    let compressed = |encoding: &Option<String>| encoding.as_deref() != Some("identity");
    assert!(!asked.0.iter().any(|request| compressed(&request.accept_encoding)));
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
    moved 4.0 kB in 10 requests, 0 tensors fetched, 0 from cache, TIME
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
    error: the plan moves 512 bytes of weights, more than the 511 bytes allowed
    hint: ask for fewer layers or roles, or allow it with --max-bytes 1MB
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
        options.intercept = Some(hub_audit::serve::Intercept::new(move |request| {
            if request.path.contains("/tree/") {
                fs_err::write(&moved, &part).unwrap();
            }
            None
        }));
    });
    at.run(&["fetch", "o/a"]).expect(0);
    let commit: Commit = COMMIT.parse().unwrap();
    let asked = at.asked();
    for request in asked.to_hub().filter(|request| !request.path.contains("/revision/")) {
        assert!(request.path.contains(commit.as_str()), "{}", request.path);
    }
    assert_eq!(at.kept_tensors(), 2);
    assert!(at.kept("o/a").is_dir());
}

#[test]
fn a_renamed_repository_is_followed_and_named_as_it_is_now() {
    let mut at = Workspace::new();
    at.llama("o/new", 1, 2, 64);
    at.part("o/new", &json!({ "renamed_from": ["o/old"] }));
    at.serve();
    let outcome = at.run(&["fetch", "o/old"]).expect(0);
    assert!(outcome.stdout.lines().all(|path| path.contains("/models/o/new/")), "{outcome}");
    assert_eq!(at.asked().hub_paths_with("o/old"), 1);
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
    gone.says(&["repository `o/none` does not exist", "it was named before as `o/none`, which could not be opened"]);
    assert_eq!(at.asked().hub_paths_with("o/none"), 1);
}
