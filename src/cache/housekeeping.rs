//! What is kept, is it intact, and making room.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    commit_folder::{CommitFolder, bytes_of},
    entry::{read_files, read_sidecar},
    error::CacheError,
    file::{self, Flaw, Miss},
    key,
    store::Cache,
};
use crate::spec::{Commit, RepoId};

/// One kept tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// The tensor's exact name, followed by ` [N rows]` where only rows of it are kept; its file's name where the sidecar cannot
    /// tell.
    pub tensor: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was written.
    pub modified: SystemTime,
    npy: PathBuf,
    sidecar: PathBuf,
}

/// Whether an entry is intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is what was written.
    Sound,
    /// Whoever wrote it ended before it was whole. It is no entry yet, and will be fetched again when it is needed.
    Unfinished,
    /// It cannot be used, and will be fetched again when it is needed.
    Broken(Flaw),
}

/// What clearing out did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PruneReport {
    /// Tensors removed.
    pub removed: u64,
    /// Bytes freed, leftovers and records of commits included.
    pub freed_bytes: u64,
    /// Files removed that no entry owns: temporary files, values or sidecars without the other.
    pub leftovers: u64,
    /// Tensors kept.
    pub kept: u64,
    /// Bytes kept, records of commits included.
    pub kept_bytes: u64,
}

impl Cache {
    /// All kept tensors, by repository, commit and name. Values are not read.
    pub fn ls(&self) -> Result<Vec<Entry>, CacheError> {
        let entries = self.entries()?.into_iter();
        Ok(entries.filter_map(|(entry, is_finished)| is_finished.then_some(entry)).collect())
    }

    /// All kept tensors, and whether each has its sidecar.
    fn entries(&self) -> Result<Vec<(Entry, bool)>, CacheError> {
        let mut entries = Vec::new();
        for folder in self.commit_folders()? {
            let Some((repo, commit)) = &folder.identity else { continue };
            for (stem, pair) in folder.pairs()? {
                let [Some(npy), kept] = &pair else { continue };
                let sidecar = npy.path.with_file_name(format!("{stem}.json"));
                let named = match read_sidecar(&sidecar, &npy.path) {
                    Ok(sidecar) => Some(sidecar.listed_name()),
                    _ => key::decode(&stem),
                };
                let entry = Entry {
                    repo: repo.clone(),
                    commit: commit.clone(),
                    tensor: named.unwrap_or(stem),
                    bytes: bytes_of(pair.iter().flatten()),
                    modified: npy.modified,
                    npy: npy.path.clone(),
                    sidecar,
                };
                entries.push((entry, kept.is_some()));
            }
        }
        entries.sort_by(|(a, _), (b, _)| (&a.repo, &a.commit, &a.tensor).cmp(&(&b.repo, &b.commit, &b.tensor)));
        Ok(entries)
    }

    /// Reads every kept tensor and checks it against its sidecar. Nothing is removed.
    pub fn verify(&self) -> Result<Vec<(Entry, Verdict)>, CacheError> {
        let mut checked = Vec::new();
        for (entry, is_finished) in self.entries()? {
            let verdict = match read_files(&entry.sidecar, &entry.npy) {
                Ok(_) => Verdict::Sound,
                Err(Miss::Broken(flaw)) => Verdict::Broken(flaw),
                Err(Miss::Absent) if !is_finished => Verdict::Unfinished,
                // Removed by another program since it was listed.
                Err(Miss::Absent) => continue,
                Err(Miss::Failed(error)) => return Err(error),
            };
            checked.push((entry, verdict));
        }
        Ok(checked)
    }

    /// Makes room: removes what is older than `older_than` at the time `now`, then the oldest until at most `max_size`
    /// bytes are left. Only whole entries go, and records and tokenizers of commits like them; then leftovers and empty folders. With
    /// neither limit only leftovers go. Waits for writers, and keeps them waiting.
    pub fn prune(
        &self,
        older_than: Option<Duration>,
        max_size: Option<u64>,
        now: SystemTime,
    ) -> Result<PruneReport, CacheError> {
        let _locked = self.disk.lock_everything()?;
        let folders = self.commit_folders()?;
        let report = sweep(&folders, older_than, max_size, now, file::remove)?;
        for folder in &folders {
            folder.remove_if_empty(self.root())?;
        }
        Ok(report)
    }

    /// What [`Cache::prune`] would remove now. Nothing is, and no writer waits.
    pub fn plan_prune(
        &self,
        older_than: Option<Duration>,
        max_size: Option<u64>,
        now: SystemTime,
    ) -> Result<PruneReport, CacheError> {
        sweep(&self.commit_folders()?, older_than, max_size, now, |_| Ok(()))
    }
}

/// Gives `remove` what is too old, then the oldest of what is too much, and every leftover.
fn sweep(
    folders: &[CommitFolder],
    older_than: Option<Duration>,
    max_size: Option<u64>,
    now: SystemTime,
    remove: impl Fn(&Path) -> Result<(), CacheError>,
) -> Result<PruneReport, CacheError> {
    let mut report = PruneReport::default();
    let mut items = Vec::new();
    for folder in folders {
        let leftovers = folder.items(&mut items)?;
        for file in leftovers {
            remove(&file.path)?;
            report.leftovers += 1;
            report.freed_bytes += file.bytes;
        }
    }
    items.sort_by(|a, b| (a.modified, &a.paths).cmp(&(b.modified, &b.paths)));
    let mut left: u64 = items.iter().map(|item| item.bytes).sum();
    let cutoff = older_than.and_then(|age| now.checked_sub(age));
    for item in items {
        let old = cutoff.is_some_and(|cutoff| item.modified < cutoff);
        if old || max_size.is_some_and(|max| left > max) {
            for path in &item.paths {
                remove(path)?;
            }
            left -= item.bytes;
            report.removed += u64::from(item.is_tensor);
            report.freed_bytes += item.bytes;
        } else {
            report.kept += u64::from(item.is_tensor);
            report.kept_bytes += item.bytes;
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::{
        cache::{CommitRecord, TensorKey, TensorMeta},
        dtype::Dtype,
        range::ByteRange,
        snapshot::Snapshot,
        values::Values,
    };

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn filled(tensors: &[(&str, &str)]) -> (tempfile::TempDir, Cache, SystemTime) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let now = SystemTime::now();
        for (age, (repo, tensor)) in tensors.iter().enumerate() {
            let key = TensorKey {
                repo: repo.parse().unwrap(),
                commit: COMMIT.parse().unwrap(),
                tensor: (*tensor).to_owned(),
            };
            let meta = TensorMeta {
                dtype: Dtype::U8,
                shape: vec![1000],
                shard: "s".to_owned(),
                range: ByteRange::new(0, 1000),
                sha256: String::new(),
                source: String::new(),
            };
            let path = cache.insert(&key, &Values::U8(vec![7; 1000]), &meta).unwrap();
            let hours = u64::try_from(age).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(now - Duration::from_secs(3600 * hours)).unwrap();
        }
        (folder, cache, now)
    }

    fn names(cache: &Cache) -> Vec<String> {
        cache.ls().unwrap().iter().map(|entry| format!("{}:{}", entry.repo, entry.tensor)).collect()
    }

    #[test]
    fn entries_are_listed_by_repository_and_name() {
        let (_folder, cache, _) = filled(&[("o/n", "b/c"), ("gpt2", "w"), ("o/n", "a")]);
        assert_eq!(names(&cache), ["gpt2:w", "o/n:a", "o/n:b/c"]);
        let entry = &cache.ls().unwrap()[0];
        assert!(entry.bytes > 1128 && entry.npy.ends_with("w.npy"));
        assert_eq!(entry.commit.as_str(), COMMIT);
    }

    #[test]
    fn verification_names_the_flaw_and_removes_nothing() {
        let (_folder, cache, _) = filled(&[("o/n", "cut"), ("o/n", "flipped"), ("o/n", "sidecar"), ("o/n", "sound")]);
        let entries = cache.ls().unwrap();
        let bytes = fs_err::read(&entries[0].npy).unwrap();
        fs_err::write(&entries[0].npy, &bytes[1..]).unwrap();
        fs_err::write(&entries[1].npy, bytes.iter().map(|byte| !byte).collect::<Vec<_>>()).unwrap();
        fs_err::remove_file(&entries[2].sidecar).unwrap();
        let verdicts: Vec<_> = cache.verify().unwrap().into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Broken(Flaw::Length), Verdict::Broken(Flaw::Digest), Verdict::Unfinished, Verdict::Sound]
        );
        assert_eq!(cache.ls().unwrap().len(), 3);
    }

    #[test]
    fn the_old_go_first_by_age() {
        let (_folder, cache, now) = filled(&[("o/n", "new"), ("o/n", "hour"), ("p/m", "two hours")]);
        let planned = cache.plan_prune(Some(Duration::from_mins(90)), None, now).unwrap();
        assert_eq!(names(&cache).len(), 3, "a plan removes nothing");
        let report = cache.prune(Some(Duration::from_mins(90)), None, now).unwrap();
        assert_eq!(planned, report);
        assert_eq!((report.removed, report.kept), (1, 2));
        assert_eq!(names(&cache), ["o/n:hour", "o/n:new"]);
        assert!(!cache.root().join("models/p").exists(), "empty folders go");
    }

    #[test]
    fn the_old_go_first_by_size() {
        let (_folder, cache, now) = filled(&[("o/n", "new"), ("o/n", "hour"), ("o/n", "two")]);
        let size = cache.ls().unwrap()[0].bytes;
        let report = cache.prune(None, Some(2 * size + 10), now).unwrap();
        assert_eq!(names(&cache), ["o/n:hour", "o/n:new"]);
        assert_eq!(report.kept_bytes, cache.ls().unwrap().iter().map(|entry| entry.bytes).sum::<u64>());
        let report = cache.prune(None, Some(0), now).unwrap();
        assert_eq!((report.removed, report.kept, report.kept_bytes), (2, 0, 0));
        assert!(!cache.root().join("models").exists());
    }

    #[test]
    fn without_limits_only_leftovers_go() {
        let (_folder, cache, now) = filled(&[("o/n", "a"), ("o/n", "b")]);
        let (repo, commit) = ("o/n".parse().unwrap(), COMMIT.parse().unwrap());
        let record = CommitRecord {
            source: "hub".to_owned(),
            snapshot: Snapshot { commit: None, files: vec![] },
            without_xet: false,
            small_files: BTreeMap::new(),
            headers: BTreeMap::new(),
        };
        cache.update_record(&repo, &commit, record.clone()).unwrap();
        let folder = key::commit_folder(cache.root(), &repo, &commit);
        fs_err::write(folder.join(".tmp-killed"), [0; 50]).unwrap();
        fs_err::write(folder.join("orphan.npy"), [0; 7]).unwrap();
        fs_err::write(folder.join("orphan2.json"), [0; 3]).unwrap();
        let report = cache.prune(None, None, now).unwrap();
        assert_eq!((report.removed, report.kept, report.leftovers, report.freed_bytes), (0, 2, 3, 60));
        assert_eq!(names(&cache), ["o/n:a", "o/n:b"]);
        assert_eq!(cache.record(&repo, &commit).unwrap(), Some(record));
    }

    #[test]
    fn clearing_out_beside_writers_loses_nothing_that_was_written_after() {
        let (_folder, cache, now) = filled(&[]);
        let key = TensorKey { repo: "o/n".parse().unwrap(), commit: COMMIT.parse().unwrap(), tensor: "t".to_owned() };
        let meta = TensorMeta {
            dtype: Dtype::U8,
            shape: vec![1],
            shard: String::new(),
            range: ByteRange::new(0, 1),
            sha256: String::new(),
            source: String::new(),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(cache.prune(None, Some(0), now).unwrap().kept, 0)));
            scope.spawn(|| (0..50).for_each(|_| drop(cache.insert(&key, &Values::U8(vec![1]), &meta).unwrap())));
            scope.spawn(|| (0..50).for_each(|_| drop(cache.get(&key).unwrap())));
        });
        cache.insert(&key, &Values::U8(vec![1]), &meta).unwrap();
        assert!(cache.get(&key).unwrap().is_some());
    }
}
