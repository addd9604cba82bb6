//! Which files of other caches were found to be what their hashes say, so that each is read once for it and not once a run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{error::CacheError, key, store::Cache};
use crate::checkpoint::Stamp;

/// Bytes that it takes at most.
const CAP: u64 = 64 * 1024;

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Verified {
    hash: String,
    path: PathBuf,
    stamp: Stamp,
}

impl Verified {
    fn new(hash: &str, path: &Path, stamp: &Stamp) -> Self {
        Self { hash: hash.to_owned(), path: path.to_owned(), stamp: stamp.clone() }
    }
}

impl Cache {
    /// Whether the file at `path` was found to have this hash when it was what `stamp` says.
    pub fn is_verified(&self, hash: &str, path: &Path, stamp: &Stamp) -> bool {
        let known = self.read_sealed(&key::verified_path(self.root(), hash), CAP).ok().flatten();
        known == Some(Verified::new(hash, path, stamp))
    }

    /// Remembers that it was.
    pub fn keep_verified(&self, hash: &str, path: &Path, stamp: &Stamp) -> Result<(), CacheError> {
        self.keep_sealed(&key::verified_path(self.root(), hash), &Verified::new(hash, path, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_verified_holds_for_the_very_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        let path = folder.path().join("blob");
        let stamp = || Stamp::of(&fs_err::metadata(&path).unwrap());
        fs_err::write(&path, "0123").unwrap();
        let before = stamp();
        assert!(!cache.is_verified("aa", &path, &before));
        cache.keep_verified("aa", &path, &before).unwrap();
        assert!(cache.is_verified("aa", &path, &before));
        assert!(!cache.is_verified("bb", &path, &before));
        assert!(!cache.is_verified("aa", &folder.path().join("other"), &before));
        fs_err::write(&path, "012").unwrap();
        assert!(!cache.is_verified("aa", &path, &stamp()));
    }
}
