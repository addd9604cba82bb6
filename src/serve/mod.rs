//! Plays the Hub on this machine, faithfully enough that clients of the real one cannot tell: a hub, a CDN and Xet storage on three
//! origins, signed locations that expire, relative redirects for small files, paged listings, gated, private and renamed
//! repositories, and every error with the headers by which clients tell them apart. It serves a folder of checkpoints, or
//! [`Replica`], nine synthetic models that take no disk. Tests count what was asked through [`Hub::log`] and inject faults
//! through [`ServeOptions::intercept`].
//!
//! One request goes `connection → {router → {api, tree, resolve}, cdn, xet} → store`; everything behind `connection` is
//! synchronous and answers with a `Reply`, a value that tests look at without a socket.

mod api;
mod body;
mod caller;
mod cdn;
mod connection;
mod error;
mod fault;
mod folder;
mod hub;
mod limits;
mod log;
mod options;
mod query;
mod question;
mod range_header;
mod refusal;
mod replica;
mod reply;
mod repo;
mod resolve;
mod router;
mod signer;
mod site;
mod store;
#[cfg(test)]
mod testing;
mod tree;
mod xet;

pub use error::ServeError;
pub use fault::{Fault, Intercept};
pub use folder::Folder;
pub use hub::{Hub, start};
pub use log::{Listener, LoggedRequest};
pub use options::ServeOptions;
pub use replica::Replica;
pub use store::Store;
pub use xet::{Fingerprints, Packing, XetFault, XetFiles, XetOptions};
