//! What can be wrong with a tokenizer's file.

use crate::hint::Hint;

/// A `tokenizer.json` whose tokens cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum TokenError {
    #[error("it is not the JSON of a tokenizer")]
    Json { source: serde_json::Error },
    #[error("its vocabulary is empty")]
    Empty,
    #[error("its model is of the kind `{}`, which is not known here", shortened(kind).escape_debug())]
    Kind { kind: String },
    #[error("its token {id} has {bytes} bytes, more than the {most} bytes of the longest that is read")]
    Long { id: u32, bytes: usize, most: usize },
    #[error("its tokens `{}` and `{}` both have number {id}", shortened(first).escape_debug(), shortened(second).escape_debug())]
    SameId { id: u32, first: String, second: String },
}

impl Hint for TokenError {
    fn hint(&self) -> Option<String> {
        Some("rows can be compared by number alone with --same-id, where both models use one vocabulary".to_owned())
    }
}

/// The beginning of untrusted text.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
