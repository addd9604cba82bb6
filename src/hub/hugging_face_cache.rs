//! The cache that the Hub's own client programs share, read and never written.
//!
//! The `hf-hub` crate says where a commit's files lie; without its network features it is that rule and little else. What it does
//! not check is checked here: a link may lead out of the cache, and it knows neither sizes nor hashes. A file counts as there only
//! if it has the size that the Hub states, and if the name of its blob, which is the hash of its content, does not contradict it.

use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use crate::{
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, RepoId, Revision},
};

/// The Hugging Face cache on this machine.
#[derive(Debug, Clone)]
pub struct HuggingFaceCache {
    root: PathBuf,
    verifies: bool,
}

impl HuggingFaceCache {
    /// The cache at `root`; `None` if there is no such folder.
    pub fn open(root: &Path) -> Option<Self> {
        let root = fs_err::canonicalize(root).ok().filter(|root| root.is_dir())?;
        Some(Self { root, verifies: true })
    }

    /// The same cache for one who believes that its files are what their names say.
    #[must_use]
    pub fn unverified(self) -> Self {
        Self { verifies: false, ..self }
    }

    /// Whether files must prove to be the commit's before a byte of them counts.
    pub fn verifies(&self) -> bool {
        self.verifies
    }

    /// The commit that a revision was when it was last downloaded, if its files are there.
    pub fn commit(&self, repo: &RepoId, revision: &Revision) -> Option<Commit> {
        if let Some(commit) = revision.as_commit() {
            return self.folder(repo, &commit).is_dir().then_some(commit);
        }
        if !is_plain(revision.as_str()) {
            return None;
        }
        let refs = self.root.join(Repo::model(repo.to_string()).folder_name()).join("refs");
        let path = refs.join(revision.as_str());
        // A pipe would be waited for without end.
        let is_small = fs_err::metadata(&path).is_ok_and(|found| found.is_file() && found.len() < 4096);
        let text = is_small.then(|| fs_err::read_to_string(&path).ok())??;
        let commit: Commit = text.trim().parse().ok()?;
        self.folder(repo, &commit).is_dir().then_some(commit)
    }

    /// The files of a commit that are there, which need not be all that it has. Sizes are those of the files, hashes the names
    /// of their blobs. `None` if there are none.
    pub fn snapshot(&self, repo: &RepoId, commit: &Commit) -> Option<Snapshot> {
        let mut files = Vec::new();
        let mut folders = vec![(self.folder(repo, commit), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in fs_err::read_dir(&folder).ok()?.flatten() {
                let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else { continue };
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((path, format!("{name}/")));
                } else if let Some(metadata) = fs_err::metadata(&path).ok().filter(|_| self.is_sound(&path)) {
                    let blob = blob_name(&path);
                    files.push(RepoFile {
                        path: name,
                        size: metadata.len(),
                        blob_id: blob.clone().filter(|name| name.len() == 40),
                        lfs_sha256: blob.filter(|name| name.len() == 64),
                        xet_hash: None,
                        withheld: false,
                    });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        (!files.is_empty()).then(|| Snapshot { commit: Some(commit.clone()), files })
    }

    /// Where the files of a commit lie that are there whole: of each file of `snapshot` its path, or `None`.
    pub fn files(&self, repo: &RepoId, commit: &Commit, snapshot: &Snapshot) -> Vec<Option<PathBuf>> {
        let folder = self.folder(repo, commit);
        let file = |file: &RepoFile| {
            let path = is_plain(&file.path).then(|| folder.join(&file.path))?;
            let is_whole = fs_err::metadata(&path).is_ok_and(|found| found.len() == file.size);
            (is_whole && self.is_sound(&path) && is_named(&path, file)).then_some(path)
        };
        snapshot.files.iter().map(file).collect()
    }

    /// The folder of a commit's files, whether or not it is there.
    fn folder(&self, repo: &RepoId, commit: &Commit) -> PathBuf {
        let repo: CacheRepo = Cache::new(self.root.clone()).repo(Repo::new(repo.to_string(), RepoType::Model));
        repo.pointer_path(commit.as_str())
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

/// Whether a name that others wrote stays below the folder that it is joined to.
fn is_plain(path: &str) -> bool {
    !path.contains('\\') && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
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
    match (blob_name(path), file.stated_hash()) {
        (Some(name), Some(stated)) => name == *stated,
        _ => true,
    }
}
