//! The cache as a folder: how it is opened and marked, whose word it takes, and its sealed files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{
    disk::Disk,
    error::CacheError,
    file,
    seal::{seal, unseal},
    sidecar::Sidecar,
};

/// A folder of kept tensors. Two processes may share one, and killing either corrupts nothing.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(super) disk: Arc<Disk>,
    /// Whose tensors are there; `None` is everybody's.
    sources: Option<Arc<[String]>>,
}

impl Cache {
    /// Opens the cache at `root`. A folder that is not there is created, and marked as a cache for people and for back-up
    /// programs; one that is there is left as it is.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, CacheError> {
        Self::open_with(root, |_| {})
    }

    /// The same; `warn` is told of long waits for a lock, and of what does not belong into the cache.
    pub fn open_with(
        root: impl Into<PathBuf>,
        warn: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, CacheError> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(CacheError::write(root)(io::ErrorKind::NotADirectory.into())),
            Err(_) => {
                file::make_folder(&root).map_err(CacheError::write(&root))?;
                for (name, text) in [(TAG, CACHEDIR_TAG), ("README.md", README)] {
                    file::write_whole(&root.join(name), |to| to.write_all(text.as_bytes()))?;
                }
            }
        }
        Ok(Self { disk: Arc::new(Disk::new(root, Box::new(warn))), sources: None })
    }

    /// The same cache for one who believes these sources alone: what others gave is not there.
    #[must_use]
    pub fn believing(&self, sources: impl IntoIterator<Item = String>) -> Self {
        Self { disk: Arc::clone(&self.disk), sources: Some(sources.into_iter().collect()) }
    }

    /// Whether the source of an entry is believed.
    pub(super) fn believes(&self, sidecar: &Sidecar) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.contains(&sidecar.meta.source))
    }

    /// Tells whoever watches.
    pub fn warn(&self, text: &str) {
        self.disk.warn(text);
    }

    /// Whether `root` is marked as a cache of this program.
    pub fn is_marked(root: &Path) -> bool {
        let most = CACHEDIR_TAG.len() as u64;
        file::read(&root.join(TAG), most).is_ok_and(|text| text == CACHEDIR_TAG.as_bytes())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.disk.root
    }

    /// Reads sealed JSON of so many bytes at most; what is broken is dropped.
    pub(super) fn read_sealed<T: DeserializeOwned>(&self, path: &Path, most: u64) -> Result<Option<T>, CacheError> {
        Ok(self.disk.read_or_drop(path, most)?.and_then(|text| unseal(&text)))
    }

    /// Writes `content` as sealed JSON, whole or not at all.
    #[expect(clippy::unused_self, reason = "only an open cache is written to")]
    pub(super) fn write_sealed(&self, path: &Path, content: &impl serde::Serialize) -> Result<(), CacheError> {
        file::write_whole(path, |to| seal(content, to)).map(|_| ())
    }

    /// The same, for a file that is alone in its folder's lock.
    pub(super) fn keep_sealed(&self, path: &Path, content: &impl serde::Serialize) -> Result<(), CacheError> {
        let _locked = self.disk.lock_folder(path.parent().unwrap_or(path))?;
        self.write_sealed(path, content)
    }
}

const TAG: &str = "CACHEDIR.TAG";

const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This file marks the folder as a cache of hub-audit: what is in it can be fetched again.
# See https://bford.info/cachedir/
";

const README: &str = "# Cache of hub-audit

`models/OWNER/NAME/COMMIT/TENSOR.npy` holds one tensor, as `numpy.load` reads it; BF16, F16 and F8 are widened to float32
without rounding. `TENSOR.json` beside it holds the type and shape, where in which file it lies, and the SHA-256 of its
stored bytes. `TENSOR.rows.npy` and `.rows.json` hold some rows of a large tensor and say which. `headers.json` holds what
is known of the whole commit.

Everything here can be removed at any time: it is fetched again when it is needed. `hub-audit cache ls`, `verify`,
`prune` and `rm` list, check and clear it.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_folder_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        Cache::open(folder.path()).unwrap();
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        let new = folder.path().join("a/b");
        Cache::open(&new).unwrap();
        let tag = fs_err::read_to_string(new.join("CACHEDIR.TAG")).unwrap();
        assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
        let file = folder.path().join("file");
        fs_err::write(&file, "").unwrap();
        let error = Cache::open(&file).unwrap_err();
        assert!(crate::Hint::hint(&error).is_some());
    }
}
