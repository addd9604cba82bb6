//! What the pages of several questions have in common: the table of models, the pairs as CSV, what was left out, what it took.

pub(crate) mod closing;
mod colors;
mod models;
mod pairs;
mod run;

pub(crate) use closing::ABOUT_COSINE;
pub(crate) use colors::{WITHOUT_FIRST, later_cosines};
pub(crate) use models::models;
pub use pairs::pairs_csv;
pub(crate) use pairs::{PairSide, PairsCsv};
pub use run::Run;
pub(crate) use run::provenance;
