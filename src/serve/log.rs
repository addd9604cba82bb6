//! What was asked of the embedded Hub, in the order of arrival, for tests that count requests and bytes.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hyper::{header, http::request::Parts};
use parking_lot::Mutex;

/// Requests that are kept; the oldest go first.
const KEPT: usize = 1 << 20;

/// Which of the origins was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// The one that knows repositories and tokens.
    Hub,
    /// The one that hands out large files to whoever has a signed location.
    Cdn,
    /// The one that tells how large files are stored, to whoever has a read token.
    Cas,
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

impl LoggedRequest {
    pub(super) fn of(listener: Listener, head: &Parts) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            listener,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
            range: text(header::RANGE),
            authorised: head.headers.contains_key(header::AUTHORIZATION),
            accept_encoding: text(header::ACCEPT_ENCODING),
            status: None,
            bytes_sent: 0,
        }
    }
}

/// Requests, each with the bytes that were sent so far.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<VecDeque<(LoggedRequest, Arc<AtomicU64>)>>);

impl RequestLog {
    /// Adds a request; its bytes are counted in what is returned.
    pub(super) fn add(&self, request: LoggedRequest) -> Arc<AtomicU64> {
        let sent = Arc::new(AtomicU64::new(0));
        let mut entries = self.0.lock();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back((request, Arc::clone(&sent)));
        sent
    }

    pub(super) fn snapshot(&self) -> Vec<LoggedRequest> {
        let entries = self.0.lock();
        let now = |(request, sent): &(LoggedRequest, Arc<AtomicU64>)| LoggedRequest {
            bytes_sent: sent.load(Ordering::Acquire),
            ..request.clone()
        };
        entries.iter().map(now).collect()
    }

    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}
