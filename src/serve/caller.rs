//! Who is asking.

use hyper::header::{self, HeaderMap};

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
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Self::Anonymous;
        };
        match value.to_str() {
            Ok("Bearer hf_test") => Self::Member,
            Ok("Bearer hf_stranger") => Self::Stranger,
            _ => Self::Invalid,
        }
    }
}
