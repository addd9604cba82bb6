//! Which files of a repository are its checkpoint.
//!
//! A repository may hold the same weights twice, in two precisions, in parts that an old index no longer names, or in a
//! folder among other models. Counting all of it, or the wrong part of it, gives wrong answers quietly. So one set of
//! files is chosen by fixed rules, and every other safetensors file is listed with the reason why it was left out.
//!
//! The rules, in order. The root decides if it holds any safetensors file, otherwise the folder with the most bytes of
//! them, unless the model says which. Within it, an index counts if all its shards exist, or if nothing complete exists
//! without it. Without an index: `model`, then `diffusion_pytorch_model`, then their variants (`model.fp16`), then an adapter,
//! then other names, and `consolidated` last; what is whole by its numbers first, then a single file before a sharded one of
//! the same name, then the largest. Several sets that are alike in that are all candidates: what their headers hold decides.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::{
    CheckpointError, ShardIndex,
    shard_name::{Class, ShardName},
};
use crate::{
    named::named,
    snapshot::{RepoFile, Snapshot},
};

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
    /// Whether the files were taken together because their names differ in numbers, and nothing else says that they are one.
    pub by_numbers: bool,
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

named! {
    /// Why a safetensors file is no part of the checkpoint.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "snake_case")]
    #[non_exhaustive]
    pub enum Unused {
        /// The index does not name it.
        NotInIndex = "not named by the index",
        /// Only an index names it that names absent files as well.
        StaleIndex = "named only by a stale index",
        /// It holds the same weights under the publisher's own names.
        Consolidated = "consolidated copy",
        /// It holds another precision of the same weights.
        Variant = "another precision",
        /// It is an adapter beside a model.
        Adapter = "adapter",
        /// It lies in another folder.
        OtherFolder = "in another folder",
        /// It is of a set of files that is not whole, or fits the configuration less.
        OtherSet = "of a set of files that is not whole, or fits the configuration less",
        /// It has another name than the checkpoint's files, and no index names it.
        OtherName = "not named like the checkpoint, and in no index",
    }
}

impl Layout {
    /// The index of a folder that is to be read before [`Layout::candidates`], if there is one for the files that would be chosen.
    pub fn index_path<'s>(snapshot: &'s Snapshot, folder: &str) -> Option<&'s str> {
        let weights = weights(snapshot);
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

    /// The sets of files of a folder that may be the checkpoint, the best by their names first. `index` is what
    /// [`Layout::index_path`] names, read; `None` where it names nothing.
    ///
    /// Without any safetensors file the error lists the weights that are there in other formats.
    pub fn candidates(
        snapshot: &Snapshot,
        folder: &str,
        index: Option<&ShardIndex>,
    ) -> Result<Vec<Self>, CheckpointError> {
        let weights = weights(snapshot);
        let here: Vec<&Weights<'_>> = weights.iter().filter(|w| w.folder == folder).collect();
        if here.is_empty() {
            let folder = (!weights.is_empty()).then(|| folder.to_owned());
            return Err(CheckpointError::NoSafetensors { folder, found: other_weights(snapshot) });
        }
        let groups = Group::ranked(&here);
        let named: BTreeSet<&str> = index.map(ShardIndex::shards).unwrap_or_default().into_iter().collect();
        let of_weights = named.iter().all(|path| path.ends_with(".safetensors"));
        let (present, missing): (Vec<&str>, Vec<&str>) = named.iter().partition(|path| snapshot.file(path).is_some());
        let best = groups.first().filter(|group| group.is_usual() && group.is_whole());
        let is_stale = best.is_some_and(|group| group.members.iter().any(|w| !named.contains(w.path())));
        let index_holds = of_weights && !present.is_empty() && (missing.is_empty() || !is_stale);
        let layout = |index: Option<String>, shards: Vec<&str>, missing_shards: Vec<String>, by_numbers: bool| {
            let chosen: BTreeSet<&str> = shards.into_iter().collect();
            let class = here.iter().filter(|w| chosen.contains(w.path())).map(|w| w.name.class).min();
            let why = |w: &Weights<'_>| match w.name.class {
                _ if w.folder != folder => Unused::OtherFolder,
                _ if index.is_none() && of_weights && named.contains(w.path()) => Unused::StaleIndex,
                Class::Consolidated => Unused::Consolidated,
                Class::Variant => Unused::Variant,
                Class::Adapter => Unused::Adapter,
                _ if index.is_some() => Unused::NotInIndex,
                own if own != Class::Other && Some(own) == class => Unused::OtherSet,
                _ => Unused::OtherName,
            };
            let unused = weights.iter().filter(|w| !chosen.contains(w.path()));
            let unused = unused.map(|w| UnusedFile { path: w.path().to_owned(), size: w.file.size, why: why(w) });
            Self {
                unused: unused.collect(),
                shards: chosen.iter().map(|&path| path.to_owned()).collect(),
                missing_shards,
                by_numbers,
                index: index.clone(),
            }
        };
        let of_group = |group: &Group<'_, '_>| {
            layout(None, group.members.iter().map(|w| w.path()).collect(), group.missing(), group.is_by_numbers())
        };
        if index_holds {
            let path = Self::index_path(snapshot, folder).map(str::to_owned);
            let is_whole = missing.is_empty();
            let by_index = layout(path, present, missing.into_iter().map(str::to_owned).collect(), false);
            // Of an interrupted download a whole set of other names may be the model.
            let others = groups.iter().filter(|group| !is_whole && group.class() == Class::Other && group.is_whole());
            return Ok([by_index].into_iter().chain(others.take(MOST_RIVALS).map(of_group)).collect());
        }
        Ok(Group::rivals(&groups).map(of_group).collect())
    }

    /// Whether the names of a folder's files alone tell that they are one checkpoint, and all of it: a file of another name may
    /// supersede some of its tensors, as only an index tells.
    pub fn is_told_by_numbers(snapshot: &Snapshot, folder: &str) -> bool {
        let weights = weights(snapshot);
        let here: Vec<&Weights<'_>> = weights.iter().filter(|w| w.folder == folder).collect();
        let groups = Group::ranked(&here);
        matches!(groups.as_slice(), [only] if only.is_usual() && only.is_numbered() && only.is_whole())
    }

    /// The shards with an estimate, meant to be enough, of the bytes before their data; `None` where nothing tells of them.
    ///
    /// The size of the `index` tells how long all headers are together: it has some 44 bytes a tensor beside its name, and a header
    /// some 79, and names have 41 bytes or more. A shard has its share by its size.
    pub fn with_header_lengths(&self, snapshot: &Snapshot, index: Option<&str>) -> Vec<(String, Option<u64>)> {
        let size = |path: &str| snapshot.file(path).map_or(0, |file| file.size);
        let index = index.map(size);
        let all: u64 = self.shards.iter().map(|shard| size(shard)).fold(0, u64::saturating_add);
        let length = |shard: &str| {
            let share = u128::from(index?) * u128::from(size(shard)) / u128::from(all.max(1));
            let length = share * (41 + 79) / (41 + 44) + HEADER_MARGIN;
            Some(u64::try_from(length).unwrap_or(u64::MAX).max(LEAST_HEADER))
        };
        self.shards.iter().map(|shard| (shard.clone(), length(shard))).collect()
    }

    /// The folders that hold weights: first the one that is read unless the model says otherwise, then the others by name.
    pub fn folders(snapshot: &Snapshot) -> Vec<&str> {
        let weights = weights(snapshot);
        let main = main_folder(&weights);
        let all: BTreeSet<&str> = weights.iter().map(|w| w.folder).collect();
        let first = all.get(main).copied();
        first.into_iter().chain(all.into_iter().filter(|&folder| folder != main)).collect()
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

/// Bytes of a header beyond the share of its shard.
const HEADER_MARGIN: u128 = 1280;

/// Bytes that are read of a header at least: where there are few tensors, they are not spread evenly.
const LEAST_HEADER: u64 = 20 * 1024;

/// Files that belong together by their names.
struct Group<'w, 's> {
    members: Vec<&'w Weights<'s>>,
}

/// Sets of files of which the headers are read to choose among them.
const MOST_RIVALS: usize = 4;

impl<'w, 's: 'w> Group<'w, 's> {
    /// The groups of `weights` of one folder, the best first by the rules of this module.
    fn ranked(weights: &[&'w Weights<'s>]) -> Vec<Self> {
        let mut groups: BTreeMap<String, Self> = BTreeMap::new();
        for &w in weights {
            let group = groups.entry(w.name.group()).or_insert_with(|| Self { members: Vec::new() });
            group.members.push(w);
        }
        let rank = |(key, group): &(String, Self)| {
            let is_sharded = group.class() != Class::Other && (group.is_by_numbers() || group.is_numbered());
            let bytes: u64 = group.members.iter().fold(0, |sum, w| sum.saturating_add(w.file.size));
            (group.class(), !group.is_whole(), is_sharded, Reverse(bytes), key.clone())
        };
        let mut ranked: Vec<(String, Self)> = groups.into_iter().collect();
        ranked.sort_by_cached_key(rank);
        ranked.into_iter().map(|(_, group)| group).collect()
    }

    /// Of ranked groups the first, and those that are whole and have names of its kind, or any names where the first is an adapter or
    /// is not whole.
    fn rivals(ranked: &[Self]) -> impl Iterator<Item = &Self> {
        let first = ranked.first().map(Self::class);
        let may_be_other = first == Some(Class::Adapter) || ranked.first().is_some_and(|group| !group.is_whole());
        let is_rival =
            move |group: &&Self| Some(group.class()) == first || may_be_other && group.class() == Class::Other;
        let whole = ranked.iter().skip(1).filter(|group| group.is_whole()).filter(is_rival);
        ranked.iter().take(1).chain(whole.take(MOST_RIVALS - 1))
    }

    fn class(&self) -> Class {
        self.members.first().map_or(Class::Consolidated, |w| w.name.class)
    }

    /// Whether the numbers in the names imply no file that is not there.
    fn is_whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// Whether the names say which of how many each file is.
    fn is_numbered(&self) -> bool {
        self.members.first().is_some_and(|w| w.name.number.is_some())
    }

    /// Whether the names differ in numbers, and do not say how many there are.
    fn is_by_numbers(&self) -> bool {
        self.members.len() > 1 && !self.is_numbered()
    }

    /// Whether these names are those of a model that its library wrote: such a set, if whole, is preferred to an index that names
    /// absent files.
    fn is_usual(&self) -> bool {
        matches!(self.class(), Class::Model | Class::Diffusion)
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

/// The weights in formats that are not read, largest first: how many files of each format, and their bytes.
fn other_weights(snapshot: &Snapshot) -> Vec<String> {
    let mut found: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for file in &snapshot.files {
        let (_, name) = split(&file.path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if let Some(extension) = OTHER_FORMATS.into_iter().find(|known| known.eq_ignore_ascii_case(extension)) {
            let (files, bytes) = found.entry(extension).or_default();
            *files += 1;
            *bytes = bytes.saturating_add(file.size);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|&(_, (_, bytes))| Reverse(bytes));
    found.into_iter().map(|(extension, (files, bytes))| format!("{files} `.{extension}` ({bytes} bytes)")).collect()
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
        let both = snapshot(&[
            ("model.fp16.safetensors", 5),
            ("model.safetensors", 10),
            ("model.safetensors.index.fp16.json", 1),
        ]);
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
        let merged =
            files(&[("adapter_model.safetensors", 1), ("merged-1.safetensors", 9), ("merged-2.safetensors", 9)]);
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
}
