//! The questions: one file each.

use crate::error::Hint;

/// A question that cannot be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {}

impl Hint for AuditError {
    fn hint(&self) -> Option<String> {
        None
    }
}
