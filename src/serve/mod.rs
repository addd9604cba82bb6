//! Plays the Hub on this machine.

mod replica;
pub use replica::Replica;

use crate::error::Hint;

/// The embedded Hub cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {}

impl Hint for ServeError {
    fn hint(&self) -> Option<String> {
        None
    }
}
