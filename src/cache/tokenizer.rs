//! A commit's tokenizer, kept as the repository has it.
//!
//! It may have 30 MB, too much for the record of a commit, which every run reads. It carries no seal: the commit's list of
//! files states its hash, and whoever reads it checks that.

use super::{
    error::CacheError,
    file,
    key::{self, TOKENIZER},
    store::Cache,
};
use crate::spec::{Commit, RepoId};

/// Bytes that one has at most.
const CAP: u64 = 256 * 1024 * 1024;

impl Cache {
    /// The tokenizer of a commit, if it is kept. It may have been altered: check it against the listing.
    pub fn tokenizer(&self, repo: &RepoId, commit: &Commit) -> Result<Option<Vec<u8>>, CacheError> {
        self.disk.read_or_drop(&key::commit_folder(self.root(), repo, commit).join(TOKENIZER), CAP)
    }

    /// Keeps the tokenizer of a commit.
    pub fn keep_tokenizer(&self, repo: &RepoId, commit: &Commit, bytes: &[u8]) -> Result<(), CacheError> {
        let folder = key::commit_folder(self.root(), repo, commit);
        let _locked = self.disk.lock_folder(&folder)?;
        file::write_whole(&folder.join(TOKENIZER), |to| to.write_all(bytes)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_tokenizer_is_kept_and_is_no_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let repo: RepoId = "o/n".parse().unwrap();
        let commit: Commit = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        assert_eq!(cache.tokenizer(&repo, &commit).unwrap(), None);
        cache.keep_tokenizer(&repo, &commit, b"{}").unwrap();
        assert_eq!(cache.tokenizer(&repo, &commit).unwrap().unwrap(), b"{}");
        assert_eq!(cache.ls().unwrap(), []);
        let now = SystemTime::now();
        let report = cache.prune(None, None, now).unwrap();
        assert_eq!((report.leftovers, report.kept_bytes), (0, 2));
        cache.prune(None, Some(0), now).unwrap();
        assert_eq!(cache.tokenizer(&repo, &commit).unwrap(), None);
    }
}
