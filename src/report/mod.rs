//! Answers turned into bytes: pure functions of a report.

use crate::error::Hint;

/// A report that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {}

impl Hint for ReportError {
    fn hint(&self) -> Option<String> {
        None
    }
}
