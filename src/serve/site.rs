//! What all answers share: the store, the two origins, and who is asking.

use std::time::SystemTime;

use axum::http::{HeaderMap, header};

use super::{
    limits::Limits,
    options::ServeOptions,
    refusal::Refusal,
    signer::Signer,
    store::{Found, Repo},
};

/// The running Hub, as its answers see it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) options: ServeOptions,
    pub(super) hub_url: String,
    pub(super) cdn_url: String,
    pub(super) signer: Signer,
    pub(super) limits: Limits,
}

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// Somebody who may read what everybody may.
    Stranger,
    /// Somebody who may read everything.
    Member,
    /// Somebody whose token is not known.
    Invalid,
}

/// Why a repository cannot be answered about.
#[derive(Debug)]
pub(super) enum Stop {
    /// The answer is no.
    Refused(Refusal),
    /// It has this id by now.
    Moved(String),
    /// The store failed: status 500.
    Broken(std::io::Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Site {
    pub(super) fn new(options: ServeOptions, hub_url: String, cdn_url: String) -> Self {
        Self {
            signer: Signer::new(options.location_ttl, options.sign_method),
            limits: Limits::new(),
            options,
            hub_url,
            cdn_url,
        }
    }

    /// Who sent these headers.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Caller::Anonymous;
        };
        match value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) if token == self.options.token => Caller::Member,
            Some(token) if token == self.options.stranger_token => Caller::Stranger,
            _ => Caller::Invalid,
        }
    }

    /// The repository of an id, if the caller may know of it.
    pub(super) fn repo(&self, caller: Caller, id: &str) -> Result<Repo, Stop> {
        if caller == Caller::Invalid {
            return Err(Refusal::InvalidToken.into());
        }
        match self.options.store.find(id)? {
            Found::Moved(id) => Err(Stop::Moved(id)),
            Found::Repo(repo) if !repo.private || caller == Caller::Member => {
                if repo.disabled {
                    return Err(Refusal::Disabled.into());
                }
                Ok(*repo)
            }
            Found::Repo(_) | Found::Missing => Err(Refusal::RepoNotFound(caller).into()),
        }
    }
}

/// The commit of a revision.
pub(super) fn commit_of<'a>(repo: &'a Repo, revision: &str) -> Result<&'a str, Refusal> {
    let unknown = || Refusal::RevisionNotFound(revision.to_owned());
    repo.resolve(revision).ok_or_else(unknown)
}

/// Refuses whoever has not accepted a gated repository's terms.
pub(super) fn pass_gate(caller: Caller, repo: &Repo) -> Result<(), Refusal> {
    if repo.is_gated() && caller != Caller::Member {
        return Err(Refusal::Gated(caller, repo.id.clone()));
    }
    Ok(())
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
