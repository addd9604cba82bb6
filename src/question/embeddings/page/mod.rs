//! Two embedding tables beside each other: a document, and the file that holds every token of it.

mod document;
mod files;
mod pictures;
mod summary;
mod tables;

pub use document::embeddings_report;
pub use files::embeddings_tables;
pub(crate) use tables::kinds;
