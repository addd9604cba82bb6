//! What identifies a tensor: SHA-256 of its stored bytes, the digest that survives a re-save, and whether its equality with
//! another proves anything.
//!
//! Two tensors with the same stored bytes are the same tensor, wherever they are found. A model saved again in another
//! type has other bytes for the same weights; rounding both to BF16 first makes them meet. And some tensors are the same
//! in unrelated models because there is nothing in them, or nothing that was learnt. Beside them stand the hashes by which the Hub
//! stores files, [`xet`].

mod canonical;
mod hash;
mod pattern;
mod tensor;
mod trivial;
pub mod xet;

pub(crate) use hash::{Digesting, digest_of_kind, hex, other_hash};
pub use hash::{Sha256Hex, git_blob_id, sha256_hex};
pub use pattern::TrivialClass;
pub use tensor::{TensorDigest, TensorHash};
pub use trivial::TrivialTest;
