//! HTTP and nothing else: pinned revisions, file listings, small files, and byte ranges that are checked before they are
//! believed; and the Hugging Face cache. Nothing here knows what a tensor is.

mod account;
mod api;
mod body;
mod cas;
mod claim;
mod client;
mod content_range;
mod error;
#[cfg(test)]
#[cfg(feature = "serve")]
mod faulty_hub;
#[cfg(feature = "hf-cache")]
mod hugging_face_cache;
#[cfg(not(feature = "hf-cache"))]
#[path = "no_hugging_face_cache.rs"]
mod hugging_face_cache;
mod link;
mod listing;
#[cfg(test)]
#[cfg(feature = "serve")]
mod listing_tests;
mod options;
mod packed;
#[cfg(test)]
#[cfg(feature = "serve")]
mod packed_tests;
mod peer;
mod redact;
mod remote_file;
mod resolver;
mod retry;
#[cfg(test)]
#[cfg(feature = "serve")]
mod retry_tests;
mod tls;

pub use account::Traffic;
pub use api::{EarlyFile, Pinned};
pub use cas::{CasClient, CasError, CasFile, CasTraffic, ContentNode, MOST_CHUNKS, Marks, Term, Unexamined};
pub use claim::Claim;
pub use client::HubClient;
pub use content_range::ContentRange;
pub use error::{HubError, Place};
pub use hugging_face_cache::HuggingFaceCache;
pub use link::next_page;
pub use options::{HubOptions, Proxy, Token};
pub use remote_file::RemoteFile;
pub use retry::RetryPolicy;
