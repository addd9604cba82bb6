//! What was paid for is kept: one `.npy` and one sidecar a tensor, written whole or not at all.

use crate::error::Hint;

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {}

impl Hint for CacheError {
    fn hint(&self) -> Option<String> {
        None
    }
}
