//! What the Hub was asked, in a form that stories can compare; and hooks that make it misbehave a counted number of times.

use std::sync::atomic::{AtomicUsize, Ordering};

use hub_audit::serve::{Fault, Intercept, Listener, LoggedRequest};

/// All requests of a run.
#[derive(Debug)]
pub(crate) struct Asked(pub(crate) Vec<LoggedRequest>);

impl Asked {
    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Those to the origin that hands out large files.
    pub(crate) fn to_cdn(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.0.iter().filter(|request| request.listener == Listener::Cdn)
    }

    /// Those to the Hub itself.
    pub(crate) fn to_hub(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.0.iter().filter(|request| request.listener == Listener::Hub)
    }

    /// Those to the origin that tells how large files are stored.
    pub(crate) fn to_cas(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.0.iter().filter(|request| request.listener == Listener::Cas)
    }

    /// The ranges that were asked of large files whose path ends so, sorted.
    pub(crate) fn ranges(&self, file: &str) -> Vec<String> {
        let mut ranges: Vec<String> = self
            .to_cdn()
            .filter(|request| request.path.ends_with(file))
            .map(|request| request.range.clone().unwrap_or_else(|| "the whole file".to_owned()))
            .collect();
        ranges.sort();
        ranges
    }

    /// How many requests to the Hub have this in their path.
    pub(crate) fn hub_paths_with(&self, part: &str) -> usize {
        self.to_hub().filter(|request| request.path.contains(part)).count()
    }

    /// Bytes that large files gave.
    pub(crate) fn cdn_bytes(&self) -> u64 {
        self.to_cdn().map(|request| request.bytes_sent).sum()
    }
}

/// Plays the fault at the first `times` requests that are chosen, and no more.
pub(crate) fn first(
    times: usize,
    chosen: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static,
    fault: Fault,
) -> Intercept {
    let played = AtomicUsize::new(0);
    Intercept::new(move |request| {
        let play = chosen(request) && played.fetch_add(1, Ordering::SeqCst) < times;
        play.then(|| fault.clone())
    })
}

/// Plays the fault at every request that is chosen.
pub(crate) fn always(chosen: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static, fault: Fault) -> Intercept {
    first(usize::MAX, chosen, fault)
}

/// An answer of a server, whole.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Fault {
    Fault::Reply {
        status,
        headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: body.into(),
    }
}
