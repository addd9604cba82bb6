//! The resolver: where the bytes of a file are.

use axum::http::{HeaderName, StatusCode, header};

use super::{
    refusal::Refusal,
    reply::{Content, Reply},
    router::{Asked, encode_path, encode_segment},
    site::{Site, Stop, commit_of, now},
    store::{Digests, Entry, Repo},
};

const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const X_LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const X_LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const X_XET_HASH: HeaderName = HeaderName::from_static("x-xet-hash");
const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
                       Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

/// `/{id}/resolve/{rev}/{path}`. A large file is elsewhere: 302 to a signed location, with the file's metadata on the
/// redirect and nowhere else. A small one is at a commit-pinned path of the same origin: 307, relative, without metadata.
/// Files of private, gated and bare-named repositories, and empty ones, are served at once.
pub(super) fn resolve(site: &Site, asked: &Asked, repo: &Repo, revision: &str, path: &str) -> Result<Reply, Stop> {
    let commit = commit_of(repo, revision)?;
    let (entry, digests) = find(site, repo, commit, path)?;
    if entry.is_large() {
        return Ok(elsewhere(site, asked, repo, commit, entry, &digests));
    }
    if repo.serves_directly() || entry.size == 0 {
        return Ok(small(asked, repo, commit, entry, &digests));
    }
    let location = format!(
        "/api/resolve-cache/models/{}/{commit}/{}?{}=&etag=%22{}%22",
        repo.id,
        encode_path(path),
        encode_segment(&asked.path),
        digests.oid,
    );
    Ok(Reply::redirect(StatusCode::TEMPORARY_REDIRECT, &location))
}

/// `/api/resolve-cache/models/{id}/{commit}/{path}`.
pub(super) fn cached(site: &Site, asked: &Asked, repo: &Repo, commit: &str, path: &str) -> Result<Reply, Stop> {
    let commit = commit_of(repo, commit)?;
    let (entry, digests) = find(site, repo, commit, path)?;
    if entry.is_large() {
        return Ok(elsewhere(site, asked, repo, commit, entry, &digests));
    }
    Ok(small(asked, repo, commit, entry, &digests))
}

fn find<'a>(site: &Site, repo: &'a Repo, commit: &str, path: &str) -> Result<(&'a Entry, Digests), Stop> {
    let entry = repo.entry(path).ok_or_else(|| Refusal::EntryNotFound {
        path: path.to_owned(),
        commit: commit.to_owned(),
    })?;
    Ok((entry, site.options.store.digests(&repo.id, entry)?))
}

fn small(asked: &Asked, repo: &Repo, commit: &str, entry: &Entry, digests: &Digests) -> Reply {
    let etag = format!("\"{}\"", digests.oid);
    let header_text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let mut reply = Reply::file(&repo.id, &entry.path, entry.size, header_text(header::RANGE));
    if header_text(header::IF_NONE_MATCH) == Some(etag.as_str()) {
        reply = Reply {
            status: StatusCode::NOT_MODIFIED,
            headers: axum::http::HeaderMap::new(),
            content: Content::Bytes(bytes::Bytes::new()),
        };
    }
    reply
        .with(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .with(header::ETAG, &etag)
        .with(X_REPO_COMMIT, commit)
        .with(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)
}

fn elsewhere(site: &Site, asked: &Asked, repo: &Repo, commit: &str, entry: &Entry, digests: &Digests) -> Reply {
    // The id is one segment, so that the CDN need not know which of the others begins the path.
    let path = format!("/xet-bridge/{}/{}", encode_segment(&repo.id), encode_path(&entry.path));
    let query = site.signer.query(asked.method.as_str(), &path, now());
    let name = encode_segment(entry.path.rsplit('/').next().unwrap_or(&entry.path));
    let location = format!(
        "{}{path}?response-content-disposition=inline%3B%20filename%3D%22{name}%22&{query}",
        site.cdn_url
    );
    let mut reply = Reply::redirect(StatusCode::FOUND, &location)
        .with(X_REPO_COMMIT, commit)
        .with(X_LINKED_SIZE, &entry.size.to_string())
        .with(header::ACCEPT_RANGES, "bytes")
        .with(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if let Some(sha256) = &digests.sha256 {
        reply = reply.with(X_LINKED_ETAG, &format!("\"{sha256}\""));
    }
    if let Some(hash) = digests.xet_hash().filter(|_| site.options.xet_headers) {
        let hub = &site.hub_url;
        let link = format!(
            "<{hub}/api/models/{}/xet-read-token/{commit}>; rel=\"xet-auth\", \
             <{hub}/v1/reconstructions/{hash}>; rel=\"xet-reconstruction-info\"",
            repo.id
        );
        reply = reply.with(X_XET_HASH, &hash).with(header::LINK, &link);
    }
    reply
}
