//! What was asked of the embedded Hub, in the order of arrival, for tests that count requests and bytes.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Requests that are kept; the oldest go first.
const KEPT: usize = 1 << 20;

/// Which of the two origins was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// The one that knows repositories and tokens.
    Hub,
    /// The one that hands out large files to whoever has a signed location.
    Cdn,
}

/// One request, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// The origin that was asked.
    pub listener: Listener,
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// The path as it came, percent-encoded.
    pub path: String,
    /// The query as it came, without the `?`.
    pub query: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
    /// Whether there was an `Authorization` header, valid or not.
    pub authorised: bool,
    /// The `Accept-Encoding` header.
    pub accept_encoding: Option<String>,
    /// The status of the answer; `None` while there is none, and when the connection was dropped instead.
    pub status: Option<u16>,
    /// Bytes of the body that were handed to the connection so far.
    pub bytes_sent: u64,
}

/// The log itself.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<VecDeque<(LoggedRequest, Arc<AtomicU64>)>>);

impl Journal {
    /// Adds a request; its bytes are counted in what is returned.
    pub(super) fn add(&self, request: LoggedRequest) -> Arc<AtomicU64> {
        let sent = Arc::new(AtomicU64::new(0));
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == KEPT {
            log.pop_front();
        }
        log.push_back((request, Arc::clone(&sent)));
        sent
    }

    /// A copy of all requests.
    pub(super) fn snapshot(&self) -> Vec<LoggedRequest> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter()
            .map(|(request, sent)| LoggedRequest { bytes_sent: sent.load(Ordering::Acquire), ..request.clone() })
            .collect()
    }

    /// Forgets all requests.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
