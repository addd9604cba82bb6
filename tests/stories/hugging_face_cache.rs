//! The Hugging Face cache: what is there moves no byte, and nothing is ever written into it.

use std::{
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
};

use crate::support::{COMMIT, Shard, Workspace, is_one_of, llama, llama_config, rows, shard};

/// The story's home, where the Hub's clients keep their cache.
fn hub_cache(at: &Workspace) -> PathBuf {
    at.path().join("home/.cache/huggingface/hub")
}

fn model_folder(at: &Workspace, id: &str) -> PathBuf {
    hub_cache(at).join(format!("models--{}", id.replace('/', "--")))
}

/// Lays a file into the cache as the Hub's clients do: a blob named by its hash, and a link from the snapshot.
fn lay(at: &Workspace, id: &str, path: &str, hash: &str, bytes: &[u8]) {
    let folder = model_folder(at, id);
    let link = folder.join("snapshots").join(COMMIT).join(path);
    for folder in [folder.join("refs"), folder.join("blobs"), link.parent().unwrap().to_owned()] {
        fs_err::create_dir_all(folder).unwrap();
    }
    fs_err::write(folder.join("refs/main"), COMMIT).unwrap();
    fs_err::write(folder.join("blobs").join(hash), bytes).unwrap();
    let _ = fs_err::remove_file(&link);
    symlink(Path::new("../../blobs").join(hash), link).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    hub_audit::digest::sha256_hex(bytes)
}

fn config() -> String {
    llama_config(3, 64).to_string()
}

/// Lays all of the llama `o/a` of three layers into the cache.
fn lay_llama(at: &Workspace) -> Shard {
    let model = shard(&llama(1, 3, 64));
    let config = config();
    lay(at, "o/a", "model.safetensors", &sha256(&model.bytes), &model.bytes);
    lay(at, "o/a", "config.json", &hub_audit::digest::git_blob_id(config.as_bytes()), config.as_bytes());
    model
}

/// A Hub with `o/a`, all of which the Hub's cache has.
fn known() -> Workspace {
    let mut at = Workspace::with_llama(3, 64);
    lay_llama(&at);
    at.serve();
    at
}

/// Everything below the cache: path, what a link points to, length, and both times of change.
fn listing(at: &Workspace) -> Vec<(PathBuf, Option<PathBuf>, u64, [i64; 2])> {
    let mut found = Vec::new();
    let mut folders = vec![hub_cache(at)];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs_err::symlink_metadata(&path).unwrap();
            let times = [metadata.mtime(), metadata.mtime_nsec()];
            found.push((path.clone(), fs_err::read_link(&path).ok(), metadata.len(), times));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_file_that_is_there_moves_no_byte() {
    let at = known();
    let before = listing(&at);
    let fetched = at.run(&["fetch", "o/a"]).expect(0);
    fetched.says(&["0 tensors fetched, 0 from cache, 3 from the Hugging Face cache"]);
    let asked = at.asked();
    // The branch with its listing; neither configuration nor header nor weights.
    assert_eq!((asked.count(), asked.cdn_bytes()), (1, 0));
    assert_eq!((asked.hub_paths_with("/api/"), asked.hub_paths_with("resolve")), (1, 0));
    assert_eq!(listing(&at), before);
    // From now on they are kept, and the record says from where.
    let record = fs_err::read_to_string(at.kept("o/a").join("model.layers.0.input_layernorm.weight.json")).unwrap();
    assert!(
        record.contains(r#""source":"Hugging Face cache""#) || record.contains(r#""source": "Hugging Face cache""#),
        "{record}"
    );
    at.run(&["fetch", "o/a"]).expect(0).says(&["0 tensors fetched, 3 from cache"]);
}

#[test]
fn what_is_read_there_is_what_the_hub_would_have_given() {
    let at = known();
    let survey = ["survey", "o/a", "o/b", "--formats", "csv,json", "-o"];
    at.llama("o/b", 2, 3, 64);
    at.run(&[&survey[..], &["there"]].concat())
        .expect(0)
        .says(&["3 tensors fetched, 0 from cache, 3 from the Hugging Face cache"]);
    // Only o/b was copied: what lies there already is read there.
    assert_eq!(at.kept_tensors(), 3);
    let other: Vec<&str> = [&survey[..], &["network", "--no-hf-cache", "--cache-dir", "other"]].concat();
    at.run(&other).expect(0).says(&["6 tensors fetched, 0 from cache, TIME"]);
    assert_eq!(at.read("there/pairs.csv"), at.read("network/pairs.csv"));
    assert!(rows(&at.read("there/pairs.csv")).len() > 2);
    let provenance = |folder: &str| -> serde_json::Value {
        let report: serde_json::Value = serde_json::from_str(&at.read(&format!("{folder}/report.json"))).unwrap();
        report["provenance"]["from_hugging_face_cache"].clone()
    };
    assert_eq!((provenance("there"), provenance("network")), (3.into(), 0.into()));
}

#[test]
fn a_checkpoint_that_is_there_is_compared_with_one_of_the_hub() {
    let at = known();
    at.llama("o/b", 2, 3, 64);
    let before = listing(&at);
    let compare = ["compare", "o/a", "o/b", "--formats", "csv", "-o"];
    at.run(&[&compare[..], &["there"]].concat()).expect(0);
    assert_eq!(at.asked().hub_paths_with("o/a/resolve"), 0);
    let other = ["network", "--no-hf-cache", "--cache-dir", "other"];
    at.run(&[&compare[..], &other[..]].concat()).expect(0);
    assert!(at.asked().hub_paths_with("o/a/resolve") > 0);
    assert_eq!(at.read("there/pairs.csv"), at.read("network/pairs.csv"));
    assert!(rows(&at.read("there/pairs.csv")).len() > 7);
    assert_eq!(listing(&at), before);
}

#[test]
fn rows_are_read_where_the_file_lies() {
    let at = known();
    let before = listing(&at);
    // The table of this llama is all zeros: its rows have no cosine.
    let outcome = at.run(&["embeddings", "o/a", "o/a", "--same-id"]).expect(1);
    outcome.says(&["0 tensors fetched, 0 from cache, 2 from the Hugging Face cache"]);
    assert!(outcome.stdout.contains("100 of 100"), "{outcome}");
    assert_eq!((at.asked().cdn_bytes(), listing(&at)), (0, before));
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn hashes_are_taken_where_the_file_lies() {
    let at = known();
    let before = listing(&at);
    let there = at.run(&["hash", "o/a"]).expect(0);
    there.says(&["0 tensors fetched, 0 from cache, 14 from the Hugging Face cache"]);
    assert_eq!(at.asked().cdn_bytes(), 0);
    let network = at.run(&["hash", "o/a", "--no-hf-cache"]).expect(0);
    assert!(at.asked().cdn_bytes() > 0);
    assert_eq!(there.stdout, network.stdout);
    assert_eq!((listing(&at), at.kept_tensors()), (before, 0));
}

#[test]
fn a_plan_says_what_is_there() {
    let at = known();
    let plan = at.run(&["fetch", "o/a", "--dry-run"]).expect(0);
    insta::assert_snapshot!(plan, @"
    exit status 0
    ----- stdout -----
    model  tensors  cached  local  HF cache  requests    bytes
    a            3       0      0         3         0  0 bytes

    1 model, 3 tensors, 0 from cache: 0 requests and 0 bytes of weights still to move
    Headers, indexes, listings and small files of the run: 256 MB at most (--max-metadata)
    ----- stderr -----
    moved 854 bytes in 1 request, 0 tensors fetched, 0 from cache, TIME
    ");
}

#[test]
fn without_network_a_model_that_is_wholly_there_can_be_audited() {
    let at = Workspace::new();
    lay_llama(&at);
    let before = listing(&at);
    for name in ["o/a".to_owned(), format!("o/a@{COMMIT}")] {
        let cache = format!("cache-of-{}", name.len());
        let run = ["layers", &name, "--offline", "--cache-dir", &cache, "--formats", "csv", "-o", "out"];
        let outcome = at.run(&run).expect(0);
        outcome.says(&["moved 0 bytes in 0 requests, 0 tensors fetched, 0 from cache, 3 from the Hugging Face cache"]);
        assert!(at.read("out/pairs.csv").contains(COMMIT), "{outcome}");
    }
    at.run(&["inspect", "o/a", "--offline", "-v"]).expect(0).says(&["only the files that the Hugging Face cache has"]);
    at.run(&["inspect", "o/a", "--offline", "--no-hf-cache"]).expect(2);
    assert_eq!(listing(&at), before);
}

#[test]
fn what_was_seen_of_a_model_without_network_is_no_knowledge_of_it() {
    let mut at = Workspace::with_llama(3, 64);
    let config = config();
    lay_llama(&at);
    at.run(&["inspect", "o/a", "--offline"]).expect(0);
    // The Hub has another file that the cache has not.
    at.file("o/a", "README.md", "text");
    at.file("o/a", "config.json", config);
    at.serve();
    at.run(&["inspect", "o/a"]).expect(0);
    assert_eq!(at.asked().hub_paths_with("/revision/"), 1);
}

#[test]
fn a_file_that_is_not_whole_is_not_used() {
    type Harm = fn(&Workspace, &Path);
    let harms: [(&str, Harm); 5] = [
        ("cut short", |_, blob| {
            let bytes = fs_err::read(blob).unwrap();
            fs_err::write(blob, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("gone, the link is broken", |_, blob| fs_err::remove_file(blob).unwrap()),
        ("half downloaded", |at, blob| {
            let bytes = fs_err::read(blob).unwrap();
            let unfinished = blob.with_extension("incomplete");
            fs_err::write(&unfinished, bytes).unwrap();
            fs_err::remove_file(blob).unwrap();
            relink(at, &Path::new("../../blobs").join(unfinished.file_name().unwrap()));
        }),
        ("of another content by its name", |at, blob| {
            let other = "0".repeat(64);
            fs_err::rename(blob, blob.with_file_name(&other)).unwrap();
            relink(at, &Path::new("../../blobs").join(other));
        }),
        ("outside the cache", |at, blob| {
            let outside = at.path().join("outside");
            fs_err::rename(blob, &outside).unwrap();
            relink(at, &outside);
        }),
    ];
    for (harm, make) in harms {
        let at = known();
        let bytes = fs_err::read(at.repo("o/a").join("model.safetensors")).unwrap();
        make(&at, &model_folder(&at, "o/a").join("blobs").join(sha256(&bytes)));
        let before = listing(&at);
        let outcome = at.run(&["fetch", "o/a"]).expect(0);
        assert!(outcome.stderr.contains("3 tensors fetched, 0 from cache, TIME"), "{harm}: {outcome}");
        // The configuration is still there.
        assert_eq!(at.asked().hub_paths_with("config.json"), 0, "{harm}");
        assert_eq!(listing(&at), before, "{harm}");
    }
}

#[test]
fn altered_bytes_of_the_right_length_and_name_are_not_used() {
    for (file, fetched) in [
        ("model.safetensors", "3 tensors fetched, 0 from cache, TIME"),
        ("config.json", "3 from the Hugging Face cache"),
    ] {
        let at = known();
        let right = at.run(&["hash", "o/a", "--no-hf-cache", "--cache-dir", "right"]).expect(0).stdout;
        let link = model_folder(&at, "o/a").join("snapshots").join(COMMIT).join(file);
        let mut bytes = fs_err::read(&link).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        fs_err::write(&link, &bytes).unwrap();
        let outcome = at.run(&["fetch", "o/a"]).expect(0);
        outcome.says(&["of the Hugging Face cache has the hash ", "which is listed: it counts as absent", fetched]);
        assert_eq!(at.run(&["hash", "o/a"]).expect(0).stdout, right);
    }
}

#[test]
fn a_file_is_verified_once_and_again_when_it_was_touched() {
    let at = known();
    at.run(&["fetch", "o/a"]).expect(0);
    let verified = || Workspace::files(&at.cache().join("verified"));
    let before = verified();
    assert_eq!(before.iter().filter(|(name, _)| is_one_of(name, &["json"])).count(), 2);
    at.run(&["hash", "o/a"]).expect(0).says(&["11 from the Hugging Face cache"]);
    assert_eq!(verified(), before);
    let link = model_folder(&at, "o/a").join("snapshots").join(COMMIT).join("model.safetensors");
    let bytes = fs_err::read(&link).unwrap();
    fs_err::write(&link, bytes).unwrap();
    at.run(&["hash", "o/a"]).expect(0).says(&["11 from the Hugging Face cache"]);
    assert_ne!(verified(), before);
}

#[test]
fn unverified_files_are_believed_only_aloud_and_by_nobody_else() {
    let at = known();
    let link = model_folder(&at, "o/a").join("snapshots").join(COMMIT).join("model.safetensors");
    let mut bytes = fs_err::read(&link).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs_err::write(&link, &bytes).unwrap();
    let args = ["fetch", "o/a", "--tensor", "norm.weight"];
    let believed = at.run(&[&args[..], &["--no-verify"]].concat()).expect(0);
    believed.says(&[
        "warning: --no-verify: files of the Hugging Face cache are not verified",
        "7 from the Hugging Face cache",
    ]);
    at.run(&[&args[..], &["--no-verify"]].concat()).expect(0).says(&["7 from cache"]);
    let right = at.run(&["hash", "o/a", "--cache-dir", "right", "--no-hf-cache"]).expect(0).stdout;
    // What was believed then is neither believed now nor where that cache is not read at all.
    for without in [&[][..], &["--no-hf-cache"]] {
        let hashed = at.run(&[&["hash", "o/a"], without].concat()).expect(0);
        hashed.says(&["14 tensors fetched, 0 from cache"]);
        assert_eq!(hashed.stdout, right);
    }
}

#[test]
fn what_came_from_there_is_not_taken_by_a_run_that_does_not_read_it() {
    let at = known();
    at.run(&["fetch", "o/a"]).expect(0).says(&["3 from the Hugging Face cache"]);
    at.run(&["hash", "o/a", "--no-hf-cache"]).expect(0).says(&["14 tensors fetched, 0 from cache"]);
}

fn relink(at: &Workspace, target: &Path) {
    let link = model_folder(at, "o/a").join("snapshots").join(COMMIT).join("model.safetensors");
    fs_err::remove_file(&link).unwrap();
    symlink(target, link).unwrap();
}

#[test]
fn a_snapshot_of_another_commit_is_not_this_one() {
    let at = known();
    let snapshots = model_folder(&at, "o/a").join("snapshots");
    fs_err::rename(snapshots.join(COMMIT), snapshots.join("d".repeat(40))).unwrap();
    at.run(&["fetch", "o/a"]).expect(0).says(&["3 tensors fetched, 0 from cache, TIME"]);
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let at = known();
    fs_err::rename(at.path().join("home/.cache/huggingface"), at.path().join("elsewhere")).unwrap();
    at.run(&["fetch", "o/a", "--cache-dir", "one"]).expect(0).says(&["3 tensors fetched"]);
    for (name, folder) in [("HF_HOME", "elsewhere"), ("HF_HUB_CACHE", "elsewhere/hub")] {
        let folder = at.path().join(folder);
        let args = ["fetch", "o/a", "--cache-dir", name];
        let outcome = at
            .run_as(&args, |command| {
                command.env(name, folder);
            })
            .expect(0);
        outcome.says(&["3 from the Hugging Face cache"]);
    }
}

#[test]
fn a_shared_store_behind_the_blobs_is_followed() {
    let at = known();
    let blobs = model_folder(&at, "o/a").join("blobs");
    let bytes = fs_err::read(at.repo("o/a").join("model.safetensors")).unwrap();
    let blob = blobs.join(sha256(&bytes));
    let store = hub_cache(&at).join("blobs/ab");
    fs_err::create_dir_all(&store).unwrap();
    fs_err::rename(&blob, store.join("abcdef")).unwrap();
    symlink("../../blobs/ab/abcdef", &blob).unwrap();
    at.run(&["fetch", "o/a"]).expect(0).says(&["0 tensors fetched, 0 from cache, 3 from the Hugging Face cache"]);
}
