//! What can be wrong with a tokenizer's file.

use crate::error::Hint;

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
    /// Two tokens of the vocabulary have one number.
    #[error("its tokens `{}` and `{}` both have number {id}", first.escape_debug(), second.escape_debug())]
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
