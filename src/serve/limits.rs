//! Rate-limit headers. They count down as the Hub's do, but never to zero: a test that wants to be refused asks for it
//! through the hook.

use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderName};
use parking_lot::Mutex;

use super::{caller::Caller, reply::put};

const WINDOW: Duration = Duration::from_mins(5);

/// When the current window began, and its requests by bucket.
#[derive(Debug)]
pub(super) struct Limits(Mutex<(Instant, [u64; 3])>);

impl Limits {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Instant::now(), [0; 3])))
    }

    /// Counts a request and writes what is left of its bucket.
    pub(super) fn count(&self, path: &str, caller: Caller, headers: &mut HeaderMap) {
        let (index, bucket, quotas) = match path {
            _ if path.contains("/resolve/") => (0, "resolvers", [3000, 5000]),
            _ if path.starts_with("/api/") => (1, "api", [500, 1000]),
            _ => (2, "pages", [100, 200]),
        };
        let quota = quotas[usize::from(!matches!(caller, Caller::Anonymous | Caller::Invalid))];
        let (used, left) = {
            let mut window = self.0.lock();
            if window.0.elapsed() >= WINDOW {
                *window = (Instant::now(), [0; 3]);
            }
            window.1[index] += 1;
            (window.1[index], WINDOW.saturating_sub(window.0.elapsed()).as_secs())
        };
        let remaining = u64::saturating_sub(quota, used).max(1);
        put(headers, HeaderName::from_static("ratelimit"), &format!("\"{bucket}\";r={remaining};t={left}"));
        let policy = format!("\"fixed window\";\"{bucket}\";q={quota};w={}", WINDOW.as_secs());
        put(headers, HeaderName::from_static("ratelimit-policy"), &policy);
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
