//! The structure of weight matrices along depth: a document, and the files that hold every number of it.

mod aligned;
mod document;
mod files;
mod raw;
mod scale;
mod summary;
mod view;

pub use document::structure_report;
pub use files::structure_tables;
pub(crate) use view::{View, figure, mean_null, statistics};
