//! HTTP and nothing else: pinned revisions, file listings, small files, and byte ranges that are checked before they are
//! believed. Nothing here knows what a tensor is.

mod api;
mod body;
mod client;
mod content_range;
mod error;
mod link;
mod redact;
mod remote_file;
mod retry;

pub use client::{HubClient, HubOptions, Token, Traffic};
pub use content_range::ContentRange;
pub use error::{HubError, Place};
pub use link::next_page;
pub use remote_file::RemoteFile;
pub use retry::RetryPolicy;
