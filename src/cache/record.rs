//! What is known of one commit besides its tensors: files, configuration, headers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    error::CacheError,
    key::{self, RECORD},
    store::Cache,
};
use crate::{
    snapshot::Snapshot,
    spec::{Commit, RepoId},
};

/// The kept knowledge of one commit. With it, a question about kept tensors needs no network at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// Who said so: an endpoint.
    pub source: String,
    /// The files of the commit.
    pub snapshot: Snapshot,
    /// Whether no Xet hashes were asked for with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_xet: bool,
    /// Text of small files, such as `config.json` and the shard index, by path.
    pub small_files: BTreeMap<String, String>,
    /// JSON of safetensors headers, by the shard's path. Read them through
    /// [`Header::from_json`](crate::checkpoint::Header::from_json), which checks them again.
    pub headers: BTreeMap<String, String>,
}

/// Bytes that a record has at most: the headers of a thousand shards, their index and the listing.
const RECORD_CAP: u64 = 256 * 1024 * 1024;

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
        let kept: Option<Kept> = self.read_sealed(&path, RECORD_CAP)?;
        Ok(kept.filter(|kept| kept.repo == *repo && kept.commit == *commit).map(|kept| kept.record))
    }

    /// Whether there is a record of a commit, sound or not.
    pub(crate) fn has_record(&self, repo: &RepoId, commit: &Commit) -> bool {
        key::commit_folder(self.root(), repo, commit).join(RECORD).exists()
    }

    /// Adds `new` to the record of a commit, and gives the whole. Files and headers that were known stay, those in `new`
    /// win; a snapshot in `new` wins if it lists any file.
    pub fn update_record(&self, repo: &RepoId, commit: &Commit, new: CommitRecord) -> Result<CommitRecord, CacheError> {
        let folder = key::commit_folder(self.root(), repo, commit);
        let _locked = self.disk.lock_folder(&folder)?;
        let record = match self.record(repo, commit)? {
            None => new,
            // Two sources may disagree on a commit; what they say is not mixed.
            Some(known) if known.source != new.source => new,
            Some(mut known) => {
                if !new.snapshot.files.is_empty() {
                    (known.snapshot, known.without_xet) = (new.snapshot, new.without_xet);
                }
                known.small_files.extend(new.small_files);
                known.headers.extend(new.headers);
                known
            }
        };
        let kept = Kept { repo: repo.clone(), commit: commit.clone(), record };
        self.write_sealed(&folder.join(RECORD), &kept)?;
        Ok(kept.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::RepoFile;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn record(file: &str, small: &[(&str, &str)], headers: &[(&str, &str)]) -> CommitRecord {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let files = if file.is_empty() {
            vec![]
        } else {
            vec![RepoFile {
                path: file.to_owned(),
                size: 1,
                blob_id: None,
                lfs_sha256: Some("0".repeat(64)),
                xet_hash: None,
                withheld: false,
            }]
        };
        CommitRecord {
            source: "hub".to_owned(),
            snapshot: Snapshot { commit: COMMIT.parse().ok(), files },
            without_xet: false,
            small_files: map(small),
            headers: map(headers),
        }
    }

    #[test]
    fn a_record_grows_and_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let (repo, commit) = ("o/n".parse().unwrap(), COMMIT.parse().unwrap());
        assert_eq!(cache.record(&repo, &commit).unwrap(), None);
        cache.update_record(&repo, &commit, record("a", &[("config.json", "{}")], &[("s1", "{}  ")])).unwrap();
        let whole = cache.update_record(&repo, &commit, record("", &[("x", "1")], &[("s2", "{\"a\":1}")])).unwrap();
        let expected = record("a", &[("config.json", "{}"), ("x", "1")], &[("s1", "{}  "), ("s2", "{\"a\":1}")]);
        assert_eq!(whole, expected);
        assert_eq!(cache.record(&repo, &commit).unwrap(), Some(expected));
    }

    #[test]
    fn updates_side_by_side_all_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let (repo, commit): (RepoId, Commit) = ("o/n".parse().unwrap(), COMMIT.parse().unwrap());
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let (cache, repo, commit) = (&cache, &repo, &commit);
                scope.spawn(move || {
                    let shard = format!("s{writer}");
                    cache.update_record(repo, commit, record("", &[], &[(&shard, "{}")])).unwrap();
                });
            }
        });
        assert_eq!(cache.record(&repo, &commit).unwrap().unwrap().headers.len(), 8);
    }

    #[test]
    fn a_broken_record_is_a_miss_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let (repo, commit) = ("o/n".parse().unwrap(), COMMIT.parse().unwrap());
        cache.update_record(&repo, &commit, record("a", &[("config.json", "17")], &[])).unwrap();
        let path = key::commit_folder(folder.path(), &repo, &commit).join(RECORD);
        let altered = fs_err::read_to_string(&path).unwrap().replace("17", "18");
        fs_err::write(&path, altered).unwrap();
        assert_eq!(cache.record(&repo, &commit).unwrap(), None);
        let new = record("b", &[], &[]);
        assert_eq!(cache.update_record(&repo, &commit, new.clone()).unwrap(), new);
        assert_eq!(cache.record(&repo, &commit).unwrap(), Some(new));
    }
}
