//! What is worth trying again, how long to wait, and when to give up.
//!
//! Retried: 408, 429, 500, 502, 503, 504, failed connects, time-outs, resets, and bodies that end early. Everything else is
//! final at once. One budget covers a request together with its body, so a server that cuts every answer is left in the end; a
//! body that gets on by [`PROGRESS`] has a new one.
//! A body that crawls is cut from this side: it is a fault like a silence.

use std::{
    error::Error as StdError,
    io,
    time::{Duration, SystemTime},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

/// How often and how long to try.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts per request, the first one included.
    pub attempts: u32,
    /// Delay before the second attempt; it doubles from there, with jitter.
    pub first_delay: Duration,
    /// Longest single delay of our own choosing.
    pub longest_delay: Duration,
    /// Longest delay that the Hub may ask for (`RateLimit`, `Retry-After`).
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts, 250 ms doubling to 10 s; waits of up to 330 s at the Hub's wish (its windows last 300 s).
    fn default() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_millis(250),
            longest_delay: Duration::from_secs(10),
            max_wait: Duration::from_secs(330),
        }
    }
}

/// A body must bring [`PACE_BYTES`] in each of these, or end.
pub(super) const PACE_WINDOW: Duration = Duration::from_mins(1);

/// About a kilobyte a second: slower than any line on which an audit would be tried.
pub(super) const PACE_BYTES: u64 = 64 * 1024;

/// Bytes of a range after which what went wrong before is forgotten: a line that breaks now and then gets to the end.
pub(super) const PROGRESS: u64 = 1024 * 1024;

/// What became of an exchange that did not come to its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection failed, broke or fell silent.
    Http(reqwest::Error),
    /// The body came more slowly than [`PACE_BYTES`] in [`PACE_WINDOW`].
    Slow,
    /// The body ended as it should, and is no whole gzip stream.
    Gzip(io::Error),
}

impl Fault {
    /// Whether it may go better next time.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => is_transient_error(error),
            Self::Slow | Self::Gzip(_) => true,
        }
    }
}

/// The attempts that are left for one request and its body.
#[derive(Debug)]
pub(super) struct Budget {
    delays: backon::ExponentialBackoff,
    attempts: u32,
}

impl Budget {
    pub(super) fn new(policy: &RetryPolicy) -> Self {
        let delays = ExponentialBuilder::default()
            .with_min_delay(policy.first_delay)
            .with_max_delay(policy.longest_delay)
            .with_max_times(policy.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build();
        Self { delays, attempts: 1 }
    }

    /// The delay before the next attempt, or `None` when all are used up.
    pub(super) fn next_delay(&mut self) -> Option<Duration> {
        let delay = self.delays.next()?;
        self.attempts += 1;
        Some(delay)
    }

    /// Attempts made so far.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }
}

/// Whether a status may be different next time.
pub(super) fn is_transient_status(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Whether it was TLS that failed: a certificate that is not trusted, or a peer that speaks something else. It will fail again.
pub(super) fn is_tls_error(error: &(dyn StdError + 'static)) -> bool {
    // The error inside of an `io::Error` is not among its sources.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>()
        || inner.is_some_and(|inner| is_tls_error(inner))
        || error.source().is_some_and(is_tls_error)
}

/// Whether a failed exchange may succeed next time. A body that ends early arrives as a *decode* error in reqwest, so the
/// chain of sources is searched for what really happened.
pub(super) fn is_transient_error(error: &reqwest::Error) -> bool {
    if is_tls_error(error) {
        return false;
    }
    if error.is_timeout() || error.is_connect() {
        return true;
    }
    let mut source: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && matches!(
                io.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::TimedOut
            )
        {
            return true;
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>()
            && (!hyper.is_parse() && !hyper.is_user())
        {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The wait that a 429 or 503 asks for: the rest of the window when `RateLimit` says that nothing remains in it, else
/// `Retry-After` in seconds or as a date. One second is added, since both are rounded down.
pub(super) fn asked_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some((remaining, seconds)) = text("ratelimit").and_then(parse_rate_limit)
        && remaining == 0
    {
        return Some(Duration::from_secs(seconds.saturating_add(1)));
    }
    let after = text(RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = after.parse::<u64>() {
        return Some(Duration::from_secs(seconds.saturating_add(1)));
    }
    let date = httpdate::parse_http_date(after).ok()?;
    Some(date.duration_since(now).unwrap_or_default() + Duration::from_secs(1))
}

/// `"api";r=0;t=55` → (requests that remain, seconds until the window ends). Of several windows, the one that is used up.
fn parse_rate_limit(text: &str) -> Option<(u64, u64)> {
    let windows = text.split(',').filter_map(parse_window);
    windows.min_by_key(|&(remaining, seconds)| (remaining, std::cmp::Reverse(seconds)))
}

fn parse_window(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        text.split(';').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            (key.trim() == name).then(|| value.trim().parse::<u64>().ok())?
        })
    };
    Some((field("r")?, field("t")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(reqwest::header::HeaderName, reqwest::header::HeaderValue)>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn the_window_is_waited_out_only_when_it_is_used_up() {
        let now = SystemTime::UNIX_EPOCH;
        let wait = |pairs: &[(&'static str, &str)]| asked_wait(&headers(pairs), now).map(|wait| wait.as_secs());
        assert_eq!(wait(&[("ratelimit", "\"api\";r=0;t=55")]), Some(56));
        assert_eq!(wait(&[("ratelimit", "\"api\";r=489;t=189")]), None);
        assert_eq!(wait(&[("ratelimit", "\"api\";r=0;t=5, \"resolvers\";r=9;t=9")]), Some(6));
        assert_eq!(wait(&[("ratelimit", "\"api\";r=3;t=189"), ("retry-after", "7")]), Some(8));
        assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1970 00:00:09 GMT")]), Some(10));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
    }

    #[test]
    fn trouble_with_tls_is_found_however_deep_it_lies() {
        let tls = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls()));
        assert!(is_tls_error(&tls()) && is_tls_error(&wrapped));
        assert!(!is_tls_error(&io::Error::from(io::ErrorKind::ConnectionReset)));
    }

    #[test]
    fn a_budget_ends() {
        let policy = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
        let mut budget = Budget::new(&policy);
        assert!(budget.next_delay().is_some());
        assert!(budget.next_delay().is_some());
        assert!(budget.next_delay().is_none());
        assert_eq!(budget.attempts(), 3);
    }

    #[test]
    fn only_passing_faults_are_tried_again() {
        let retried: Vec<u16> =
            (400..600).filter(|&code| is_transient_status(StatusCode::from_u16(code).unwrap())).collect();
        assert_eq!(retried, [408, 429, 500, 502, 503, 504]);
    }
}
