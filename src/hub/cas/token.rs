//! What opens a store.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

/// A token is renewed when less than this remains of its life.
const MARGIN: Duration = Duration::from_mins(1);

/// What opens a store for the files of one commit. It never prints.
#[derive(Clone)]
pub(super) struct CasToken {
    pub(super) value: HeaderValue,
    pub(super) store: Url,
    /// `None` where this machine's clock cannot tell: then it is used until it is refused.
    pub(super) renew_at: Option<Instant>,
    pub(super) generation: u64,
}

impl fmt::Debug for CasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CasToken(<hidden>)")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenAnswer {
    pub(super) access_token: String,
    pub(super) exp: u64,
    pub(super) cas_url: String,
}

/// When a token is renewed that ends at `exp`, in seconds since 1970.
pub(super) fn renew_at(exp: u64) -> Option<Instant> {
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(exp))?;
    let life = end.duration_since(SystemTime::now()).ok()?;
    // A short life is used by half.
    Instant::now().checked_add(life.saturating_sub(MARGIN).max(life / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_a_minute_before_its_end_and_a_short_one_at_half_its_life() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let left = |exp: u64| renew_at(exp).map(|at| at.saturating_duration_since(Instant::now()).as_secs());
        assert!(matches!(left(now + 900), Some(830..=840)));
        assert!(matches!(left(now + 10), Some(3..=5)));
        // A clock that is ahead would have each request ask for a token.
        assert_eq!(left(now - 100), None);
        assert!(
            !format!(
                "{:?}",
                CasToken {
                    value: HeaderValue::from_static("Bearer xet_z"),
                    store: Url::parse("http://c").unwrap(),
                    renew_at: None,
                    generation: 0,
                }
            )
            .contains("xet_z")
        );
    }
}
