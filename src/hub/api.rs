//! What is asked of the Hub itself: which commit a revision is, which files a commit has, and small files whole.

use std::collections::HashSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::{
    account::Matter,
    body::{Answer, Ask},
    claim::Claim,
    client::HubClient,
    error::{HubError, Place},
    link,
    listing::{Entry, listing},
    packed, redact,
    retry::{Budget, Fault},
};
use crate::{
    digest, secret,
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

/// Files beyond which the Hub's answer about a model is not taken for a whole listing: its own clients do not either.
const MOST_SIBLINGS: usize = 1000;

/// What a revision is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The repository's present id, which differs where it was renamed or spelled in other letter case.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// All files of the commit, without Xet hashes; `None` where they were not asked for, or are not all told.
    pub snapshot: Option<Snapshot>,
}

/// A file that was asked for before it was known which commit is read. It is unpacked once its size is known.
#[derive(Debug)]
pub struct EarlyFile {
    /// Its path.
    pub path: String,
    place: Place,
    host: String,
    /// As it came.
    body: Vec<u8>,
    /// Whether that is gzip.
    is_packed: bool,
    /// The commit of which it is, where the Hub tells.
    commit: Option<Commit>,
}

#[derive(Deserialize)]
struct ModelInfo<'a> {
    sha: Commit,
    id: Option<RepoId>,
    #[serde(borrow)]
    siblings: Option<&'a RawValue>,
}

impl HubClient {
    /// Pins `revision` to the commit that it names now. One request.
    pub async fn pin(&self, repo: &RepoId, revision: &Revision, with_files: bool) -> Result<Pinned, HubError> {
        let place = Place::new(repo, None, None);
        let fields = if with_files { "blobs=true" } else { "expand=sha" };
        let (name, revision_name) = (path(repo.as_str()), segment(revision.as_str()));
        let url = self.url(&format!("api/models/{name}/revision/{revision_name}?{fields}"))?;
        let answer = self.get(&Ask { revision: Some(revision), ..Ask::api(&url, &place, JSON_CAP) }).await?;
        let info: ModelInfo<'_> = parse_json(&answer, &place)?;
        let (repo, commit) = (info.id.unwrap_or_else(|| repo.clone()), info.sha);
        // Of another form than the Hub's, or cut short, it is no listing; one is asked for then.
        let siblings = info.siblings.and_then(|text| serde_json::from_str::<Vec<Entry>>(text.get()).ok());
        let is_whole = |files: &Vec<Entry>| {
            (1..=MOST_SIBLINGS).contains(&files.len()) && files.iter().all(|file| file.size.is_some())
        };
        let snapshot = match siblings.filter(is_whole) {
            Some(files) => Some(listing(files, &Place::new(&repo, Some(&commit), None))?),
            None => None,
        };
        Ok(Pinned { repo, commit, snapshot })
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
            let answer = self.get(&Ask { revision: revision.as_ref(), ..Ask::api(&url, &place, JSON_CAP) }).await?;
            bytes += answer.body.len() as u64;
            if bytes > LISTING_CAP {
                return Err(unreasonable(format!("has more than {LISTING_CAP} bytes")));
            }
            files.extend(parse_json::<Vec<Entry>>(&answer, &place)?);
            next = self.next_page(&answer, &place)?;
        }
        listing(files, &place)
    }

    /// What the card of a model says that the model was made of. One request.
    pub async fn claim(&self, repo: &RepoId, commit: &Commit) -> Result<Claim, HubError> {
        let place = Place::new(repo, Some(commit), None);
        let fields = "expand=sha&expand=baseModels&expand=cardData&expand=tags";
        let url = self.url(&format!("api/models/{}/revision/{commit}?{fields}", path(repo.as_str())))?;
        let answer = self.get(&Ask::api(&url, &place, JSON_CAP)).await?;
        Ok(Claim::read(&parse_json(&answer, &place)?))
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
        let (bytes, host) = self.unpacked(Ask::file(&url, &place, cap), file.size).await?;
        let got = bytes.len() as u64;
        if got != file.size {
            return Err(HubError::SizeDisagrees { host, place, expected: file.size, got });
        }
        match digest::other_hash(file, &bytes) {
            None => Ok(bytes),
            Some((expected, got)) if file.lfs_sha256.is_some() => Err(HubError::WrongDigest { place, expected, got }),
            Some((expected, got)) => Err(HubError::WrongBlob { place, expected, got }),
        }
    }

    /// The bytes of a file of which `size` are listed, and the host that sent them. Gzip that is damaged is a fault like a body that
    /// was cut; from then on the file is asked for as it is.
    async fn unpacked(&self, mut ask: Ask<'_>, size: u64) -> Result<(Vec<u8>, String), HubError> {
        let mut budget = Budget::new(self.retry_policy());
        loop {
            let Answer { body, host, is_packed, .. } = self.get_within(&mut budget, &ask).await?;
            if !is_packed {
                return Ok((body, host));
            }
            match self.unpack(&body, size, &host, ask.place)? {
                Ok(bytes) => return Ok((bytes, host)),
                Err(fault) => {
                    ask.may_be_packed = false;
                    self.pause_or_give_up(fault, &host, body.len() as u64, &mut budget).await?;
                }
            }
        }
    }

    /// Unpacks a body to at most the listed size. What it has more than what came counts against the limit on metadata too.
    fn unpack(&self, body: &[u8], size: u64, host: &str, place: &Place) -> Result<Result<Vec<u8>, Fault>, HubError> {
        let more = size.saturating_sub(body.len() as u64);
        self.account().reserve(Matter::Metadata, more, place)?;
        let unpacked = packed::unpack(body, size);
        if !matches!(unpacked, Ok(Some(_))) {
            self.account().give_back(Matter::Metadata, more);
        }
        let bytes = match unpacked {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(HubError::UnpacksBeyond { host: host.to_owned(), place: place.clone(), size }),
            Err(damage) => return Ok(Err(Fault::Gzip(damage))),
        };
        if secret::is_in(&bytes) {
            return Err(HubError::RepeatsToken { host: host.to_owned(), place: place.clone() });
        }
        Ok(Ok(bytes))
    }

    /// A small file, at most `cap` bytes, of whatever commit `revision` is when it is asked for; for one who does not know yet
    /// whether there is such a file, and asks again where this gives nothing.
    pub async fn early_file(&self, repo: &RepoId, revision: &Revision, file: &str, cap: u64) -> Option<EarlyFile> {
        let place = Place::new(repo, None, Some(file));
        let revision = segment(revision.as_str());
        let url = self.url(&format!("{}/resolve/{revision}/{}", path(repo.as_str()), path(file))).ok()?;
        let Answer { host, headers, body, is_packed, .. } = self.get_once(&Ask::file(&url, &place, cap)).await.ok()?;
        let commit = headers.get("x-repo-commit").and_then(|value| value.to_str().ok()?.parse().ok());
        Some(EarlyFile { path: file.to_owned(), place, host, body, is_packed, commit })
    }

    /// The content of a file that was asked for early, if it is the one that is listed of `commit`: by its hash, or where none is
    /// listed by its commit.
    pub fn take_early(&self, early: EarlyFile, listed: &RepoFile, commit: &Commit) -> Option<Vec<u8>> {
        let EarlyFile { place, host, body, is_packed, commit: of, .. } = early;
        let bytes = if is_packed { self.unpack(&body, listed.size, &host, &place).ok()?.ok()? } else { body };
        let is_it = match listed.stated_hash() {
            Some(_) => digest::other_hash(listed, &bytes).is_none(),
            None => of.as_ref() == Some(commit),
        };
        (is_it && bytes.len() as u64 == listed.size).then_some(bytes)
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

fn parse_json<'a, T: Deserialize<'a>>(answer: &'a Answer, place: &Place) -> Result<T, HubError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_by_segment() {
        assert_eq!(segment("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(path("a b/c?d#e.safetensors"), "a%20b/c%3Fd%23e.safetensors");
    }
}
