//! Repositories of many forms, and which of their files are the checkpoint.

use std::collections::BTreeMap;

use super::{CheckpointError, Layout, ShardIndex, Unused};
use crate::snapshot::{RepoFile, Snapshot};

fn snapshot(files: &[(&str, u64)]) -> Snapshot {
    let mut files: Vec<_> = files
        .iter()
        .map(|&(path, size)| RepoFile {
            path: path.to_owned(),
            size,
            blob_id: None,
            lfs_sha256: None,
            xet_hash: None,
            withheld: false,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Snapshot { commit: None, files }
}

fn index(shards: &[&str]) -> ShardIndex {
    let map: BTreeMap<_, _> = shards.iter().enumerate().map(|(i, shard)| (format!("t{i}"), *shard)).collect();
    let json = serde_json::json!({ "weight_map": map });
    ShardIndex::parse(json.to_string().as_bytes(), "").unwrap()
}

fn choose(snapshot: &Snapshot, index: Option<&ShardIndex>) -> Result<Layout, CheckpointError> {
    let folder = Layout::folders(snapshot).first().copied().unwrap_or_default();
    Ok(Layout::candidates(snapshot, folder, index)?.remove(0))
}

fn unused(layout: &Layout) -> Vec<(&str, Unused)> {
    layout.unused.iter().map(|file| (file.path.as_str(), file.why)).collect()
}

const INDEX: &str = "model.safetensors.index.json";

#[test]
fn one_file_is_the_checkpoint() {
    let snapshot = snapshot(&[("config.json", 1), ("model.safetensors", 10)]);
    assert_eq!(Layout::index_path(&snapshot, ""), None);
    assert_eq!(Layout::folders(&snapshot), [""]);
    let layout = choose(&snapshot, None).unwrap();
    assert_eq!(layout.shards, ["model.safetensors"]);
    assert!(layout.unused.is_empty() && layout.missing_shards.is_empty() && layout.index.is_none());
}

#[test]
fn numbers_tell_a_whole_set_that_has_no_rival() {
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let both = [(INDEX, 1), (shards[0], 5), (shards[1], 5)];
    assert!(Layout::is_told_by_numbers(&snapshot(&both), ""));
    assert!(!Layout::is_told_by_numbers(&snapshot(&both[..2]), ""), "a shard is missing");
    let rival = snapshot(&[both[0], both[1], both[2], ("model.safetensors", 3)]);
    assert!(!Layout::is_told_by_numbers(&rival, ""), "another whole set of the same kind");
    let overlay = snapshot(&[both[0], both[1], both[2], ("overlay.safetensors", 3)]);
    assert!(!Layout::is_told_by_numbers(&overlay, ""), "a file that may supersede others");
    assert!(!Layout::is_told_by_numbers(&snapshot(&[("model.safetensors", 3)]), ""), "no numbers");
    assert!(!Layout::is_told_by_numbers(&snapshot(&[]), ""));
}

#[test]
fn a_whole_index_wins_over_a_stray_single_file() {
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let snapshot = snapshot(&[(INDEX, 1), (shards[0], 5), (shards[1], 5), ("model.safetensors", 3)]);
    assert_eq!(Layout::index_path(&snapshot, ""), Some(INDEX));
    let layout = choose(&snapshot, Some(&index(&shards))).unwrap();
    assert_eq!(layout.index.as_deref(), Some(INDEX));
    assert_eq!(layout.shards, shards);
    assert_eq!(unused(&layout), [("model.safetensors", Unused::NotInIndex)]);
}

#[test]
fn a_stale_index_loses_to_a_whole_model_without_it() {
    let named = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let snapshot = snapshot(&[(INDEX, 1), (named[0], 5), ("model.safetensors", 3)]);
    let layout = choose(&snapshot, Some(&index(&named))).unwrap();
    assert_eq!((layout.index.as_deref(), layout.shards), (None, vec!["model.safetensors".to_owned()]));
    assert_eq!(layout.unused[0].why, Unused::StaleIndex);
}

#[test]
fn an_index_of_absent_shards_gives_way_to_the_shards_that_exist() {
    let present = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let snapshot = snapshot(&[(INDEX, 1), (present[0], 5), (present[1], 5)]);
    let stale = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"];
    let layout = choose(&snapshot, Some(&index(&stale))).unwrap();
    assert_eq!((layout.index.as_deref(), layout.shards.len()), (None, 2));
    assert!(layout.missing_shards.is_empty());
}

#[test]
fn shards_that_an_index_names_and_nobody_has_are_listed() {
    let named = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let snapshot = snapshot(&[(INDEX, 1), (named[1], 5)]);
    let layout = choose(&snapshot, Some(&index(&named))).unwrap();
    assert_eq!(layout.index.as_deref(), Some(INDEX));
    assert_eq!(layout.shards, named[1..]);
    assert_eq!(layout.missing_shards, named[..1]);
}

#[test]
fn consolidated_copies_are_not_counted_twice() {
    let snapshot = snapshot(&[
        (INDEX, 1),
        ("consolidated.safetensors", 10),
        ("model-00001-of-00001.safetensors", 10),
        ("consolidated.safetensors.index.json", 1),
    ]);
    assert_eq!(Layout::index_path(&snapshot, ""), Some(INDEX));
    let layout = choose(&snapshot, Some(&index(&["model-00001-of-00001.safetensors"]))).unwrap();
    assert_eq!(unused(&layout), [("consolidated.safetensors", Unused::Consolidated)]);
}

#[test]
fn a_consolidated_checkpoint_alone_is_read() {
    let path = "consolidated.safetensors.index.json";
    let shards = ["consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"];
    let snapshot = snapshot(&[(path, 1), (shards[0], 5), (shards[1], 5)]);
    assert_eq!(Layout::index_path(&snapshot, ""), Some(path));
    let layout = choose(&snapshot, Some(&index(&shards))).unwrap();
    assert_eq!((layout.index.as_deref(), layout.shards.len()), (Some(path), 2));
    assert_eq!(choose(&snapshot, None).unwrap().shards, shards);
}

#[test]
fn shards_without_an_index_go_by_their_numbers() {
    let snapshot = snapshot(&[
        ("model_00001-of-00003.safetensors", 5),
        ("model_00003-of-00003.safetensors", 5),
        ("model-mtp-of-00005.safetensors", 1),
    ]);
    let layout = choose(&snapshot, None).unwrap();
    assert_eq!(layout.shards.len(), 2);
    assert_eq!(layout.missing_shards, ["model_00002-of-00003.safetensors"]);
    assert_eq!(unused(&layout), [("model-mtp-of-00005.safetensors", Unused::OtherName)]);
}

#[test]
fn shards_may_be_numbered_from_zero() {
    let snapshot = snapshot(&[("model-00000-of-00002.safetensors", 5), ("model-00001-of-00002.safetensors", 5)]);
    assert!(choose(&snapshot, None).unwrap().missing_shards.is_empty());
}

#[test]
fn another_precision_is_left_out_and_read_only_when_alone() {
    let both =
        snapshot(&[("model.fp16.safetensors", 5), ("model.safetensors", 10), ("model.safetensors.index.fp16.json", 1)]);
    assert_eq!(Layout::index_path(&both, ""), None);
    let layout = choose(&both, None).unwrap();
    assert_eq!(layout.shards, ["model.safetensors"]);
    assert_eq!(unused(&layout), [("model.fp16.safetensors", Unused::Variant)]);

    let alone = snapshot(&[("model.fp16-00001-of-00001.safetensors", 5), ("model.safetensors.index.fp16.json", 1)]);
    assert_eq!(Layout::index_path(&alone, ""), Some("model.safetensors.index.fp16.json"));
    assert_eq!(choose(&alone, None).unwrap().shards.len(), 1);
}

#[test]
fn the_largest_folder_is_read_when_the_root_has_nothing() {
    let folder = "transformer";
    let path = "transformer/diffusion_pytorch_model.safetensors.index.json";
    let snapshot = snapshot(&[
        ("text_encoder/model.safetensors", 8),
        ("transformer/diffusion_pytorch_model-00001-of-00002.safetensors", 10),
        ("transformer/diffusion_pytorch_model-00002-of-00002.safetensors", 10),
        (path, 1),
        ("vae/diffusion_pytorch_model.safetensors", 1),
    ]);
    assert_eq!(Layout::index_path(&snapshot, folder), Some(path));
    assert_eq!(Layout::folders(&snapshot), ["transformer", "text_encoder", "vae"]);
    let layout = choose(&snapshot, None).unwrap();
    assert_eq!(layout.shards.len(), 2);
    assert!(layout.unused.iter().all(|file| file.why == Unused::OtherFolder));
    assert_eq!(layout.unused.len(), 2);
}

#[test]
fn an_adapter_counts_when_there_is_no_model() {
    let alone = snapshot(&[("adapter_model.safetensors", 5), ("new_embeddings.safetensors", 50)]);
    assert_eq!(choose(&alone, None).unwrap().shards, ["adapter_model.safetensors"]);
    let beside = snapshot(&[("adapter_model.safetensors", 50), ("model.safetensors", 5)]);
    assert_eq!(choose(&beside, None).unwrap().shards, ["model.safetensors"]);
}

#[test]
fn of_unrelated_files_the_largest_is_read() {
    let snapshot = snapshot(&[("dev-v1.0.safetensors", 5), ("schnell.safetensors", 6)]);
    let layout = choose(&snapshot, None).unwrap();
    assert_eq!(layout.shards, ["schnell.safetensors"]);
    assert_eq!(unused(&layout), [("dev-v1.0.safetensors", Unused::OtherName)]);
}

#[test]
fn without_safetensors_the_error_says_what_is_there() {
    let snapshot = snapshot(&[("a.gguf", 7), ("pytorch_model.bin", 4), ("x.bin", 4), ("README.md", 1)]);
    let error = choose(&snapshot, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no safetensors file; there is instead 2 `.bin` (8 bytes), 1 `.gguf` (7 bytes)"
    );
}

#[test]
fn what_is_whole_comes_before_what_is_large_and_all_whole_sets_are_candidates() {
    let files = |sets: &[(&str, u64)]| snapshot(sets);
    let leftover = files(&[
        ("model-00001-of-00002.safetensors", 500),
        ("model-00001-of-00003.safetensors", 5),
        ("model-00002-of-00003.safetensors", 5),
        ("model-00003-of-00003.safetensors", 5),
    ]);
    let candidates = Layout::candidates(&leftover, "", None).unwrap();
    assert_eq!((candidates.len(), candidates[0].shards.len()), (1, 3));
    assert_eq!(unused(&candidates[0]), [("model-00001-of-00002.safetensors", Unused::OtherSet)]);
    let merged = files(&[("adapter_model.safetensors", 1), ("merged-1.safetensors", 9), ("merged-2.safetensors", 9)]);
    let candidates = Layout::candidates(&merged, "", None).unwrap();
    assert_eq!(candidates.iter().map(|layout| layout.shards.len()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(candidates.iter().map(|layout| layout.by_numbers).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_index_of_other_files_or_of_some_of_a_whole_set_is_stale() {
    let odd = ["model.safetensors-00001-of-00002.safetensors", "model.safetensors-00002-of-00002.safetensors"];
    let there = snapshot(&[(INDEX, 1), (odd[0], 5), (odd[1], 5), ("pytorch_model.bin", 9)]);
    let half = index(&["model-00001-of-00002.safetensors", odd[1]]);
    for index in [half, index(&["pytorch_model.bin"])] {
        let layout = choose(&there, Some(&index)).unwrap();
        assert_eq!((layout.index.as_deref(), layout.shards.len()), (None, 2));
        assert!(layout.missing_shards.is_empty() && layout.unused.is_empty(), "{layout:?}");
    }
}

#[test]
fn an_absurd_count_in_a_name_makes_no_list() {
    let snapshot = snapshot(&[("model-00001-of-999999.safetensors", 5)]);
    let layout = choose(&snapshot, None).unwrap();
    assert_eq!((layout.shards.len(), layout.missing_shards.len()), (1, 0));
}
