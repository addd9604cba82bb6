//! The other origin: hands out large files to whoever holds a signed location, and knows nothing of tokens or commits.

use std::io;

use bytes::Bytes;
use hyper::{
    Method, Request, StatusCode,
    header::{self, HeaderName},
};

use super::{
    query::{self, decode, decode_path},
    reply::Reply,
    site::{Site, now},
    xet::transfer,
};

/// Answers a request to the CDN. One with credentials is refused with 400: a client must not send a token here.
pub(super) fn answer(site: &Site, request: &Request<Bytes>) -> Reply {
    if request.headers().contains_key(header::AUTHORIZATION) {
        return Reply::text(
            StatusCode::BAD_REQUEST,
            "Only one auth mechanism allowed: credentials came with a signed location",
        );
    }
    let (method, path) = (request.method(), request.uri().path());
    if method != Method::GET && method != Method::HEAD {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    if path.starts_with(transfer::PREFIX) {
        return transfer::answer(site, request);
    }
    let query = request.uri().query().unwrap_or_default();
    if let Err(message) = site.signer.verify(method.as_str(), path, query, now()) {
        return Reply::text(StatusCode::FORBIDDEN, message);
    }
    match file(site, request) {
        Ok(Some(reply)) => reply,
        Ok(None) => Reply::text(StatusCode::NOT_FOUND, "Not Found"),
        Err(error) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn file(site: &Site, request: &Request<Bytes>) -> io::Result<Option<Reply>> {
    let segments: Vec<&str> = request.uri().path().split('/').collect();
    let ["", "xet-bridge", id, path @ ..] = segments.as_slice() else {
        return Ok(None);
    };
    let (store, id) = (&site.options.store, decode(id));
    let Some(repo) = store.find(&id)?.filter(|repo| repo.id == id) else {
        return Ok(None);
    };
    let Some(entry) = repo.entry(&decode_path(path)) else {
        return Ok(None);
    };
    let digests = store.digests(&repo.id, entry)?;
    let etag = digests.cdn_tag();
    let range = query::header_text(request, &header::RANGE);
    Ok(Some(
        Reply::file(&repo.id, &entry.path, entry.size, range)
            .with(header::CONTENT_TYPE, "application/octet-stream")
            .with(header::ETAG, &format!("\"{etag}\""))
            .with(header::CACHE_CONTROL, "public, max-age=31536000")
            .with(HeaderName::from_static("x-cache"), "Hit from cloudfront"),
    ))
}
