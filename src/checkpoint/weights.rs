//! The files of a repository that hold weights: safetensors files, the groups that their names make, and files in other formats.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::shard_name::{Class, ShardName};
use crate::snapshot::{RepoFile, Snapshot};

/// A safetensors file of the repository, its path taken apart.
pub(super) struct Weights<'s> {
    pub(super) file: &'s RepoFile,
    pub(super) folder: &'s str,
    pub(super) name: ShardName<'s>,
}

impl<'s> Weights<'s> {
    pub(super) fn path(&self) -> &'s str {
        &self.file.path
    }
}

pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

pub(super) fn weights<'s>(snapshot: &'s Snapshot) -> Vec<Weights<'s>> {
    let taken_apart = |file: &'s RepoFile| {
        let (folder, name) = split(&file.path);
        Some(Weights { file, folder, name: ShardName::parse(name)? })
    };
    snapshot.files.iter().filter_map(taken_apart).collect()
}

/// The root if it has any weights, otherwise the folder with the most bytes of them, the first by name among equals.
pub(super) fn main_folder<'s>(weights: &[Weights<'s>]) -> &'s str {
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

/// Sets of files of which the headers are read to choose among them.
pub(super) const MOST_RIVALS: usize = 4;

/// Files that belong together by their names.
pub(super) struct Group<'w, 's> {
    pub(super) members: Vec<&'w Weights<'s>>,
}

impl<'w, 's: 'w> Group<'w, 's> {
    /// The groups of `weights` of one folder, the best first by the rules of [`Layout`](super::Layout).
    pub(super) fn ranked(weights: &[&'w Weights<'s>]) -> Vec<Self> {
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
    pub(super) fn rivals(ranked: &[Self]) -> impl Iterator<Item = &Self> {
        let first = ranked.first().map(Self::class);
        let may_be_other = first == Some(Class::Adapter) || ranked.first().is_some_and(|group| !group.is_whole());
        let is_rival =
            move |group: &&Self| Some(group.class()) == first || may_be_other && group.class() == Class::Other;
        let whole = ranked.iter().skip(1).filter(|group| group.is_whole()).filter(is_rival);
        ranked.iter().take(1).chain(whole.take(MOST_RIVALS - 1))
    }

    pub(super) fn class(&self) -> Class {
        self.members.first().map_or(Class::Consolidated, |w| w.name.class)
    }

    /// Whether the numbers in the names imply no file that is not there.
    pub(super) fn is_whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// Whether the names say which of how many each file is.
    pub(super) fn is_numbered(&self) -> bool {
        self.members.first().is_some_and(|w| w.name.number.is_some())
    }

    /// Whether the names differ in numbers, and do not say how many there are.
    pub(super) fn is_by_numbers(&self) -> bool {
        self.members.len() > 1 && !self.is_numbered()
    }

    /// Whether these names are those of a model that its library wrote: such a set, if whole, is preferred to an index that names
    /// absent files.
    pub(super) fn is_usual(&self) -> bool {
        matches!(self.class(), Class::Model | Class::Diffusion)
    }

    /// Files that the numbers in the members' names imply and that are not there.
    pub(super) fn missing(&self) -> Vec<String> {
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
pub(super) fn other_weights(snapshot: &Snapshot) -> Vec<String> {
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
