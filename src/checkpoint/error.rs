//! What can be wrong with a model's files.

use std::{io, path::PathBuf};

use super::{HeaderError, header_error::LFS_PULL};
use crate::{dtype::DecodeError, escaped::Escaped, hint::Hint, range::ByteRange};

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum CheckpointError {
    /// A safetensors header is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A shard index is refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There is nothing to read, or not in the folder that the model names for its weights; `found` tells of weights in other formats.
    #[error("there is no safetensors file{}{}", folder.as_deref().map(told_folder).unwrap_or_default(), instead(found))]
    NoSafetensors { folder: Option<String>, found: Vec<String> },
    /// Files that differ in numbers alone, and are parts of a matrix or several models.
    #[error(
        "`{}` and `{}` are named as parts of one checkpoint, and both hold tensor `{}`: nothing tells which counts, or how to join them",
        Escaped(&files[0]), Escaped(&files[1]), Escaped(tensor)
    )]
    NamesMeet { tensor: String, files: [String; 2] },
    /// Links in a local folder whose targets are gone.
    #[error("{}", lead_nowhere(links))]
    Dangling { links: Vec<String> },
    /// git's pointer lies in the place of the file.
    #[error("it is a git-lfs pointer, not the file itself")]
    LfsPointer,
    /// Bytes are no values of their type.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Scales that do not make values of a quantised weight.
    #[error("the weight cannot be dequantised: {reason}")]
    Scales { reason: String },
    /// The folder of a local model is absent or is no folder.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder { path: PathBuf },
    /// A local file or folder cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A range reaches past the end of a local file.
    #[error("bytes {range} of `{}` were asked for, which has {len}", path.display())]
    PastEnd { path: PathBuf, range: ByteRange, len: u64 },
    /// A local file changed while it was read, or is gone.
    #[error("`{}` changed while it was read: it {}", path.display(), has_become(*before, *now))]
    Changed { path: PathBuf, before: u64, now: Option<u64> },
    /// Something else is in the place of a local file.
    #[error("`{}` is {kind}, and no regular file", path.display())]
    Irregular { path: PathBuf, kind: &'static str },
}

impl Hint for CheckpointError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Header(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::NoSafetensors { folder: None, found } if found.is_empty() => {
                Some("check the name: the repository may be a data set, a gated stub, or empty".to_owned())
            }
            Self::NamesMeet { .. } => Some(
                "put the one that is meant into a folder of its own; parts that were split across devices must be merged first"
                    .to_owned(),
            ),
            Self::Dangling { .. } => Some(
                "what they lead to is gone, as after pruning a cache: download the files again, or restore their targets"
                    .to_owned(),
            ),
            Self::LfsPointer => Some(LFS_PULL.to_owned()),
            Self::NoSafetensors { .. } => Some(
                "only safetensors is read; look for a converted copy, or for a pull request of the Hub's conversion bot (`MODEL@refs/pr/N`)"
                    .to_owned(),
            ),
            Self::NotAFolder { .. } => {
                Some("name a folder that holds a checkpoint, or a model on the Hub as `owner/name`".to_owned())
            }
            Self::Changed { .. } => Some("run again when nothing writes to the folder".to_owned()),
            Self::Irregular { .. } => Some("put a regular file there, or a link to one".to_owned()),
            Self::Decode(_) | Self::Scales { .. } | Self::Io(_) | Self::PastEnd { .. } => None,
        }
    }
}

fn has_become(before: u64, now: Option<u64>) -> String {
    match now {
        None => "is gone".to_owned(),
        Some(now) if now == before => "was written to, or another file took its place".to_owned(),
        Some(now) => format!("had {before} bytes and now has {now}"),
    }
}

/// An index that is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum IndexError {
    /// Too long to read.
    #[error("the index has {len} bytes, above the limit of {limit}")]
    TooLong { len: u64, limit: u64 },
    /// Not JSON, or not of an index's form.
    #[error("the index is not valid JSON of the form {{\"weight_map\": {{tensor: file}}}}")]
    Json(#[source] serde_json::Error),
    /// A tensor is placed twice.
    #[error("tensor `{}` is placed twice by the index", Escaped(tensor))]
    DuplicateTensor { tensor: String },
    /// A path that does not stay within the repository.
    #[error("the index places tensor `{}` in `{}`: {reason}", Escaped(tensor), Escaped(path))]
    UnsafePath { tensor: String, path: String, reason: &'static str },
    /// More files than any model has.
    #[error("the index names more than {limit} shards")]
    TooManyShards { limit: usize },
    /// More tensors than any model has.
    #[error("the index places more than {limit} tensors")]
    TooManyTensors { limit: usize },
}

impl Hint for IndexError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnsafePath { .. } => {
                Some("nothing was fetched by that path; report the repository to the Hub".to_owned())
            }
            _ => None,
        }
    }
}

fn told_folder(folder: &str) -> String {
    let name = if folder.is_empty() { "its root".to_owned() } else { format!("`{}`", Escaped(folder)) };
    format!(" in {name}, where the model says that its weights are")
}

fn lead_nowhere(links: &[String]) -> String {
    const MOST: usize = 4;
    let named: Vec<String> = links.iter().take(MOST).map(|link| format!("`{}`", Escaped(link))).collect();
    let more = links.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match links.len() {
        1 => format!("{} is a link that leads nowhere", named[0]),
        _ => format!("{}{more} are links that lead nowhere", named.join(", ")),
    }
}

fn instead(found: &[String]) -> String {
    match found {
        [] => ", nor weights in any other known format".to_owned(),
        _ => format!("; there is instead {}", found.join(", ")),
    }
}
