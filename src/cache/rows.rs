//! Some rows of a tensor that is too large to keep: an embedding table of a gigabyte, of which a question needs a hundredth.
//!
//! A tensor has one such entry, which grows: rows that are added are merged with those that are there, under the lock of the
//! commit's folder, and the files are replaced whole.

use std::{io, ops::Range, path::PathBuf};

use super::{
    disk::{self, Found},
    error::CacheError,
    key::{self, TensorKey},
    npy,
    sidecar::{Sidecar, TensorMeta},
    store::{Cache, is_intact, read_files, read_sidecar},
};
use crate::{rows::RowSet, values::Values};

/// Rows of a tensor from the cache. Their bytes were checked against the digest in the sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedRows {
    /// Which rows.
    pub rows: RowSet,
    /// Their elements, row after row.
    pub values: Values,
    /// Where they came from.
    pub sidecar: Sidecar,
    /// Their `.npy`.
    pub path: PathBuf,
}

impl Cache {
    /// The rows of `key` that are kept. Every byte is checked; a broken entry is removed and is a miss.
    pub fn rows(&self, key: &TensorKey) -> Result<Option<CachedRows>, CacheError> {
        match self.read_rows(key)? {
            Found::Absent => Ok(None),
            Found::Sound(rows) => Ok(Some(rows)),
            Found::Broken(_) => self.heal_rows(key),
        }
    }

    /// What is known of the rows of `key` that are kept, and where they lie, if every byte of them is intact. Nothing of them is
    /// held in memory; a broken entry is removed.
    pub fn check_rows(&self, key: &TensorKey) -> Result<Option<(Sidecar, PathBuf)>, CacheError> {
        let [path, sidecar] = key.row_paths(self.root());
        if let Found::Sound(known) = read_sidecar(&sidecar, &path)?
            && known.is_of_rows(key)
            && self.believes(&known)
            && is_intact(&path, &known)?
        {
            return Ok(Some((known, path)));
        }
        // Absent, or broken: only a look at both files tells, and clears away.
        Ok(self.rows(key)?.map(|kept| (kept.sidecar, kept.path)))
    }

    /// Keeps `values`, the elements of `rows` one after the other, beside the rows that are kept, and gives the path of the
    /// `.npy`. A row that is there already is replaced. Rows of another source, or of a tensor that lies elsewhere, are not
    /// mixed: the new ones take their place. The meta's digest is left out, since it is that of the whole.
    pub fn insert_rows(
        &self,
        key: &TensorKey,
        rows: &RowSet,
        values: &Values,
        meta: &TensorMeta,
    ) -> Result<PathBuf, CacheError> {
        let [path, sidecar_path] = key.row_paths(self.root());
        let meta = TensorMeta { sha256: String::new(), ..meta.clone() };
        let _locked = self.disk.lock_folder(&key::commit_folder(self.root(), &key.repo, &key.commit))?;
        let known = match self.read_rows(key)? {
            Found::Sound(known) if known.sidecar.meta == meta => Some(known),
            _ => None,
        };
        let merged = known.and_then(|known| merge(&known, rows, values));
        let (rows, values) = match &merged {
            Some((rows, values)) => (rows, values),
            None => (rows, values),
        };
        let mut sidecar = Sidecar {
            repo: key.repo.clone(),
            commit: key.commit.clone(),
            tensor: key.tensor.clone(),
            meta,
            rows: Some(rows.clone()),
            npy_sha256: String::new(),
            npy_bytes: 0,
        };
        let shape = sidecar.kept_shape();
        let written = disk::write_whole(&path, |to| npy::write(values, &shape, to)).map_err(|error| match error {
            CacheError::Write { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                CacheError::Shape { tensor: key.tensor.clone(), shape, elements: values.len() }
            }
            other => other,
        })?;
        sidecar.npy_sha256 = written.sha256;
        sidecar.npy_bytes = written.bytes;
        self.write_sealed(&sidecar_path, &sidecar)?;
        Ok(path)
    }

    fn read_rows(&self, key: &TensorKey) -> Result<Found<CachedRows>, CacheError> {
        let [path, sidecar_path] = key.row_paths(self.root());
        Ok(match read_files(&sidecar_path, &path)? {
            Found::Absent => Found::Absent,
            Found::Broken(flaw) => Found::Broken(flaw),
            Found::Sound((sidecar, values)) => match sidecar.rows.clone() {
                Some(rows) if sidecar.is_of_rows(key) && self.believes(&sidecar) => {
                    Found::Sound(CachedRows { rows, values, sidecar, path })
                }
                _ => Found::Absent,
            },
        })
    }

    /// Removes a broken entry, unless a writer has mended it in the meantime.
    fn heal_rows(&self, key: &TensorKey) -> Result<Option<CachedRows>, CacheError> {
        let folder = key::commit_folder(self.root(), &key.repo, &key.commit);
        let Ok(_locked) = self.disk.lock_folder(&folder) else {
            return Ok(None);
        };
        match self.read_rows(key)? {
            Found::Sound(rows) => Ok(Some(rows)),
            Found::Absent => Ok(None),
            Found::Broken(flaw) => {
                let [npy, sidecar] = key.row_paths(self.root());
                self.remove_broken(&sidecar, &npy, flaw);
                Ok(None)
            }
        }
    }
}

/// The rows of both, new ones first where both have one. `None` where they do not fit together.
fn merge(known: &CachedRows, rows: &RowSet, values: &Values) -> Option<(RowSet, Values)> {
    macro_rules! same_type {
        ($($variant:ident)+) => {
            match (&known.values, values) {
                $((Values::$variant(old), Values::$variant(new)) => {
                    let (union, merged) = merge_elements(&known.rows, old, rows, new)?;
                    Some((union, Values::$variant(merged)))
                })+
                _ => None,
            }
        };
    }
    same_type!(F32 F64 I8 I16 I32 I64 U8 U16 U32 U64 Bool)
}

fn merge_elements<T: Copy>(old: &RowSet, of_old: &[T], new: &RowSet, of_new: &[T]) -> Option<(RowSet, Vec<T>)> {
    let width = |rows: &RowSet, elements: &[T]| elements.len().checked_div(usize::try_from(rows.len()).ok()?);
    let width = match (width(old, of_old), width(new, of_new)) {
        (Some(a), Some(b)) if a == b => a,
        _ => return None,
    };
    let rows = old.union(new);
    let mut merged = Vec::with_capacity(width.checked_mul(usize::try_from(rows.len()).ok()?)?);
    let (mut at_old, mut at_new) = (rows_at(old, width), rows_at(new, width));
    for row in rows.iter() {
        let (in_old, in_new) = (at_old(row), at_new(row));
        let row = match (in_new, in_old) {
            (Some(place), _) => of_new.get(place)?,
            (None, Some(place)) => of_old.get(place)?,
            (None, None) => return None,
        };
        merged.extend_from_slice(row);
    }
    Some((rows, merged))
}

/// Where the elements of ascending rows lie, asked for in that order.
fn rows_at(rows: &RowSet, width: usize) -> impl FnMut(u64) -> Option<Range<usize>> {
    let mut left = rows.iter().zip(0_usize..).peekable();
    move |row| {
        while left.next_if(|&(next, _)| next < row).is_some() {}
        let (_, place) = left.next_if(|&(next, _)| next == row)?;
        Some(place * width..(place + 1) * width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cache::Verdict, dtype::Dtype, range::ByteRange};

    fn key(tensor: &str) -> TensorKey {
        TensorKey {
            repo: "o/n".parse().unwrap(),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            tensor: tensor.to_owned(),
        }
    }

    fn meta() -> TensorMeta {
        TensorMeta {
            dtype: Dtype::F32,
            shape: vec![100, 2],
            shard: "model.safetensors".to_owned(),
            range: ByteRange::new(8, 808),
            sha256: String::new(),
            source: "https://example.org".to_owned(),
        }
    }

    fn rows(rows: &[u64]) -> (RowSet, Values) {
        let values = rows.iter().flat_map(|&row| [row as f32, -(row as f32)]).collect();
        (rows.iter().copied().collect(), Values::F32(values))
    }

    fn open() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        (folder, cache)
    }

    fn insert(cache: &Cache, key: &TensorKey, meta: &TensorMeta, which: &[u64]) -> PathBuf {
        let (rows, values) = rows(which);
        cache.insert_rows(key, &rows, &values, meta).unwrap()
    }

    #[test]
    fn rows_that_are_added_stand_beside_those_that_are_there() {
        let (_folder, cache) = open();
        let key = key("embed");
        assert_eq!(cache.rows(&key).unwrap(), None);
        insert(&cache, &key, &meta(), &[3, 4, 50]);
        let path = insert(&cache, &key, &meta(), &[0, 4, 60]);
        let kept = cache.rows(&key).unwrap().unwrap();
        let (expected, values) = rows(&[0, 3, 4, 50, 60]);
        assert_eq!((&kept.rows, &kept.values, &kept.path), (&expected, &values, &path));
        let (checked, at) = cache.check_rows(&key).unwrap().unwrap();
        assert_eq!((checked, at), (kept.sidecar, path));
        assert_eq!((cache.get(&key).unwrap(), cache.lookup(&key)), (None, None), "rows are not the whole");
        let listed: Vec<String> = cache.ls().unwrap().into_iter().map(|entry| entry.tensor).collect();
        assert_eq!(listed, ["embed [5 rows]"]);
        assert!(cache.verify().unwrap().iter().all(|(_, verdict)| *verdict == Verdict::Sound));
    }

    #[test]
    fn rows_of_another_tensor_or_source_are_not_mixed() {
        let (_folder, cache) = open();
        let key = key("embed");
        insert(&cache, &key, &meta(), &[1]);
        let other = TensorMeta { source: "elsewhere".to_owned(), ..meta() };
        insert(&cache, &key, &other, &[2]);
        assert_eq!(cache.rows(&key).unwrap().unwrap().rows, RowSet::run(2..3));
        let wrong = cache.insert_rows(&key, &RowSet::run(0..2), &Values::F32(vec![1.0; 3]), &meta());
        assert!(matches!(wrong, Err(CacheError::Shape { .. })));
    }

    #[test]
    fn broken_rows_are_removed_and_can_be_inserted_again() {
        let (_folder, cache) = open();
        let key = key("embed");
        for file in 0..2 {
            insert(&cache, &key, &meta(), &[7, 8]);
            let path = &key.row_paths(cache.root())[file];
            let mut bytes = fs_err::read(path).unwrap();
            let last = bytes.len() - 5;
            bytes[last] ^= 1;
            fs_err::write(path, bytes).unwrap();
            assert_eq!(cache.check_rows(&key).unwrap(), None);
            assert_eq!(cache.rows(&key).unwrap(), None);
            assert!(key.row_paths(cache.root()).iter().all(|path| !path.exists()));
        }
    }

    #[test]
    fn writers_side_by_side_lose_no_row() {
        let (_folder, cache) = open();
        let key = key("embed");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let (cache, key) = (&cache, &key);
                scope.spawn(move || insert(cache, key, &meta(), &[writer, writer + 10]));
            }
        });
        assert_eq!(cache.rows(&key).unwrap().unwrap().rows.len(), 16);
    }
}
