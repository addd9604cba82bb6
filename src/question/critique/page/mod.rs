//! The study as a document: a section an experiment with its table, its picture and one plain sentence; what the study
//! lacked; its published figures beside the measured ones. The words are data, one file a language.

mod beyond;
mod document;
mod experiments;
mod pairs;
mod pictures;
mod prose;
mod published;
mod square;
mod summary;
mod writer;

pub use document::{critique_report, critique_tables};
pub use prose::Language;
pub(crate) use prose::{Figures, Prose};
pub(crate) use writer::{
    Writer, average_cells, average_columns, digits, figure, fixed, group_pair, joined, mean, mean_sd, sd,
};
