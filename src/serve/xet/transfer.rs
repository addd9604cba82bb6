//! Where blocks of Xet storage are: at locations of the CDN that are signed for one range each.

use bytes::Bytes;
use hyper::{Request, StatusCode, header};

use crate::{
    digest::xet::XetHash,
    range::ByteRange,
    serve::{
        query,
        range_header::requested,
        reply::{Content, Reply},
        site::{Site, now},
    },
};

/// Before the name of a block.
pub(in crate::serve) const PREFIX: &str = "/xorbs/default/";
const SIGNED_RANGE: &str = "X-Xet-Signed-Range";

/// Where a client gets a range of a block.
pub(super) fn location(site: &Site, xorb: &XetHash, range: ByteRange) -> String {
    let (path, signed) = (format!("{PREFIX}{xorb}"), range.to_header());
    let signature = site.signer.query("GET", &subject(&path, &signed), now());
    format!("{}{path}?{SIGNED_RANGE}={}&{signature}", site.cdn_url, query::encode_segment(&signed))
}

fn subject(path: &str, range: &str) -> String {
    format!("{path} {range}")
}

/// Answers a request without credentials to such a location: with the range that was signed, and no other.
pub(in crate::serve) fn answer(site: &Site, request: &Request<Bytes>) -> Reply {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let signed = query::value(query.as_bytes(), SIGNED_RANGE).unwrap_or_default();
    let verified = site.signer.verify(request.method().as_str(), &subject(path, &signed), query, now());
    if let Err(message) = verified {
        return Reply::text(StatusCode::FORBIDDEN, message);
    }
    if query::header_text(request, &header::RANGE) != Some(signed.as_str()) {
        return Reply::text(StatusCode::FORBIDDEN, "Auth failed: invalid range");
    }
    let name = path.strip_prefix(PREFIX).and_then(XetHash::parse);
    let Some((name, size)) = name.and_then(|name| Some((name, site.xet.len(&name)?))) else {
        return Reply::text(StatusCode::NOT_FOUND, "Not Found");
    };
    let Ok(Some(range)) = requested(Some(&signed), size) else {
        return Reply::text(StatusCode::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable");
    };
    Reply::new(StatusCode::PARTIAL_CONTENT, Content::Xorb { name, range })
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::CONTENT_LENGTH, &range.len().to_string())
        .with(header::CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1))
        .with(header::ACCEPT_RANGES, "bytes")
}
