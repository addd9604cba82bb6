//! An answer as a value: status, headers, and content that may be megabytes still unread.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

use super::wire_range::{Wanted, wanted};
use crate::range::ByteRange;

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
    /// These bytes.
    Bytes(Bytes),
    /// A range of a file, streamed from the store.
    File {
        /// The repository's id.
        repo: String,
        /// The file.
        path: String,
        /// The bytes.
        range: ByteRange,
    },
}

impl Reply {
    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(super) fn json(value: &Value) -> Self {
        Self::json_status(StatusCode::OK, value)
    }

    pub(super) fn json_status(status: StatusCode, value: &Value) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", value.to_string().into())
    }

    /// A redirect with a body, as the Hub's have one: its length is not the file's.
    pub(super) fn redirect(status: StatusCode, location: &str) -> Self {
        let reason = status.canonical_reason().unwrap_or("Redirect");
        Self::text(status, &format!("{reason}. Redirecting to {location}")).with(header::LOCATION, location)
    }

    /// A file of `size` bytes, or the part of it that `range` asks for.
    pub(super) fn file(repo: &str, path: &str, size: u64, range: Option<&str>) -> Self {
        let (status, part, content_range) = match wanted(range, size) {
            Wanted::Whole => (StatusCode::OK, ByteRange::new(0, size), None),
            Wanted::Part(part) => {
                let value = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
                (StatusCode::PARTIAL_CONTENT, part, Some(value))
            }
            Wanted::Beyond => {
                return Self::text(StatusCode::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable")
                    .with(header::CONTENT_RANGE, &format!("bytes */{size}"));
            }
        };
        let mut reply = Self {
            status,
            headers: HeaderMap::new(),
            content: Content::File { repo: repo.to_owned(), path: path.to_owned(), range: part },
        }
        .with(header::CONTENT_LENGTH, &part.len().to_string())
        .with(header::ACCEPT_RANGES, "bytes");
        if let Some(value) = content_range {
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
        Self { status, headers: HeaderMap::new(), content: Content::Bytes(bytes) }
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
