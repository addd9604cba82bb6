//! The resolver: where the bytes of a file are.

use std::{
    io::{self, Write},
    ops::RangeInclusive,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    Request, StatusCode,
    header::{self, HeaderName},
};

use super::{
    query::{encode_path, encode_segment, header_text},
    question::Question,
    refusal::Refusal,
    reply::{Content, Reply},
    repo::{Digests, Entry},
    site::now,
};

const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const X_XET_HASH: HeaderName = HeaderName::from_static("x-xet-hash");
const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
                       Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

/// Sizes of files that are compressed: what the Hub's content network does.
const PACKED: RangeInclusive<u64> = 1_000..=10_000_000;

/// `/{id}/resolve/{rev}/{path}`. A large file is elsewhere: 302 to a signed location, with the file's metadata on the
/// redirect and nowhere else. A small one is at a commit-pinned path of the same origin: 307, relative, without metadata.
/// Files of private, gated and bare-named repositories, and empty ones, are served at once.
pub(super) fn resolve(question: &Question<'_>, path: &str) -> Result<Reply, Refusal> {
    let entry = question.entry(path)?;
    if entry.is_large() || entry.size == 0 || question.repo.serves_directly() {
        return cached(question, path);
    }
    let location = format!(
        "/api/resolve-cache/models/{}/{}/{}?{}=&etag=%22{}%22",
        question.repo.id,
        question.commit,
        encode_path(path),
        encode_segment(question.request.uri().path()),
        question.digests(entry)?.oid,
    );
    Ok(Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &location))
}

/// `/api/resolve-cache/models/{id}/{commit}/{path}`.
pub(super) fn cached(question: &Question<'_>, path: &str) -> Result<Reply, Refusal> {
    let entry = question.entry(path)?;
    let digests = question.digests(entry)?;
    if entry.is_large() { Ok(elsewhere(question, entry, &digests)) } else { Ok(small(question, entry, &digests)?) }
}

/// A file of git's. A client that takes gzip is sent it so, whole, whatever range it asks for: chunked, of no stated length, and
/// with a weak tag.
fn small(question: &Question<'_>, entry: &Entry, digests: &Digests) -> io::Result<Reply> {
    let is_packed = PACKED.contains(&entry.size) && takes_gzip(question.request);
    let strong = format!("\"{}\"", digests.oid);
    let etag = if is_packed { format!("W/{strong}") } else { strong.clone() };
    let known = header_text(question.request, &header::IF_NONE_MATCH);
    let reply = if known.is_some_and(|known| known.trim_start_matches("W/") == strong) {
        Reply::new(StatusCode::NOT_MODIFIED, Content::Bytes(Bytes::new()))
    } else if is_packed {
        let packed = gzip(&question.read(entry, 0, entry.size)?)?;
        Reply::new(StatusCode::OK, Content::Bytes(packed.into())).with(header::CONTENT_ENCODING, "gzip")
    } else {
        Reply::file(&question.repo.id, &entry.path, entry.size, header_text(question.request, &header::RANGE))
    };
    Ok(reply
        .with(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .with(header::ETAG, &etag)
        .with(X_REPO_COMMIT, question.commit)
        .with(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED))
}

/// Whether gzip is among the encodings that a request takes, and not with a weight of nothing.
fn takes_gzip(request: &Request<Bytes>) -> bool {
    let accepted = header_text(request, &header::ACCEPT_ENCODING).unwrap_or_default();
    accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn elsewhere(question: &Question<'_>, entry: &Entry, digests: &Digests) -> Reply {
    let (site, id, commit) = (question.site, &question.repo.id, question.commit);
    // The id is one segment, so that the CDN need not know which of the others begins the path.
    let path = format!("/xet-bridge/{}/{}", encode_segment(id), encode_path(&entry.path));
    let query = site.signer.query(question.request.method().as_str(), &path, now());
    let name = encode_segment(entry.path.rsplit('/').next().unwrap_or(&entry.path));
    let location =
        format!("{}{path}?response-content-disposition=inline%3B%20filename%3D%22{name}%22&{query}", site.cdn_url);
    let mut reply = Reply::redirect(StatusCode::FOUND, &location)
        .with(X_REPO_COMMIT, commit)
        .with(X_LINKED_SIZE, &entry.size.to_string())
        .with(header::ACCEPT_RANGES, "bytes")
        .with(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if let Some(sha256) = &digests.sha256 {
        reply = reply.with(X_LINKED_ETAG, &format!("\"{sha256}\""));
    }
    if let Some(hash) = question.xet_hash(entry, digests) {
        let (hub, cas) = (&site.hub_url, &site.cas_url);
        let link = format!(
            "<{hub}/api/models/{id}/xet-read-token/{commit}>; rel=\"xet-auth\", \
             <{cas}/v1/reconstructions/{hash}>; rel=\"xet-reconstruction-info\""
        );
        reply = reply.with(X_XET_HASH, &hash.to_string()).with(header::LINK, &link);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::super::{
        site::Site,
        testing::{COMMIT, folder, from_cdn, get, site},
    };
    use super::*;
    use crate::range::ByteRange;

    const WEIGHTS: &str = "/o/open/resolve/main/model.safetensors";

    #[test]
    fn a_large_file_is_elsewhere_and_its_metadata_is_on_the_redirect() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let redirect = get(&site, WEIGHTS, &[("range", "bytes=0-0")]);
        assert_eq!(redirect.status, 302);
        assert_eq!(redirect.text_of("x-repo-commit"), COMMIT);
        assert_eq!(redirect.text_of("x-linked-size"), "86");
        assert_ne!(redirect.text_of("content-length"), "86");
        let reply = from_cdn(&site, redirect.text_of("location"), &[("range", "bytes=78-")]);
        assert_eq!((reply.status.as_u16(), reply.text_of("content-range")), (206, "bytes 78-85/86"));
        let range = ByteRange::new(78, 86);
        assert_eq!(reply.content, Content::File { repo: "o/open".into(), path: "model.safetensors".into(), range });
        assert!(!reply.headers.contains_key("x-repo-commit"));
        assert_ne!(reply.text_of("etag"), redirect.text_of("x-linked-etag"));
        assert_eq!(reply.text_of("etag").trim_matches('"'), redirect.text_of("x-xet-hash"));
    }

    #[test]
    fn the_cdn_refuses_credentials_strangers_and_what_has_expired() {
        let dir = folder();
        let mut now = site(&dir, |_| {});
        let location = get(&now, WEIGHTS, &[]).text_of("location").to_owned();
        let status = |site: &Site, url: &str, headers: &[(&str, &str)]| from_cdn(site, url, headers).status.as_u16();
        assert_eq!(status(&now, &location, &[]), 200);
        assert_eq!(status(&now, &location, &[("authorization", "Bearer hf_test")]), 400);
        assert_eq!(status(&now, &location.replace("open", "gated"), &[]), 403);
        assert_eq!(status(&now, &location, &[("range", "bytes=86-")]), 416);
        now = site(&dir, |options| options.location_ttl = std::time::Duration::ZERO);
        let location = get(&now, WEIGHTS, &[]).text_of("location").to_owned();
        let expired = from_cdn(&now, &location, &[]);
        assert_eq!((expired.status.as_u16(), expired.text_of("content-type")), (403, "text/plain; charset=utf-8"));
    }

    #[test]
    fn a_small_file_is_at_a_relative_pinned_path() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let redirect = get(&site, "/o/open/resolve/refs%2Fpr%2F1/config.json", &[]);
        assert_eq!(redirect.status, 307);
        assert!(!redirect.headers.contains_key("x-repo-commit"));
        let location = redirect.text_of("location");
        assert!(location.starts_with(&format!("/api/resolve-cache/models/o/open/{COMMIT}/config.json?")), "{location}");
        let file = get(&site, location, &[("range", "bytes=2-3")]);
        assert_eq!((file.status.as_u16(), file.text_of("content-range")), (206, "bytes 2-3/22"));
        assert_eq!(file.text_of("x-repo-commit"), COMMIT);
        let etag = file.text_of("etag").to_owned();
        assert_eq!(get(&site, location, &[("if-none-match", &etag)]).status, 304);
    }

    /// A client that takes gzip and asks for a range gets neither a part nor the file as it is.
    #[test]
    fn a_small_file_comes_as_gzip_to_a_client_that_takes_it_and_ranges_are_ignored_then() {
        let dir = folder();
        let text = r#""model.norm.weight": "model.safetensors","#.repeat(100);
        fs_err::write(dir.path().join("o/open/index.json"), &text).unwrap();
        let site = site(&dir, |_| {});
        let location = get(&site, "/o/open/resolve/main/index.json", &[]).text_of("location").to_owned();
        let ask = |encodings| get(&site, &location, &[("accept-encoding", encodings), ("range", "bytes=2-3")]);
        for encodings in ["gzip", "br, GZip;q=0.5", "gzip, deflate"] {
            let reply = ask(encodings);
            assert_eq!((reply.status.as_u16(), reply.text_of("content-encoding")), (200, "gzip"), "{encodings}");
            assert!(reply.text_of("etag").starts_with("W/\""), "{encodings}");
            for absent in ["content-length", "content-range", "accept-ranges"] {
                assert!(!reply.headers.contains_key(absent), "{absent}");
            }
            let Content::Bytes(packed) = reply.content else { panic!("{encodings}") };
            assert_eq!(io::read_to_string(flate2::read::GzDecoder::new(&packed[..])).unwrap(), text);
        }
        for encodings in ["identity", "br", "gzip;q=0", ""] {
            assert_eq!(ask(encodings).status, 206, "{encodings}");
        }
        let etag = ask("gzip").text_of("etag").to_owned();
        assert_eq!(get(&site, &location, &[("accept-encoding", "gzip"), ("if-none-match", &etag)]).status, 304);
        let config = get(&site, "/o/open/resolve/main/config.json", &[]).text_of("location").to_owned();
        let tiny = get(&site, &config, &[("accept-encoding", "gzip"), ("range", "bytes=2-3")]);
        assert_eq!((tiny.status.as_u16(), tiny.text_of("content-length")), (206, "2"));
    }

    #[test]
    fn bare_gated_private_and_empty_files_are_served_at_once() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let member = [("authorization", "Bearer hf_test")];
        let paths =
            ["solo/resolve/main/config.json", "o/gated/resolve/main/config.json", "o/private/resolve/main/config.json"];
        for path in paths.into_iter().chain(["o/open/resolve/main/sub/empty.txt"]) {
            let reply = get(&site, &format!("/{path}"), &member);
            assert_eq!((reply.status.as_u16(), reply.text_of("x-repo-commit")), (200, COMMIT), "{path}");
        }
    }

    #[test]
    fn a_renamed_or_misspelt_repository_is_redirected_without_metadata() {
        let dir = folder();
        let site = site(&dir, |_| {});
        let rows = [
            ("/o/old/resolve/main/model.safetensors?x=1", "/o/new/resolve/main/model.safetensors?x=1"),
            ("/O/OPEN/resolve/main/a%20b", "/o/open/resolve/main/a%20b"),
            (
                "/api/models/o/Open/tree/refs%2Fpr%2F1?recursive=true",
                "/api/models/o/open/tree/refs%2Fpr%2F1?recursive=true",
            ),
            ("/api/models/o/old", "/api/models/o/new"),
        ];
        for (from, to) in rows {
            let reply = get(&site, from, &[]);
            assert_eq!((reply.status.as_u16(), reply.text_of("location")), (307, to));
            assert!(!reply.headers.contains_key("x-repo-commit"));
        }
    }
}
