//! What tensors are called and what they do, for about 45 families of architectures.

mod role;

pub use role::{LayerIndex, Part, Role, RoleKind, Slot, Stack, UnknownRole};

use crate::error::Hint;

/// Names that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FamilyError {
    /// A role that does not exist.
    #[error(transparent)]
    UnknownRole(#[from] UnknownRole),
}

impl Hint for FamilyError {
    fn hint(&self) -> Option<String> {
        None
    }
}
