//! Rate-limit headers. They count down as the Hub's do, but never to zero: a test that wants to be refused asks for it
//! through the hook.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::header::{HeaderMap, HeaderName};

use super::{caller::Caller, reply::put};

const WINDOW: Duration = Duration::from_mins(5);

/// Requests of the current window, by bucket.
#[derive(Debug)]
pub(super) struct Limits {
    began: Mutex<Instant>,
    used: [AtomicU64; 3],
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { began: Mutex::new(Instant::now()), used: Default::default() }
    }

    /// Counts a request and writes what is left of its bucket.
    pub(super) fn count(&self, path: &str, caller: Caller, headers: &mut HeaderMap) {
        let known = !matches!(caller, Caller::Anonymous | Caller::Invalid);
        let (index, bucket, quota) = match (path, known) {
            (path, false) if path.contains("/resolve/") => (0, "resolvers", 3000),
            (path, true) if path.contains("/resolve/") => (0, "resolvers", 5000),
            (path, false) if path.starts_with("/api/") => (1, "api", 500),
            (path, true) if path.starts_with("/api/") => (1, "api", 1000),
            (_, false) => (2, "pages", 100),
            (_, true) => (2, "pages", 200),
        };
        let left = self.left_of_window();
        let used = self.used[index].fetch_add(1, Ordering::Relaxed) + 1;
        let remaining = u64::saturating_sub(quota, used).max(1);
        put(headers, HeaderName::from_static("ratelimit"), &format!("\"{bucket}\";r={remaining};t={left}"));
        let policy = format!("\"fixed window\";\"{bucket}\";q={quota};w={}", WINDOW.as_secs());
        put(headers, HeaderName::from_static("ratelimit-policy"), &policy);
    }

    fn left_of_window(&self) -> u64 {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        if began.elapsed() >= WINDOW {
            *began = Instant::now();
            for used in &self.used {
                used.store(0, Ordering::Relaxed);
            }
        }
        WINDOW.saturating_sub(began.elapsed()).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_down_and_never_reaches_zero() {
        let limits = Limits::new();
        let ask = |path| {
            let mut headers = HeaderMap::new();
            limits.count(path, Caller::Anonymous, &mut headers);
            headers["ratelimit"].to_str().unwrap().split(";t=").next().unwrap().to_owned()
        };
        assert_eq!(ask("/api/models"), "\"api\";r=499");
        assert_eq!(ask("/a/b/resolve/main/c"), "\"resolvers\";r=2999");
        let last = (0..600).fold(String::new(), |_, _| ask("/api/models"));
        assert_eq!(last, "\"api\";r=1");
    }
}
