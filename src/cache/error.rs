//! What can be wrong with the cache.

use std::{io, path::PathBuf};

use super::key::TensorKey;
use crate::{escaped::Escaped, hint::Hint};

/// The cache cannot be used. A broken entry is no error: it is removed, and the tensor is fetched again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum CacheError {
    #[error("`{}` in the cache cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` in the cache cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` in the cache is no regular file", path.display())]
    Irregular { path: PathBuf },
    #[error("tensor `{}` of shape {shape:?} has {elements} elements", Escaped(tensor))]
    Shape { tensor: String, shape: Vec<u64>, elements: usize },
}

impl CacheError {
    /// Turns the failure to read `path` into an error.
    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }

    /// Values that are not as many as the shape has.
    pub(super) fn shape(key: &TensorKey, shape: &[u64], elements: usize) -> Self {
        Self::Shape { tensor: key.tensor.clone(), shape: shape.to_vec(), elements }
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
