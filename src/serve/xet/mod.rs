//! Xet, the storage in which the Hub keeps large files: chunks of all files in blocks of some 64 MiB ("xorbs"), of which a file is
//! put together. Who has a read token asks a third origin which chunks of which blocks a file is, and reads those blocks at signed
//! locations of the CDN. No block is kept: its bytes are read from the files that are served.

pub(super) mod cas;
mod dirty;
mod fingerprints;
mod options;
mod packs;
pub(super) mod read_token;
mod reconstruction;
mod storage;
mod subtree;
#[cfg(test)]
mod tests;
mod tokens;
pub(super) mod transfer;

pub use options::{Fingerprints, Packing, XetFault, XetFiles, XetOptions};
pub(super) use storage::Storage;
pub(super) use tokens::Tokens;
