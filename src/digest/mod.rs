//! SHA-256 of stored bytes, one stream alone or several abreast, the digest that survives a re-save, and tensors whose equality proves nothing.
//!
//! Two tensors with the same stored bytes are the same tensor, wherever they are found. A model saved again in another
//! type has other bytes for the same weights; rounding both to BF16 first makes them meet. And some tensors are the same
//! in unrelated models because there is nothing in them, or nothing that was learnt.

mod abreast;
mod canonical;
mod git_blob;
mod pattern;
mod sha256;
mod tensor;
mod trivial;

pub use abreast::{ABREAST, BLOCK_LENGTH, Midstate, advance, ending, pays};
pub use canonical::{CanonicalBf16, canonical_bf16_sha256};
pub use git_blob::git_blob_id;
pub use pattern::FixedBuffer;
pub use sha256::{Sha256Hex, sha256_hex};
pub use tensor::{TensorDigest, TensorHash, TensorLook};
pub use trivial::{TrivialClass, TrivialTest};
