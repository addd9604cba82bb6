//! HTTP and nothing else: pinned revisions, file listings, small files, and byte ranges that are checked before they are
//! believed; and the cache that the Hub's own clients share. Nothing here knows what a tensor is.

mod api;
mod body;
mod client;
mod content_range;
mod error;
mod link;
#[cfg(test)]
#[cfg(feature = "serve")]
mod patience;
mod redact;
mod remote_file;
mod retry;
#[cfg(feature = "hf-cache")]
mod shared_cache;
#[cfg(not(feature = "hf-cache"))]
#[path = "no_shared_cache.rs"]
mod shared_cache;
mod tls;

pub use client::{HubClient, HubOptions, Token, Traffic};
pub use content_range::ContentRange;
pub use error::{HubError, Place};
pub use link::next_page;
pub use remote_file::RemoteFile;
pub use retry::RetryPolicy;
pub use shared_cache::SharedCache;

pub(crate) use tls::choose_provider;
