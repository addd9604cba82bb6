//! One large file of a repository, read by ranges.
//!
//! The file is resolved once: its first range is asked of the resolver with redirects off, which gives the commit, the size and the
//! signed address, or the bytes themselves. From then on ranges go straight to that address, without the token, until a minute
//! before it expires. Each answer is checked: status 206, exactly the range that was asked, the known size, no encoding, the same
//! `ETag`, the whole length. A body that breaks off is resumed at the next byte. A file host that refuses the address gets a renewed
//! one, the first outside the retry budget; one that redirects is followed.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap},
};
use url::Url;

use super::{
    account::Matter,
    api,
    body::{self, BodyError},
    client::{Exchange, HubClient, Part},
    content_range::ContentRange,
    error::{HubError, Place},
    redact,
    resolver::{Location, MAX_HOPS, Resolver},
    retry::{Budget, Fault, PROGRESS},
};
use crate::{
    range::ByteRange,
    secret,
    snapshot::RepoFile,
    spec::{Commit, RepoId},
};

/// A whole body in answer to a range is accepted up to this size, and cut to the range. Beyond it may be a whole shard.
const WHOLE_FILE_CAP: u64 = 10 * 1024 * 1024;

/// Room that is set aside before bytes arrive; a larger range grows as it comes.
const LARGEST_RESERVE: u64 = 64 * 1024 * 1024;

/// Times that an address is renewed which is refused each time.
const MAX_RENEWALS: u32 = 3;

/// A file at a commit, of known size.
#[derive(Debug)]
pub struct RemoteFile(Resolver);

/// A range on its way.
struct Reading {
    range: ByteRange,
    matter: Matter,
    /// What has arrived of it.
    buffer: Vec<u8>,
    etag: Option<String>,
}

impl Reading {
    fn rest(&self) -> ByteRange {
        ByteRange::new(self.range.start + self.buffer.len() as u64, self.range.end)
    }
}

/// What one attempt at a range came to.
enum Attempt {
    Done,
    /// The body broke off; what arrived stands in the buffer.
    Cut {
        fault: Fault,
        host: String,
    },
    /// The file host refused the address.
    Refused {
        host: String,
        status: StatusCode,
    },
    /// The bytes are at another address.
    Moved(Url),
}

impl RemoteFile {
    /// A file of `repo` at `commit`. No request is sent yet.
    pub fn new(client: &HubClient, repo: &RepoId, commit: &Commit, file: &RepoFile) -> Result<Self, HubError> {
        let url = client.url(&format!("{}/resolve/{commit}/{}", api::path(repo.as_str()), api::path(&file.path)))?;
        Ok(Self(Resolver::new(client, Place::new(repo, Some(commit), Some(&file.path)), file.size, url)))
    }

    /// Size in bytes, as the listing states it and as every answer must confirm.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Reads exactly `range`. An empty range costs no request.
    pub async fn read(&self, range: ByteRange) -> Result<Bytes, HubError> {
        self.read_as(Matter::Weights, range).await
    }

    /// As [`RemoteFile::read`], of what is needed before it is known what is read of the file.
    pub async fn read_metadata(&self, range: ByteRange) -> Result<Bytes, HubError> {
        self.read_as(Matter::Metadata, range).await
    }

    async fn read_as(&self, matter: Matter, range: ByteRange) -> Result<Bytes, HubError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut budget = Budget::new(self.0.client.retry_policy());
        let buffer = Vec::with_capacity(usize::try_from(range.len().min(LARGEST_RESERVE)).unwrap_or(0));
        let mut reading = Reading { range, matter, buffer, etag: None };
        let mut refused = None;
        // Refusals and redirects one after the other, and how much had arrived when the budget was new.
        let (mut refusals, mut hops, mut paid) = (0, 0, 0);
        loop {
            let (location, answer) = self.0.location(refused, reading.rest(), &mut budget).await?;
            let attempt = self.attempt(&location, answer, &mut reading, &mut budget).await?;
            let received = reading.buffer.len() as u64;
            if received >= paid + PROGRESS {
                (budget, paid) = (Budget::new(self.0.client.retry_policy()), received);
            }
            match attempt {
                // Of a message whose end did not come, all of the range may have.
                Attempt::Done => break,
                Attempt::Cut { .. } if received == range.len() => break,
                Attempt::Cut { fault, host } => {
                    (refusals, hops) = (0, 0);
                    self.0.client.pause_or_give_up(fault, &host, received, &mut budget).await?;
                }
                Attempt::Refused { host, status } => {
                    (refused, hops) = (Some(location.generation), 0);
                    // The first address may have died; a fresh one that is refused is a fault like others.
                    let delay = if refusals == 0 { Some(Duration::ZERO) } else { budget.next_delay() };
                    let Some(delay) = delay.filter(|_| refusals < MAX_RENEWALS) else {
                        let (status, place) = (status.as_u16(), self.0.place.clone());
                        return Err(HubError::CdnRefused { host, status, place, renewals: refusals });
                    };
                    refusals += 1;
                    tokio::time::sleep(delay).await;
                }
                Attempt::Moved(url) if hops < MAX_HOPS => {
                    hops += 1;
                    self.0.follow(&location, url).await;
                }
                Attempt::Moved(_) => return Err(self.0.sent_round(&location.url)),
            }
        }
        let buffer = reading.buffer;
        if secret::is_in(&buffer) {
            return Err(HubError::RepeatsToken { host: redact::host(&self.0.url), place: self.0.place.clone() });
        }
        Ok(Bytes::from(buffer))
    }

    /// One request for what is still missing of a range, unless the answer to it is there.
    async fn attempt(
        &self,
        location: &Location,
        answer: Option<Exchange>,
        reading: &mut Reading,
        budget: &mut Budget,
    ) -> Result<Attempt, HubError> {
        let rest = reading.rest();
        let Reading { matter, buffer, etag, .. } = reading;
        let mut exchange = if let Some(answer) = answer {
            answer
        } else {
            let (url, part) = (&location.url, Part::Range(rest));
            self.0.client.exchange(url, location.target, part, &self.0.place, budget).await?
        };
        let status = exchange.response.status();
        if let Some(next) = self.0.client.redirect_target(&exchange, &location.url, &self.0.place)? {
            self.0.check_facts(&exchange)?;
            self.0.client.drain(exchange.response).await;
            return Ok(Attempt::Moved(next));
        }
        if !body::is_hub(location.target) && matches!(status.as_u16(), 400 | 401 | 403) {
            let host = exchange.host.clone();
            self.0.client.drain(exchange.response).await;
            return Ok(Attempt::Refused { host, status });
        }
        if !status.is_success() {
            return Err(self.0.client.refusal(exchange, &self.0.place, None).await);
        }
        self.check_etag(exchange.response.headers(), etag)?;
        let whole = self.is_whole_file(&exchange, rest)?;
        let before = buffer.len();
        let expected = if whole { self.0.size } else { rest.len() };
        self.0.client.account().reserve(*matter, expected, &self.0.place)?;
        let outcome = self.0.client.read_body(&mut exchange.response, expected, buffer, None).await;
        let arrived = (buffer.len() - before) as u64;
        self.0.client.account().give_back(*matter, expected.saturating_sub(arrived));
        match outcome {
            Ok(()) => {}
            Err(BodyError::TooLarge) => return Err(self.wrong_length(&exchange, rest, expected + 1)),
            Err(BodyError::Exhausted(error)) => return Err(error),
            Err(BodyError::Cut(fault)) => {
                if whole || !fault.is_transient() {
                    buffer.truncate(before);
                }
                return Ok(Attempt::Cut { fault, host: exchange.host });
            }
        }
        let got = (buffer.len() - before) as u64;
        if got != expected {
            return Err(self.wrong_length(&exchange, rest, got));
        }
        if whole {
            cut_to(buffer, before, rest);
        }
        Ok(Attempt::Done)
    }

    fn wrong_length(&self, exchange: &Exchange, range: ByteRange, got: u64) -> HubError {
        HubError::WrongLength { host: exchange.host.clone(), range, place: self.0.place.clone(), got }
    }

    /// Checks that the answer is the range that was asked. `true` if it is the whole of a small file instead.
    fn is_whole_file(&self, exchange: &Exchange, range: ByteRange) -> Result<bool, HubError> {
        let headers = exchange.response.headers();
        let wrong = |got: String| HubError::WrongRange {
            host: exchange.host.clone(),
            range,
            total: self.0.size,
            place: self.0.place.clone(),
            got,
        };
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            return Err(wrong(format!("a body encoded as `{}`", redact::excerpt(encoding.as_bytes()))));
        }
        let stated = headers.get(CONTENT_RANGE).map(|value| value.to_str().unwrap_or("unreadable"));
        match stated {
            Some(text) => {
                // Some servers answer 200 with an exact Content-Range; the range is what counts.
                let parsed: Option<ContentRange> = text.parse().ok();
                if parsed != Some(ContentRange { range, total: Some(self.0.size) }) {
                    return Err(wrong(format!("`Content-Range: {}`", redact::excerpt(text.as_bytes()))));
                }
                if exchange.response.content_length().is_some_and(|length| length != range.len()) {
                    return Err(self.wrong_length(exchange, range, exchange.response.content_length().unwrap_or(0)));
                }
                Ok(false)
            }
            None if exchange.response.status() == StatusCode::PARTIAL_CONTENT => {
                Err(wrong("206 without a Content-Range".to_owned()))
            }
            None if self.0.size <= WHOLE_FILE_CAP
                && exchange.response.content_length().is_none_or(|length| length == self.0.size) =>
            {
                Ok(true)
            }
            None => Err(HubError::RangeIgnored {
                host: exchange.host.clone(),
                range,
                place: self.0.place.clone(),
                length: exchange.response.content_length(),
            }),
        }
    }

    /// A file must not change while it is read. Addresses of several file hosts may state different `ETag`s, so the
    /// comparison holds within one range.
    fn check_etag(&self, headers: &HeaderMap, seen: &mut Option<String>) -> Result<(), HubError> {
        let Some(etag) = headers.get(ETAG).and_then(|value| value.to_str().ok()) else {
            return Ok(());
        };
        let before = seen.get_or_insert_with(|| etag.to_owned());
        if before == etag {
            return Ok(());
        }
        let [before, after] = [before.as_str(), etag].map(|etag| redact::excerpt(etag.as_bytes()));
        Err(HubError::EtagChanged { place: self.0.place.clone(), before, after })
    }
}

/// Keeps of the whole file at `buffer[from..]` only `range`.
fn cut_to(buffer: &mut Vec<u8>, from: usize, range: ByteRange) {
    let start = usize::try_from(range.start).unwrap_or(usize::MAX);
    let length = usize::try_from(range.len()).unwrap_or(usize::MAX);
    buffer.drain(from..from.saturating_add(start).min(buffer.len()));
    buffer.truncate(from.saturating_add(length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_small_file_is_cut_to_the_range() {
        let mut buffer = b"kept0123456789".to_vec();
        cut_to(&mut buffer, 4, ByteRange::new(2, 5));
        assert_eq!(buffer, b"kept234");
    }
}
