//! Which files of a repository are its checkpoint.
//!
//! A repository may hold the same weights twice, in two precisions, in parts that an old index no longer names, or in a
//! folder among other models. Counting all of it, or the wrong part of it, gives wrong answers quietly. So one set of
//! files is chosen by fixed rules, and every other safetensors file is listed with the reason why it was left out.
//!
//! The rules, in order. The root decides if it holds any safetensors file, otherwise the folder with the most bytes of
//! them. Within it, an index counts if all its shards exist, or if nothing complete exists without it. Without an index:
//! `model`, then `diffusion_pytorch_model`, then their variants (`model.fp16`), then an adapter, then the largest of the
//! other names, and `consolidated` last; a single file before a sharded one of the same name.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use super::{
    CheckpointError, OtherWeights, ShardIndex,
    shard_name::{Class, ShardName},
};
use crate::snapshot::{RepoFile, Snapshot};

/// The files that make up a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The index that names the shards; `None` where there is none or where it is stale.
    pub index: Option<String>,
    /// The safetensors files to read, sorted by path.
    pub shards: Vec<String>,
    /// All other safetensors files, with the reason.
    pub unused: Vec<UnusedFile>,
    /// Files that the index or the shards' own numbers name, and the repository does not have.
    pub missing_shards: Vec<String>,
}

/// A safetensors file that is no part of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedFile {
    /// Its path in the repository.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Why it is left out.
    pub why: Unused,
}

/// Why a safetensors file is no part of the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unused {
    /// The index does not name it.
    NotInIndex,
    /// Only an index names it that names absent files as well.
    StaleIndex,
    /// It holds the same weights under the publisher's own names.
    Consolidated,
    /// It holds another precision of the same weights.
    Variant,
    /// It is an adapter beside a model.
    Adapter,
    /// It lies in another folder.
    OtherFolder,
    /// It has another name than the checkpoint's files, and no index names it.
    OtherName,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotInIndex => "not named by the index",
            Self::StaleIndex => "named only by a stale index",
            Self::Consolidated => "consolidated copy",
            Self::Variant => "another precision",
            Self::Adapter => "adapter",
            Self::OtherFolder => "in another folder",
            Self::OtherName => "not named like the checkpoint, and in no index",
        })
    }
}

impl Layout {
    /// The index to read before [`Layout::choose`], if the repository has one for the files that would be chosen.
    pub fn index_path(snapshot: &Snapshot) -> Option<&str> {
        let weights = weights(snapshot);
        let folder = main_folder(&weights);
        let best = weights.iter().filter(|w| w.folder == folder).map(|w| w.name.class).min();
        snapshot
            .files
            .iter()
            .filter_map(|file| {
                let (inside, name) = split(&file.path);
                let class = Class::of_index(name)?;
                let fits = inside == folder && best.is_none_or(|best| class <= best);
                fits.then_some((class, file.path.as_str()))
            })
            .min()
            .map(|(_, path)| path)
    }

    /// Chooses the checkpoint's files. `index` is what [`Layout::index_path`] names, read; `None` where it names nothing.
    ///
    /// Without any safetensors file the error lists the weights that are there in other formats.
    pub fn choose(snapshot: &Snapshot, index: Option<&ShardIndex>) -> Result<Self, CheckpointError> {
        let weights = weights(snapshot);
        if weights.is_empty() {
            return Err(CheckpointError::NoSafetensors { found: other_weights(snapshot) });
        }
        let folder = main_folder(&weights);
        let named: BTreeSet<&str> = index.map(ShardIndex::shards).unwrap_or_default().into_iter().collect();
        let (present, missing): (Vec<&str>, Vec<&str>) = named.iter().partition(|path| snapshot.file(path).is_some());
        let unnamed = weights.iter().filter(|w| w.folder == folder && !named.contains(w.path()));
        let without_index = Group::best(unnamed);
        let index_holds = index.is_some()
            && (missing.is_empty()
                || without_index.as_ref().is_none_or(|group| !present.is_empty() && !group.replaces_an_index()))
            && !present.is_empty();
        let (index, shards, missing_shards) = if index_holds {
            (Self::index_path(snapshot).map(str::to_owned), present, missing.into_iter().map(str::to_owned).collect())
        } else {
            let group = without_index.unwrap_or_default();
            let missing = group.missing();
            (None, group.members.iter().map(|w| w.path()).collect(), missing)
        };
        let chosen: BTreeSet<&str> = shards.iter().copied().collect();
        let unused = weights.iter().filter(|w| !chosen.contains(w.path())).map(|w| UnusedFile {
            path: w.path().to_owned(),
            size: w.file.size,
            why: match w.name.class {
                _ if w.folder != folder => Unused::OtherFolder,
                _ if named.contains(w.path()) => Unused::StaleIndex,
                Class::Consolidated => Unused::Consolidated,
                Class::Variant => Unused::Variant,
                Class::Adapter => Unused::Adapter,
                _ if index.is_some() => Unused::NotInIndex,
                _ => Unused::OtherName,
            },
        });
        Ok(Self {
            unused: unused.collect(),
            index,
            shards: chosen.iter().map(|&path| path.to_owned()).collect(),
            missing_shards,
        })
    }

    /// The folders that hold weights, where the root holds none: first the one that is read, then the others by name.
    pub fn folders(snapshot: &Snapshot) -> Vec<&str> {
        let weights = weights(snapshot);
        let main = main_folder(&weights);
        if main.is_empty() {
            return Vec::new();
        }
        let others: BTreeSet<&str> = weights.iter().map(|w| w.folder).filter(|&folder| folder != main).collect();
        [main].into_iter().chain(others).collect()
    }
}

/// A safetensors file of the repository, its path taken apart.
struct Weights<'s> {
    file: &'s RepoFile,
    folder: &'s str,
    name: ShardName<'s>,
}

impl<'s> Weights<'s> {
    fn path(&self) -> &'s str {
        &self.file.path
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn weights<'s>(snapshot: &'s Snapshot) -> Vec<Weights<'s>> {
    let taken_apart = |file: &'s RepoFile| {
        let (folder, name) = split(&file.path);
        Some(Weights { file, folder, name: ShardName::parse(name)? })
    };
    snapshot.files.iter().filter_map(taken_apart).collect()
}

/// The root if it has any weights, otherwise the folder with the most bytes of them, the first by name among equals.
fn main_folder<'s>(weights: &[Weights<'s>]) -> &'s str {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for w in weights {
        let sum = bytes.entry(w.folder).or_default();
        *sum = sum.saturating_add(w.file.size);
    }
    if bytes.contains_key("") {
        return "";
    }
    bytes.into_iter().min_by_key(|&(folder, bytes)| (Reverse(bytes), folder)).map_or("", |(folder, _)| folder)
}

/// Files that belong together by their names.
#[derive(Default)]
struct Group<'w, 's> {
    members: Vec<&'w Weights<'s>>,
}

impl<'w, 's: 'w> Group<'w, 's> {
    /// The group that is the checkpoint, among `weights` of one folder, by the rules of this module.
    fn best(weights: impl Iterator<Item = &'w Weights<'s>>) -> Option<Self> {
        let mut groups: BTreeMap<_, Self> = BTreeMap::new();
        for w in weights {
            groups.entry(w.name.group()).or_default().members.push(w);
        }
        let rank = |(key, group): &(_, Self)| {
            let (class, single_first) =
                group.members.first().map_or((Class::Consolidated, false), |w| (w.name.class, w.name.number.is_some()));
            let named_alike = !matches!(class, Class::Other);
            let bytes: u64 = group.members.iter().fold(0, |sum, w| sum.saturating_add(w.file.size));
            (class, named_alike && single_first, Reverse(bytes), *key)
        };
        groups.into_iter().min_by_key(rank).map(|(_, group)| group)
    }

    /// Whether these files are preferred to those of an index that names absent files: a model in the usual names, whole.
    fn replaces_an_index(&self) -> bool {
        let usual = self.members.iter().all(|w| matches!(w.name.class, Class::Model | Class::Diffusion));
        usual && self.missing().is_empty()
    }

    /// Files that the numbers in the members' names imply and that are not there.
    fn missing(&self) -> Vec<String> {
        let Some((folder, first)) = self.members.first().map(|w| (w.folder, &w.name)) else {
            return Vec::new();
        };
        let Some((_, total)) = first.number else {
            return Vec::new();
        };
        let present: BTreeSet<u32> = self.members.iter().filter_map(|w| Some(w.name.number?.0)).collect();
        // Some writers count from zero.
        let base = u32::from(!present.contains(&0));
        let slash = if folder.is_empty() { "" } else { "/" };
        (base..base + total)
            .filter(|number| !present.contains(number))
            .filter_map(|number| Some(format!("{folder}{slash}{}", first.sibling(number)?)))
            .collect()
    }
}

const OTHER_FORMATS: [&str; 20] = [
    "bin", "pt", "pth", "ckpt", "gguf", "ggml", "h5", "keras", "msgpack", "onnx", "nemo", "npz", "pkl", "pdparams",
    "tflite", "mlmodel", "distcp", "ot", "tar", "zip",
];

/// The weights in formats that are not read, largest first.
fn other_weights(snapshot: &Snapshot) -> Vec<OtherWeights> {
    let mut found: BTreeMap<&str, OtherWeights> = BTreeMap::new();
    for file in &snapshot.files {
        let (_, name) = split(&file.path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if let Some(extension) = OTHER_FORMATS.into_iter().find(|known| known.eq_ignore_ascii_case(extension)) {
            let entry = found.entry(extension).or_insert(OtherWeights { extension, files: 0, bytes: 0 });
            entry.files += 1;
            entry.bytes = entry.bytes.saturating_add(file.size);
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|other| Reverse(other.bytes));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(files: &[(&str, u64)]) -> Snapshot {
        let mut files: Vec<_> = files
            .iter()
            .map(|&(path, size)| RepoFile {
                path: path.to_owned(),
                size,
                blob_id: None,
                lfs_sha256: None,
                xet_hash: None,
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

    fn unused(layout: &Layout) -> Vec<(&str, Unused)> {
        layout.unused.iter().map(|file| (file.path.as_str(), file.why)).collect()
    }

    const INDEX: &str = "model.safetensors.index.json";

    #[test]
    fn one_file_is_the_checkpoint() {
        let snapshot = snapshot(&[("config.json", 1), ("model.safetensors", 10)]);
        assert_eq!(Layout::index_path(&snapshot), None);
        assert!(Layout::folders(&snapshot).is_empty());
        let layout = Layout::choose(&snapshot, None).unwrap();
        assert_eq!(layout.shards, ["model.safetensors"]);
        assert!(layout.unused.is_empty() && layout.missing_shards.is_empty() && layout.index.is_none());
    }

    #[test]
    fn a_whole_index_wins_over_a_stray_single_file() {
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let snapshot = snapshot(&[(INDEX, 1), (shards[0], 5), (shards[1], 5), ("model.safetensors", 3)]);
        assert_eq!(Layout::index_path(&snapshot), Some(INDEX));
        let layout = Layout::choose(&snapshot, Some(&index(&shards))).unwrap();
        assert_eq!(layout.index.as_deref(), Some(INDEX));
        assert_eq!(layout.shards, shards);
        assert_eq!(unused(&layout), [("model.safetensors", Unused::NotInIndex)]);
    }

    #[test]
    fn a_stale_index_loses_to_a_whole_model_without_it() {
        let named = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let snapshot = snapshot(&[(INDEX, 1), (named[0], 5), ("model.safetensors", 3)]);
        let layout = Layout::choose(&snapshot, Some(&index(&named))).unwrap();
        assert_eq!((layout.index.as_deref(), layout.shards), (None, vec!["model.safetensors".to_owned()]));
        assert_eq!(layout.unused[0].why, Unused::StaleIndex);
    }

    #[test]
    fn an_index_of_absent_shards_gives_way_to_the_shards_that_exist() {
        let present = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let snapshot = snapshot(&[(INDEX, 1), (present[0], 5), (present[1], 5)]);
        let stale = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"];
        let layout = Layout::choose(&snapshot, Some(&index(&stale))).unwrap();
        assert_eq!((layout.index.as_deref(), layout.shards.len()), (None, 2));
        assert!(layout.missing_shards.is_empty());
    }

    #[test]
    fn shards_that_an_index_names_and_nobody_has_are_listed() {
        let named = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let snapshot = snapshot(&[(INDEX, 1), (named[1], 5)]);
        let layout = Layout::choose(&snapshot, Some(&index(&named))).unwrap();
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
        assert_eq!(Layout::index_path(&snapshot), Some(INDEX));
        let layout = Layout::choose(&snapshot, Some(&index(&["model-00001-of-00001.safetensors"]))).unwrap();
        assert_eq!(unused(&layout), [("consolidated.safetensors", Unused::Consolidated)]);
    }

    #[test]
    fn a_consolidated_checkpoint_alone_is_read() {
        let path = "consolidated.safetensors.index.json";
        let shards = ["consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"];
        let snapshot = snapshot(&[(path, 1), (shards[0], 5), (shards[1], 5)]);
        assert_eq!(Layout::index_path(&snapshot), Some(path));
        let layout = Layout::choose(&snapshot, Some(&index(&shards))).unwrap();
        assert_eq!((layout.index.as_deref(), layout.shards.len()), (Some(path), 2));
        assert_eq!(Layout::choose(&snapshot, None).unwrap().shards, shards);
    }

    #[test]
    fn shards_without_an_index_go_by_their_numbers() {
        let snapshot = snapshot(&[
            ("model_00001-of-00003.safetensors", 5),
            ("model_00003-of-00003.safetensors", 5),
            ("model-mtp-of-00005.safetensors", 1),
        ]);
        let layout = Layout::choose(&snapshot, None).unwrap();
        assert_eq!(layout.shards.len(), 2);
        assert_eq!(layout.missing_shards, ["model_00002-of-00003.safetensors"]);
        assert_eq!(unused(&layout), [("model-mtp-of-00005.safetensors", Unused::OtherName)]);
    }

    #[test]
    fn shards_may_be_numbered_from_zero() {
        let snapshot = snapshot(&[("model-00000-of-00002.safetensors", 5), ("model-00001-of-00002.safetensors", 5)]);
        assert!(Layout::choose(&snapshot, None).unwrap().missing_shards.is_empty());
    }

    #[test]
    fn another_precision_is_left_out_and_read_only_when_alone() {
        let both = snapshot(&[
            ("model.fp16.safetensors", 5),
            ("model.safetensors", 10),
            ("model.safetensors.index.fp16.json", 1),
        ]);
        assert_eq!(Layout::index_path(&both), None);
        let layout = Layout::choose(&both, None).unwrap();
        assert_eq!(layout.shards, ["model.safetensors"]);
        assert_eq!(unused(&layout), [("model.fp16.safetensors", Unused::Variant)]);

        let alone = snapshot(&[("model.fp16-00001-of-00001.safetensors", 5), ("model.safetensors.index.fp16.json", 1)]);
        assert_eq!(Layout::index_path(&alone), Some("model.safetensors.index.fp16.json"));
        assert_eq!(Layout::choose(&alone, None).unwrap().shards.len(), 1);
    }

    #[test]
    fn the_largest_folder_is_read_when_the_root_has_nothing() {
        let path = "transformer/diffusion_pytorch_model.safetensors.index.json";
        let snapshot = snapshot(&[
            ("text_encoder/model.safetensors", 8),
            ("transformer/diffusion_pytorch_model-00001-of-00002.safetensors", 10),
            ("transformer/diffusion_pytorch_model-00002-of-00002.safetensors", 10),
            (path, 1),
            ("vae/diffusion_pytorch_model.safetensors", 1),
        ]);
        assert_eq!(Layout::index_path(&snapshot), Some(path));
        assert_eq!(Layout::folders(&snapshot), ["transformer", "text_encoder", "vae"]);
        let layout = Layout::choose(&snapshot, None).unwrap();
        assert_eq!(layout.shards.len(), 2);
        assert!(layout.unused.iter().all(|file| file.why == Unused::OtherFolder));
        assert_eq!(layout.unused.len(), 2);
    }

    #[test]
    fn an_adapter_counts_when_there_is_no_model() {
        let alone = snapshot(&[("adapter_model.safetensors", 5), ("new_embeddings.safetensors", 50)]);
        assert_eq!(Layout::choose(&alone, None).unwrap().shards, ["adapter_model.safetensors"]);
        let beside = snapshot(&[("adapter_model.safetensors", 50), ("model.safetensors", 5)]);
        assert_eq!(Layout::choose(&beside, None).unwrap().shards, ["model.safetensors"]);
    }

    #[test]
    fn of_unrelated_files_the_largest_is_read() {
        let snapshot = snapshot(&[("dev-v1.0.safetensors", 5), ("schnell.safetensors", 6)]);
        let layout = Layout::choose(&snapshot, None).unwrap();
        assert_eq!(layout.shards, ["schnell.safetensors"]);
        assert_eq!(unused(&layout), [("dev-v1.0.safetensors", Unused::OtherName)]);
    }

    #[test]
    fn without_safetensors_the_error_says_what_is_there() {
        let snapshot = snapshot(&[("a.gguf", 7), ("pytorch_model.bin", 4), ("x.bin", 4), ("README.md", 1)]);
        let error = Layout::choose(&snapshot, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no safetensors file; there is instead 2 `.bin` (8 bytes), 1 `.gguf` (7 bytes)"
        );
    }

    #[test]
    fn an_absurd_count_in_a_name_makes_no_list() {
        let snapshot = snapshot(&[("model-00001-of-999999.safetensors", 5)]);
        let layout = Layout::choose(&snapshot, None).unwrap();
        assert_eq!((layout.shards.len(), layout.missing_shards.len()), (1, 0));
    }
}
