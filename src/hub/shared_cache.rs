//! The cache that the Hub's own client programs share, read and never written.
//!
//! Look-ups go through the `hf-hub` crate with `local_files_only`, and through its scan of the folder: both ask no network
//! and write nothing. The client behind them has an address that leads nowhere and an empty token, so that it reads no
//! environment and could not send anything if it tried. What it does not check is checked here: it takes any file that is
//! there, also one whose link leads out of the cache, and it knows neither sizes nor hashes. A file counts as there only if it
//! has the size that the Hub states, and if the name of its blob, which is the hash of its content, does not contradict it.
//! The crate can neither list one snapshot alone nor read ranges; the scan is narrowed here, and files are read as any file is.

use std::path::{Path, PathBuf};

use hf_hub::{HFClient, HFRepository, RepoTypeModel};

use crate::{
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, RepoId, Revision},
};

/// The Hub's standard cache on this machine.
#[derive(Debug, Clone)]
pub struct SharedCache {
    root: PathBuf,
    client: HFClient,
}

impl SharedCache {
    /// The cache at `root`; `None` if there is no such folder.
    pub fn open(root: &Path) -> Option<Self> {
        let root = fs_err::canonicalize(root).ok().filter(|root| root.is_dir())?;
        let client = HFClient::builder()
            .endpoint("http://shared-cache.invalid")
            .token("")
            .user_agent(concat!("hub-audit/", env!("CARGO_PKG_VERSION")))
            .cache_dir(&root)
            .retry_max_attempts(0)
            .build()
            .ok()?;
        Some(Self { root, client })
    }

    /// The commit that a branch or tag was when it was last downloaded, if its files are there.
    pub async fn commit(&self, repo: &RepoId, revision: &Revision) -> Option<Commit> {
        let folder = self.folder(repo, revision.as_str()).await?;
        folder.file_name()?.to_str()?.parse().ok()
    }

    /// The files of a commit that are there, which need not be all that it has. Sizes are those of the files, hashes the names
    /// of their blobs. `None` if there are none.
    pub async fn snapshot(&self, repo: &RepoId, commit: &Commit) -> Option<Snapshot> {
        let folder = self.folder(repo, commit.as_str()).await?;
        let scanned = self.client.scan_cache().send().await.ok()?;
        let mut revisions = scanned.repos.into_iter().flat_map(|repo| repo.revisions);
        let revision = revisions.find(|revision| revision.snapshot_path == folder)?;
        let file = |found: hf_hub::cache::CachedFileInfo| {
            self.is_sound(&found.file_path).then(|| {
                let blob = blob_name(&found.file_path);
                RepoFile {
                    path: found.file_name,
                    size: found.size_on_disk,
                    blob_id: blob.clone().filter(|name| name.len() == 40),
                    lfs_sha256: blob.filter(|name| name.len() == 64),
                    xet_hash: None,
                }
            })
        };
        let mut files: Vec<RepoFile> = revision.files.into_iter().filter_map(file).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        (!files.is_empty()).then(|| Snapshot { commit: Some(commit.clone()), files })
    }

    /// Where the files of a commit lie that are there whole: of each file of `snapshot` its path, or `None`.
    pub async fn files(&self, repo: &RepoId, commit: &Commit, snapshot: &Snapshot) -> Vec<Option<PathBuf>> {
        let mut found = Vec::with_capacity(snapshot.files.len());
        let is_there = self.folder(repo, commit.as_str()).await.is_some();
        for file in &snapshot.files {
            found.push(if is_there { self.file(repo, commit, file).await } else { None });
        }
        found
    }

    async fn file(&self, repo: &RepoId, commit: &Commit, file: &RepoFile) -> Option<PathBuf> {
        // A listing is a stranger's text: it must not name files elsewhere.
        if file.path.split('/').any(|segment| matches!(segment, "" | "." | "..")) || file.path.contains('\\') {
            return None;
        }
        let repository = self.repository(repo);
        let lookup = repository.download_file();
        let lookup = lookup.filename(&file.path).revision(commit.as_str()).local_files_only(true);
        let path = lookup.send().await.ok()?;
        let is_whole = fs_err::metadata(&path).is_ok_and(|found| found.len() == file.size);
        (is_whole && self.is_sound(&path) && is_named(&path, file)).then_some(path)
    }

    /// The folder of a snapshot.
    async fn folder(&self, repo: &RepoId, revision: &str) -> Option<PathBuf> {
        let repository = self.repository(repo);
        let lookup = repository.snapshot_download().revision(revision).local_files_only(true);
        lookup.send().await.ok()
    }

    fn repository(&self, repo: &RepoId) -> HFRepository<RepoTypeModel> {
        self.client.model(repo.owner().unwrap_or_default(), repo.name())
    }

    /// Whether a path ends at a file inside the cache that nobody is still writing.
    fn is_sound(&self, path: &Path) -> bool {
        let Ok(end) = fs_err::canonicalize(path) else {
            return false;
        };
        let unfinished = end.extension().is_some_and(|extension| extension == "incomplete");
        end.starts_with(&self.root) && end.is_file() && !unfinished
    }
}

/// The hash by which the file's blob is named: of git or SHA-256. `None` where the snapshot holds the file itself.
fn blob_name(path: &Path) -> Option<String> {
    let target = fs_err::read_link(path).ok()?;
    let name = target.file_name()?.to_str()?;
    let is_hash = matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| name.to_ascii_lowercase())
}

/// Whether the blob's name is the hash that the Hub states. A file or listing without one says nothing against it.
fn is_named(path: &Path, file: &RepoFile) -> bool {
    let stated = file.lfs_sha256.as_ref().or(file.blob_id.as_ref());
    match (blob_name(path), stated) {
        (Some(name), Some(stated)) => name == *stated,
        _ => true,
    }
}
