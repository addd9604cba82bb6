//! The third origin: tells of what a file is put together to whoever holds a read token for its repository.

use bytes::Bytes;
use hyper::{
    Method, Request, StatusCode,
    header::{self, HeaderName},
};
use serde_json::Value;

use super::{
    dirty, fingerprints,
    options::{Fingerprints, XetFault},
    packs::Stored,
    reconstruction::{self, Version},
};
use crate::{
    digest::xet::XetHash,
    range::ByteRange,
    serve::{
        query::header_text,
        range_header::requested,
        reply::Reply,
        site::{Site, now},
    },
};

const X_RANGE_DIRTY: HeaderName = HeaderName::from_static("x-range-dirty");

/// Answers a request to the storage.
pub(in crate::serve) fn answer(site: &Site, request: &Request<Bytes>) -> Reply {
    let path = request.uri().path();
    if path == "/v1/telemetry" && request.method() == Method::POST {
        return Reply::text(StatusCode::OK, "");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    outcome(site, request).unwrap_or_else(|(status, message)| {
        let reply = Reply::text(status, message);
        if status == StatusCode::TOO_MANY_REQUESTS { reply.with(header::RETRY_AFTER, "1") } else { reply }
    })
}

/// The answer, or why there is none.
fn outcome(site: &Site, request: &Request<Bytes>) -> Result<Reply, (StatusCode, &'static str)> {
    let options = &site.options.xet;
    let segments: Vec<&str> = request.uri().path().split('/').collect();
    let token = header_text(request, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let repo = token.and_then(|token| site.tokens.repo(token, now()));
    let repo = repo.ok_or((StatusCode::UNAUTHORIZED, "unauthorized"))?;
    let number = site.xet.count();
    if let Some(refused) = options.fault.and_then(|fault| refused(fault, number)) {
        return Err(refused);
    }
    let no_route = (StatusCode::NOT_FOUND, "no such route");
    let find = |hash: &str| find(site, hash, &repo);
    match segments.as_slice() {
        ["", "v1", "reconstructions", hash] => reconstructed(site, request, &find(hash)?, (Version::V1, number)),
        ["", "v2", "reconstructions", hash] if !options.v1_only => {
            reconstructed(site, request, &find(hash)?, (Version::V2, number))
        }
        ["", "v2", "file-chunk-hashes", hash] if options.fingerprints != Fingerprints::Off => {
            let file = find(hash)?;
            let dirty = header_text(request, &X_RANGE_DIRTY).and_then(|header| dirty::ranges(header, file.size));
            let dirty = dirty.ok_or((StatusCode::BAD_REQUEST, "X-Range-Dirty names no range of the file"))?;
            Ok(json(options.fault, &fingerprints::answer(&file.content.chunks, &dirty, options.fingerprints)))
        }
        _ => Err(no_route),
    }
}

/// A file of the repository for which the token is.
fn find(site: &Site, hash: &str, repo: &str) -> Result<Stored, (StatusCode, &'static str)> {
    let hash = XetHash::parse(hash).ok_or((StatusCode::BAD_REQUEST, "no hash"))?;
    let file = site.xet.file(&site.options.store, &hash, repo).ok_or((StatusCode::NOT_FOUND, "no such file"))?;
    if file.repos.contains(repo) { Ok(file) } else { Err((StatusCode::FORBIDDEN, "out of the token's scope")) }
}

fn reconstructed(
    site: &Site,
    request: &Request<Bytes>,
    file: &Stored,
    (version, number): (Version, u64),
) -> Result<Reply, (StatusCode, &'static str)> {
    let range =
        requested(header_text(request, &header::RANGE), file.size).map_err(|status| (status, "no such bytes"))?;
    let mut part = site.xet.part(file, range.unwrap_or(ByteRange::new(0, file.size)));
    let fault = site.options.xet.fault;
    if let Some((_, _, last)) = part.terms.last_mut() {
        *last += u64::from(fault == Some(XetFault::WrongSum));
    }
    if let ([(_, _, first), .., (_, _, last)], Some(XetFault::Conflict), 1) = (&mut part.terms[..], fault, number % 2) {
        *first -= 1;
        *last += 1;
    }
    Ok(json(fault, &reconstruction::answer(site, &part, version)))
}

/// What a fault says in the place of an answer.
fn refused(fault: XetFault, number: u64) -> Option<(StatusCode, &'static str)> {
    match fault {
        XetFault::ExpiredOnce if number == 0 => Some((StatusCode::UNAUTHORIZED, "the token has expired")),
        XetFault::Forbidden => Some((StatusCode::FORBIDDEN, "out of the token's scope")),
        XetFault::Unknown => Some((StatusCode::NOT_FOUND, "no such file")),
        XetFault::TooMany => Some((StatusCode::TOO_MANY_REQUESTS, "too many requests")),
        XetFault::Unavailable => Some((StatusCode::SERVICE_UNAVAILABLE, "unavailable")),
        XetFault::ExpiredOnce | XetFault::Down | XetFault::Truncated | XetFault::WrongSum | XetFault::Conflict => None,
    }
}

fn json(fault: Option<XetFault>, value: &Value) -> Reply {
    if fault == Some(XetFault::Truncated) {
        let text = value.to_string();
        let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        return Reply::text(StatusCode::OK, &text[..half]).with(header::CONTENT_TYPE, "application/json");
    }
    Reply::json(value)
}
