//! Why a text names no model.

use crate::hint::Hint;

/// A model that was named in a way that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum SpecError {
    #[error("`{text}` is not a model: {reason}")]
    RepoId { text: String, reason: &'static str },
    #[error("`{text}` is not a revision")]
    Revision { text: String },
    #[error("`{text}` is not a commit of 40 hexadecimal digits")]
    Commit { text: String },
    #[error("`{word}` is neither `group=NAME`, `label=NAME` nor `layer=N`")]
    ListWord { word: String },
    #[error("line {line} of the model list")]
    Line { line: usize, source: Box<SpecError> },
}

pub(super) fn no_model(text: &str, reason: &'static str) -> SpecError {
    SpecError::RepoId { text: text.to_owned(), reason }
}

impl Hint for SpecError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::RepoId { .. } => {
                Some("write owner/name, owner/name@revision, or a folder as ./path, /path or file:path".to_owned())
            }
            Self::Line { source, .. } => source.hint(),
            _ => None,
        }
    }
}
