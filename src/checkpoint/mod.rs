//! What a model's files say about themselves: safetensors headers, shard indexes, layouts, and exact decoding.

mod dtype;

pub use dtype::Dtype;

use crate::error::Hint;

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {}

impl Hint for CheckpointError {
    fn hint(&self) -> Option<String> {
        None
    }
}
