//! An answer as a value: status, headers, and content that may be megabytes still unread.

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde::Serialize;

use super::range_header::requested;
use crate::{digest::xet::XetHash, range::ByteRange};

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Bytes),
    /// A range of a file, streamed from the store.
    File {
        repo: String,
        path: String,
        range: ByteRange,
    },
    /// A range of a block of Xet storage.
    Xorb {
        name: XetHash,
        range: ByteRange,
    },
}

impl Reply {
    pub(super) fn new(status: StatusCode, content: Content) -> Self {
        Self { status, headers: HeaderMap::new(), content }
    }

    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(super) fn json(value: &impl Serialize) -> Self {
        Self::json_status(StatusCode::OK, value)
    }

    pub(super) fn json_status(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => Self::bytes(status, "application/json; charset=utf-8", bytes.into()),
            Err(error) => Self::text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// What a test sends in the Hub's place. Headers that are not valid HTTP are left out.
    pub(super) fn verbatim(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status, Content::Bytes(body.into()));
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                reply.headers.append(name, value);
            }
        }
        reply
    }

    /// A redirect with a body, as the Hub's have one: its length is not the file's.
    pub(super) fn redirect(status: StatusCode, location: &str) -> Self {
        let reason = status.canonical_reason().unwrap_or("Redirect");
        Self::text(status, &format!("{reason}. Redirecting to {location}")).with(header::LOCATION, location)
    }

    /// A file of `size` bytes, or the part of it that `range` asks for.
    pub(super) fn file(repo: &str, path: &str, size: u64, range: Option<&str>) -> Self {
        let part = match requested(range, size) {
            Ok(part) => part,
            Err(status) => {
                return Self::text(status, "Range Not Satisfiable")
                    .with(header::CONTENT_RANGE, &format!("bytes */{size}"));
            }
        };
        let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let range = part.unwrap_or(ByteRange::new(0, size));
        let mut reply = Self::new(status, Content::File { repo: repo.to_owned(), path: path.to_owned(), range })
            .with(header::CONTENT_LENGTH, &range.len().to_string())
            .with(header::ACCEPT_RANGES, "bytes");
        if part.is_some() {
            let value = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            reply = reply.with(header::CONTENT_RANGE, &value);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        reply.with(header::CONTENT_DISPOSITION, &format!("inline; filename=\"{name}\";"))
    }

    /// The same answer with one more header. A value that HTTP cannot carry is left out.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        put(&mut self.headers, name, value);
        self
    }

    fn bytes(status: StatusCode, content_type: &str, bytes: Bytes) -> Self {
        let length = bytes.len().to_string();
        Self::new(status, Content::Bytes(bytes))
            .with(header::CONTENT_TYPE, content_type)
            .with(header::CONTENT_LENGTH, &length)
    }
}

/// Sets a header; a value that HTTP cannot carry is left out.
pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
