//! What is known of a commit, and what a run learns of it: never other than it was, so that a later run asks for none of it again.

use std::collections::BTreeSet;

use super::{Access, AuditError};
use crate::{
    cache::CommitRecord,
    error::Result,
    hub::Pinned,
    snapshot::Snapshot,
    spec::{Commit, RepoId, Revision},
};

/// What is known of a commit, or of a folder in this run.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) record: CommitRecord,
    /// Whether the cache has less of it.
    changed: bool,
    /// The listing is what the Hugging Face cache happens to have: good for this run, and no knowledge of the commit.
    pub(super) partial: bool,
}

impl Known {
    /// What is there of a folder.
    pub(super) fn of_folder(snapshot: Snapshot) -> Self {
        Self { record: CommitRecord { snapshot, ..CommitRecord::default() }, changed: false, partial: false }
    }

    /// What the cache has of a commit; the listing of one of which it has nothing.
    pub(super) async fn of_commit(access: &Access, pinned: Pinned, xet_hashes: bool) -> Result<Self> {
        let Pinned { repo, commit, snapshot } = &pinned;
        // What another endpoint said of a commit of the same name is no knowledge of this one.
        let known = access.cache.record(repo, commit)?.filter(|record| record.source == access.source);
        if let Some(mut record) = known {
            // Hashes that were withheld may be told by now.
            let lacks_hashes =
                xet_hashes && record.without_xet || record.snapshot.files.iter().any(|file| file.withheld);
            let changed = !access.offline && lacks_hashes;
            if changed {
                record.snapshot = access.hub.snapshot(repo, commit).await?;
                record.without_xet = false;
            }
            return Ok(Self { record, changed, partial: false });
        }
        let shared = match &access.shared {
            Some(shared) if access.offline => shared.snapshot(repo, commit),
            _ => None,
        };
        let partial = shared.is_some();
        let without_xet = !xet_hashes && snapshot.is_some();
        let snapshot = match (shared, snapshot) {
            (Some(shared), _) => shared,
            (None, Some(told)) if without_xet => told.clone(),
            _ => access.hub.snapshot(repo, commit).await?,
        };
        let source = access.source.clone();
        let record = CommitRecord { source, snapshot, without_xet, ..CommitRecord::default() };
        Ok(Self { record, changed: !partial, partial })
    }

    pub(super) fn learn_small_file(&mut self, path: &str, text: String) {
        self.record.small_files.insert(path.to_owned(), text);
        self.changed = true;
    }

    pub(super) fn learn_header(&mut self, shard: &str, json: &str) {
        self.record.headers.insert(shard.to_owned(), json.to_owned());
        self.changed = true;
    }

    /// Writes what has been learnt to the cache.
    pub(super) fn keep(&mut self, access: &Access, repo: &RepoId, commit: &Commit) -> Result<()> {
        if self.changed && !self.partial {
            access.cache.update_record(repo, commit, self.record.clone())?;
            self.changed = false;
        }
        Ok(())
    }
}

/// The repository's present id and the commit that a revision is now, or was when it was last asked for; with the listing where
/// that costs nothing more.
pub(super) async fn pinned(access: &Access, repo: &RepoId, revision: &Revision, xet_hashes: bool) -> Result<Pinned> {
    if let Some(commit) = revision.as_commit() {
        return Ok(Pinned { repo: repo.clone(), commit, snapshot: None });
    }
    if access.offline {
        return offline_revision(access, repo, revision);
    }
    let with_files = !xet_hashes && !access.is_known(repo, revision);
    let pinned = access.hub.pin(repo, revision, with_files).await?;
    // For a later run without network. What cannot be kept is asked again; that is no reason to fail.
    let kept = (pinned.repo.clone(), pinned.commit.clone());
    for id in BTreeSet::from([repo, &pinned.repo]) {
        let _ = access.cache.keep_revision(&access.source, id, revision, &kept);
    }
    Ok(pinned)
}

/// What a revision was when it was last asked for, here or by another program.
fn offline_revision(access: &Access, repo: &RepoId, revision: &Revision) -> Result<Pinned> {
    if let Some((repo, commit)) = access.cache.revision(&access.source, repo, revision) {
        return Ok(Pinned { repo, commit, snapshot: None });
    }
    let commit = access.shared.as_ref().and_then(|shared| shared.commit(repo, revision));
    let unknown = || AuditError::OfflineRevision { repo: repo.to_string(), revision: revision.to_string() };
    Ok(Pinned { repo: repo.clone(), commit: commit.ok_or_else(unknown)?, snapshot: None })
}
