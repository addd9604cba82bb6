//! Read tokens of Xet storage: each for one repository, and for a while.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use crate::serve::signer::secret;

/// The tokens that were handed out and may still be valid.
#[derive(Debug, Default)]
pub(in crate::serve) struct Tokens(Mutex<HashMap<String, Grant>>);

#[derive(Debug, Clone)]
struct Grant {
    repo: String,
    expires: u64,
}

impl Tokens {
    /// A new token for a repository, and when it expires, both as of `now` in seconds since 1970.
    pub(super) fn issue(&self, repo: &str, ttl: Duration, now: u64) -> (String, u64) {
        let token = format!("xet_{}", secret());
        let expires = now.saturating_add(ttl.as_secs());
        let mut grants = self.0.lock();
        grants.retain(|_, grant| grant.expires > now);
        grants.insert(token.clone(), Grant { repo: repo.to_owned(), expires });
        (token, expires)
    }

    /// The repository for which a token is valid.
    pub(super) fn repo(&self, token: &str, now: u64) -> Option<String> {
        let grants = self.0.lock();
        grants.get(token).filter(|grant| grant.expires > now).map(|grant| grant.repo.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_its_repository_until_it_expires() {
        let tokens = Tokens::default();
        let (token, expires) = tokens.issue("o/a", Duration::from_secs(5), 100);
        let (other, _) = tokens.issue("o/b", Duration::from_secs(5), 102);
        assert_eq!(expires, 105);
        assert_eq!(tokens.repo(&token, 104).as_deref(), Some("o/a"));
        assert_eq!(tokens.repo(&other, 104).as_deref(), Some("o/b"));
        assert_eq!(tokens.repo(&token, 105), None);
        assert_eq!(tokens.repo("xet_", 100), None);
    }
}
