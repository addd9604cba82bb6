//! What a run has learnt of a store.

use std::sync::{OnceLock, atomic::AtomicUsize};

use tokio::sync::Semaphore;

use super::error::CasError;

/// Versions of the route to terms, newest first.
pub(super) const VERSIONS: [&str; 2] = ["v2", "v1"];

/// Requests at once to one store, and such for nodes, which cost it more.
const AT_ONCE: usize = 4;
const NODES_AT_ONCE: usize = 2;

/// What is marked in a request for nodes, which come of what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Bytes at the borders of tensors, in few requests a file.
    Borders,
    /// All but one tensor, in a request each.
    Complement,
}

/// A store that is asked.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) places: Semaphore,
    pub(super) places_of_nodes: Semaphore,
    /// How many forms of requests for nodes have failed.
    pub(super) failed_forms: AtomicUsize,
    /// Which of [`VERSIONS`] it speaks; their number while that is not known.
    pub(super) version: AtomicUsize,
    /// Why it is not asked again.
    pub(super) lost: OnceLock<CasError>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            places: Semaphore::new(AT_ONCE),
            places_of_nodes: Semaphore::new(NODES_AT_ONCE),
            failed_forms: AtomicUsize::new(0),
            version: AtomicUsize::new(VERSIONS.len()),
            lost: OnceLock::new(),
        }
    }
}
