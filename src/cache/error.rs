//! What can be wrong with the cache.

use std::{io, path::PathBuf};

use crate::{escaped::Escaped, hint::Hint};

/// The cache cannot be used. A broken entry is no error: it is removed, and the tensor is fetched again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A file or folder of the cache cannot be read.
    #[error("`{}` in the cache cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder of the cache cannot be written or removed.
    #[error("`{}` in the cache cannot be written", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something else is where a lock should be.
    #[error("`{}` in the cache is no regular file", path.display())]
    Irregular {
        /// The lock.
        path: PathBuf,
    },
    /// A tensor whose values and shape do not agree cannot be kept.
    #[error("tensor `{}` of shape {shape:?} has {elements} elements", Escaped(tensor))]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<u64>,
        /// How many elements it has.
        elements: usize,
    },
}

impl CacheError {
    /// Turns the failure to read `path` into an error.
    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }

    /// Turns the failure to write `path` into an error.
    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}

impl Hint for CacheError {
    fn hint(&self) -> Option<String> {
        let source = match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source,
            Self::Irregular { .. } => return Some("remove it, or name another folder with `--cache-dir`".to_owned()),
            Self::Shape { .. } => return None,
        };
        let advice = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full: free some space, remove old entries with `hub-audit cache prune`, or name another folder with `--cache-dir`"
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                "name a folder that you may write to with `--cache-dir`"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "a file is where a folder should be: name another folder with `--cache-dir`"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
