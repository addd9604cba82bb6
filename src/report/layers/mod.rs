//! The layers of each model against each other: a document, and the files that hold every number of it.

mod document;
mod files;
mod named;
mod overview;
mod pictures;
mod section;
mod tables;

pub(super) use self::document::listed;
pub use self::{document::layers_report, files::layers_csv};
