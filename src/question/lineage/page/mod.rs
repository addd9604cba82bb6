//! The answer as a report, as tables and on a terminal.

mod combinations;
mod document;
mod files;
mod pictures;
mod tables;
mod text;
mod words;

pub use document::lineage_report;
pub(crate) use document::lineage_section;
pub use files::lineage_tables;
pub(crate) use files::settings;
pub use text::lineage_text;
pub(crate) use words::lacking;
pub use words::refused;
