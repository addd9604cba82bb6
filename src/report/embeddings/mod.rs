//! Two embedding tables beside each other: a document, and the file that holds every token of it.

mod document;
mod files;
mod pictures;
mod tables;

pub use self::{document::embeddings_report, files::embeddings_csv};
