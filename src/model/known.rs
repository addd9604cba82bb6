//! What is known of a commit, and what a run learns of it: never other than it was, so that a later run asks for none of it again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, AuditError};
use crate::{
    cache::CommitRecord,
    error::Result,
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
        Self { record: empty_record("", snapshot), changed: false, partial: false }
    }

    /// What the cache has of a commit; the listing of one of which it has nothing.
    pub(super) async fn of_commit(access: &Access, repo: &RepoId, commit: &Commit) -> Result<Self> {
        // What another endpoint said of a commit of the same name is no knowledge of this one.
        let known = access.cache.record(repo, commit)?.filter(|record| record.source == access.source);
        if let Some(mut record) = known {
            // Hashes that were withheld may be told by now.
            let changed = !access.offline && record.snapshot.files.iter().any(|file| file.withheld);
            if changed {
                record.snapshot = access.hub.snapshot(repo, commit).await?;
            }
            return Ok(Self { record, changed, partial: false });
        }
        let shared = match &access.shared {
            Some(shared) if access.offline => shared.snapshot(repo, commit),
            _ => None,
        };
        let partial = shared.is_some();
        let snapshot = match shared {
            Some(snapshot) => snapshot,
            None => access.hub.snapshot(repo, commit).await?,
        };
        Ok(Self { record: empty_record(&access.source, snapshot), changed: !partial, partial })
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

/// The repository's present id and the commit that a revision is now, or was when it was last asked for.
pub(super) async fn pinned(access: &Access, repo: &RepoId, revision: &Revision) -> Result<(RepoId, Commit)> {
    if access.offline && revision.as_commit().is_none() {
        return offline_revision(access, repo, revision);
    }
    let pinned = access.hub.resolve_revision(repo, revision).await?;
    // For a later run without network. What cannot be kept is asked again; that is no reason to fail.
    for id in BTreeSet::from([repo, &pinned.0]) {
        let _ = access.cache.keep_revision(&access.source, id, revision, &pinned);
    }
    Ok(pinned)
}

/// What a revision was when it was last asked for, here or by another program.
fn offline_revision(access: &Access, repo: &RepoId, revision: &Revision) -> Result<(RepoId, Commit)> {
    if let Some(kept) = access.cache.revision(&access.source, repo, revision) {
        return Ok(kept);
    }
    let commit = match &access.shared {
        Some(shared) => shared.commit(repo, revision),
        None => None,
    };
    let unknown = || AuditError::OfflineRevision { repo: repo.to_string(), revision: revision.to_string() };
    Ok((repo.clone(), commit.ok_or_else(unknown)?))
}

fn empty_record(source: &str, snapshot: Snapshot) -> CommitRecord {
    CommitRecord { source: source.to_owned(), snapshot, small_files: BTreeMap::new(), headers: BTreeMap::new() }
}
