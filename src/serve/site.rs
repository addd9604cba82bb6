//! What all answers share: the store, the origins, the log.

use std::{
    io,
    sync::{Arc, atomic::AtomicU64},
    time::SystemTime,
};

use tokio::sync::Semaphore;

use super::{
    limits::Limits,
    log::RequestLog,
    options::ServeOptions,
    signer::Signer,
    xet::{Storage, Tokens},
};

/// Answers and blocks of files that are computed at a time: what bounds the memory of many requests at once.
const WORKERS: usize = 32;

/// The running Hub, as its answers see it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) options: ServeOptions,
    pub(super) hub_url: String,
    pub(super) cdn_url: String,
    pub(super) cas_url: String,
    pub(super) xet: Storage,
    pub(super) tokens: Tokens,
    pub(super) signer: Signer,
    pub(super) limits: Limits,
    pub(super) log: RequestLog,
    /// Answers of the hub so far: the number in `X-Request-Id`.
    pub(super) answered: AtomicU64,
    workers: Semaphore,
}

impl Site {
    /// A site on the origins of the hub, the CDN and Xet storage.
    pub(super) fn new(options: ServeOptions, [hub_url, cdn_url, cas_url]: [String; 3]) -> Self {
        Self {
            xet: Storage::new(options.xet),
            tokens: Tokens::default(),
            signer: Signer::new(options.location_ttl, options.sign_method),
            limits: Limits::new(),
            log: RequestLog::default(),
            answered: AtomicU64::new(0),
            workers: Semaphore::new(WORKERS),
            options,
            hub_url,
            cdn_url,
            cas_url,
        }
    }

    /// Does what may block, on a thread where it may.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> io::Result<T> {
        let _worker = self.workers.acquire().await.map_err(io::Error::other)?;
        let site = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&site)).await.map_err(io::Error::other)
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
