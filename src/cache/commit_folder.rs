//! The folder of one commit, and the files in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    disk::LOCK,
    error::CacheError,
    file::{self, TEMPORARY},
    key::{self, RECORD, TOKENIZER},
    store::Cache,
};
use crate::spec::{Commit, RepoId};

impl Cache {
    pub(super) fn commit_folders(&self) -> Result<Vec<CommitFolder>, CacheError> {
        let mut folders = Vec::new();
        for (owner, path) in subfolders(&key::models_folder(self.root()))? {
            for (name, path) in subfolders(&path)? {
                for (commit, path) in subfolders(&path)? {
                    let identity = key::repo_of(&owner, &name).zip(commit.parse().ok());
                    folders.push(CommitFolder { identity, path });
                }
            }
        }
        Ok(folders)
    }
}

/// Something that is removed whole.
pub(super) struct Item {
    /// In the order of removal: sidecar, then values.
    pub(super) paths: Vec<PathBuf>,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
    pub(super) is_tensor: bool,
}

/// A file as its folder lists it.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

pub(super) fn bytes_of<'f>(files: impl IntoIterator<Item = &'f Listed>) -> u64 {
    files.into_iter().map(|file| file.bytes).sum()
}

pub(super) struct CommitFolder {
    /// Whose folder it is; `None` where the cache would not have made it.
    pub(super) identity: Option<(RepoId, Commit)>,
    pub(super) path: PathBuf,
}

impl CommitFolder {
    /// The values and the sidecar of each entry in it, as far as they are there, by the file name without its extension.
    pub(super) fn pairs(&self) -> Result<BTreeMap<String, [Option<Listed>; 2]>, CacheError> {
        let mut pairs: BTreeMap<String, [Option<Listed>; 2]> = BTreeMap::new();
        for (name, file) in files(&self.path)? {
            if [RECORD, TOKENIZER].contains(&name.as_str()) || name.starts_with('.') {
                continue;
            }
            if let Some(stem) = name.strip_suffix(".npy") {
                pairs.entry(stem.to_owned()).or_default()[0] = Some(file);
            } else if let Some(stem) = name.strip_suffix(".json") {
                pairs.entry(stem.to_owned()).or_default()[1] = Some(file);
            }
        }
        Ok(pairs)
    }

    /// Adds what can be removed whole to `items`, and gives the files that belong to nothing.
    pub(super) fn items(&self, items: &mut Vec<Item>) -> Result<Vec<Listed>, CacheError> {
        let mut leftovers = Vec::new();
        for pair in self.pairs()?.into_values() {
            let bytes = bytes_of(pair.iter().flatten());
            match pair {
                [Some(npy), Some(sidecar)] => items.push(Item {
                    modified: npy.modified,
                    paths: vec![sidecar.path, npy.path],
                    bytes,
                    is_tensor: true,
                }),
                part => leftovers.extend(part.into_iter().flatten()),
            }
        }
        for (name, file) in files(&self.path)? {
            if [RECORD, TOKENIZER].contains(&name.as_str()) {
                let Listed { path, bytes, modified } = file;
                items.push(Item { paths: vec![path], bytes, modified, is_tensor: false });
            } else if name.starts_with(TEMPORARY) {
                leftovers.push(file);
            }
        }
        Ok(leftovers)
    }

    /// Removes the folder, and the ones above it, where nothing but the lock is left. Needs the lock of the cache.
    pub(super) fn remove_if_empty(&self, root: &Path) -> Result<(), CacheError> {
        let only_lock = files(&self.path)?.iter().all(|(name, _)| name == LOCK) && subfolders(&self.path)?.is_empty();
        if !only_lock {
            return Ok(());
        }
        file::remove(&self.path.join(LOCK))?;
        file::remove_empty(&self.path, root);
        Ok(())
    }
}

/// The folders in `path`, by name; none where it is not there. Names that are not UTF-8 are not this cache's.
fn subfolders(path: &Path) -> Result<Vec<(String, PathBuf)>, CacheError> {
    let mut found = Vec::new();
    for entry in list(path)? {
        if entry.file_type().map_err(CacheError::read(entry.path()))?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// All but the folders in `path`, by name. A link is not followed.
fn files(path: &Path) -> Result<Vec<(String, Listed)>, CacheError> {
    let mut found = Vec::new();
    for entry in list(path)? {
        let failed = || CacheError::read(entry.path());
        // Readers list without a lock: a file may be gone by now.
        let Some(metadata) = file::if_there(entry.metadata()).map_err(failed())? else {
            continue;
        };
        if let (false, Ok(name)) = (metadata.is_dir(), entry.file_name().into_string()) {
            let modified = metadata.modified().map_err(failed())?;
            found.push((name, Listed { path: entry.path(), bytes: metadata.len(), modified }));
        }
    }
    Ok(found)
}

fn list(path: &Path) -> Result<Vec<fs::DirEntry>, CacheError> {
    let Some(entries) = file::if_there(fs::read_dir(path)).map_err(CacheError::read(path))? else {
        return Ok(Vec::new());
    };
    entries.collect::<Result<_, _>>().map_err(CacheError::read(path))
}
