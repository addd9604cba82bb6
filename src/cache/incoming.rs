//! A tensor that arrives piece by piece: what is too large to hold is written as it comes, and is an entry once it is whole.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use tempfile::NamedTempFile;

use super::{
    disk::Locked,
    error::CacheError,
    file,
    key::TensorKey,
    npy,
    sidecar::{Sidecar, TensorMeta},
    store::Cache,
};
use crate::{digest::Sha256Hex, values::Values};

/// A `.npy` under a temporary name. Dropped before [`Incoming::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    cache: Cache,
    key: TensorKey,
    path: PathBuf,
    temporary: NamedTempFile,
    digest: Sha256Hex,
    /// Bytes written so far and in all, the header among them.
    written: u64,
    whole: u64,
    /// No temporary file is cleared out while this is held.
    locked: Locked,
}

impl Cache {
    /// Begins a tensor whose elements are of the type of `like`, which need hold none.
    pub fn begin(&self, key: &TensorKey, like: &Values, shape: &[u64]) -> Result<Incoming, CacheError> {
        let [path, _] = key.files(self.root(), false);
        let mut locked = self.disk.lock_folder(&key.folder(self.root()))?;
        let temporary = file::temporary(&path)?;
        // Others may write in the folder meanwhile: this tells them that the file is no leftover. Where there are no locks, nobody
        // takes it for one.
        let _ = temporary.as_file().lock();
        locked.release_folder();
        let (header, whole) = npy::begin(like, shape, temporary.as_file()).map_err(|error| {
            if error.kind() == io::ErrorKind::InvalidInput {
                CacheError::shape(key, shape, like.len())
            } else {
                CacheError::write(&path)(error)
            }
        })?;
        let mut digest = Sha256Hex::default();
        digest.update(&header);
        Ok(Incoming {
            cache: self.clone(),
            key: key.clone(),
            temporary,
            digest,
            written: header.len() as u64,
            whole,
            locked,
            path,
        })
    }
}

impl Incoming {
    /// Adds the next elements.
    pub fn write(&mut self, values: &Values) -> Result<(), CacheError> {
        let bytes = npy::data(values).map_err(CacheError::write(&self.path))?;
        self.written += bytes.len() as u64;
        self.digest.update(&bytes);
        let file = self.temporary.as_file_mut();
        file.write_all(&bytes).map_err(CacheError::write(&self.path))
    }

    /// Makes an entry of what was written, replacing one that is there, and gives the path of its `.npy`. As many elements
    /// must have come as the shape has.
    pub fn finish(mut self, meta: &TensorMeta) -> Result<PathBuf, CacheError> {
        if self.written != self.whole {
            return Err(CacheError::shape(&self.key, &meta.shape, 0));
        }
        let root = self.cache.root();
        self.cache.disk.lock_again(&mut self.locked, &self.key.folder(root))?;
        file::persist(self.temporary, &self.path)?;
        // The values first: a sidecar always speaks of values that are there.
        let [_, at] = self.key.files(root, false);
        let (npy_sha256, npy_bytes) = (self.digest.finish(), self.written);
        let sidecar = Sidecar { key: self.key, meta: meta.clone(), rows: None, npy_sha256, npy_bytes };
        self.cache.write_sealed(&at, &sidecar)?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dtype::Dtype, range::ByteRange};

    fn key() -> TensorKey {
        TensorKey {
            repo: "o/n".parse().unwrap(),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            tensor: "a.weight".to_owned(),
        }
    }

    fn meta() -> TensorMeta {
        TensorMeta {
            dtype: Dtype::BF16,
            shape: vec![3, 2],
            shard: "model.safetensors".to_owned(),
            range: ByteRange::new(0, 12),
            sha256: "0".repeat(64),
            source: "hub".to_owned(),
        }
    }

    #[test]
    fn pieces_make_the_very_file_that_the_whole_would() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let whole = Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let path = cache.insert(&key(), &whole, &meta()).unwrap();
        let expected = fs_err::read(&path).unwrap();
        let mut incoming = cache.begin(&key(), &Values::F32(vec![]), &[3, 2]).unwrap();
        for piece in [vec![1.0], vec![2.0, 3.0, 4.0, 5.0], vec![6.0]] {
            incoming.write(&Values::F32(piece)).unwrap();
        }
        assert_eq!(incoming.finish(&meta()).unwrap(), path);
        assert_eq!(fs_err::read(&path).unwrap(), expected);
        assert_eq!(cache.get(&key()).unwrap().unwrap().values, whole);
    }

    #[test]
    fn what_is_not_finished_is_no_entry_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let mut incoming = cache.begin(&key(), &Values::F32(vec![]), &[3, 2]).unwrap();
        incoming.write(&Values::F32(vec![1.0; 5])).unwrap();
        assert!(matches!(incoming.finish(&meta()), Err(CacheError::Shape { .. })));
        assert_eq!(cache.get(&key()).unwrap(), None);
        let left = fs_err::read_dir(key().folder(folder.path())).unwrap();
        let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().starts_with(file::TEMPORARY)), "{names:?}");
    }
}
