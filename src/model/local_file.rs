//! A file of a model that is on this machine: in its folder, or in the Hugging Face cache, of which not a byte counts before all of it
//! has proved to be what the Hub lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, OnceLock},
};

use super::Access;
use crate::{
    cache::Cache,
    checkpoint::{CheckpointError, FolderFile},
    digest::{digest_of_kind, hex},
    error::{Error, Result},
    range::ByteRange,
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, RepoId},
};

/// Bytes read at once.
const BLOCK: usize = 1024 * 1024;

/// A file on this machine.
#[derive(Debug)]
pub(super) struct LocalFile {
    file: FolderFile,
    /// What is listed of it, which it must prove to be.
    listed: RepoFile,
    /// Whether it is what it must be, once that was needed.
    is_sound: OnceLock<bool>,
}

impl LocalFile {
    /// One that is what it is, unless it must have the hash that is listed.
    fn new(file: FolderFile, listed: &RepoFile, must_be_proved: bool) -> Self {
        let is_sound = if must_be_proved { OnceLock::new() } else { true.into() };
        Self { file, listed: listed.clone(), is_sound }
    }

    /// The file, if it is what it must be. The first who asks reads all of it, unless `cache` remembers that it was read before.
    pub(super) fn sound(&self, cache: &Cache) -> Option<&FolderFile> {
        self.is_sound.get_or_init(|| self.prove(cache)).then_some(&self.file)
    }

    /// Fails if it was read and is not what it was then.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        Ok(self.file.check_if_read()?)
    }

    fn prove(&self, cache: &Cache) -> bool {
        let flaw = match self.listed.stated_hash() {
            None => "cannot be verified, because no hash of it is listed".to_owned(),
            Some(hash) if cache.is_verified(hash, self.file.path(), self.file.stamp()) => return true,
            Some(hash) => match self.digest() {
                Ok(found) if found == *hash => {
                    // What cannot be remembered is read again; that is no reason to fail.
                    let _ = cache.keep_verified(hash, self.file.path(), self.file.stamp());
                    return true;
                }
                Ok(found) => format!("has the hash {found} and not {hash}, which is listed"),
                Err(error) => format!("cannot be read: {error}"),
            },
        };
        let path = self.file.path().display();
        cache.warn(&format!("`{path}` of the Hugging Face cache {flaw}: it counts as absent"));
        false
    }

    /// The hash of its content, of the kind that is listed.
    fn digest(&self) -> Result<String, Error> {
        let mut digest = digest_of_kind(&self.listed, self.file.size());
        self.file.read_blocks(ByteRange::new(0, self.file.size()), BLOCK, |block| {
            digest.update(block);
            Ok::<(), CheckpointError>(())
        })?;
        Ok(hex(&digest.finalize()))
    }
}

/// The files of a commit that the Hugging Face cache has, under the repository's present id or the one that was asked for:
/// it keeps what was downloaded under the name that it then had.
pub(super) fn shared_files(
    access: &Access,
    ids: [&RepoId; 2],
    commit: &Commit,
    snapshot: &Snapshot,
) -> BTreeMap<String, Arc<LocalFile>> {
    let mut files = BTreeMap::new();
    let Some(shared) = &access.shared else { return files };
    for id in BTreeSet::from(ids) {
        let found = shared.files(id, commit, snapshot);
        // One that went away, or grew, since it was looked up is not there.
        files.extend(snapshot.files.iter().zip(found).filter_map(|(file, path)| {
            let found = FolderFile::open(path?).ok()?;
            let is_whole = found.size() == file.size;
            is_whole.then(|| (file.path.clone(), Arc::new(LocalFile::new(found, file, shared.verifies()))))
        }));
    }
    files
}

/// The files of a folder.
pub(super) fn folder_files(folder: &Path, snapshot: &Snapshot) -> Result<BTreeMap<String, Arc<LocalFile>>> {
    let one = |file: &RepoFile| {
        let found = FolderFile::open(folder.join(&file.path))?;
        Ok((file.path.clone(), Arc::new(LocalFile::new(found, file, false))))
    };
    snapshot.files.iter().map(one).collect()
}
