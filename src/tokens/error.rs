//! What can be wrong with a tokenizer's file.

use crate::hint::Hint;

/// A `tokenizer.json` whose tokens cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no tokenizer's JSON.
    #[error("it is not the JSON of a tokenizer")]
    Json {
        /// Where and why.
        source: serde_json::Error,
    },
    /// It has no tokens.
    #[error("its vocabulary is empty")]
    Empty,
    /// It names a kind of tokenizer that is none of those whose tokens can be told.
    #[error("its model is of the kind `{}`, which is not known here", shortened(kind).escape_debug())]
    Kind {
        /// The kind.
        kind: String,
    },
    /// A token is longer than any text that a row could stand for.
    #[error("its token {id} has {bytes} bytes, more than the {most} bytes of the longest that is read")]
    Long {
        /// The token's number.
        id: u32,
        /// Its length.
        bytes: usize,
        /// The longest.
        most: usize,
    },
    /// Two tokens of the vocabulary have one number.
    #[error("its tokens `{}` and `{}` both have number {id}", shortened(first).escape_debug(), shortened(second).escape_debug())]
    SameId {
        /// The number.
        id: u32,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl Hint for TokenError {
    fn hint(&self) -> Option<String> {
        Some("rows can be compared by number alone with --same-id, where both models use one vocabulary".to_owned())
    }
}

/// The beginning of a stranger's text.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
