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

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    CheckpointError, ShardIndex,
    shard_name::Class,
    weights::{Group, MOST_RIVALS, Weights, main_folder, other_weights, split, weights},
};
use crate::{named::named, snapshot::Snapshot};

/// Bytes of a header beyond the share of its shard.
const HEADER_MARGIN: u128 = 1280;

/// Bytes that are read of a header at least: where there are few tensors, they are not spread evenly.
const LEAST_HEADER: u64 = 20 * 1024;

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
