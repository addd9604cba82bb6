//! Repositories and their bytes, wherever they come from.

use std::{collections::BTreeMap, io, path::PathBuf};

use bytes::Bytes;

use super::{
    error::ServeError,
    folder::Folder,
    replica::Replica,
    repo::{Digests, Entry, Repo},
};
use crate::range::ByteRange;

/// What is served.
#[derive(Debug, Clone)]
pub enum Store {
    /// Checkpoints in a folder.
    Folder(Folder),
    /// Synthetic models.
    Replica(Replica),
}

impl Store {
    /// The checkpoints below a folder, each at `owner/name`.
    pub fn folder(root: impl Into<PathBuf>) -> Result<Self, ServeError> {
        Folder::open(root.into()).map(Self::Folder)
    }

    /// The synthetic models.
    pub fn replica() -> Self {
        Self::Replica(Replica::nine())
    }

    /// Ids of all repositories, sorted for a folder.
    pub(super) fn ids(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Folder(folder) => folder.ids(),
            Self::Replica(replica) => Ok(replica.ids().map(str::to_owned).collect()),
        }
    }

    /// The repository of an id. It has another one if it was renamed, or if this one is spelt in other letters.
    pub(super) fn find(&self, id: &str) -> io::Result<Option<Repo>> {
        match self {
            Self::Folder(folder) => folder.find(id),
            Self::Replica(replica) => Ok(replica.find(id)),
        }
    }

    pub(super) fn digests(&self, repo: &str, entry: &Entry) -> io::Result<Digests> {
        match self {
            Self::Folder(folder) => folder.digests(repo, entry),
            Self::Replica(replica) => replica.digests(repo, entry),
        }
    }

    /// Bytes of a file that [`Repo::entry`] knows.
    pub(super) fn read(&self, repo: &str, path: &str, range: ByteRange) -> io::Result<Bytes> {
        match self {
            Self::Folder(folder) => folder.read(repo, path, range),
            Self::Replica(replica) => replica.read(repo, path, range),
        }
    }

    /// Number of elements by type over the shards, where that is known without reading their headers.
    pub(super) fn parameters(&self, repo: &str) -> Option<BTreeMap<String, u64>> {
        match self {
            Self::Folder(_) => None,
            Self::Replica(replica) => Some(replica.parameters(repo)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_replica_is_found_by_any_spelling_and_has_stable_names() {
        let store = Store::replica();
        let repo = store.find("01-ai/Yi-1.5-6B-Chat").unwrap().unwrap();
        assert_eq!(repo.commit.len(), 40);
        assert_eq!(store.find("01-ai/yi-1.5-6b-chat").unwrap().unwrap().id, repo.id);
        assert_eq!(store.find("01-ai/other").unwrap(), None);
        let shard = repo.entry("model-00001-of-00003.safetensors").unwrap();
        let digests = store.digests(&repo.id, shard).unwrap();
        assert_eq!(digests, Store::replica().digests(&repo.id, shard).unwrap());
        // Nobody hashes gigabytes that are computed.
        assert_eq!(digests.xet, None);
        assert_ne!(Some(digests.cdn_tag()), digests.sha256);
        assert_eq!(digests.oid.len(), 40);
        let config = repo.entry("config.json").unwrap();
        assert_eq!(store.digests(&repo.id, config).unwrap().sha256, None);
    }

    #[test]
    fn every_replica_says_that_it_is_synthetic() {
        let store = Store::replica();
        for id in store.ids().unwrap() {
            let repo = store.find(&id).unwrap().unwrap();
            let read = |path: &str| store.read(&id, path, ByteRange::new(0, u64::MAX)).unwrap();
            let config: Value = serde_json::from_slice(&read("config.json")).unwrap();
            assert_eq!(config["_synthetic"], "synthetic replica, not the real weights");
            assert!(String::from_utf8_lossy(&read("README.md")).contains("synthetic replica"));
            assert!(repo.tags.iter().any(|tag| tag == "synthetic-replica"));
        }
    }
}
