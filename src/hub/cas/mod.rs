//! The content store behind the Hub's large files (CAS): of which runs of stored chunks a file is made. Not a byte of a file is read.
//!
//! The Hub gives a token for each repository and commit, and the store's address with it. Its own token never goes there, that of the
//! store goes nowhere else, and addresses of bytes, which the store tells as well, are neither read nor kept.

mod answer;
mod client;
mod error;
mod nodes;
mod store;
mod terms;
mod token;

pub use client::{CasClient, CasFile, CasTraffic};
pub use error::{CasError, Unexamined};
pub use nodes::ContentNode;
pub use store::Marks;
pub use terms::{MOST_CHUNKS, Term};
