//! A repository as it is served: what is known of it, its files, and what names their content.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use crate::digest::{
    git_blob_id, sha256_hex,
    xet::{Node, XetHash, file_hash},
};

/// Files larger than this are stored as the Hub stores large files, whatever their name: it takes none into git.
const LARGE: u64 = 10 * 1024 * 1024;

/// One repository as it is now. What can be deserialised is what `.hub.json` may say of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Repo {
    /// `owner/name`, or a bare name.
    #[serde(skip)]
    pub(super) id: String,
    /// The commit of `main`.
    #[serde(skip)]
    pub(super) commit: String,
    /// RFC 3339, milliseconds.
    #[serde(skip)]
    pub(super) modified: String,
    /// In the order of paths.
    #[serde(skip)]
    pub(super) entries: Vec<Entry>,
    /// Other branches and refs, each with its commit. They all show the same files.
    pub(super) refs: BTreeMap<String, String>,
    /// `false`, `"auto"` or `"manual"`.
    pub(super) gated: Value,
    pub(super) private: bool,
    pub(super) disabled: bool,
    pub(super) renamed_from: Vec<String>,
    pub(super) tags: Vec<String>,
    #[serde(rename = "cardData")]
    pub(super) card: Value,
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
    /// The id of the git blob: of the content, or of the pointer to it.
    pub(super) oid: String,
    /// SHA-256 of the content, for large files.
    pub(super) sha256: Option<String>,
    /// For large files, unless they are too large to be hashed.
    pub(super) xet: Option<Arc<Chunked>>,
}

/// The content of a file as Xet storage sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    pub(super) hash: XetHash,
    pub(super) chunks: Vec<Node>,
}

impl Repo {
    /// The commit of a revision: `main`, a branch or ref, or a commit of one of them.
    pub(super) fn resolve(&self, revision: &str) -> Option<&str> {
        if revision == "main" || revision.eq_ignore_ascii_case(&self.commit) {
            return Some(&self.commit);
        }
        let found = self.refs.iter().find(|&(name, commit)| name == revision || commit == revision);
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

impl Digests {
    /// Digests of a file with this SHA-256; `content` is needed of a small file only.
    pub(super) fn of(entry: &Entry, sha256: &str, content: &[u8]) -> Self {
        if entry.is_large() {
            Self {
                oid: git_blob_id(pointer(sha256, entry.size).as_bytes()),
                sha256: Some(sha256.to_owned()),
                xet: None,
            }
        } else {
            Self { oid: git_blob_id(content), sha256: None, xet: None }
        }
    }

    /// The same, with the chunks of a large file.
    pub(super) fn chunked(mut self, chunks: Vec<Node>) -> Self {
        self.xet = self.sha256.is_some().then(|| Arc::new(Chunked { hash: file_hash(&chunks), chunks }));
        self
    }

    /// The tag of a large file at the CDN: its name in Xet storage, and never the SHA-256 of the content.
    pub(super) fn cdn_tag(&self) -> String {
        match &self.xet {
            Some(xet) => xet.hash.to_string(),
            None => sha256_hex(self.oid.as_bytes()),
        }
    }
}

/// What git keeps in the place of a large file.
pub(super) fn pointer(sha256: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}
