//! One exchange over HTTP: what goes to the Hub's own origin carries the token, what goes to file hosts never does. Every exchange
//! counts against one limit of requests at once and one account of traffic.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::{Mutex, MutexGuard};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RANGE},
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use url::Url;

use super::{
    account::{Account, Traffic},
    error::{HubError, Place},
    options::{HubOptions, build, parse_endpoint},
    peer, redact,
    retry::{self, Budget, Fault, RetryPolicy},
};
use crate::range::ByteRange;

/// The Hub's rate-limit buckets; file hosts have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    Api,
    Resolvers,
}

/// How much of an address is asked for, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, as it is.
    Whole,
    /// All of it, which may come as gzip.
    Packed,
    /// A range, as it is: a compressed answer to a range is the whole file, compressed.
    Range(ByteRange),
}

/// Where a request goes, and so which token it carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'t> {
    /// The Hub's own token, where there is one.
    Hub(Bucket),
    /// None.
    Cdn,
    /// That of the content store alone.
    Cas(&'t CasCall),
}

/// What a request to the content store carries, and where it is counted.
pub(super) struct CasCall {
    pub(super) token: HeaderValue,
    /// Positions between which nodes are asked for.
    pub(super) dirty: Option<HeaderValue>,
    pub(super) asked: Arc<AtomicU64>,
    /// Bytes of answers.
    pub(super) bytes: Arc<AtomicU64>,
}

impl fmt::Debug for CasCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CasCall(<hidden>)")
    }
}

/// A connection to one Hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HubClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: HubOptions,
    endpoint: Url,
    /// Set up when the first request needs them: a run that asks nobody needs no certificates.
    plain: OnceCell<Client>,
    secure: OnceCell<Client>,
    jobs: Arc<Semaphore>,
    account: Account,
    api_gate: Mutex<Option<Instant>>,
    resolver_gate: Mutex<Option<Instant>>,
}

/// An answer whose headers have arrived. It keeps its place among the requests at once until its body is read.
pub(super) struct Exchange {
    pub(super) response: Response,
    pub(super) host: String,
    _permit: OwnedSemaphorePermit,
}

impl HubClient {
    /// Checks the address. No request is sent.
    pub fn new(options: &HubOptions) -> Result<Self, HubError> {
        Ok(Self(Arc::new(Inner {
            endpoint: parse_endpoint(&options.endpoint)?,
            plain: OnceCell::new(),
            secure: OnceCell::new(),
            jobs: Arc::new(Semaphore::new(options.jobs.max(1))),
            options: options.clone(),
            account: Account::new(options.max_metadata),
            api_gate: Mutex::new(None),
            resolver_gate: Mutex::new(None),
        })))
    }

    /// What this client has moved so far.
    pub fn traffic(&self) -> Traffic {
        self.0.account.traffic()
    }

    /// The Hub's address, without a trailing slash.
    pub fn endpoint(&self) -> &str {
        self.0.endpoint.as_str().trim_end_matches('/')
    }

    /// Whether requests are made without a token.
    pub fn is_anonymous(&self) -> bool {
        self.0.options.token.is_none()
    }

    /// From now on at most `bytes` of ranges of weights may arrive, repeated and superfluous ones included; what is beyond is not
    /// asked for. Without this call there is no limit.
    pub fn limit_ranges(&self, bytes: u64) {
        self.0.account.limit_weights(bytes);
    }

    pub(super) fn account(&self) -> &Account {
        &self.0.account
    }

    pub(super) fn retry_policy(&self) -> &RetryPolicy {
        &self.0.options.retry
    }

    /// Where `url` belongs: the Hub's own origin gets the token, everything else does not.
    pub(super) fn target(&self, url: &Url, bucket: Bucket) -> Target<'static> {
        if url.origin() == self.0.endpoint.origin() { Target::Hub(bucket) } else { Target::Cdn }
    }

    /// Joins path segments, already percent-encoded, to the endpoint.
    pub(super) fn url(&self, path: &str) -> Result<Url, HubError> {
        let text = format!("{}/{path}", self.endpoint());
        Url::parse(&text)
            .map_err(|error| HubError::Endpoint { text: redact::address(&text), reason: error.to_string() })
    }

    /// As [`peer::store_url`], for this Hub.
    pub(super) fn store_url(&self, text: &str) -> Result<Url, &'static str> {
        peer::store_url(&self.0.endpoint, text)
    }

    /// As [`peer::safe_target`], for this Hub.
    pub(super) fn safe_target(&self, from: &Url, text: &str) -> Result<Url, &'static str> {
        peer::safe_target(&self.0.endpoint, from, text)
    }

    /// Sends one GET until its headers arrive with a status that is not transient, within `budget`.
    pub(super) async fn exchange(
        &self,
        url: &Url,
        target: Target<'_>,
        part: Part,
        place: &Place,
        budget: &mut Budget,
    ) -> Result<Exchange, HubError> {
        let host = redact::host(url);
        if self.0.options.offline {
            return Err(HubError::Offline { what: place.to_string() });
        }
        loop {
            if let Target::Hub(bucket) = target {
                self.wait_at_gate(bucket).await;
            }
            let Ok(permit) = Arc::clone(&self.0.jobs).acquire_owned().await else {
                // The semaphore is never closed; should it ever be, no request may go out uncounted.
                return Err(HubError::Offline { what: place.to_string() });
            };
            // The window may have closed while this request queued for its place.
            if let Target::Hub(bucket) = target
                && self.closed_until(bucket).is_some()
            {
                continue;
            }
            self.0.account.count_request();
            if let Target::Cas(call) = target {
                call.asked.fetch_add(1, Ordering::Relaxed);
            }
            match self.request(url, target, part).await?.send().await {
                Ok(response) if retry::is_transient_status(response.status()) => {
                    let status = response.status();
                    let asked = retry::asked_wait(response.headers(), SystemTime::now());
                    let message = self.server_message(response).await;
                    drop(permit);
                    let Some(delay) = budget.next_delay() else {
                        return Err(HubError::StillFailing {
                            host,
                            status: status.as_u16(),
                            place: place.clone(),
                            attempts: budget.attempts(),
                            message,
                        });
                    };
                    self.pause(asked, delay, status, target).await?;
                }
                Ok(response) => {
                    if let Some(header) = contradiction(response.headers()) {
                        return Err(HubError::Contradiction { host, place: place.clone(), header });
                    }
                    return Ok(Exchange { response, host, _permit: permit });
                }
                // A content store that cannot be reached is done without, and soon.
                Err(error)
                    if matches!(target, Target::Cas(_))
                        && budget.attempts() > 1
                        && (error.is_connect() || error.is_timeout()) =>
                {
                    let (attempts, source) = (budget.attempts(), error.without_url());
                    return Err(HubError::Unreachable { host, attempts, source });
                }
                Err(error) => {
                    drop(permit);
                    self.pause_or_give_up(Fault::Http(error), &host, 0, budget).await?;
                }
            }
        }
    }

    /// Waits before the next attempt after a failed exchange, or says why there is none.
    pub(super) async fn pause_or_give_up(
        &self,
        fault: Fault,
        host: &str,
        received: u64,
        budget: &mut Budget,
    ) -> Result<(), HubError> {
        let delay = if fault.is_transient() { budget.next_delay() } else { None };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
            return Ok(());
        }
        let (host, attempts) = (host.to_owned(), budget.attempts());
        let source = match fault {
            Fault::Http(error) if retry::is_tls_error(&error) => {
                return Err(HubError::Tls { host, source: error.without_url() });
            }
            Fault::Http(error) => error.without_url(),
            Fault::Slow => {
                return Err(HubError::TooSlow { host, attempts, received });
            }
            Fault::Gzip(source) => {
                return Err(HubError::DamagedGzip { host, attempts, source });
            }
        };
        Err(if source.is_timeout() && !source.is_connect() {
            HubError::Timeout { host, attempts, source }
        } else if source.is_connect() {
            HubError::Unreachable { host, attempts, source }
        } else {
            HubError::Broken { host, attempts, received, source }
        })
    }

    async fn request(&self, url: &Url, target: Target<'_>, part: Part) -> Result<reqwest::RequestBuilder, HubError> {
        let is_secure = url.scheme() == "https";
        let client = if is_secure { &self.0.secure } else { &self.0.plain };
        let client = client.get_or_try_init(|| async { build(&self.0.options, is_secure) }).await?;
        let encoding = if part == Part::Packed { "gzip" } else { "identity" };
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, encoding);
        let token = match target {
            Target::Hub(_) => self.0.options.token.as_ref().map(|token| &token.0),
            Target::Cas(call) => Some(&call.token),
            Target::Cdn => None,
        };
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Target::Cas(CasCall { dirty: Some(dirty), .. }) = target {
            request = request.header("x-range-dirty", dirty.clone());
        }
        if let Part::Range(range) = part {
            request = request.header(RANGE, range.to_header());
        }
        Ok(request)
    }

    async fn pause(
        &self,
        asked: Option<Duration>,
        delay: Duration,
        status: StatusCode,
        target: Target<'_>,
    ) -> Result<(), HubError> {
        let Some(wait) = asked else {
            tokio::time::sleep(delay).await;
            return Ok(());
        };
        // A wait beyond the end of time is refused like one beyond the limit.
        let until = Instant::now().checked_add(wait).filter(|_| wait <= self.retry_policy().max_wait);
        let Some(until) = until else {
            return Err(HubError::RateLimited { wait, max_wait: self.retry_policy().max_wait });
        };
        match target {
            // The whole process shares the Hub's window: every request of the bucket waits, not only this one.
            Target::Hub(bucket) if status == StatusCode::TOO_MANY_REQUESTS => {
                let mut gate = self.gate(bucket);
                if gate.is_none_or(|earlier| earlier < until) {
                    *gate = Some(until);
                }
            }
            _ => tokio::time::sleep_until(until).await,
        }
        Ok(())
    }

    fn gate(&self, bucket: Bucket) -> MutexGuard<'_, Option<Instant>> {
        let gate = match bucket {
            Bucket::Api => &self.0.api_gate,
            Bucket::Resolvers => &self.0.resolver_gate,
        };
        gate.lock()
    }

    /// When the bucket's window opens, if it is closed now.
    fn closed_until(&self, bucket: Bucket) -> Option<Instant> {
        self.gate(bucket).filter(|&until| until > Instant::now())
    }

    /// Waits until the bucket's window opens.
    async fn wait_at_gate(&self, bucket: Bucket) {
        while let Some(until) = self.closed_until(bucket) {
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Headers by which an answer is checked.
const FACTS: [&str; 7] =
    ["content-length", "content-range", "content-encoding", "etag", "location", "x-repo-commit", "x-linked-size"];

/// A header by which the answer is checked and that says two things: which of them counts would be chance.
fn contradiction(headers: &HeaderMap) -> Option<&'static str> {
    let differ = |name: &&str| {
        let mut values = headers.get_all(*name).iter();
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    FACTS.into_iter().find(differ)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Token;

    #[tokio::test]
    async fn the_token_goes_to_the_hubs_origin_only() {
        let client = HubClient::new(&HubOptions {
            endpoint: "http://127.0.0.1:8000".to_owned(),
            token: Token::new("hf_x").unwrap(),
            ..HubOptions::default()
        })
        .unwrap();
        for (text, authorised) in [
            ("http://127.0.0.1:8000/a", true),
            ("http://127.0.0.1:8001/a", false),
            ("https://127.0.0.1:8000/a", false),
            ("http://localhost:8000/a", false),
        ] {
            let url = Url::parse(text).unwrap();
            let target = client.target(&url, Bucket::Api);
            let request = client.request(&url, target, Part::Whole).await.unwrap().build().unwrap();
            assert_eq!(request.headers().contains_key(AUTHORIZATION), authorised, "{text}");
        }
        // The content store has a token of its own, wherever it is.
        let call = CasCall {
            token: HeaderValue::from_static("Bearer xet_y"),
            dirty: None,
            asked: Arc::default(),
            bytes: Arc::default(),
        };
        assert!(!format!("{call:?}").contains("xet_y"));
        let url = Url::parse("http://127.0.0.1:8000/v2").unwrap();
        let request = client.request(&url, Target::Cas(&call), Part::Whole).await.unwrap().build().unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer xet_y");
    }
}
