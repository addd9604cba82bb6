//! What is known of one commit besides its tensors: files, configuration, headers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    disk::{self, Locked},
    error::CacheError,
    key::{self, RECORD},
    seal::unseal,
    store::Cache,
};
use crate::{
    snapshot::Snapshot,
    spec::{Commit, RepoId},
};

/// The kept knowledge of one commit. With it, a question about kept tensors needs no network at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// The files of the commit.
    pub snapshot: Snapshot,
    /// Text of small files, such as `config.json` and the shard index, by path.
    pub small_files: BTreeMap<String, String>,
    /// JSON of safetensors headers, by the shard's path. Read them through
    /// [`Header::from_json`](crate::checkpoint::Header::from_json), which checks them again.
    pub headers: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    repo: RepoId,
    commit: Commit,
    #[serde(flatten)]
    record: CommitRecord,
}

impl Cache {
    /// The record of a commit, if one is kept. A broken one is a miss, and is replaced by the next update.
    pub fn record(&self, repo: &RepoId, commit: &Commit) -> Result<Option<CommitRecord>, CacheError> {
        let path = key::commit_folder(self.root(), repo, commit).join(RECORD);
        let text = disk::read_if_there(&path)?;
        let kept = text.and_then(|text| unseal::<Kept>(&text));
        Ok(kept
            .filter(|kept| kept.repo == *repo && kept.commit == *commit)
            .map(|kept| kept.record))
    }

    /// Adds `new` to the record of a commit, and gives the whole. Files and headers that were known stay, those in `new`
    /// win; a snapshot in `new` wins if it lists any file.
    pub fn update_record(&self, repo: &RepoId, commit: &Commit, new: CommitRecord) -> Result<CommitRecord, CacheError> {
        let folder = key::commit_folder(self.root(), repo, commit);
        let _locked = Locked::folder(self.root(), &folder)?;
        let record = match self.record(repo, commit)? {
            None => new,
            Some(mut known) => {
                if !new.snapshot.files.is_empty() {
                    known.snapshot = new.snapshot;
                }
                known.small_files.extend(new.small_files);
                known.headers.extend(new.headers);
                known
            }
        };
        let kept = Kept {
            repo: repo.clone(),
            commit: commit.clone(),
            record,
        };
        self.write_sealed(&folder.join(RECORD), &kept)?;
        Ok(kept.record)
    }
}
