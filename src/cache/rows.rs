//! Some rows of a tensor that is too large to keep: an embedding table of a gigabyte, of which a question needs a hundredth.
//!
//! A tensor has one such entry, which grows: rows that are added are merged with those that are there, under the lock of the
//! commit's folder, and the files are replaced whole.

use std::{ops::Range, path::PathBuf};

use super::{
    error::CacheError,
    file::Miss,
    key::TensorKey,
    sidecar::{Sidecar, TensorMeta},
    store::Cache,
    tensor::CachedTensor,
};
use crate::{rows::RowSet, values::Values};

impl Cache {
    /// What is known of the rows of `key` that are kept, and where they lie, if every byte of them is intact. Nothing of them is
    /// held in memory; a broken entry is removed.
    pub fn check_rows(&self, key: &TensorKey) -> Result<Option<(Sidecar, PathBuf)>, CacheError> {
        self.check_either(key, true)
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
        let meta = TensorMeta { sha256: String::new(), ..meta.clone() };
        let _locked = self.disk.lock_folder(&key.folder(self.root()))?;
        let known = match self.read_entry(key, true) {
            Ok(known) if known.sidecar.meta == meta => merge(&known, rows, values),
            Ok(_) | Err(Miss::Absent | Miss::Broken(_)) => None,
            Err(Miss::Failed(error)) => return Err(error),
        };
        match known {
            Some((rows, values)) => self.write_entry(key, &values, meta, Some(rows)),
            None => self.write_entry(key, values, meta, Some(rows.clone())),
        }
    }
}

/// The rows of both, new ones first where both have one. `None` where they do not fit together.
fn merge(known: &CachedTensor, rows: &RowSet, values: &Values) -> Option<(RowSet, Values)> {
    let held = known.sidecar.rows.as_ref()?;
    macro_rules! same_type {
        ($($variant:ident)+) => {
            match (&known.values, values) {
                $((Values::$variant(old), Values::$variant(new)) => {
                    let (union, merged) = merge_elements(held, old, rows, new)?;
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

    fn kept_rows(cache: &Cache, key: &TensorKey) -> RowSet {
        cache.get_either(key, true).unwrap().unwrap().sidecar.rows.unwrap()
    }

    #[test]
    fn rows_that_are_added_stand_beside_those_that_are_there() {
        let (_folder, cache) = open();
        let key = key("embed");
        assert_eq!(cache.get_either(&key, true).unwrap(), None);
        insert(&cache, &key, &meta(), &[3, 4, 50]);
        let path = insert(&cache, &key, &meta(), &[0, 4, 60]);
        let kept = cache.get_either(&key, true).unwrap().unwrap();
        let (expected, values) = rows(&[0, 3, 4, 50, 60]);
        assert_eq!((kept.sidecar.rows.as_ref(), &kept.values, &kept.path), (Some(&expected), &values, &path));
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
        assert_eq!(kept_rows(&cache, &key), RowSet::run(2..3));
        let wrong = cache.insert_rows(&key, &RowSet::run(0..2), &Values::F32(vec![1.0; 3]), &meta());
        assert!(matches!(wrong, Err(CacheError::Shape { .. })));
    }

    #[test]
    fn broken_rows_are_removed_and_can_be_inserted_again() {
        let (_folder, cache) = open();
        let key = key("embed");
        for file in 0..2 {
            insert(&cache, &key, &meta(), &[7, 8]);
            let path = &key.files(cache.root(), true)[file];
            let mut bytes = fs_err::read(path).unwrap();
            let last = bytes.len() - 5;
            bytes[last] ^= 1;
            fs_err::write(path, bytes).unwrap();
            assert_eq!(cache.check_rows(&key).unwrap(), None);
            assert_eq!(cache.get_either(&key, true).unwrap(), None);
            assert!(key.files(cache.root(), true).iter().all(|path| !path.exists()));
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
        assert_eq!(kept_rows(&cache, &key).len(), 16);
    }
}
