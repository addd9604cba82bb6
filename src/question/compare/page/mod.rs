//! Two whole checkpoints as a document and as tables: by role and by layer, what is how close, and what was not compared.

mod document;
mod files;
mod pictures;
mod summary;

pub use document::compare_report;
pub use files::compare_tables;
pub(crate) use pictures::pictures;
pub use summary::nothing_compared;
