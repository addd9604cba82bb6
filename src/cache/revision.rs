//! Which commit a branch or tag last named, so that a later run can do without network. Never asked while there is one.

use serde::{Deserialize, Serialize};

use super::{error::CacheError, key, store::Cache};
use crate::spec::{Commit, RepoId, Revision};

/// Bytes that it takes at most.
const CAP: u64 = 64 * 1024;

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Who said so: an endpoint.
    source: String,
    repo: RepoId,
    revision: Revision,
    /// The repository's id as the source spells it.
    present: RepoId,
    commit: Commit,
}

impl Cache {
    /// What `revision` of `repo` was when `source` last resolved it: the repository's present id, and the commit.
    pub fn revision(&self, source: &str, repo: &RepoId, revision: &Revision) -> Option<(RepoId, Commit)> {
        let kept: Kept = self.read_sealed(&key::revision_path(self.root(), repo, revision), CAP).ok()??;
        let same = kept.source == source && kept.repo == *repo && kept.revision == *revision;
        same.then_some((kept.present, kept.commit))
    }

    /// Keeps what `revision` of `repo` is now.
    pub fn keep_revision(
        &self,
        source: &str,
        repo: &RepoId,
        revision: &Revision,
        pinned: &(RepoId, Commit),
    ) -> Result<(), CacheError> {
        if revision.as_commit().is_some() || self.revision(source, repo, revision).as_ref() == Some(pinned) {
            return Ok(());
        }
        let path = key::revision_path(self.root(), repo, revision);
        let kept = Kept {
            source: source.to_owned(),
            repo: repo.clone(),
            revision: revision.clone(),
            present: pinned.0.clone(),
            commit: pinned.1.clone(),
        };
        self.keep_sealed(&path, &kept)
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
        let pinned = |digit: &str| {
            let present: RepoId = "a/now".parse().unwrap();
            (present, digit.repeat(40).parse::<Commit>().unwrap())
        };
        assert_eq!(cache.revision("hub", &repo, &revision), None);
        for digit in ["1", "2"] {
            cache.keep_revision("hub", &repo, &revision, &pinned(digit)).unwrap();
            assert_eq!(cache.revision("hub", &repo, &revision), Some(pinned(digit)));
        }
        assert_eq!(cache.revision("hub", &"a/c".parse().unwrap(), &revision), None);
        assert_eq!(cache.revision("mirror", &repo, &revision), None);
    }
}
