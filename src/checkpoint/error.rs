//! What can be wrong with a model's files.

use std::{fmt, io, path::PathBuf};

use super::{Dtype, Escaped, HeaderError, IndexError};
use crate::{hint::Hint, range::ByteRange};

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// One file is at fault.
    #[error("`{}` cannot be read", Escaped(file))]
    InFile {
        /// Its path in the repository.
        file: String,
        /// What is wrong with it.
        source: Box<CheckpointError>,
    },
    /// A safetensors header is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A shard index is refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There is nothing to read.
    #[error("there is no safetensors file{}", Instead(found))]
    NoSafetensors {
        /// The weights in other formats, largest first.
        found: Vec<OtherWeights>,
    },
    /// Elements of a type that has no exact value in memory here.
    #[error("{dtype} elements are not decoded: {reason}")]
    Undecodable {
        /// The type.
        dtype: Dtype,
        /// Why not.
        reason: &'static str,
    },
    /// A byte count that is not a whole number of elements.
    #[error("{len} bytes are no whole number of {dtype} elements")]
    PartialElement {
        /// The type.
        dtype: Dtype,
        /// How many bytes there are.
        len: usize,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("element {index} of a BOOL tensor is byte 0x{found:02x}, neither 0 nor 1")]
    NotBoolean {
        /// Which element.
        index: usize,
        /// What is there.
        found: u8,
    },
    /// Scales that do not make values of a quantised weight.
    #[error("the weight cannot be dequantised: {reason}")]
    Scales {
        /// What does not fit.
        reason: String,
    },
    /// The folder of a local model is absent or is no folder.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// A local file or folder cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A range reaches past the end of a local file.
    #[error("bytes {range} of `{}` were asked for, which has {len}", path.display())]
    PastEnd {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        range: ByteRange,
        /// Its length.
        len: u64,
    },
    /// A local file changed while it was read.
    #[error("`{}` had {before} bytes and now has {now}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its length when it was opened.
        before: u64,
        /// Its length now.
        now: u64,
    },
}

impl CheckpointError {
    /// The same error, saying which file of the repository it is about.
    #[must_use]
    pub fn in_file(self, file: impl Into<String>) -> Self {
        Self::InFile { file: file.into(), source: Box::new(self) }
    }
}

impl Hint for CheckpointError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::InFile { source, .. } => source.hint(),
            Self::Header(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::NoSafetensors { found } if found.is_empty() => {
                Some("check the name: the repository may be a data set, a gated stub, or empty".to_owned())
            }
            Self::NoSafetensors { .. } => Some(
                "only safetensors is read; look for a converted copy, or for a pull request of the Hub's conversion bot (`MODEL@refs/pr/N`)"
                    .to_owned(),
            ),
            Self::NotAFolder { .. } => {
                Some("name a folder that holds a checkpoint, or a model on the Hub as `owner/name`".to_owned())
            }
            Self::Changed { .. } => Some("run again when nothing writes to the folder".to_owned()),
            Self::Undecodable { .. }
            | Self::PartialElement { .. }
            | Self::NotBoolean { .. }
            | Self::Scales { .. }
            | Self::Io(_)
            | Self::PastEnd { .. } => None,
        }
    }
}

/// Weights in a format that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherWeights {
    /// The files' extension, without its dot.
    pub extension: String,
    /// How many there are.
    pub files: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

struct Instead<'a>(&'a [OtherWeights]);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(", nor weights in any other known format");
        }
        f.write_str("; there is instead ")?;
        for (index, other) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} `.{}` ({} bytes)", other.files, Escaped(&other.extension), other.bytes)?;
        }
        Ok(())
    }
}
