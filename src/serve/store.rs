//! Repositories and their bytes, wherever they come from.

use std::{io, path::PathBuf};

use bytes::Bytes;
use serde_json::Value;

use super::{
    error::ServeError,
    folder::Folder,
    replica::{Replica, ReplicaRepo},
};
use crate::{
    digest::{git_blob_id, sha256_hex},
    range::ByteRange,
};

/// Files larger than this are stored as the Hub stores large files, whatever their name.
const LARGE: u64 = 1 << 20;

/// What is served.
#[derive(Debug, Clone)]
pub enum Store {
    /// Checkpoints in a folder.
    Folder(Folder),
    /// Synthetic models.
    Replica(Replica),
}

/// One repository as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Repo {
    /// `owner/name`, or a bare name.
    pub(super) id: String,
    /// The commit of `main`.
    pub(super) commit: String,
    /// Other branches and refs, each with its commit. They all show the same files.
    pub(super) refs: Vec<(String, String)>,
    /// `false`, `"auto"` or `"manual"`.
    pub(super) gated: Value,
    pub(super) private: bool,
    pub(super) disabled: bool,
    /// RFC 3339, milliseconds.
    pub(super) modified: String,
    pub(super) tags: Vec<String>,
    pub(super) card: Value,
    /// In the order of paths.
    pub(super) entries: Vec<Entry>,
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) size: u64,
}

/// What names a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    /// 40 hexadecimal digits in the place of the git blob's SHA-1. They are the head of a SHA-256 over git's framing of the
    /// content, because no client checks them and SHA-1 is needed nowhere else.
    pub(super) oid: String,
    /// SHA-256 of the content, for large files.
    pub(super) sha256: Option<String>,
}

/// What is known under an id.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// This repository.
    Repo(Box<Repo>),
    /// Another id by now, or another spelling.
    Moved(String),
    /// Nothing.
    Missing,
}

impl Repo {
    /// The commit of a revision: `main`, a branch or ref, or a commit of one of them.
    pub(super) fn resolve(&self, revision: &str) -> Option<&str> {
        if revision == "main" || revision.eq_ignore_ascii_case(&self.commit) {
            return Some(&self.commit);
        }
        let found = self.refs.iter().find(|(name, commit)| name == revision || commit == revision);
        found.map(|(_, commit)| commit.as_str())
    }

    /// The file at a path. Nothing outside this list can be read, so that no path leads out of the repository.
    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    /// Whether small files are served at once instead of from the commit-pinned cache.
    pub(super) fn serves_directly(&self) -> bool {
        self.private || self.is_gated() || !self.id.contains('/')
    }

    pub(super) fn is_gated(&self) -> bool {
        self.gated != Value::Bool(false)
    }
}

impl Entry {
    /// Whether the file is stored outside git, and served by the CDN.
    pub(super) fn is_large(&self) -> bool {
        let weights = self.path.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("safetensors"));
        self.size > LARGE || (weights && self.size > 0)
    }
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

    /// Looks an id up.
    pub(super) fn find(&self, id: &str) -> io::Result<Found> {
        match self {
            Self::Folder(folder) => folder.find(id),
            Self::Replica(replica) => Ok(match replica.find(id) {
                Some(repo) if repo.id() == id => Found::Repo(Box::new(described(repo))),
                Some(repo) => Found::Moved(repo.id().to_owned()),
                None => Found::Missing,
            }),
        }
    }

    /// What names the content of a file. For a shard of the replica, whose bytes nobody will ever hash, the SHA-256 is that of
    /// `replica:` + id + `/` + path: stable and unique, but not the digest of the bytes that are served.
    pub(super) fn digests(&self, repo: &str, entry: &Entry) -> io::Result<Digests> {
        match self {
            Self::Folder(folder) => folder.digests(repo, entry),
            Self::Replica(replica) => {
                let text = replica_repo(replica, repo)?.text(&entry.path);
                let content = text.unwrap_or_else(|| format!("replica:{repo}/{}", entry.path).into());
                Ok(Digests::of(entry, &sha256_hex(&content), &content))
            }
        }
    }

    /// Bytes of a file that [`Repo::entry`] knows.
    pub(super) fn read(&self, repo: &str, path: &str, range: ByteRange) -> io::Result<Bytes> {
        match self {
            Self::Folder(folder) => folder.read(repo, path, range),
            Self::Replica(replica) => {
                let bytes = replica_repo(replica, repo)?.read(path, range);
                bytes.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            }
        }
    }

    /// Number of elements by type over the shards, where that is known without reading their headers.
    pub(super) fn parameters(&self, repo: &str) -> Option<Vec<(&'static str, u64)>> {
        match self {
            Self::Folder(_) => None,
            Self::Replica(replica) => replica_repo(replica, repo).ok().map(ReplicaRepo::parameters),
        }
    }
}

impl Digests {
    /// Digests of a file with this SHA-256; `content` is needed of a small file only.
    pub(super) fn of(entry: &Entry, sha256: &str, content: &[u8]) -> Self {
        if entry.is_large() {
            Self { oid: git_blob_id(pointer(sha256, entry.size).as_bytes()), sha256: Some(sha256.to_owned()) }
        } else {
            Self { oid: git_blob_id(content), sha256: None }
        }
    }

    /// The name of a large file in content-addressed storage, and its tag at the CDN: never the SHA-256 of the content.
    pub(super) fn xet_hash(&self) -> Option<String> {
        self.sha256.as_ref().map(|sha256| sha256_hex(format!("xet:{sha256}").as_bytes()))
    }
}

/// What git keeps in the place of a large file.
pub(super) fn pointer(sha256: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}

fn replica_repo<'a>(replica: &'a Replica, id: &str) -> io::Result<&'a ReplicaRepo> {
    replica.find(id).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn described(repo: &ReplicaRepo) -> Repo {
    let entries = repo.entries().into_iter().map(|(path, size)| Entry { path, size });
    Repo {
        id: repo.id().to_owned(),
        commit: sha256_hex(format!("replica:{}", repo.id()).as_bytes())[..40].to_owned(),
        refs: Vec::new(),
        gated: Value::Bool(false),
        private: false,
        disabled: false,
        modified: "2026-01-01T00:00:00.000Z".to_owned(),
        tags: repo.tags(),
        card: repo.card(),
        entries: entries.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_found_by_any_spelling_and_has_stable_names() {
        let store = Store::replica();
        let Found::Repo(repo) = store.find("01-ai/Yi-1.5-6B-Chat").unwrap() else {
            panic!("not found");
        };
        assert_eq!(repo.commit.len(), 40);
        assert_eq!(store.find("01-ai/yi-1.5-6b-chat").unwrap(), Found::Moved(repo.id.clone()));
        assert_eq!(store.find("01-ai/other").unwrap(), Found::Missing);
        let shard = repo.entry("model-00001-of-00003.safetensors").unwrap();
        let digests = store.digests(&repo.id, shard).unwrap();
        assert_eq!(digests, Store::replica().digests(&repo.id, shard).unwrap());
        assert_ne!(digests.xet_hash(), digests.sha256);
        assert_eq!(digests.oid.len(), 40);
        let config = repo.entry("config.json").unwrap();
        assert_eq!(store.digests(&repo.id, config).unwrap().sha256, None);
    }

    #[test]
    fn every_replica_says_that_it_is_synthetic() {
        let store = Store::replica();
        for id in store.ids().unwrap() {
            let Found::Repo(repo) = store.find(&id).unwrap() else { panic!("{id}") };
            let read = |path: &str| store.read(&id, path, ByteRange::new(0, u64::MAX)).unwrap();
            let config: Value = serde_json::from_slice(&read("config.json")).unwrap();
            assert_eq!(config["_synthetic"], "synthetic replica, not the real weights");
            assert!(String::from_utf8_lossy(&read("README.md")).contains("synthetic replica"));
            assert!(repo.tags.iter().any(|tag| tag == "synthetic-replica"));
        }
    }
}
