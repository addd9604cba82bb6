//! What a request asks for beside its path, the next page of a listing, and percent-encoding.

use bytes::Bytes;
use hyper::{
    Request,
    header::{self, HeaderName},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::form_urlencoded::{Serializer, parse};

use super::reply::Reply;

/// Bytes that stay as they are in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The query as it came, without the `?`; empty without one.
pub(super) fn of(request: &Request<Bytes>) -> &[u8] {
    request.uri().query().unwrap_or_default().as_bytes()
}

/// A header's value; `None` also for one that is not text.
pub(super) fn header_text<'a>(request: &'a Request<Bytes>, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The value of a key; of several, the last.
pub(super) fn value(query: &[u8], key: &str) -> Option<String> {
    all(query, &[key]).pop()
}

/// The values of any of these keys, in their order.
pub(super) fn all(query: &[u8], keys: &[&str]) -> Vec<String> {
    parse(query).filter(|(key, _)| keys.contains(&key.as_ref())).map(|(_, value)| value.into_owned()).collect()
}

/// Whether a key has what clients write for true.
pub(super) fn is_set(query: &[u8], key: &str) -> bool {
    value(query, key).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}

/// Entries of a page: what is asked for, one at least and `most` at most.
pub(super) fn page_size(query: &[u8], most: usize) -> usize {
    value(query, "limit").and_then(|text| text.parse().ok()).unwrap_or(most).min(most).max(1)
}

/// Adds an absolute link to the page behind `cursor`.
pub(super) fn link_next(reply: Reply, request: &Request<Bytes>, hub_url: &str, cursor: &str) -> Reply {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parse(of(request)).filter(|(key, _)| key != "cursor"));
    query.append_pair("cursor", cursor);
    let link = format!("<{hub_url}{}?{}>; rel=\"next\"", request.uri().path(), query.finish());
    reply.with(header::LINK, &link)
}

/// One segment of a path, encoded.
pub(super) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path of several segments, each encoded.
pub(super) fn encode_path(path: &str) -> String {
    path.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

/// One segment of a path, decoded.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Segments of a path, each decoded.
pub(super) fn decode_path(segments: &[&str]) -> String {
    segments.iter().map(|segment| decode(segment)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "\\PC{0,20}") {
            proptest::prop_assert_eq!(decode(&encode_segment(&text)), text);
        }
    }
}
