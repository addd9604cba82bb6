//! The other origin: hands out large files to whoever holds a signed location, and knows nothing of tokens or commits.

use axum::http::{HeaderName, Method, StatusCode, header};

use super::{
    reply::Reply,
    router::{Asked, decode},
    signer::SignatureFault,
    site::{Site, now},
    store::{Entry, Found, Repo},
};

/// Answers a request to the CDN. One with credentials is refused with 400: a client must not send a token here.
pub(super) fn answer(site: &Site, asked: &Asked) -> Reply {
    if asked.headers.contains_key(header::AUTHORIZATION) {
        return Reply::text(
            StatusCode::BAD_REQUEST,
            "Only one auth mechanism allowed: credentials came with a signed location",
        );
    }
    if asked.method != Method::GET && asked.method != Method::HEAD {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    match site.signer.verify(asked.method.as_str(), &asked.path, &asked.query, now()) {
        Ok(()) => {}
        Err(SignatureFault::Expired) => return Reply::text(StatusCode::FORBIDDEN, "Request has expired"),
        Err(SignatureFault::Wrong) => return Reply::text(StatusCode::FORBIDDEN, "SignatureError: invalid signature"),
    }
    match find(site, &asked.path) {
        Ok(Some((repo, entry))) => file(site, asked, &repo, &entry),
        Ok(None) => Reply::text(StatusCode::NOT_FOUND, "Not Found"),
        Err(error) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn find(site: &Site, path: &str) -> std::io::Result<Option<(Repo, Entry)>> {
    let Some((id, path)) = path.strip_prefix("/xet-bridge/").and_then(|rest| rest.split_once('/')) else {
        return Ok(None);
    };
    let Found::Repo(repo) = site.options.store.find(&decode(id))? else {
        return Ok(None);
    };
    let path = path.split('/').map(decode).collect::<Vec<_>>().join("/");
    Ok(repo.entry(&path).cloned().map(|entry| (*repo, entry)))
}

fn file(site: &Site, asked: &Asked, repo: &Repo, entry: &Entry) -> Reply {
    let etag = match site.options.store.digests(&repo.id, entry) {
        Ok(digests) => digests.xet_hash().unwrap_or(digests.oid),
        Err(error) => return Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let range = asked.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    Reply::file(&repo.id, &entry.path, entry.size, range)
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::ETAG, &format!("\"{etag}\""))
        .with(header::CACHE_CONTROL, "public, max-age=31536000")
        .with(HeaderName::from_static("x-cache"), "Hit from cloudfront")
}
