//! Every way in which a safetensors header can be wrong, with the tensor and the figures.

use super::Foreign;
use crate::{dtype::Dtype, escaped::Escaped, hint::Hint};

/// What to do about git's pointers.
pub(super) const LFS_PULL: &str = "the folder holds git's pointers and not the files: run `git lfs pull` in it";

/// A safetensors header that is refused. Names in messages are shown through [`Escaped`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum HeaderError {
    /// The file cannot even hold the length.
    #[error("the file has {file_len} bytes, and a safetensors file has at least 8")]
    TooShort { file_len: u64 },
    /// The bytes are something else.
    #[error("the file is {found}, not safetensors")]
    NotSafetensors { found: Foreign },
    /// The stated length is above the limit.
    #[error("the header claims {header_len} bytes, above the limit of {limit}")]
    TooLong { header_len: u64, limit: u64 },
    /// The stated length does not fit the file.
    #[error("the header claims {header_len} bytes, but the file has {file_len} in all")]
    PastEnd { header_len: u64, file_len: u64 },
    /// The stated length is 0.
    #[error("the header claims 0 bytes, and not even `{{}}` fits")]
    Empty,
    /// Fewer bytes were given than the header has. Nothing is known to be wrong with the file.
    #[error("only {have} of {need} bytes of the header are present")]
    Truncated { have: u64, need: u64 },
    /// The JSON does not begin with `{`.
    #[error("the header begins with byte 0x{found:02x} instead of `{{`")]
    Start { found: u8 },
    /// The header is padded with something else than spaces.
    #[error("the header ends in byte 0x{found:02x}; only `}}` and padding spaces may end it")]
    Padding { found: u8 },
    /// The header is not UTF-8.
    #[error("the header is not UTF-8")]
    Utf8(#[source] std::str::Utf8Error),
    /// The header is not JSON, or is nested too deeply.
    #[error("the header is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// Two entries have one name: readers would disagree about which counts.
    #[error("tensor `{}` is described twice", Escaped(tensor))]
    DuplicateTensor { tensor: String },
    /// There is more than one `__metadata__`, or one of its keys appears twice.
    #[error("`{}` appears twice in the metadata", Escaped(key))]
    DuplicateMetadata { key: String },
    /// `__metadata__` is not an object of strings.
    #[error("`{}` in the metadata is `{}`; metadata maps strings to strings", Escaped(key), Escaped(found))]
    Metadata { key: String, found: String },
    /// More entries than any model has tensors.
    #[error("the header has more than {limit} entries")]
    TooManyEntries { limit: usize },
    /// An entry is no object of the three fields that the format defines, each once.
    #[error("tensor `{}` is described wrongly: {}", Escaped(tensor), Escaped(reason))]
    Entry { tensor: String, reason: String },
    /// A field holds the wrong kind of value.
    #[error("`{field}` of tensor `{}` is `{}` instead of {expected}", Escaped(tensor), Escaped(found))]
    Field { tensor: String, field: &'static str, expected: &'static str, found: String },
    /// A shape of more axes than any tensor has.
    #[error("tensor `{}` has more than {limit} axes", Escaped(tensor))]
    TooManyAxes { tensor: String, limit: usize },
    /// A tensor ends before it begins.
    #[error("tensor `{}` begins at byte {begin} and ends at {end}", Escaped(tensor))]
    Reversed { tensor: String, begin: u64, end: u64 },
    /// Bytes that belong to no tensor.
    #[error("tensor `{}` begins at byte {begin}, leaving a hole from {expected}", Escaped(tensor))]
    Hole { tensor: String, expected: u64, begin: u64 },
    /// Bytes that belong to two tensors.
    #[error("tensor `{}` begins at byte {begin}, inside the one that ends at {expected}", Escaped(tensor))]
    Overlap { tensor: String, expected: u64, begin: u64 },
    /// The shape has more elements, or more bits, than 64 bits can count.
    #[error("tensor `{}` of shape {shape:?} has more elements than can be counted", Escaped(tensor))]
    ShapeOverflow { tensor: String, shape: Vec<u64> },
    /// A sub-byte type whose elements do not fill whole bytes.
    #[error("tensor `{}` of {elements} {dtype} elements does not fill whole bytes", Escaped(tensor))]
    PartialByte { tensor: String, dtype: Dtype, elements: u64 },
    /// Shape and type ask for another number of bytes than the offsets hold.
    #[error("tensor `{}` of {dtype} {shape:?} needs {needs} bytes and has {has}", Escaped(tensor))]
    Size { tensor: String, dtype: Dtype, shape: Vec<u64>, needs: u64, has: u64 },
    /// Header and tensors together are longer or shorter than the file.
    #[error("header and tensors make {described} bytes, but the file has {file_len}")]
    FileLength { described: u64, file_len: u64 },
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
