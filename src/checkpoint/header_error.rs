//! Every way in which a safetensors header can be wrong, with the tensor and the figures.

use super::Foreign;
use crate::{escaped::Escaped, hint::Hint};

/// What to do about git's pointers.
pub(super) const LFS_PULL: &str = "the folder holds git's pointers and not the files: run `git lfs pull` in it";

/// A safetensors header that is refused. Names in messages are shown through [`Escaped`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum HeaderError {
    /// The bytes are something else.
    #[error("the file is {found}, not safetensors")]
    NotSafetensors { found: Foreign },
    /// Fewer bytes were given than the header has. Nothing is known to be wrong with the file.
    #[error("only {have} of {need} bytes of the header are present")]
    Truncated { have: u64, need: u64 },
    /// The header is not UTF-8.
    #[error("the header is not UTF-8")]
    Utf8(#[source] std::str::Utf8Error),
    /// The header is not JSON, or is nested too deeply.
    #[error("the header is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// What is said of one tensor cannot be, or contradicts what is said of another.
    #[error("tensor `{}` {wrong}", Escaped(tensor))]
    Tensor { tensor: String, wrong: String },
    /// What is said of the file, or of its parts, cannot be.
    #[error("{wrong}")]
    Claim { wrong: String },
    /// Header and tensors together are longer or shorter than the file.
    #[error("header and tensors make {described} bytes, but the file has {file_len}")]
    FileLength { described: u64, file_len: u64 },
}

impl HeaderError {
    pub(super) fn claim(wrong: impl Into<String>) -> Self {
        Self::Claim { wrong: wrong.into() }
    }

    pub(super) fn tensor(tensor: &str, wrong: impl Into<String>) -> Self {
        Self::Tensor { tensor: tensor.to_owned(), wrong: wrong.into() }
    }
}

impl Hint for HeaderError {
    fn hint(&self) -> Option<String> {
        let advice = match self {
            Self::NotSafetensors { found: Foreign::LfsPointer } => LFS_PULL,
            Self::NotSafetensors { found: Foreign::Html | Foreign::Json } => {
                "the server answered with a message instead of the file: check the endpoint, a proxy, or access to the repository"
            }
            Self::NotSafetensors { .. } => "only safetensors files are read; look for a converted copy of the model",
            Self::FileLength { described, file_len } if file_len < described => {
                "the file is cut short: download or upload it again"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
