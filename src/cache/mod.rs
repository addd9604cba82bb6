//! What was paid for is kept: one `.npy` and one sidecar a tensor, written whole or not at all.
//!
//! A reader never sees half an entry: files appear by renaming, values before the sidecar that describes them, and every
//! byte is checked against a digest before it is used. What does not hold is a miss, and is fetched again.

mod commit_folder;
mod disk;
mod entry;
mod error;
mod file;
mod housekeeping;
mod incoming;
mod key;
mod models;
mod npy;
mod record;
mod revision;
mod rows;
mod seal;
mod sidecar;
mod store;
mod tensor;
mod tokenizer;
mod verified;

pub use error::CacheError;
pub use file::Flaw;
pub use housekeeping::{Entry, PruneReport, Verdict};
pub use incoming::Incoming;
pub use key::TensorKey;
pub use models::KeptModel;
pub use record::CommitRecord;
pub use sidecar::{Sidecar, TensorMeta};
pub use store::Cache;
pub use tensor::CachedTensor;

/// Reads a `.npy` file; only for its fuzz target.
#[cfg(fuzzing)]
pub fn read_npy(reader: impl std::io::Read + std::io::Seek) -> std::io::Result<(crate::values::Values, Vec<u64>)> {
    npy::read(reader)
}
