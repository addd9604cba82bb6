//! What tensors are called and what they do, for about sixty families of architectures.
//!
//! The names are data (`families.toml`); [`Registry::choose`] finds a model's [`Family`] from its [`ModelConfig`] and the
//! names in its headers, and [`Family::classify`] says what each tensor is. Everything later asks for roles and layers,
//! never for names.

mod choice;
mod config;
mod error;
#[expect(clippy::module_inception, reason = "the noun of this module is the family")]
mod family;
mod fused;
#[cfg(test)]
mod goldens;
mod keys;
mod name;
mod registry;
mod role;
mod selection;
mod table;
mod template;

pub use choice::{ChosenBy, FamilyChoice};
pub use config::ModelConfig;
pub use error::FamilyError;
pub use family::{Classified, Family};
pub use fused::{Block, FusedLayout, Split};
pub(crate) use name::{bare, is_known_buffer};
pub use registry::Registry;
pub use role::{LayerIndex, Part, Role, RoleKind, Slot, Stack};
pub use selection::{LayerSelection, RoleSelection};
