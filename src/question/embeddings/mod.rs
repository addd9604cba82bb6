//! Token embeddings of two models compared by what their rows stand for.
//!
//! Row 1000 of one vocabulary is another token than row 1000 of another, so rows are matched by the text of their tokens.
//! Tokens in both are counted, a seeded sample of them is drawn, and only its rows are read. Beside the matched rows stand two
//! contrasts made of the same rows: each token of the first model with another token of the second at random, which is what rows
//! of these two tables look like when they have nothing to do with each other; and rows of equal number.

mod answer;
mod ask;
mod chosen;
pub mod page;
mod table;

pub use answer::{Embeddings, RowPairs, TokenPair, embeddings};
pub(crate) use ask::derangement;
pub use ask::{Sample, TokenAsk};
pub use chosen::{Chosen, Drawn, SharedTokens, VocabularyFacts, choose_tokens};
pub use table::Table;
