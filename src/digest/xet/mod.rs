//! How Xet storage, in which the Hub keeps large files, cuts and names content: chunks that end where a rolling hash of the bytes says
//! so, a BLAKE3 hash for each, and Merkle trees over them whose roots name stored blocks and whole files.
//!
//! After `docs/xet` of the Hub's documentation; hashes are equal to those of the official `hf_xet`.

mod chunker;
mod hash;
#[cfg(test)]
pub(crate) mod testing;
mod tree;

pub use chunker::{Chunker, Node};
pub use hash::XetHash;
pub use tree::{file_hash, parents, root};
