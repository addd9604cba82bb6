//! The answer as a report, as tables and on a terminal.

mod combinations;
mod data;
mod document;
mod files;
mod pictures;
mod tables;
mod text;
mod words;

pub(crate) use data::data;
pub use document::lineage_report;
pub(crate) use document::lineage_section;
pub use files::lineage_csv;
pub use text::lineage_text;
pub(crate) use words::lacking;
pub use words::refused;
