//! Whole tensors that are kept: get, insert, heal.

use std::{io, path::PathBuf};

use super::{
    entry::{is_intact, read_files, read_sidecar},
    error::CacheError,
    file::{self, Miss},
    key::TensorKey,
    npy,
    sidecar::{Sidecar, TensorMeta},
    store::Cache,
};
use crate::{rows::RowSet, values::Values};

/// A tensor from the cache, or rows of one. Its bytes were checked against the digest in its sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedTensor {
    /// Its elements.
    pub values: Values,
    /// Where it came from, and which rows of it are kept.
    pub sidecar: Sidecar,
    /// Its `.npy`.
    pub path: PathBuf,
}

impl Cache {
    /// The tensor `key`, if it is kept. Every byte is checked; a broken entry is removed and is a miss. Where the cache
    /// cannot be written, a broken entry stays, and is a miss each time.
    pub fn get(&self, key: &TensorKey) -> Result<Option<CachedTensor>, CacheError> {
        self.get_either(key, false)
    }

    /// What is known of `key` and where its `.npy` lies, if it is kept, without reading its values: the sidecar is intact, and the `.npy` is as long
    /// as it says. [`Cache::get`] may still find the bytes altered.
    pub fn lookup(&self, key: &TensorKey) -> Option<(Sidecar, PathBuf)> {
        let [npy, sidecar] = key.files(self.root(), false);
        let sidecar = read_sidecar(&sidecar, &npy).ok().filter(|sidecar| self.has(sidecar, key, false))?;
        (file::length(&npy) == Some(sidecar.npy_bytes)).then_some((sidecar, npy))
    }

    /// What is known of `key` and where its `.npy` lies, if it is kept and every byte of it is intact. Nothing of it is held in
    /// memory; a broken entry is removed.
    pub fn check(&self, key: &TensorKey) -> Result<Option<(Sidecar, PathBuf)>, CacheError> {
        self.check_either(key, false)
    }

    /// Keeps a tensor and gives the path of its `.npy`. An entry that is already there is replaced.
    pub fn insert(&self, key: &TensorKey, values: &Values, meta: &TensorMeta) -> Result<PathBuf, CacheError> {
        let _locked = self.disk.lock_folder(&key.folder(self.root()))?;
        self.write_entry(key, values, meta.clone(), None)
    }

    /// Writes the two files of an entry, under the lock of their folder.
    pub(super) fn write_entry(
        &self,
        key: &TensorKey,
        values: &Values,
        meta: TensorMeta,
        rows: Option<RowSet>,
    ) -> Result<PathBuf, CacheError> {
        let [path, at] = key.files(self.root(), rows.is_some());
        let mut sidecar = Sidecar { key: key.clone(), meta, rows, npy_sha256: String::new(), npy_bytes: 0 };
        let shape = sidecar.kept_shape();
        (sidecar.npy_sha256, sidecar.npy_bytes) = file::write_whole(&path, |to| npy::write(values, &shape, to))
            .map_err(|error| match error {
                CacheError::Write { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                    CacheError::shape(key, &shape, values.len())
                }
                other => other,
            })?;
        // The values first: a sidecar always speaks of values that are there.
        self.write_sealed(&at, &sidecar)?;
        Ok(path)
    }

    fn has(&self, sidecar: &Sidecar, key: &TensorKey, of_rows: bool) -> bool {
        sidecar.is_of(key, of_rows) && self.believes(sidecar)
    }

    /// The tensor `key`, or the rows of it that are kept.
    pub(super) fn get_either(&self, key: &TensorKey, of_rows: bool) -> Result<Option<CachedTensor>, CacheError> {
        match self.read_entry(key, of_rows) {
            Ok(tensor) => Ok(Some(tensor)),
            Err(Miss::Absent) => Ok(None),
            Err(Miss::Failed(error)) => Err(error),
            Err(Miss::Broken(_)) => self.heal(key, of_rows),
        }
    }

    pub(super) fn check_either(
        &self,
        key: &TensorKey,
        of_rows: bool,
    ) -> Result<Option<(Sidecar, PathBuf)>, CacheError> {
        let [npy, sidecar] = key.files(self.root(), of_rows);
        if let Ok(known) = read_sidecar(&sidecar, &npy)
            && self.has(&known, key, of_rows)
            && is_intact(&npy, &known)?
        {
            return Ok(Some((known, npy)));
        }
        // Absent, or broken: only a look at both files tells, and clears away.
        Ok(self.get_either(key, of_rows)?.map(|tensor| (tensor.sidecar, tensor.path)))
    }

    pub(super) fn read_entry(&self, key: &TensorKey, of_rows: bool) -> Result<CachedTensor, Miss> {
        let [path, sidecar] = key.files(self.root(), of_rows);
        let (sidecar, values) = read_files(&sidecar, &path)?;
        if self.has(&sidecar, key, of_rows) { Ok(CachedTensor { values, sidecar, path }) } else { Err(Miss::Absent) }
    }

    /// Removes a broken entry, unless a writer has mended it in the meantime.
    fn heal(&self, key: &TensorKey, of_rows: bool) -> Result<Option<CachedTensor>, CacheError> {
        let Ok(_locked) = self.disk.lock_folder(&key.folder(self.root())) else {
            return Ok(None);
        };
        match self.read_entry(key, of_rows) {
            Ok(tensor) => Ok(Some(tensor)),
            Err(Miss::Absent) => Ok(None),
            Err(Miss::Failed(error)) => Err(error),
            Err(Miss::Broken(flaw)) => {
                let [npy, sidecar] = key.files(self.root(), of_rows);
                self.disk.warn_of(&npy, flaw);
                // The sidecar first: values without one are no entry. As far as that is possible.
                let _ = file::remove(&sidecar).and_then(|()| file::remove(&npy));
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{super::key::tests::key, *};
    use crate::{digest::sha256_hex, dtype::Dtype, range::ByteRange};

    fn meta(shape: &[u64]) -> TensorMeta {
        TensorMeta {
            dtype: Dtype::BF16,
            shape: shape.to_vec(),
            shard: "model.safetensors".to_owned(),
            range: ByteRange::new(100, 108),
            sha256: sha256_hex(b"stored"),
            source: "https://example.org".to_owned(),
        }
    }

    fn values() -> Values {
        Values::F32(vec![1.0, -0.0, f32::from_bits(0x7fa0_0000), f32::INFINITY])
    }

    fn open() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        (folder, cache)
    }

    fn bits(values: &Values) -> Vec<u8> {
        let mut bytes = Vec::new();
        npy::write(values, &[values.len() as u64], &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_inserted_comes_back_bit_for_bit() {
        let all = [
            values(),
            Values::F64(vec![f64::from_bits(0x7ff4_0000_0000_0001), 1e-310]),
            Values::I8(vec![-1, 1]),
            Values::I16(vec![-1, 1]),
            Values::I32(vec![-1, 1]),
            Values::I64(vec![i64::MIN]),
            Values::U8(vec![255]),
            Values::U16(vec![65535]),
            Values::U32(vec![u32::MAX]),
            Values::U64(vec![u64::MAX]),
            Values::Bool(vec![true, false]),
        ];
        let (_folder, cache) = open();
        for (index, values) in all.iter().enumerate() {
            let key = key("owner/name", &format!("t{index}"));
            let meta = meta(&[values.len() as u64]);
            let path = cache.insert(&key, values, &meta).unwrap();
            let found = cache.get(&key).unwrap().unwrap();
            assert_eq!(bits(&found.values), bits(values));
            assert_eq!((&found.path, &found.sidecar.meta), (&path, &meta));
            assert_eq!(cache.lookup(&key), Some((found.sidecar, path)));
        }
    }

    #[test]
    fn what_was_not_inserted_is_a_miss() {
        let (_folder, cache) = open();
        let key = key("owner/name", "t");
        assert_eq!(cache.get(&key).unwrap(), None);
        assert_eq!(cache.lookup(&key), None);
        cache.insert(&key, &values(), &meta(&[4])).unwrap();
        let other = TensorKey { commit: "f".repeat(40).parse().unwrap(), ..key };
        assert_eq!(cache.get(&other).unwrap(), None);
    }

    #[test]
    fn what_a_source_gave_is_there_for_who_believes_it() {
        let (_folder, cache) = open();
        let key = key("owner/name", "t");
        let path = cache.insert(&key, &values(), &meta(&[4])).unwrap();
        let rows = meta(&[4, 1]);
        cache.insert_rows(&key, &crate::rows::RowSet::run(0..4), &values(), &rows).unwrap();
        let found = |cache: &Cache| {
            let (got, looked) = (cache.get(&key).unwrap().is_some(), cache.lookup(&key).is_some());
            let checked = cache.check(&key).unwrap().is_some();
            let rows = cache.get_either(&key, true).unwrap().is_some();
            let of_rows = cache.check_rows(&key).unwrap().is_some();
            [got, looked, checked, rows, of_rows]
        };
        assert_eq!(found(&cache.believing(["elsewhere".to_owned(), rows.source.clone()])), [true; 5]);
        assert_eq!(found(&cache.believing(["elsewhere".to_owned()])), [false; 5]);
        assert_eq!((found(&cache), path.is_file()), ([true; 5], true), "it stays");
    }

    type Harm = fn(&Path);

    #[test]
    fn a_broken_entry_is_removed_and_can_be_inserted_again() {
        let (_folder, cache) = open();
        let key = key("owner/name", "t");
        let [npy, sidecar] = key.files(cache.root(), false);
        let cut: Harm = |path| {
            let bytes = fs_err::read(path).unwrap();
            fs_err::write(path, &bytes[..bytes.len() - 1]).unwrap();
        };
        let flip: Harm = |path| {
            let mut bytes = fs_err::read(path).unwrap();
            let last = bytes.len() - 3;
            bytes[last] ^= 1;
            fs_err::write(path, bytes).unwrap();
        };
        let empty: Harm = |path| fs_err::write(path, "").unwrap();
        let gone: Harm = |path| fs_err::remove_file(path).unwrap();
        let harms = [
            (&npy, cut),
            (&npy, flip),
            (&npy, empty),
            (&npy, gone),
            (&sidecar, flip),
            (&sidecar, empty),
            (&sidecar, gone),
        ];
        for (number, (path, harm)) in harms.into_iter().enumerate() {
            cache.insert(&key, &values(), &meta(&[4])).unwrap();
            harm(path);
            assert_eq!(cache.get(&key).unwrap(), None, "harm {number}");
            assert_eq!(cache.lookup(&key), None, "harm {number}");
            assert!(!sidecar.exists(), "harm {number}");
        }
        cache.insert(&key, &values(), &meta(&[4])).unwrap();
        assert!(cache.get(&key).unwrap().is_some());
    }

    #[test]
    fn an_entry_of_another_tensor_in_the_same_file_is_a_miss_and_stays() {
        let (_folder, cache) = open();
        let [upper, lower] = ["T", "t"].map(|tensor| key("owner/name", tensor));
        cache.insert(&upper, &values(), &meta(&[4])).unwrap();
        // As a file system that does not tell case apart would show it.
        for (from, to) in upper.files(cache.root(), false).iter().zip(lower.files(cache.root(), false)) {
            fs_err::copy(from, to).unwrap();
        }
        assert_eq!(cache.get(&lower).unwrap(), None);
        assert_eq!(cache.lookup(&lower), None);
        assert!(lower.files(cache.root(), false)[0].exists());
        assert!(cache.get(&upper).unwrap().is_some());
    }

    #[test]
    fn names_that_meet_when_naively_encoded_do_not() {
        let (_folder, cache) = open();
        let names = ["a/b_c", "a_b/c", "a%2Fb_c", "../../../escape", "headers", "", ".lock", &"long/".repeat(99)];
        for (index, name) in names.iter().enumerate() {
            cache.insert(&key("o/n", name), &Values::U64(vec![index as u64]), &meta(&[1])).unwrap();
        }
        for (index, name) in names.iter().enumerate() {
            let found = cache.get(&key("o/n", name)).unwrap().unwrap();
            assert_eq!(found.values, Values::U64(vec![index as u64]), "{name}");
        }
        let mut listed: Vec<_> = cache.ls().unwrap().into_iter().map(|entry| entry.tensor).collect();
        let mut expected = names.map(str::to_owned);
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_shape_that_does_not_fit_keeps_nothing() {
        let (_folder, cache) = open();
        let key = key("o/n", "t");
        let error = cache.insert(&key, &values(), &meta(&[5])).unwrap_err();
        assert!(matches!(error, CacheError::Shape { elements: 4, .. }));
        assert_eq!(cache.ls().unwrap(), []);
    }

    #[test]
    fn writers_and_readers_may_share_a_cache() {
        let (_folder, cache) = open();
        let keys: Vec<_> = (0..4).map(|i| key("o/n", &format!("t{i}"))).collect();
        std::thread::scope(|scope| {
            for writer in 0..4_u64 {
                let (cache, keys) = (Cache::open(cache.root()).unwrap(), &keys);
                scope.spawn(move || {
                    for round in 0..20 {
                        for key in keys {
                            let values = Values::U64(vec![writer * 100 + round; 500]);
                            cache.insert(key, &values, &meta(&[500])).unwrap();
                            let found = cache.get(key).unwrap().expect("an entry that writers replace is never absent");
                            let Values::U64(found) = found.values else { panic!() };
                            assert!(found.iter().all(|value| *value == found[0]), "values of two writers in one file");
                        }
                    }
                });
            }
        });
        assert_eq!(cache.ls().unwrap().len(), keys.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_changed_byte_of_an_entry_is_noticed(which in any::<bool>(), at in any::<prop::sample::Index>(), mask in 1_u8..) {
            let (_folder, cache) = open();
            let key = key("owner/name", "t");
            cache.insert(&key, &values(), &meta(&[4])).unwrap();
            let before = cache.get(&key).unwrap().unwrap();
            let path = &key.files(cache.root(), false)[usize::from(!which)];
            let mut bytes = fs_err::read(path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            fs_err::write(path, bytes).unwrap();
            if let Some(after) = cache.get(&key).unwrap() {
                prop_assert_eq!(after.sidecar, before.sidecar);
                prop_assert_eq!(bits(&after.values), bits(&before.values));
            }
        }
    }
}
