//! Answers that say no, with the status and the `X-Error-Code` by which clients tell them apart.

use axum::http::{HeaderName, StatusCode};
use serde_json::json;

use super::{reply::Reply, site::Caller};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is not known.
    InvalidToken,
    /// No such repository, or a private one and no right to know of it. Anonymous callers get 401, others 404.
    RepoNotFound(Caller),
    /// The repository wants its terms accepted first. Anonymous callers get 401, others 403.
    Gated(Caller, String),
    /// The Hub has switched the repository off.
    Disabled,
    /// No such branch, tag or commit.
    RevisionNotFound(String),
    /// No such file. The commit is known by then, and clients remember the miss under it.
    EntryNotFound {
        /// The file that was asked for.
        path: String,
        /// The commit it is not in.
        commit: String,
    },
    /// The request makes no sense.
    BadRequest(String),
    /// Nothing is served here.
    NoRoute,
}

impl Refusal {
    /// The answer: JSON below `/api`, text elsewhere, and the same in headers, because HEAD has no body.
    pub(super) fn reply(&self, api: bool) -> Reply {
        let (status, code, message) = self.row();
        let mut reply = if api {
            Reply::json_status(status, &json!({ "error": message }))
        } else {
            Reply::text(status, &message)
        };
        if let Some(code) = code {
            reply = reply.with(HeaderName::from_static("x-error-code"), code);
        }
        if let Self::EntryNotFound { commit, .. } = self {
            reply = reply.with(HeaderName::from_static("x-repo-commit"), commit);
        }
        reply.with(HeaderName::from_static("x-error-message"), &message)
    }

    fn row(&self) -> (StatusCode, Option<&'static str>, String) {
        let anonymous = |caller: &Caller| *caller == Caller::Anonymous;
        match self {
            Self::InvalidToken => {
                let message = "Invalid credentials in Authorization header";
                (StatusCode::UNAUTHORIZED, None, message.to_owned())
            }
            Self::RepoNotFound(caller) if anonymous(caller) => {
                let message = "Invalid username or password.";
                (StatusCode::UNAUTHORIZED, Some("RepoNotFound"), message.to_owned())
            }
            Self::RepoNotFound(_) => (
                StatusCode::NOT_FOUND,
                Some("RepoNotFound"),
                "Repository not found".to_owned(),
            ),
            Self::Gated(caller, id) if anonymous(caller) => {
                let message = format!(
                    "Access to model {id} is restricted. You must have access to it and be authenticated to access it. \
                     Please log in."
                );
                (StatusCode::UNAUTHORIZED, Some("GatedRepo"), message)
            }
            Self::Gated(_, id) => {
                let message = format!(
                    "Access to model {id} is restricted and you are not in the authorized list. Visit \
                     https://huggingface.co/{id} to ask for access."
                );
                (StatusCode::FORBIDDEN, Some("GatedRepo"), message)
            }
            Self::Disabled => (
                StatusCode::FORBIDDEN,
                None,
                "Access to this resource is disabled.".to_owned(),
            ),
            Self::RevisionNotFound(revision) => (
                StatusCode::NOT_FOUND,
                Some("RevisionNotFound"),
                format!("Invalid rev id: {revision}"),
            ),
            Self::EntryNotFound { path, .. } => (
                StatusCode::NOT_FOUND,
                Some("EntryNotFound"),
                format!("Entry not found: {path}"),
            ),
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, None, message.clone()),
            Self::NoRoute => (
                StatusCode::NOT_FOUND,
                None,
                "Sorry, we can't find the page you are looking for.".to_owned(),
            ),
        }
    }
}
