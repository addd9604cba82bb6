//! A repository at one commit: the list of its files, with the sizes and hashes that the Hub states for them.

use serde::{Deserialize, Serialize};

use crate::spec::Commit;

/// One file of a repository, as the tree listing describes it. No byte of it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoFile {
    /// Path inside the repository, `/` between folders.
    pub path: String,
    /// Size in bytes of the content (for LFS and Xet files of the content, not of the pointer).
    pub size: u64,
    /// Git blob id (SHA-1, 40 hex) where the source states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_id: Option<String>,
    /// SHA-256 of the content (64 hex), stated by the Hub for LFS and Xet files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lfs_sha256: Option<String>,
    /// Xet hash of the content (64 hex), stated by the Hub for Xet files. It is not a SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xet_hash: Option<String>,
    /// Whether the Hub states a hash that is none, as it does of files that may not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
}

impl RepoFile {
    /// The hash by which the content is known, if one is listed: SHA-256 of a large file, the git blob id of a small one.
    pub(crate) fn stated_hash(&self) -> Option<&String> {
        self.lfs_sha256.as_ref().or(self.blob_id.as_ref())
    }
}

/// The text, if it is a hash of 32 bytes: the Hub lists other characters in the place of hashes that it withholds.
pub(crate) fn hash_of_32_bytes(text: &str) -> Option<&str> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// A repository at a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The commit that every later request names. `None` for a local folder, which has none.
    pub commit: Option<Commit>,
    /// All files of the repository, sorted by path.
    pub files: Vec<RepoFile>,
}

impl Snapshot {
    /// The file at `path`, if the repository has it.
    pub fn file(&self, path: &str) -> Option<&RepoFile> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|found| &self.files[found])
    }
}
