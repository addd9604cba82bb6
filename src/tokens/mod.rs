//! What the rows of an embedding table stand for, as a model's `tokenizer.json` says.
//!
//! Tokenizers write one text in many ways: ` the` is `Ġthe` in a byte-level vocabulary, `▁the` in one of `SentencePiece`'s kind,
//! and `the` in one of `WordPiece`'s, where `##the` is what goes on inside a word. Here each becomes a [`Token`]: bytes, and
//! whether a word begins with them. Two rows of different models stand for the same text where their tokens are equal.

mod alphabet;
mod error;
mod parse;
mod spelling;
mod step;
mod token;
mod vocabulary;

pub use error::TokenError;
pub use spelling::Spelling;
pub use token::Token;
pub use vocabulary::Vocabulary;
