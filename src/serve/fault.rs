//! A hook through which tests make the embedded Hub misbehave.

use std::{fmt, sync::Arc, time::Duration};

use super::log::LoggedRequest;

/// What to do instead of answering truthfully.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Send exactly this, with no header added but `Date`. A `Content-Length` larger than the body ends in a connection
    /// closed early; without one the body is chunked.
    Reply {
        /// The status.
        status: u16,
        /// The headers. Those that are not valid HTTP are left out.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Close the connection before the first byte of an answer.
    Drop,
    /// Answer truthfully, but close the connection after this many bytes of the body.
    CutAfter(u64),
    /// Answer truthfully, but hand out the body in pieces of `bytes`, and wait for `pause` after each.
    Drip {
        /// Bytes of a piece; one at least.
        bytes: usize,
        /// The wait after a piece; [`Duration::MAX`] is for ever.
        pause: Duration,
    },
    /// Answer truthfully, after this long; [`Duration::MAX`] is for ever.
    Wait(Duration),
}

/// Looks at each request before it is answered; `None` lets it pass. `status` and `bytes_sent` are not yet known.
///
/// For tests: it is called on the server's threads and must not block.
#[derive(Clone)]
pub struct Intercept(Arc<Hook>);

type Hook = dyn Fn(&LoggedRequest) -> Option<Fault> + Send + Sync;

impl Intercept {
    /// A hook from a function.
    pub fn new(hook: impl Fn(&LoggedRequest) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(super) fn look(&self, request: &LoggedRequest) -> Option<Fault> {
        (self.0)(request)
    }
}

impl fmt::Debug for Intercept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Intercept")
    }
}
