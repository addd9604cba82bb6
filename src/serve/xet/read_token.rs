//! `GET /api/models/{id}/xet-read-token/{rev}`: who may read a repository gets a token for its part of Xet storage.

use hyper::header::HeaderName;
use serde_json::json;

use super::options::XetFiles;
use crate::serve::{question::Question, refusal::Refusal, reply::Reply, site::now};

const X_XET_ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-xet-access-token");
const X_XET_TOKEN_EXPIRATION: HeaderName = HeaderName::from_static("x-xet-token-expiration");
const X_XET_CAS_URL: HeaderName = HeaderName::from_static("x-xet-cas-url");

pub(in crate::serve) fn answer(question: &Question<'_>) -> Result<Reply, Refusal> {
    let (site, options) = (question.site, &question.site.options.xet);
    if options.files == XetFiles::None {
        return Err(Refusal::NoRoute);
    }
    let (token, expires) = site.tokens.issue(&question.repo.id, options.token_ttl, now());
    let body = json!({ "accessToken": token, "exp": expires, "casUrl": site.cas_url });
    Ok(Reply::json(&body)
        .with(X_XET_ACCESS_TOKEN, &token)
        .with(X_XET_TOKEN_EXPIRATION, &expires.to_string())
        .with(X_XET_CAS_URL, &site.cas_url))
}
