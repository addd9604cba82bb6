//! `GET /v2/reconstructions/{hash}` and its predecessor: of which chunks of which blocks a range of a file is put together, and where
//! they are.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::{packs::Part, transfer};
use crate::{digest::xet::XetHash, range::ByteRange, serve::site::Site};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

pub(super) fn answer(site: &Site, part: &Part, version: Version) -> Value {
    let span = |chunks: &Range<usize>| json!({ "start": chunks.start, "end": chunks.end });
    let ends = |bytes: ByteRange| json!({ "start": bytes.start, "end": bytes.end - 1 });
    let term = |(name, chunks, len): &(XetHash, Range<usize>, u64)| json!({ "hash": name.to_string(), "unpacked_length": len, "range": span(chunks) });
    let fetches = part.fetches.iter().map(|(name, runs)| {
        let fetch = |(chunks, bytes): &(Range<usize>, ByteRange)| {
            let url = transfer::location(site, name, *bytes);
            match version {
                Version::V1 => json!({ "range": span(chunks), "url": url, "url_range": ends(*bytes) }),
                Version::V2 => json!({ "url": url, "ranges": [{ "chunks": span(chunks), "bytes": ends(*bytes) }] }),
            }
        };
        (name.to_string(), runs.iter().map(fetch).collect())
    });
    let fetches: Map<String, Value> = fetches.collect();
    let key = match version {
        Version::V1 => "fetch_info",
        Version::V2 => "xorbs",
    };
    json!({
        "offset_into_first_range": part.offset,
        "terms": part.terms.iter().map(term).collect::<Vec<Value>>(),
        key: fetches,
    })
}
