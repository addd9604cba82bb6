//! What is asked of the Hub itself: which commit a revision is, which files a commit has, and small files whole.

use std::collections::HashSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::{
    body::Answer,
    client::{Bucket, HubClient},
    error::{HubError, Place},
    link, redact,
};
use crate::{
    digest,
    snapshot::{RepoFile, Snapshot},
    spec::{Commit, RepoId, Revision},
};

/// Bytes of one page of a listing, and of a model's description, that are read at most.
const JSON_CAP: u64 = 64 * 1024 * 1024;

/// Pages of a listing that are followed at most: a thousand entries each.
const MAX_PAGES: usize = 1000;

/// Bytes of all pages of a listing that are read at most: some 400,000 files.
const LISTING_CAP: u64 = 128 * 1024 * 1024;

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One path segment, with `/` encoded too.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path, each segment encoded apart.
pub(super) fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[derive(Deserialize)]
struct ModelInfo {
    sha: Commit,
    id: Option<RepoId>,
}

#[derive(Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: Option<String>,
    lfs: Option<TreeLfs>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct TreeLfs {
    oid: Option<String>,
    size: Option<u64>,
}

impl HubClient {
    /// Pins `revision` to the commit that it names now, and tells the repository's present id, which differs from `repo` where
    /// it was renamed or spelled in other letter case. One request; none if `revision` is a commit already.
    pub async fn resolve_revision(&self, repo: &RepoId, revision: &Revision) -> Result<(RepoId, Commit), HubError> {
        if let Some(commit) = revision.as_commit() {
            return Ok((repo.clone(), commit));
        }
        let place = Place::new(repo, None, None);
        let url = self.url(&format!(
            "api/models/{}/revision/{}?expand=sha",
            path(repo.as_str()),
            segment(revision.as_str())
        ))?;
        let answer = self.get(&url, Bucket::Api, &place, Some(revision), JSON_CAP).await?;
        let info: ModelInfo = parse_json(&answer, &place)?;
        Ok((info.id.unwrap_or_else(|| repo.clone()), info.sha))
    }

    /// Lists all files at `commit`, with sizes and hashes, following every page.
    pub async fn snapshot(&self, repo: &RepoId, commit: &Commit) -> Result<Snapshot, HubError> {
        let place = Place::new(repo, Some(commit), None);
        let revision: Option<Revision> = commit.as_str().parse().ok();
        let mut next =
            Some(self.url(&format!("api/models/{}/tree/{commit}?recursive=true&expand=false", path(repo.as_str())))?);
        let mut files = Vec::new();
        let mut pages = HashSet::new();
        let mut bytes = 0;
        let unreasonable = |reason: String| HubError::Listing { place: place.clone(), reason };
        while let Some(url) = next {
            if pages.len() == MAX_PAGES {
                return Err(unreasonable(format!("has more than {MAX_PAGES} pages")));
            }
            if !pages.insert(url.clone()) {
                return Err(unreasonable("comes back to a page that was read before".to_owned()));
            }
            let answer = self.get(&url, Bucket::Api, &place, revision.as_ref(), JSON_CAP).await?;
            bytes += answer.body.len() as u64;
            if bytes > LISTING_CAP {
                return Err(unreasonable(format!("has more than {LISTING_CAP} bytes")));
            }
            let entries: Vec<TreeEntry> = parse_json(&answer, &place)?;
            files.extend(entries.into_iter().filter(|entry| entry.kind == "file").map(repo_file));
            next = self.next_page(&answer, &place)?;
        }
        // An address with such a segment in it would lead elsewhere, and the token with it.
        let is_outside = |file: &&RepoFile| file.path.split('/').any(|segment| matches!(segment, "" | "." | ".."));
        if let Some(file) = files.iter().find(is_outside) {
            return Err(unreasonable(format!(
                "names `{}`, which is no file of a repository",
                file.path.escape_debug()
            )));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            let reason = format!("names `{}` twice", twice[0].path.escape_debug());
            return Err(HubError::Listing { place, reason });
        }
        Ok(Snapshot { commit: Some(commit.clone()), files })
    }

    /// Reads a small file whole, at most `cap` bytes, and checks its length and its hash: SHA-256 or git blob id,
    /// whichever the listing states.
    pub async fn small_file(
        &self,
        repo: &RepoId,
        commit: &Commit,
        file: &RepoFile,
        cap: u64,
    ) -> Result<Vec<u8>, HubError> {
        let place = Place::new(repo, Some(commit), Some(&file.path));
        if file.size > cap {
            return Err(HubError::TooLarge { place, size: file.size, cap });
        }
        let url = self.url(&format!("{}/resolve/{commit}/{}", path(repo.as_str()), path(&file.path)))?;
        let answer = self.get(&url, Bucket::Resolvers, &place, None, cap).await?;
        let got = answer.body.len() as u64;
        if got != file.size {
            return Err(HubError::SizeDisagrees { host: answer.host, place, expected: file.size, got });
        }
        // What the listing states of the content is checked: SHA-256 of a large file, the git blob id of a small one.
        if file.lfs_sha256.is_none()
            && let Some(expected) = &file.blob_id
        {
            let got = digest::git_blob_id(&answer.body);
            if got != *expected {
                return Err(HubError::WrongBlob { place, expected: expected.clone(), got });
            }
        }
        if let Some(expected) = &file.lfs_sha256 {
            let digest = digest::sha256_hex(&answer.body);
            if digest != *expected {
                return Err(HubError::WrongDigest { place, expected: expected.clone(), got: digest });
            }
        }
        Ok(answer.body)
    }

    /// The address of the next page, which must be where this one was.
    fn next_page(&self, answer: &Answer, place: &Place) -> Result<Option<Url>, HubError> {
        let mut links = answer.headers.get_all("link").iter();
        let Some(target) = links.find_map(|value| link::next_page(value.to_str().ok()?)) else {
            return Ok(None);
        };
        let unreasonable = |reason: String| HubError::Listing { place: place.clone(), reason };
        let next = answer.url.join(target);
        let next = next.map_err(|_| unreasonable("continues at something that is not an address".to_owned()))?;
        // A next page elsewhere would carry the token there.
        if next.origin() != answer.url.origin() {
            return Err(unreasonable(format!("continues at another host, {}", redact::host(&next))));
        }
        self.safe_target(&answer.url, target).map(Some).map_err(|reason| HubError::Redirect {
            host: answer.host.clone(),
            place: place.clone(),
            reason: reason.to_owned(),
        })
    }
}

fn parse_json<T: for<'a> Deserialize<'a>>(answer: &Answer, place: &Place) -> Result<T, HubError> {
    let content_type =
        answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("no content type");
    serde_json::from_slice(&answer.body).map_err(|source| {
        let first = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[')) {
            HubError::Json { host: answer.host.clone(), place: place.clone(), source }
        } else {
            HubError::NotJson {
                host: answer.host.clone(),
                place: place.clone(),
                content_type: redact::excerpt(content_type.as_bytes()),
                start: redact::excerpt(&answer.body),
            }
        }
    })
}

fn repo_file(entry: TreeEntry) -> RepoFile {
    // Of a file that is large the entry's own hash is that of its pointer.
    let is_large = entry.lfs.is_some();
    let (lfs_oid, lfs_size) = entry.lfs.map_or((None, None), |lfs| (lfs.oid, lfs.size));
    RepoFile {
        path: entry.path,
        size: lfs_size.unwrap_or(entry.size),
        lfs_sha256: lfs_oid.and_then(|text| hash(&text, 64)),
        blob_id: entry.oid.and_then(|text| hash(&text, 40)).filter(|_| !is_large),
        xet_hash: entry.xet_hash.and_then(|text| hash(&text, 64)),
    }
}

/// A hash of so many hexadecimal digits. Of gated repositories asterisks are listed in its place.
fn hash(text: &str, digits: usize) -> Option<String> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_by_segment() {
        assert_eq!(segment("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(path("a b/c?d#e.safetensors"), "a%20b/c%3Fd%23e.safetensors");
    }

    #[test]
    fn the_size_of_an_lfs_file_is_its_contents() {
        let file = |lfs: &str, xet: &str| {
            let [oid, lfs, xet] = ["a".repeat(40), lfs.repeat(64), xet.repeat(64)];
            let entry = serde_json::json!({
                "type": "file", "oid": oid, "size": 134, "path": "m", "xetHash": xet,
                "lfs": { "oid": lfs, "size": 99, "pointerSize": 134 },
            });
            repo_file(serde_json::from_value(entry).unwrap())
        };
        let open = file("B", "c");
        assert_eq!((open.size, open.lfs_sha256, open.xet_hash), (99, Some("b".repeat(64)), Some("c".repeat(64))));
        let withheld = file("*", "*");
        assert_eq!((withheld.blob_id, withheld.lfs_sha256, withheld.xet_hash), (None, None, None));
    }
}
