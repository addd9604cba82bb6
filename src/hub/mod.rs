//! HTTP and nothing else: pinned revisions, listings, small files, verified ranges.

use crate::error::Hint;

/// The Hub refused, or the way to it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {}

impl Hint for HubError {
    fn hint(&self) -> Option<String> {
        None
    }
}
