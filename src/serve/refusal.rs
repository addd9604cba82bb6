//! Answers that say no, with the status and the `X-Error-Code` by which clients tell them apart.

use std::io;

use hyper::{StatusCode, header::HeaderName};
use serde_json::json;

use super::{caller::Caller, reply::Reply};

/// Why a request is refused.
#[derive(Debug)]
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
    EntryNotFound { path: String, commit: String },
    /// The request makes no sense.
    BadRequest(String),
    /// Nothing is served here.
    NoRoute,
    /// The store failed.
    Unreadable(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Refusal {
    /// The answer: JSON below `/api`, text elsewhere, and the same in headers, because HEAD has no body.
    pub(super) fn reply(&self, api: bool) -> Reply {
        let (status, code, message) = self.row();
        let mut reply =
            if api { Reply::json_status(status, &json!({ "error": message })) } else { Reply::text(status, &message) };
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
            Self::RepoNotFound(_) => (StatusCode::NOT_FOUND, Some("RepoNotFound"), "Repository not found".to_owned()),
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
            Self::Disabled => (StatusCode::FORBIDDEN, None, "Access to this resource is disabled.".to_owned()),
            Self::RevisionNotFound(revision) => {
                (StatusCode::NOT_FOUND, Some("RevisionNotFound"), format!("Invalid rev id: {revision}"))
            }
            Self::EntryNotFound { path, .. } => {
                (StatusCode::NOT_FOUND, Some("EntryNotFound"), format!("Entry not found: {path}"))
            }
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, None, message.clone()),
            Self::NoRoute => {
                (StatusCode::NOT_FOUND, None, "Sorry, we can't find the page you are looking for.".to_owned())
            }
            Self::Unreadable(error) => (StatusCode::INTERNAL_SERVER_ERROR, None, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{COMMIT, folder, get, site};

    /// URL, headers, status and code.
    type Row = (String, &'static [(&'static str, &'static str)], u16, &'static str);

    const STRANGER: &[(&str, &str)] = &[("authorization", "Bearer hf_stranger")];
    const MEMBER: &[(&str, &str)] = &[("authorization", "Bearer hf_test")];
    const NOBODY: &[(&str, &str)] = &[("authorization", "Bearer hf_wrong")];

    #[test]
    fn every_refusal_has_the_hubs_status_and_code() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let file = |id: &str| format!("/{id}/resolve/main/config.json");
        let rows: [Row; 15] = [
            (file("o/none"), &[], 401, "RepoNotFound"),
            (file("o/none"), STRANGER, 404, "RepoNotFound"),
            (file("o/private"), &[], 401, "RepoNotFound"),
            (file("o/private"), STRANGER, 404, "RepoNotFound"),
            (file("o/private"), MEMBER, 200, ""),
            (file("o/gated"), &[], 401, "GatedRepo"),
            (file("o/gated"), STRANGER, 403, "GatedRepo"),
            (file("o/gated"), MEMBER, 200, ""),
            (file("o/off"), MEMBER, 403, ""),
            (file("o/open"), NOBODY, 401, ""),
            ("/o/open/resolve/none/config.json".to_owned(), &[], 404, "RevisionNotFound"),
            ("/o/open/resolve/main/none".to_owned(), &[], 404, "EntryNotFound"),
            ("/api/models/o/open/tree/main/none".to_owned(), &[], 404, "EntryNotFound"),
            ("/api/models/o/gated".to_owned(), &[], 200, ""),
            ("/o/open/blob/main/x".to_owned(), &[], 404, ""),
        ];
        for (url, headers, status, code) in rows {
            let reply = get(&site, &url, headers);
            assert_eq!((reply.status.as_u16(), reply.text_of("x-error-code")), (status, code), "{url} {headers:?}");
            assert!(reply.headers.contains_key("ratelimit"), "{url}");
        }
        let missing = get(&site, "/o/open/resolve/main/none", &[]);
        assert_eq!(missing.text_of("x-repo-commit"), COMMIT);
        let off = get(&site, "/api/models/o/off", &[]);
        assert_eq!(off.json_body()["error"], "Access to this resource is disabled.");
        let wrong = get(&site, "/api/models/o/open", NOBODY);
        assert_eq!(wrong.text_of("x-error-message"), "Invalid credentials in Authorization header");
    }

    #[test]
    fn no_path_leads_out_of_a_repository() {
        let dir = folder();
        fs_err::write(dir.path().join("secret"), "x").unwrap();
        let site = site(&dir, |_| {});
        for path in ["../../secret", "%2e%2e/%2e%2e/secret", "..%2F..%2Fsecret", ".hub.json", "sub/../config.json"] {
            let reply = get(&site, &format!("/o/open/resolve/main/{path}"), &[]);
            assert_eq!(reply.text_of("x-error-code"), "EntryNotFound", "{path}");
        }
    }
}
