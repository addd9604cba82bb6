//! Checkpoints in a folder, `DIR/owner/name/…`, as repositories.
//!
//! A folder directly below `DIR` that itself holds a config, weights or a `.hub.json` is a repository with a bare name.
//! `.hub.json` beside the files says more of a repository: `{"gated": "manual", "private": true, "disabled": true,
//! "refs": {"main": "<commit>", "refs/pr/1": ""}, "renamed_from": ["old/name"], "tags": [], "cardData": {}}`, every key
//! optional. A ref without a commit shows the commit of `main`. The folder is looked at anew for each request.
//!
//! Only what lies inside `DIR` is served: a link is followed where it stays inside, as those of the official client's cache do,
//! and no file is opened that is not a regular one. Links to folders, hidden names and what cannot be read are not part of a
//! repository, and take nothing else down with them.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::Metadata,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    error::ServeError,
    repo::{Digests, Entry, Repo},
};
use crate::{
    digest::{Sha256Hex, sha256_hex, xet::Chunker},
    range::ByteRange,
    spec::RepoId,
};

const SETTINGS: &str = ".hub.json";
/// The longest `.hub.json` that is read.
const MAX_SETTINGS: u64 = 1 << 20;
const BLOCK: usize = 1 << 20;

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Without links.
    root: PathBuf,
    digests: Arc<Mutex<Known>>,
}

/// What was computed so far, by path, size and time of the last change.
type Known = HashMap<(PathBuf, u64, SystemTime), Digests>;

impl Folder {
    /// Opens a folder that holds at least one repository.
    pub fn open(root: PathBuf) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Folder { path: root.clone(), source };
        fs_err::read_dir(&root).map_err(failed)?;
        let folder = Self { root: fs_err::canonicalize(&root).map_err(failed)?, digests: Arc::default() };
        if folder.ids().map_err(failed)?.is_empty() { Err(ServeError::NoModels { path: root }) } else { Ok(folder) }
    }

    pub(super) fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for owner in self.subfolders(&self.root)? {
            let path = self.root.join(&owner);
            if is_bare(&path) {
                ids.push(owner);
            } else {
                let names = self.subfolders(&path).unwrap_or_default();
                ids.extend(names.into_iter().map(|name| format!("{owner}/{name}")));
            }
        }
        ids.retain(|id| id.parse::<RepoId>().is_ok());
        ids.sort();
        Ok(ids)
    }

    pub(super) fn find(&self, id: &str) -> io::Result<Option<Repo>> {
        if self.holds(id) {
            return self.describe(id).map(Some);
        }
        let ids = self.ids()?;
        if let Some(known) = ids.iter().find(|known| known.eq_ignore_ascii_case(id)) {
            return self.describe(known).map(Some);
        }
        for known in ids {
            let is_old = |settings: Repo| settings.renamed_from.iter().any(|old| old.eq_ignore_ascii_case(id));
            if self.settings(&known).is_ok_and(is_old) {
                return self.describe(&known).map(Some);
            }
        }
        Ok(None)
    }

    pub(super) fn digests(&self, repo: &str, entry: &Entry) -> io::Result<Digests> {
        let path = self.root.join(repo).join(&entry.path);
        let key = (path.clone(), entry.size, fs_err::metadata(&path)?.modified()?);
        if let Some(digests) = self.digests.lock().get(&key) {
            return Ok(digests.clone());
        }
        // Not under the lock: a shard takes seconds, and other files need not wait for it.
        let mut file = self.file(repo, &entry.path)?.take(entry.size);
        let mut hasher = Sha256Hex::default();
        let mut chunker = Chunker::default();
        let mut small = Vec::new();
        let mut block = vec![0; BLOCK];
        loop {
            let read = file.read(&mut block)?;
            let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            hasher.update(bytes);
            if entry.is_large() {
                chunker.update(bytes);
            } else {
                small.extend_from_slice(bytes);
            }
        }
        let digests = Digests::of(entry, &hasher.finish(), &small).chunked(chunker.finish());
        self.digests.lock().insert(key, digests.clone());
        Ok(digests)
    }

    pub(super) fn read(&self, repo: &str, path: &str, range: ByteRange) -> io::Result<Bytes> {
        let mut file = self.file(repo, path)?;
        file.seek(io::SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(range.len()).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Whether `ids` has this one; asked of one folder instead of all.
    fn holds(&self, id: &str) -> bool {
        let Ok(id) = id.parse::<RepoId>() else { return false };
        let path = self.root.join(id.as_str());
        if !self.inside(&path).is_some_and(|real| real.is_dir()) {
            return false;
        }
        match id.owner() {
            Some(owner) => !is_bare(&self.root.join(owner)),
            None => is_bare(&path),
        }
    }

    /// Where a path leads, if it is to something inside the root.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok().filter(|real| real.starts_with(&self.root))
    }

    /// What an entry of a folder inside the root is; a link is what it leads to.
    fn metadata(&self, entry: &fs_err::DirEntry) -> Option<Metadata> {
        let is_link = entry.file_type().ok()?.is_symlink();
        if is_link { self.inside(&entry.path())?.metadata().ok() } else { entry.metadata().ok() }
    }

    /// Opens a regular file of a repository. What and where it is is looked at anew: it may have changed since it was listed,
    /// and a pipe would never open.
    fn file(&self, repo: &str, path: &str) -> io::Result<fs_err::File> {
        let real = self.inside(&self.root.join(repo).join(path)).filter(|real| real.is_file());
        let absent =
            || io::Error::new(io::ErrorKind::NotFound, format!("`{repo}/{path}` is no regular file of the folder"));
        fs_err::File::open(real.ok_or_else(absent)?)
    }

    /// What `.hub.json` says of a repository. One that cannot be read is an error: it might say that the repository is private.
    fn settings(&self, id: &str) -> io::Result<Repo> {
        if self.root.join(id).join(SETTINGS).symlink_metadata().is_err() {
            return Ok(Repo::default());
        }
        let mut text = Vec::new();
        self.file(id, SETTINGS)?.take(MAX_SETTINGS).read_to_end(&mut text)?;
        serde_json::from_slice(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("`{id}/{SETTINGS}`: {error}")))
    }

    fn describe(&self, id: &str) -> io::Result<Repo> {
        let mut repo = self.settings(id)?;
        let mut files = Vec::new();
        self.walk(&self.root.join(id), "", &mut files);
        files.sort();
        let listing = files.iter().fold(String::new(), |mut text, (path, size, modified)| {
            let _ = writeln!(text, "{path}\0{size}\0{}", since_epoch(*modified).as_nanos());
            text
        });
        let is_commit = |text: &String| text.len() == 40;
        let main = repo.refs.remove("main").filter(is_commit);
        repo.commit = main.unwrap_or_else(|| sha256_hex(listing.as_bytes())[..40].to_owned());
        for commit in repo.refs.values_mut().filter(|commit| !is_commit(commit)) {
            repo.commit.clone_into(commit);
        }
        if repo.gated.is_null() {
            repo.gated = json!(false);
        }
        if repo.card.is_null() {
            repo.card = json!({});
        }
        repo.tags.splice(..0, ["safetensors", "region:us"].map(str::to_owned));
        let newest = files.iter().map(|&(_, _, modified)| modified).max().unwrap_or(SystemTime::UNIX_EPOCH);
        repo.modified = rfc3339(newest);
        repo.entries = files.into_iter().map(|(path, size, _)| Entry { path, size }).collect();
        id.clone_into(&mut repo.id);
        Ok(repo)
    }

    /// Names of folders in a folder; hidden ones and names that are not text are none of the Hub's.
    fn subfolders(&self, path: &Path) -> io::Result<Vec<String>> {
        let is_folder = |entry: &fs_err::DirEntry| self.metadata(entry).is_some_and(|metadata| metadata.is_dir());
        let entries = fs_err::read_dir(path)?.flatten().filter(is_folder);
        Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !is_hidden(name)).collect())
    }

    /// Path, size and time of the last change of each file below a folder.
    fn walk(&self, folder: &Path, prefix: &str, files: &mut Vec<(String, u64, SystemTime)>) {
        for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
            let (Ok(name), Some(metadata)) = (entry.file_name().into_string(), self.metadata(&entry)) else {
                continue;
            };
            let path = format!("{prefix}{name}");
            if is_hidden(&name) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(&entry.path(), &format!("{path}/"), files);
            } else if metadata.is_file()
                && let Ok(modified) = metadata.modified()
            {
                files.push((path, metadata.len(), modified));
            }
        }
    }
}

/// Names with a dot are the owner's own affair, but for the one that every repository of the Hub has.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != ".gitattributes"
}

fn is_bare(path: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(path) else {
        return false;
    };
    let mut names = entries.flatten().filter(|entry| entry.path().is_file()).map(|entry| entry.path());
    names.any(|path| {
        path.ends_with("config.json")
            || path.ends_with(SETTINGS)
            || path.extension().is_some_and(|end| end == "safetensors")
    })
}

fn since_epoch(time: SystemTime) -> std::time::Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn rfc3339(time: SystemTime) -> String {
    const END_OF_9999: std::time::Duration = std::time::Duration::from_millis(253_402_300_799_999);
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since_epoch(time).min(END_OF_9999)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let folder = Folder::open(dir.path().to_owned()).unwrap();
        (dir, folder)
    }

    fn repo(folder: &Folder, id: &str) -> Repo {
        folder.find(id).unwrap().unwrap()
    }

    #[test]
    fn owners_and_bare_names_are_told_apart() {
        let (_dir, folder) = folder(&[("a/b/config.json", "{}"), ("gpt2/config.json", "{}"), ("gpt2/onnx/x", "")]);
        assert_eq!(folder.ids().unwrap(), ["a/b", "gpt2"]);
        assert!(repo(&folder, "gpt2").entry("onnx/x").is_some());
        assert_eq!(folder.find("gpt2/onnx").unwrap(), None);
    }

    #[test]
    fn a_path_never_leaves_the_repository() {
        let (_dir, folder) = folder(&[("a/b/config.json", "{}"), ("a/c/secret", "x")]);
        let repo = repo(&folder, "a/b");
        assert!(repo.entry("../c/secret").is_none());
        assert!(repo.entry("/etc/passwd").is_none());
        for id in ["a/..", "../a", "a/b/../c", ".", ""] {
            assert_eq!(folder.find(id).unwrap(), None, "{id}");
        }
    }

    #[test]
    fn settings_are_heeded_and_not_listed() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let settings =
            format!(r#"{{"gated":"manual","refs":{{"main":"{commit}","refs/pr/1":""}},"renamed_from":["o/old"]}}"#);
        let (_dir, folder) = folder(&[("o/new/.hub.json", &settings), ("o/new/config.json", "{}")]);
        let repo = repo(&folder, "o/new");
        assert_eq!(repo.entries.len(), 1);
        assert_eq!(repo.resolve("main"), Some(commit));
        assert_eq!(repo.resolve("refs/pr/1"), Some(commit));
        assert_eq!(repo.resolve("dev"), None);
        assert!(repo.is_gated());
        for id in ["o/old", "O/NEW"] {
            assert_eq!(folder.find(id).unwrap().unwrap().id, "o/new");
        }
    }

    #[test]
    fn the_commit_changes_with_the_files() {
        let (dir, folder) = folder(&[("a/b/config.json", "{}")]);
        let before = repo(&folder, "a/b").commit;
        assert_eq!(before, repo(&folder, "a/b").commit);
        fs_err::write(dir.path().join("a/b/more.txt"), "x").unwrap();
        assert_ne!(before, repo(&folder, "a/b").commit);
    }

    #[test]
    fn weights_are_named_by_the_sha256_of_their_bytes() {
        let (_dir, folder) = folder(&[("a/b/model.safetensors", "abc"), ("a/b/empty.safetensors", "")]);
        let repo = repo(&folder, "a/b");
        let digests = folder.digests("a/b", repo.entry("model.safetensors").unwrap()).unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digests.sha256.as_deref(), Some(sha256));
        assert!(!repo.entry("empty.safetensors").unwrap().is_large());
    }

    #[test]
    fn a_broken_repository_disturbs_no_other() {
        let (_dir, folder) = folder(&[("a/b/.hub.json", "{"), ("a/c/config.json", "{}")]);
        assert!(folder.find("a/b").unwrap_err().to_string().contains("`a/b/.hub.json`"));
        assert!(repo(&folder, "a/c").entry("config.json").is_some());
        assert_eq!(folder.find("a/none").unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_files_inside_the_folder_and_nowhere_else() {
        use std::os::unix::fs::symlink;
        let outside = tempfile::tempdir().unwrap();
        fs_err::write(outside.path().join("secret"), "x").unwrap();
        let (dir, folder) = folder(&[("a/b/config.json", "{}"), ("blobs/1", "{}"), ("a/b/.env", "x")]);
        let at = dir.path();
        symlink("../../blobs/1", at.join("a/b/inside.json")).unwrap();
        symlink(outside.path().join("secret"), at.join("a/b/outside")).unwrap();
        symlink(outside.path(), at.join("a/outside")).unwrap();
        symlink("nowhere", at.join("a/b/dangling")).unwrap();
        symlink("loop", at.join("a/b/loop")).unwrap();
        symlink("..", at.join("a/b/up")).unwrap();
        symlink("b", at.join("a/linked")).unwrap();
        assert_eq!(folder.ids().unwrap(), ["a/b", "a/linked"]);
        for id in ["a/b", "a/linked"] {
            let paths: Vec<String> = repo(&folder, id).entries.into_iter().map(|entry| entry.path).collect();
            assert_eq!(paths, ["config.json", "inside.json"], "{id}");
        }
        assert_eq!(folder.find("a/outside").unwrap(), None);
        let read = |path: &str| folder.read("a/b", path, ByteRange::new(0, 9));
        assert_eq!(read("inside.json").unwrap(), "{}");
        // A file that was listed, and became a link since.
        fs_err::remove_file(at.join("a/b/config.json")).unwrap();
        symlink(outside.path().join("secret"), at.join("a/b/config.json")).unwrap();
        assert!(read("config.json").is_err());
    }

    #[test]
    fn a_folder_without_models_is_an_error_with_a_hint() {
        use crate::hint::Hint;
        let dir = tempfile::tempdir().unwrap();
        let empty = Folder::open(dir.path().to_owned()).unwrap_err();
        assert!(empty.to_string().starts_with("no model below"), "{empty}");
        let absent = Folder::open(dir.path().join("absent")).unwrap_err();
        assert!(absent.hint().unwrap().contains("OWNER/NAME"));
    }
}
