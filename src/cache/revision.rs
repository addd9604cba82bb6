//! Which commit a branch or tag last named, so that a later run can do without network. Never asked while there is one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    disk::{self, Locked},
    error::CacheError,
    key,
    seal::unseal,
    store::Cache,
};
use crate::spec::{Commit, RepoId, Revision};

#[derive(Serialize, Deserialize)]
struct Kept {
    repo: RepoId,
    revision: Revision,
    commit: Commit,
}

impl Cache {
    /// The commit that `revision` named when it was last resolved, if that is kept.
    pub fn revision(&self, repo: &RepoId, revision: &Revision) -> Option<Commit> {
        let text = disk::read_if_there(&self.revision_path(repo, revision)).ok()??;
        let kept: Kept = unseal(&text)?;
        (kept.repo == *repo && kept.revision == *revision).then_some(kept.commit)
    }

    /// Keeps that `revision` names `commit` now.
    pub fn keep_revision(&self, repo: &RepoId, revision: &Revision, commit: &Commit) -> Result<(), CacheError> {
        if revision.as_commit().is_some() || self.revision(repo, revision).as_ref() == Some(commit) {
            return Ok(());
        }
        let path = self.revision_path(repo, revision);
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let _locked = Locked::folder(self.root(), &folder)?;
        let kept = Kept {
            repo: repo.clone(),
            revision: revision.clone(),
            commit: commit.clone(),
        };
        self.write_sealed(&path, &kept)
    }

    fn revision_path(&self, repo: &RepoId, revision: &Revision) -> PathBuf {
        key::revision_path(self.root(), repo, revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_remembered_until_it_moves() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        let repo: RepoId = "a/b".parse().unwrap();
        let revision: Revision = "refs/pr/1".parse().unwrap();
        let commit = |digit: &str| digit.repeat(40).parse::<Commit>().unwrap();
        assert_eq!(cache.revision(&repo, &revision), None);
        for digit in ["1", "2"] {
            cache.keep_revision(&repo, &revision, &commit(digit)).unwrap();
            assert_eq!(cache.revision(&repo, &revision), Some(commit(digit)));
        }
        assert_eq!(cache.revision(&"a/c".parse().unwrap(), &revision), None);
    }
}
