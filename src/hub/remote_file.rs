//! One large file of a repository, read by ranges.
//!
//! The file is resolved once: a ranged GET with redirects off gives the commit, the size and the signed address, and every
//! range goes straight to that address, without the token, until a minute before it expires. Each answer is checked: status
//! 206, exactly the range that was asked, the known size, no encoding, the same `ETag`, the whole length. A body that breaks
//! off is resumed at the next byte. A file host that refuses the address gets a renewed one, the first outside the retry budget; one
//! that redirects is followed.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap},
};
use tokio::sync::Mutex;
use url::Url;

use super::{
    api,
    body::{self, BodyError},
    client::{Bucket, Exchange, HubClient, Matter, Target},
    content_range::ContentRange,
    error::{HubError, Place},
    redact,
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

/// A signed address is renewed when less than this remains of its life.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Redirects before the file's address is known (renamed repository, other letter case), and again before its bytes come.
const MAX_HOPS: usize = 5;

/// Times that an address is renewed which is refused each time.
const MAX_RENEWALS: u32 = 3;

/// A file at a commit, of known size.
#[derive(Debug)]
pub struct RemoteFile {
    client: HubClient,
    place: Place,
    resolver: Url,
    size: u64,
    /// Locked while it is being resolved, so that a file is never resolved twice at once.
    location: Mutex<Option<Resolved>>,
}

#[derive(Debug, Clone)]
struct Location {
    url: Url,
    target: Target<'static>,
    expires: Option<SystemTime>,
    /// Counts renewals, so that a reader whose address was refused does not renew one that is already fresh.
    generation: u64,
}

/// What came of resolving a file.
#[derive(Debug)]
enum Resolved {
    Found(Location),
    Failed { at: Instant, error: Arc<HubError>, generation: u64 },
}

/// A range on its way.
struct Reading {
    range: ByteRange,
    matter: Matter,
    /// What has arrived of it.
    buffer: Vec<u8>,
    etag: Option<String>,
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
        let resolver =
            client.url(&format!("{}/resolve/{commit}/{}", api::path(repo.as_str()), api::path(&file.path)))?;
        Ok(Self {
            client: client.clone(),
            place: Place::new(repo, Some(commit), Some(&file.path)),
            resolver,
            size: file.size,
            location: Mutex::new(None),
        })
    }

    /// Size in bytes, as the listing states it and as every answer must confirm.
    pub fn size(&self) -> u64 {
        self.size
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
        let mut budget = Budget::new(self.client.retry_policy());
        let buffer = Vec::with_capacity(usize::try_from(range.len().min(LARGEST_RESERVE)).unwrap_or(0));
        let mut reading = Reading { range, matter, buffer, etag: None };
        let mut refused = None;
        // Refusals and redirects one after the other, and how much had arrived when the budget was new.
        let (mut refusals, mut hops, mut paid) = (0, 0, 0);
        loop {
            let location = self.location(refused, &mut budget).await?;
            let attempt = self.attempt(&location, &mut reading, &mut budget).await?;
            let received = reading.buffer.len() as u64;
            if received >= paid + PROGRESS {
                (budget, paid) = (Budget::new(self.client.retry_policy()), received);
            }
            match attempt {
                // Of a message whose end did not come, all of the range may have.
                Attempt::Done => break,
                Attempt::Cut { .. } if received == range.len() => break,
                Attempt::Cut { fault, host } => {
                    (refusals, hops) = (0, 0);
                    self.client.pause_or_give_up(fault, &host, received, &mut budget).await?;
                }
                Attempt::Refused { host, status } => {
                    (refused, hops) = (Some(location.generation), 0);
                    // The first address may have died; a fresh one that is refused is a fault like others.
                    let delay = if refusals == 0 { Some(Duration::ZERO) } else { budget.next_delay() };
                    let Some(delay) = delay.filter(|_| refusals < MAX_RENEWALS) else {
                        let (status, place) = (status.as_u16(), self.place.clone());
                        return Err(HubError::CdnRefused { host, status, place, renewals: refusals });
                    };
                    refusals += 1;
                    tokio::time::sleep(delay).await;
                }
                Attempt::Moved(url) if hops < MAX_HOPS => {
                    hops += 1;
                    self.follow(&location, url).await;
                }
                Attempt::Moved(_) => return Err(self.sent_round(&location.url)),
            }
        }
        let buffer = reading.buffer;
        if secret::is_in(&buffer) {
            return Err(HubError::RepeatsToken { host: redact::host(&self.resolver), place: self.place.clone() });
        }
        Ok(Bytes::from(buffer))
    }

    /// From now on the file is read at `url`, unless another reader has found a new address already.
    async fn follow(&self, from: &Location, url: Url) {
        let mut known = self.location.lock().await;
        if let Some(Resolved::Found(location)) = &mut *known
            && location.generation == from.generation
        {
            *location = Location {
                target: self.client.target(&url, Bucket::Resolvers),
                expires: expiry(&url),
                generation: from.generation + 1,
                url,
            };
        }
    }

    fn sent_round(&self, url: &Url) -> HubError {
        HubError::Redirect {
            host: redact::host(url),
            place: self.place.clone(),
            reason: format!("more than {MAX_HOPS} times"),
        }
    }

    /// One request for what is still missing of a range.
    async fn attempt(
        &self,
        location: &Location,
        reading: &mut Reading,
        budget: &mut Budget,
    ) -> Result<Attempt, HubError> {
        let Reading { range, matter, buffer, etag } = reading;
        let rest = ByteRange::new(range.start + buffer.len() as u64, range.end);
        let mut exchange =
            self.client.exchange(&location.url, location.target, Some(rest), &self.place, budget).await?;
        let status = exchange.response.status();
        if let Some(next) = self.client.redirect_target(&exchange, &location.url, &self.place)? {
            self.check_facts(&exchange)?;
            self.client.drain(exchange.response).await;
            return Ok(Attempt::Moved(next));
        }
        if !body::is_hub(location.target) && matches!(status.as_u16(), 400 | 401 | 403) {
            let host = exchange.host.clone();
            self.client.drain(exchange.response).await;
            return Ok(Attempt::Refused { host, status });
        }
        if !status.is_success() {
            return Err(self.client.refusal(exchange, &self.place, None).await);
        }
        self.check_etag(exchange.response.headers(), etag)?;
        let whole = self.is_whole_file(&exchange, rest)?;
        let before = buffer.len();
        let expected = if whole { self.size } else { rest.len() };
        self.client.reserve(*matter, expected, &self.place)?;
        let outcome = self.client.read_body(&mut exchange.response, expected, buffer, None).await;
        let arrived = (buffer.len() - before) as u64;
        self.client.give_back(*matter, expected.saturating_sub(arrived));
        match outcome {
            Ok(()) => {}
            Err(BodyError::TooLarge) => {
                return Err(self.wrong_length(&exchange, rest, expected + 1));
            }
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
        HubError::WrongLength { host: exchange.host.clone(), range, place: self.place.clone(), got }
    }

    /// Checks that the answer is the range that was asked. `true` if it is the whole of a small file instead.
    fn is_whole_file(&self, exchange: &Exchange, range: ByteRange) -> Result<bool, HubError> {
        let headers = exchange.response.headers();
        let wrong = |got: String| HubError::WrongRange {
            host: exchange.host.clone(),
            range,
            total: self.size,
            place: self.place.clone(),
            got,
        };
        if let Some(encoding) = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok())
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(wrong(format!("a body encoded as `{}`", redact::excerpt(encoding.as_bytes()))));
        }
        let stated = headers.get(CONTENT_RANGE).map(|value| value.to_str().unwrap_or("unreadable"));
        match stated {
            Some(text) => {
                // Some servers answer 200 with an exact Content-Range; the range is what counts.
                let parsed: Option<ContentRange> = text.parse().ok();
                if parsed != Some(ContentRange { range, total: Some(self.size) }) {
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
            None if self.size <= WHOLE_FILE_CAP
                && exchange.response.content_length().is_none_or(|length| length == self.size) =>
            {
                Ok(true)
            }
            None => Err(HubError::RangeIgnored {
                host: exchange.host.clone(),
                range,
                place: self.place.clone(),
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
        match seen {
            Some(before) if before != etag => Err(HubError::EtagChanged {
                place: self.place.clone(),
                before: redact::excerpt(before.as_bytes()),
                after: redact::excerpt(etag.as_bytes()),
            }),
            Some(_) => Ok(()),
            None => {
                *seen = Some(etag.to_owned());
                Ok(())
            }
        }
    }

    /// The address to read from: the known one while it lives, else a new one. `refused` is the generation that a file host
    /// turned down.
    async fn location(&self, refused: Option<u64>, budget: &mut Budget) -> Result<Location, HubError> {
        let asked = Instant::now();
        let mut known = self.location.lock().await;
        let generation = match known.as_ref() {
            Some(Resolved::Found(location)) => {
                let alive = location.expires.is_none_or(|expires| SystemTime::now() + EXPIRY_MARGIN < expires);
                if alive && refused != Some(location.generation) {
                    return Ok(location.clone());
                }
                location.generation + 1
            }
            // Whoever waited for this failure shares it; whoever comes later may try again.
            Some(Resolved::Failed { at, error, .. }) if asked <= *at => {
                return Err(HubError::Shared(Arc::clone(error)));
            }
            Some(Resolved::Failed { generation, .. }) => generation + 1,
            None => 0,
        };
        match self.resolve(generation, budget).await {
            Ok(location) => {
                *known = Some(Resolved::Found(location.clone()));
                Ok(location)
            }
            Err(error) => {
                let error = Arc::new(error);
                *known = Some(Resolved::Failed { at: Instant::now(), error: Arc::clone(&error), generation });
                Err(HubError::Shared(error))
            }
        }
    }

    /// Asks the resolver for one byte, with redirects off, and reads the file's facts from the first answer that has them.
    async fn resolve(&self, generation: u64, budget: &mut Budget) -> Result<Location, HubError> {
        let mut url = self.resolver.clone();
        let probe = ByteRange::new(0, 1);
        for _ in 0..=MAX_HOPS {
            let target = self.client.target(&url, Bucket::Resolvers);
            let exchange = self.client.exchange(&url, target, Some(probe), &self.place, budget).await?;
            self.check_facts(&exchange)?;
            if let Some(next) = self.client.redirect_target(&exchange, &url, &self.place)? {
                let moved = matches!(exchange.response.status().as_u16(), 301 | 307 | 308);
                self.client.drain(exchange.response).await;
                let target = self.client.target(&next, Bucket::Resolvers);
                // 302 leads to where the bytes are; 301, 307 and 308 to where the question belongs: a renamed repository, or
                // another Hub that a mirror stands for.
                if body::is_hub(target) || moved {
                    url = next;
                    continue;
                }
                let expires = expiry(&next);
                return Ok(Location { url: next, target, expires, generation });
            }
            if !exchange.response.status().is_success() {
                return Err(self.client.refusal(exchange, &self.place, None).await);
            }
            // Served by the Hub itself (private, gated, small, or a mirror): ranges go to the same address.
            self.is_whole_file(&exchange, probe)?;
            let length = exchange.response.content_length();
            if length.is_some_and(|length| length <= 1) {
                self.client.drain(exchange.response).await;
            }
            return Ok(Location { url, target, expires: None, generation });
        }
        Err(self.sent_round(&url))
    }

    /// The commit and the size that the resolver states must be those that were pinned and listed.
    fn check_facts(&self, exchange: &Exchange) -> Result<(), HubError> {
        let text = |name: &str| exchange.response.headers().get(name).and_then(|value| value.to_str().ok());
        if let (Some(got), Some(pinned)) = (text("x-repo-commit"), self.place.commit())
            && !got.eq_ignore_ascii_case(pinned.as_str())
        {
            return Err(HubError::CommitDisagrees {
                host: exchange.host.clone(),
                place: self.place.clone(),
                got: redact::excerpt(got.as_bytes()),
            });
        }
        if let Some(got) = text("x-linked-size").and_then(|size| size.parse::<u64>().ok())
            && got != self.size
        {
            return Err(HubError::SizeDisagrees {
                host: exchange.host.clone(),
                place: self.place.clone(),
                expected: self.size,
                got,
            });
        }
        Ok(())
    }
}

/// Keeps of the whole file at `buffer[from..]` only `range`.
fn cut_to(buffer: &mut Vec<u8>, from: usize, range: ByteRange) {
    let start = usize::try_from(range.start).unwrap_or(usize::MAX);
    let length = usize::try_from(range.len()).unwrap_or(usize::MAX);
    buffer.drain(from..from.saturating_add(start).min(buffer.len()));
    buffer.truncate(from.saturating_add(length));
}

/// When a signed address dies: `Expires` in seconds since 1970, or `X-Amz-Date` + `X-Amz-Expires`.
fn expiry(url: &Url) -> Option<SystemTime> {
    let query = |name: &str| {
        url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    };
    if let Some(seconds) = query("Expires").and_then(|text| text.parse::<u64>().ok()) {
        return SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    }
    let life: u64 = query("X-Amz-Expires")?.parse().ok()?;
    // "20250716T145416Z", which is RFC 3339 without its dashes and colons.
    let mut date = query("X-Amz-Date")?;
    for (at, sign) in [(4, '-'), (7, '-'), (13, ':'), (16, ':')] {
        date.is_char_boundary(at).then(|| date.insert(at, sign))?;
    }
    humantime::parse_rfc3339(&date).ok()?.checked_add(Duration::from_secs(life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_address_tells_when_it_dies() {
        let at = |text: &str| {
            expiry(&Url::parse(text).unwrap())
                .map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(at("https://c/a?Expires=1752681256&Policy=x"), Some(1_752_681_256));
        assert_eq!(at("https://c/a?X-Amz-Date=20250716T145416Z&X-Amz-Expires=3600"), Some(1_752_681_256));
        assert_eq!(at("https://c/a?Expires=soon"), None);
        assert_eq!(at("https://c/a"), None);
    }

    #[test]
    fn a_whole_small_file_is_cut_to_the_range() {
        let mut buffer = b"kept0123456789".to_vec();
        cut_to(&mut buffer, 4, ByteRange::new(2, 5));
        assert_eq!(buffer, b"kept234");
    }
}
