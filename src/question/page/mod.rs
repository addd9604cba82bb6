//! What the pages of several questions have in common: the table of models, the pairs as a table, what was left out, what it took.

pub(crate) mod closing;
mod colors;
mod models;
mod pairs;
mod report;

pub(crate) use closing::{ABOUT_COSINE, excluded};
pub(crate) use colors::{WITHOUT_FIRST, later_cosines};
pub(crate) use models::{model_cells, models};
pub(crate) use pairs::{PairRow, PairSide, pairs};
pub(crate) use report::report;
