//! Which tensors are the same: the SHA-256 of each, and what shares one across names, layers and models.
//!
//! Tensors of the cache and of folders are digested where they lie; the rest stream from the Hub in blocks and are not kept,
//! so that a model of any size can be hashed in bounded memory. What the Hub itself says about whole files costs nothing.

mod answer;
pub mod chunks;
mod files;
mod kept;
mod matches;
pub mod page;

pub use answer::{Hashes, hash};
pub use files::{FileGroup, FileMember, same_files};
pub use kept::{hash_all_kept, hash_kept};
pub use matches::{Group, Hashed, Kinship, matches};
