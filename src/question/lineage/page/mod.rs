//! The answer as a report, as tables and on a terminal.

mod combinations;
mod document;
mod files;
mod pictures;
mod refusals;
mod tables;
mod text;
mod verdict;
mod words;

pub use document::lineage_report;
pub(crate) use document::lineage_section;
pub use files::lineage_tables;
pub(crate) use files::settings;
pub(crate) use refusals::lacking;
pub use refusals::refused;
pub use text::lineage_text;
