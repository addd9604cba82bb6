//! The layers of each model against each other: a document, and the files that hold every number of it.

mod document;
mod files;
mod named;
mod overview;
mod pictures;
mod section;
mod summary;
mod tables;

pub use document::layers_report;
pub use files::layers_tables;
pub(crate) use named::{BESIDE, Named, by_reason, listed, roles};
pub(crate) use overview::{deviation, mean};
