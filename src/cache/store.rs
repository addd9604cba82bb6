//! The cache: get, insert, heal.

use std::{
    fs,
    io::{self, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    disk::{self, Locked},
    error::CacheError,
    key::{self, TensorKey},
    npy,
    seal::{seal, unseal},
    sidecar::{Sidecar, TensorMeta},
};
use crate::values::Values;

/// A folder of kept tensors. Two processes may share one, and killing either corrupts nothing.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A tensor from the cache. Its bytes were checked against the digest in its sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedTensor {
    /// Its elements.
    pub values: Values,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Where it came from.
    pub sidecar: Sidecar,
    /// Its `.npy`.
    pub path: PathBuf,
}

/// Why an entry cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The sidecar is absent.
    NoSidecar,
    /// The sidecar was altered, or cut short.
    Sidecar,
    /// The `.npy` is absent.
    NoValues,
    /// The `.npy` has another length than was written.
    Length,
    /// The `.npy` has other bytes than were written.
    Digest,
    /// The `.npy` is intact, and not what its sidecar describes.
    Content,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::NoSidecar => "sidecar absent",
            Self::Sidecar => "sidecar altered",
            Self::NoValues => "values absent",
            Self::Length => "length differs",
            Self::Digest => "bytes differ",
            Self::Content => "values differ from the sidecar",
        })
    }
}

/// What was found where an entry may be.
pub(super) enum Found<T> {
    Absent,
    Broken(Flaw),
    Sound(T),
}

impl Cache {
    /// Opens the cache at `root`. A folder that is not there is created, and marked as a cache for people and for back-up
    /// programs; one that is there is left as it is.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(CacheError::write(root)(io::ErrorKind::NotADirectory.into())),
            Err(_) => {
                fs::create_dir_all(&root).map_err(CacheError::write(&root))?;
                for (name, text) in [("CACHEDIR.TAG", CACHEDIR_TAG), ("README.md", README)] {
                    disk::write_whole(&root.join(name), |to| to.write_all(text.as_bytes()))?;
                }
            }
        }
        Ok(Self { root })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The tensor `key`, if it is kept. Every byte is checked; a broken entry is removed and is a miss. Where the cache
    /// cannot be written, a broken entry stays, and is a miss each time.
    pub fn get(&self, key: &TensorKey) -> Result<Option<CachedTensor>, CacheError> {
        match self.read_entry(key)? {
            Found::Absent => Ok(None),
            Found::Sound(tensor) => Ok(Some(tensor)),
            Found::Broken(_) => self.heal(key),
        }
    }

    /// What is known of `key`, if it is kept, without reading its values: the sidecar is intact, and the `.npy` is as long
    /// as it says. [`Cache::get`] may still find the bytes altered.
    pub fn lookup(&self, key: &TensorKey) -> Option<Sidecar> {
        let text = disk::read_if_there(&key.sidecar_path(&self.root)).ok()??;
        let sidecar: Sidecar = unseal(&text)?;
        let found = fs::metadata(key.npy_path(&self.root)).ok()?;
        (sidecar.is_of(key) && found.len() == sidecar.npy_bytes).then_some(sidecar)
    }

    /// Where the `.npy` of `key` lies, if it is kept.
    pub fn path(&self, key: &TensorKey) -> Option<PathBuf> {
        self.lookup(key).map(|_| key.npy_path(&self.root))
    }

    /// Keeps a tensor and gives the path of its `.npy`. An entry that is already there is replaced.
    pub fn insert(&self, key: &TensorKey, values: &Values, meta: &TensorMeta) -> Result<PathBuf, CacheError> {
        let path = key.npy_path(&self.root);
        let _locked = Locked::folder(&self.root, &key::commit_folder(&self.root, &key.repo, &key.commit))?;
        let written =
            disk::write_whole(&path, |to| npy::write(values, &meta.shape, to)).map_err(|error| match error {
                CacheError::Write { source, .. } if source.kind() == io::ErrorKind::InvalidInput => CacheError::Shape {
                    tensor: key.tensor.clone(),
                    shape: meta.shape.clone(),
                    elements: values.len(),
                },
                other => other,
            })?;
        // The values first: a sidecar always speaks of values that are there.
        self.write_sealed(
            &key.sidecar_path(&self.root),
            &Sidecar {
                repo: key.repo.clone(),
                commit: key.commit.clone(),
                tensor: key.tensor.clone(),
                meta: meta.clone(),
                npy_sha256: written.sha256,
                npy_bytes: written.bytes,
            },
        )?;
        Ok(path)
    }

    /// Writes `content` as sealed JSON, whole or not at all.
    #[expect(clippy::unused_self, reason = "only an open cache is written to")]
    pub(super) fn write_sealed(&self, path: &Path, content: &impl serde::Serialize) -> Result<(), CacheError> {
        let text = seal(content).map_err(|error| CacheError::write(path)(error.into()))?;
        disk::write_whole(path, |to| to.write_all(text.as_bytes())).map(|_| ())
    }

    fn read_entry(&self, key: &TensorKey) -> Result<Found<CachedTensor>, CacheError> {
        let path = key.npy_path(&self.root);
        let found = read_files(&key.sidecar_path(&self.root), &path)?;
        Ok(match found {
            // Values whose sidecar was not yet written: the next insert replaces them.
            Found::Absent | Found::Broken(Flaw::NoSidecar) => Found::Absent,
            Found::Sound((sidecar, _)) if !sidecar.is_of(key) => Found::Absent,
            Found::Sound((sidecar, values)) => Found::Sound(CachedTensor {
                values,
                shape: sidecar.meta.shape.clone(),
                sidecar,
                path,
            }),
            Found::Broken(flaw) => Found::Broken(flaw),
        })
    }

    /// Removes a broken entry, unless a writer has mended it in the meantime.
    fn heal(&self, key: &TensorKey) -> Result<Option<CachedTensor>, CacheError> {
        let folder = key::commit_folder(&self.root, &key.repo, &key.commit);
        let Ok(_locked) = Locked::folder(&self.root, &folder) else {
            return Ok(None);
        };
        match self.read_entry(key)? {
            Found::Sound(tensor) => Ok(Some(tensor)),
            Found::Absent => Ok(None),
            Found::Broken(_) => {
                // The sidecar first: values without one are no entry.
                let removed = disk::remove(&key.sidecar_path(&self.root));
                let _ = removed.and_then(|()| disk::remove(&key.npy_path(&self.root)));
                Ok(None)
            }
        }
    }
}

/// Reads and checks the two files of an entry.
pub(super) fn read_files(sidecar: &Path, npy: &Path) -> Result<Found<(Sidecar, Values)>, CacheError> {
    let opened = disk::if_there(fs::File::open(npy)).map_err(CacheError::read(npy))?;
    let sidecar_text = disk::read_if_there(sidecar)?;
    let (mut file, text) = match (opened, sidecar_text) {
        (None, None) => return Ok(Found::Absent),
        (Some(_), None) => return Ok(Found::Broken(Flaw::NoSidecar)),
        (None, Some(_)) => return Ok(Found::Broken(Flaw::NoValues)),
        (Some(file), Some(text)) => (file, text),
    };
    let Some(sidecar) = unseal::<Sidecar>(&text) else {
        return Ok(Found::Broken(Flaw::Sidecar));
    };
    let failed = || CacheError::read(npy);
    if file.metadata().map_err(failed())?.len() != sidecar.npy_bytes {
        return Ok(Found::Broken(Flaw::Length));
    }
    // Checked before a word of it is believed: its header decides how much memory is taken.
    let digest = disk::digest_of(&mut file).map_err(failed())?;
    if digest.sha256 != sidecar.npy_sha256 {
        return Ok(Found::Broken(Flaw::Digest));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    match npy::read(BufReader::with_capacity(1 << 16, file)) {
        Ok((values, shape)) if shape == sidecar.meta.shape => Ok(Found::Sound((sidecar, values))),
        Ok(_) => Ok(Found::Broken(Flaw::Content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            Ok(Found::Broken(Flaw::Content))
        }
        Err(error) => Err(failed()(error)),
    }
}

const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This file marks the folder as a cache of hub-audit: what is in it can be fetched again.
# See https://bford.info/cachedir/
";

const README: &str = "# Cache of hub-audit

`models/OWNER/NAME/COMMIT/TENSOR.npy` holds one tensor, as `numpy.load` reads it; BF16, F16 and F8 are widened to float32
without rounding. `TENSOR.json` beside it holds the type and shape, where in which file it lies, and the SHA-256 of its
stored bytes. `headers.json` holds what is known of the whole commit.

Everything here can be removed at any time: it is fetched again when it is needed. `hub-audit cache ls`, `verify` and
`prune` list, check and clear it.
";
