//! The structure of weight matrices along depth: a document, and the files that hold every number of it.

mod aligned;
mod document;
mod files;
mod raw;
mod scale;
mod view;

pub use self::{document::structure_report, files::structure_csv};
