//! Locations that prove where they come from, and expire.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use super::query;
use crate::digest::sha256_hex;

const WRONG: &str = "SignatureError: invalid signature";
const EXPIRED: &str = "Request has expired";

/// Signs paths of the CDN.
#[derive(Debug)]
pub(super) struct Signer {
    secret: String,
    ttl: Duration,
    sign_method: bool,
}

impl Signer {
    /// A signer with a secret of its own, so that locations of another run are not valid here.
    pub(super) fn new(ttl: Duration, sign_method: bool) -> Self {
        Self { secret: secret(), ttl, sign_method }
    }

    /// The query that makes `path` valid from `now` (seconds since 1970) on.
    pub(super) fn query(&self, method: &str, path: &str, now: u64) -> String {
        let expires = now.saturating_add(self.ttl.as_secs());
        let signature = self.signature(method, path, expires);
        format!("Expires={expires}&Signature={signature}&Key-Pair-Id=KLOOPBACK")
    }

    /// Whether a query opens a path at `now`; else what the CDN says.
    pub(super) fn verify(&self, method: &str, path: &str, query: &str, now: u64) -> Result<(), &'static str> {
        let expires = query::value(query.as_bytes(), "Expires").and_then(|text| text.parse().ok()).ok_or(WRONG)?;
        let signature = query::value(query.as_bytes(), "Signature").ok_or(WRONG)?;
        if signature != self.signature(method, path, expires) {
            return Err(WRONG);
        }
        if now >= expires { Err(EXPIRED) } else { Ok(()) }
    }

    /// SHA-256 with the secret on both sides: enough between two sockets of one process, not a published HMAC.
    fn signature(&self, method: &str, path: &str, expires: u64) -> String {
        let method = if self.sign_method { method } else { "" };
        let secret = &self.secret;
        sha256_hex(format!("{secret}\n{method}\n{path}\n{expires}\n{secret}").as_bytes())
    }
}

/// A value that cannot be guessed.
pub(super) fn secret() -> String {
    [(); 4].map(|()| RandomState::new().build_hasher().finish().to_string()).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_valid_until_it_expires_and_for_its_path_alone() {
        let signer = Signer::new(Duration::from_mins(1), false);
        let query = signer.query("GET", "/a", 1000);
        assert_eq!(signer.verify("GET", "/a", &query, 1059), Ok(()));
        assert_eq!(signer.verify("HEAD", "/a", &query, 1000), Ok(()));
        assert_eq!(signer.verify("GET", "/a", &query, 1060), Err(EXPIRED));
        assert_eq!(signer.verify("GET", "/b", &query, 1000), Err(WRONG));
        let later = query.replace("Expires=1060", "Expires=2000");
        assert_eq!(signer.verify("GET", "/a", &later, 1000), Err(WRONG));
        assert_eq!(signer.verify("GET", "/a", "", 1000), Err(WRONG));
    }

    #[test]
    fn a_signed_method_cannot_be_exchanged() {
        let signer = Signer::new(Duration::from_mins(1), true);
        let query = signer.query("GET", "/a", 0);
        assert_eq!(signer.verify("HEAD", "/a", &query, 0), Err(WRONG));
    }

    #[test]
    fn another_runs_locations_are_refused() {
        let (ours, theirs) = (Signer::new(Duration::from_mins(1), false), Signer::new(Duration::from_mins(1), false));
        let query = theirs.query("GET", "/a", 0);
        assert_eq!(ours.verify("GET", "/a", &query, 0), Err(WRONG));
    }
}
