//! The cache: get, insert, heal.

use std::{
    fs,
    io::{self, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{
    disk::{self, Disk, Flaw, Miss},
    error::CacheError,
    key::{self, TensorKey},
    npy,
    seal::{seal, unseal},
    sidecar::{Sidecar, TensorMeta},
};
use crate::{rows::RowSet, values::Values};

/// A folder of kept tensors. Two processes may share one, and killing either corrupts nothing.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(super) disk: Arc<Disk>,
    /// Whose tensors are there; `None` is everybody's.
    sources: Option<Arc<[String]>>,
}

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
                disk::make_folder(&root).map_err(CacheError::write(&root))?;
                for (name, text) in [(TAG, CACHEDIR_TAG), ("README.md", README)] {
                    disk::write_whole(&root.join(name), |to| to.write_all(text.as_bytes()))?;
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
        disk::read(&root.join(TAG), most).is_ok_and(|text| text == CACHEDIR_TAG.as_bytes())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.disk.root
    }

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
        (disk::length(&npy) == Some(sidecar.npy_bytes)).then_some((sidecar, npy))
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
        (sidecar.npy_sha256, sidecar.npy_bytes) = disk::write_whole(&path, |to| npy::write(values, &shape, to))
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

    /// Reads sealed JSON of so many bytes at most; what is broken is dropped.
    pub(super) fn read_sealed<T: DeserializeOwned>(&self, path: &Path, most: u64) -> Result<Option<T>, CacheError> {
        Ok(self.disk.read_or_drop(path, most)?.and_then(|text| unseal(&text)))
    }

    /// Writes `content` as sealed JSON, whole or not at all.
    #[expect(clippy::unused_self, reason = "only an open cache is written to")]
    pub(super) fn write_sealed(&self, path: &Path, content: &impl serde::Serialize) -> Result<(), CacheError> {
        disk::write_whole(path, |to| seal(content, to)).map(|_| ())
    }

    /// The same, for a file that is alone in its folder's lock.
    pub(super) fn keep_sealed(&self, path: &Path, content: &impl serde::Serialize) -> Result<(), CacheError> {
        let _locked = self.disk.lock_folder(path.parent().unwrap_or(path))?;
        self.write_sealed(path, content)
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
                let _ = disk::remove(&sidecar).and_then(|()| disk::remove(&npy));
                Ok(None)
            }
        }
    }
}

/// Reads and checks the two files of an entry. Values without a sidecar are none yet: the next insert replaces them.
pub(super) fn read_files(sidecar: &Path, npy: &Path) -> Result<(Sidecar, Values), Miss> {
    let known = read_sidecar(sidecar, npy)?;
    let mut file = match disk::open(npy, u64::MAX) {
        Err(Miss::Absent) => return Err(Miss::Broken(Flaw::NoValues)),
        found => found?,
    };
    let failed = || CacheError::read(npy);
    if file.metadata().map_err(failed())?.len() != known.npy_bytes {
        return Err(Miss::Broken(Flaw::Length));
    }
    // Checked before a word of it is believed: its header decides how much memory is taken.
    if disk::digest_of(&mut file).map_err(failed())?.0 != known.npy_sha256 {
        return Err(Miss::Broken(Flaw::Digest));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    match npy::read(BufReader::with_capacity(1 << 16, file)) {
        Ok((values, shape)) if shape == known.kept_shape() => Ok((known, values)),
        Ok(_) => Err(Miss::Broken(Flaw::Content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            Err(Miss::Broken(Flaw::Content))
        }
        Err(error) => Err(failed()(error).into()),
    }
}

/// The sidecar of the values at `npy`.
pub(super) fn read_sidecar(path: &Path, npy: &Path) -> Result<Sidecar, Miss> {
    // One that lists rows grows with them.
    let most = if key::is_of_rows(path) {
        disk::length(npy).unwrap_or(0).saturating_mul(BYTES_A_ROW).saturating_add(SIDECAR_CAP).min(ROWS_CAP)
    } else {
        SIDECAR_CAP
    };
    unseal(&disk::read(path, most)?).ok_or(Miss::Broken(Flaw::Sidecar))
}

/// Whether the values at `npy` are, to the byte, those that the sidecar describes. They are not held in memory.
fn is_intact(npy: &Path, sidecar: &Sidecar) -> Result<bool, CacheError> {
    let Ok(mut file) = disk::open(npy, sidecar.npy_bytes) else { return Ok(false) };
    let (sha256, bytes) = disk::digest_of(&mut file).map_err(CacheError::read(npy))?;
    Ok(sha256 == sidecar.npy_sha256 && bytes == sidecar.npy_bytes)
}

/// Bytes that a sidecar has at most; and one that lists rows, of which each has a byte of values and more.
const SIDECAR_CAP: u64 = 64 * 1024;
const BYTES_A_ROW: u64 = 16;
const ROWS_CAP: u64 = 64 * 1024 * 1024;

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
    use proptest::prelude::*;

    use super::*;
    use crate::{digest::sha256_hex, dtype::Dtype, range::ByteRange};

    fn key(repo: &str, tensor: &str) -> TensorKey {
        TensorKey {
            repo: repo.parse().unwrap(),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            tensor: tensor.to_owned(),
        }
    }

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
