//! How the embedded Hub behaves.

use std::time::Duration;

use super::{fault::Intercept, store::Store, xet::XetOptions};

/// What to serve, where, and how faithfully slow.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The repositories.
    pub store: Store,
    /// Port of the hub on 127.0.0.1; 0 takes any that is free. The CDN and Xet storage always take any.
    pub port: u16,
    /// Added to every request on all listeners.
    pub latency: Duration,
    /// Entries per page of a listing.
    pub page_size: usize,
    /// How long a signed location is valid; counted in whole seconds, as in the real ones.
    pub location_ttl: Duration,
    /// Whether a signed location is valid for the method alone with which it was obtained, as S3 signs.
    pub sign_method: bool,
    /// The content-addressed storage from which clients that know it read large files.
    pub xet: XetOptions,
    /// For tests: a hook that answers instead.
    pub intercept: Option<Intercept>,
}

impl ServeOptions {
    /// Options as the real Hub has them: 1000 entries per page, locations valid for an hour, no latency; any free port.
    /// The token `hf_test` may read everything, `hf_stranger` neither private nor gated repositories.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            port: 0,
            latency: Duration::ZERO,
            page_size: 1000,
            location_ttl: Duration::from_hours(1),
            sign_method: false,
            xet: XetOptions::default(),
            intercept: None,
        }
    }
}
