//! Who is asking.

use hyper::header::{self, HeaderMap};

use super::options::ServeOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    /// May read what everybody may.
    Stranger,
    /// May read everything.
    Member,
    /// Has a token that is not known.
    Invalid,
}

impl Caller {
    /// Who sent these headers.
    pub(super) fn of(headers: &HeaderMap, options: &ServeOptions) -> Self {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Self::Anonymous;
        };
        match value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) if token == options.token => Self::Member,
            Some(token) if token == options.stranger_token => Self::Stranger,
            _ => Self::Invalid,
        }
    }
}
