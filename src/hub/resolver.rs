//! Where the bytes of a file are: asked once, renewed before the address expires, and shared by all who read the file.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Mutex;
use url::Url;

use super::{
    body,
    client::{Bucket, Exchange, HubClient, Part, Target},
    error::{HubError, Place},
    redact,
    retry::Budget,
};
use crate::range::ByteRange;

/// A signed address is renewed when less than this remains of its life.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// Redirects before the file's address is known (renamed repository, other letter case), and again before its bytes come.
pub(super) const MAX_HOPS: usize = 5;

/// The way to the bytes of one file.
#[derive(Debug)]
pub(super) struct Resolver {
    pub(super) client: HubClient,
    pub(super) place: Place,
    pub(super) size: u64,
    pub(super) url: Url,
    /// Locked while it is being resolved, so that a file is never resolved twice at once.
    location: Mutex<Option<Resolved>>,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub(super) url: Url,
    pub(super) target: Target<'static>,
    expires: Option<SystemTime>,
    /// Counts renewals, so that a reader whose address was refused does not renew one that is already fresh.
    pub(super) generation: u64,
}

/// What came of resolving a file.
#[derive(Debug)]
enum Resolved {
    Found(Location),
    Failed { at: Instant, error: Arc<HubError>, generation: u64 },
}

impl Resolver {
    /// Of the file of this `size` that `url` resolves. No request is sent.
    pub(super) fn new(client: &HubClient, place: Place, size: u64, url: Url) -> Self {
        Self { client: client.clone(), place, size, url, location: Mutex::new(None) }
    }

    /// The address to read from: the known one while it lives, else a new one. `refused` is the generation that a file host
    /// turned down. Whoever asks the resolver asks it for `range`: a Hub that serves the file itself answers with the bytes.
    pub(super) async fn location(
        &self,
        refused: Option<u64>,
        range: ByteRange,
        budget: &mut Budget,
    ) -> Result<(Location, Option<Exchange>), HubError> {
        let asked = Instant::now();
        let mut known = self.location.lock().await;
        let generation = match known.as_ref() {
            Some(Resolved::Found(location)) => {
                let alive = location.expires.is_none_or(|expires| SystemTime::now() + EXPIRY_MARGIN < expires);
                if alive && refused != Some(location.generation) {
                    return Ok((location.clone(), None));
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
        match self.resolve(generation, range, budget).await {
            Ok((location, answer)) => {
                *known = Some(Resolved::Found(location.clone()));
                Ok((location, answer))
            }
            Err(error) => {
                let error = Arc::new(error);
                *known = Some(Resolved::Failed { at: Instant::now(), error: Arc::clone(&error), generation });
                Err(HubError::Shared(error))
            }
        }
    }

    /// From now on the file is read at `url`, unless another reader has found a new address already.
    pub(super) async fn follow(&self, from: &Location, url: Url) {
        let mut known = self.location.lock().await;
        if let Some(Resolved::Found(location)) = &mut *known
            && location.generation == from.generation
        {
            *location = self.found(url, from.generation + 1);
        }
    }

    fn found(&self, url: Url, generation: u64) -> Location {
        Location { target: self.client.target(&url, Bucket::Resolvers), expires: expiry(&url), generation, url }
    }

    /// Asks the resolver, with redirects off, and reads the file's facts from the first answer that has them.
    async fn resolve(
        &self,
        generation: u64,
        range: ByteRange,
        budget: &mut Budget,
    ) -> Result<(Location, Option<Exchange>), HubError> {
        let mut url = self.url.clone();
        for _ in 0..=MAX_HOPS {
            let target = self.client.target(&url, Bucket::Resolvers);
            let exchange = self.client.exchange(&url, target, Part::Range(range), &self.place, budget).await?;
            self.check_facts(&exchange)?;
            if let Some(next) = self.client.redirect_target(&exchange, &url, &self.place)? {
                let moved = matches!(exchange.response.status().as_u16(), 301 | 307 | 308);
                self.client.drain(exchange.response).await;
                // 302 leads to where the bytes are; 301, 307 and 308 to where the question belongs: a renamed repository, or
                // another Hub that a mirror stands for.
                if moved || body::is_hub(self.client.target(&next, Bucket::Resolvers)) {
                    url = next;
                    continue;
                }
                return Ok((self.found(next, generation), None));
            }
            if !exchange.response.status().is_success() {
                return Err(self.client.refusal(exchange, &self.place, None).await);
            }
            // Served by the Hub itself (private, gated, small, or a mirror): other ranges go to the same address.
            return Ok((Location { url, target, expires: None, generation }, Some(exchange)));
        }
        Err(self.sent_round(&url))
    }

    pub(super) fn sent_round(&self, url: &Url) -> HubError {
        HubError::Redirect {
            host: redact::host(url),
            place: self.place.clone(),
            reason: format!("more than {MAX_HOPS} times"),
        }
    }

    /// The commit and the size that the resolver states must be those that were pinned and listed.
    pub(super) fn check_facts(&self, exchange: &Exchange) -> Result<(), HubError> {
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
}
