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
    redirect,
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use url::Url;

use super::{
    error::{HubError, Place},
    peer, redact,
    retry::{self, Budget, Fault, RetryPolicy},
    tls,
};
use crate::{range::ByteRange, secret};

/// A Hub access token. It is sent to the Hub's own origin only, and it never prints.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes the text of a token; white space around it is dropped. `None` if it is empty. From now on no text that passes
    /// [`secret::hide`] holds it.
    pub fn new(text: &str) -> Result<Option<Self>, HubError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        secret::keep(text);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HubError::UnsendableToken);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| HubError::UnsendableToken)?;
        value.set_sensitive(true);
        Ok(Some(Self(value)))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(<hidden>)")
    }
}

/// How to reach the Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Base URL, such as `https://huggingface.co`.
    pub endpoint: String,
    /// The token, if there is one.
    pub token: Option<Token>,
    /// Maximum concurrent requests.
    pub jobs: usize,
    /// No request at all.
    pub offline: bool,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while an answer arrives.
    pub read_timeout: Duration,
    /// What is tried again, and how often.
    pub retry: RetryPolicy,
    /// What requests go through.
    pub proxy: Proxy,
    /// Bytes of headers, indexes, listings and small files, over all models together: they come before any plan.
    pub max_metadata: u64,
}

/// What requests go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// The proxy that the environment names, if it names one.
    Environment,
    /// Nothing.
    None,
    /// Nothing at all: the environment names something else than a proxy.
    Malformed {
        /// The variable that does.
        variable: String,
    },
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            jobs: 32,
            offline: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            proxy: Proxy::Environment,
            max_metadata: 256_000_000,
        }
    }
}

/// No time-out is longer: clocks end somewhere.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// What has been asked and what has arrived so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// HTTP requests sent, redirects and repeated attempts included.
    pub requests: u64,
    /// Bytes of response bodies received.
    pub bytes: u64,
}

/// What bytes of an answer are, and so which limit they count against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// What a plan counts, since it is known before what it takes.
    Weights,
    /// What must be read before there is a plan.
    Metadata,
}

/// Bytes that may still arrive.
#[derive(Debug, Default)]
struct Allowance {
    /// What was allowed; `None` is as much as there is.
    limit: Option<u64>,
    left: u64,
}

/// The Hub's rate-limit buckets; file hosts have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    Api,
    Resolvers,
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
    requests: AtomicU64,
    bytes: AtomicU64,
    weights: Mutex<Allowance>,
    metadata: Mutex<Allowance>,
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
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            weights: Mutex::default(),
            metadata: Mutex::new(Allowance { limit: Some(options.max_metadata), left: options.max_metadata }),
            api_gate: Mutex::new(None),
            resolver_gate: Mutex::new(None),
        })))
    }

    /// What this client has moved so far.
    pub fn traffic(&self) -> Traffic {
        Traffic { requests: self.0.requests.load(Ordering::Relaxed), bytes: self.0.bytes.load(Ordering::Relaxed) }
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
        *self.allowance(Matter::Weights) = Allowance { limit: Some(bytes), left: bytes };
    }

    /// Takes `bytes` from what may still arrive for what `place` names.
    pub(super) fn reserve(&self, matter: Matter, bytes: u64, place: &Place) -> Result<(), HubError> {
        let mut allowance = self.allowance(matter);
        let Some(limit) = allowance.limit else { return Ok(()) };
        let place = || place.clone();
        allowance.left = allowance.left.checked_sub(bytes).ok_or_else(|| match matter {
            Matter::Weights => HubError::Exhausted { place: place(), limit },
            Matter::Metadata => HubError::TooMuchMetadata { place: place(), limit },
        })?;
        Ok(())
    }

    /// Gives back what was reserved and did not arrive.
    pub(super) fn give_back(&self, matter: Matter, bytes: u64) {
        let mut allowance = self.allowance(matter);
        allowance.left = allowance.left.saturating_add(bytes);
    }

    fn allowance(&self, matter: Matter) -> MutexGuard<'_, Allowance> {
        match matter {
            Matter::Weights => self.0.weights.lock(),
            Matter::Metadata => self.0.metadata.lock(),
        }
    }

    pub(super) fn retry_policy(&self) -> &RetryPolicy {
        &self.0.options.retry
    }

    pub(super) fn count_bytes(&self, count: u64) {
        self.0.bytes.fetch_add(count, Ordering::Relaxed);
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

    /// The address of the content store, which the Hub states as `text`, or why it is not asked.
    pub(super) fn store_url(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "to something that is not an address")?;
        let url = self.safe_target(&self.0.endpoint, url.as_str())?;
        let is_plain_and_here = self.0.endpoint.scheme() == "http" && peer::is_here(&self.0.endpoint);
        if url.scheme() != "https" && !is_plain_and_here {
            return Err("to an address without https");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("to an address with a query in it");
        }
        Ok(url)
    }

    /// The address `text`, to which an answer from `from` points, or why it is not gone to: only HTTP, never out of HTTPS, with no
    /// user name, and into this machine or its network only where the Hub itself is there.
    pub(super) fn safe_target(&self, from: &Url, text: &str) -> Result<Url, &'static str> {
        let next = peer::safe_target(from, text)?;
        if peer::is_near(&next) && !peer::is_near(&self.0.endpoint) {
            return Err("to an address of this machine or its network");
        }
        Ok(next)
    }

    /// Sends one GET until its headers arrive with a status that is not transient, within `budget`.
    pub(super) async fn exchange(
        &self,
        url: &Url,
        target: Target<'_>,
        range: Option<ByteRange>,
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
            self.0.requests.fetch_add(1, Ordering::Relaxed);
            if let Target::Cas(call) = target {
                call.asked.fetch_add(1, Ordering::Relaxed);
            }
            match self.request(url, target, range).await?.send().await {
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
        };
        Err(if source.is_timeout() && !source.is_connect() {
            HubError::Timeout { host, attempts, source }
        } else if source.is_connect() {
            HubError::Unreachable { host, attempts, source }
        } else {
            HubError::Broken { host, attempts, received, source }
        })
    }

    async fn request(
        &self,
        url: &Url,
        target: Target<'_>,
        range: Option<ByteRange>,
    ) -> Result<reqwest::RequestBuilder, HubError> {
        let is_secure = url.scheme() == "https";
        let client = if is_secure { &self.0.secure } else { &self.0.plain };
        let client = client.get_or_try_init(|| async { build(&self.0.options, is_secure) }).await?;
        // Ranges must stay ranges: a compressed answer to a range is the whole file, compressed.
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
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
        if let Some(range) = range {
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

fn build(options: &HubOptions, is_secure: bool) -> Result<Client, HubError> {
    if let Proxy::Malformed { variable } = &options.proxy {
        return Err(HubError::Proxy { variable: variable.clone() });
    }
    tls::choose_provider();
    let builder = || {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect_timeout.min(LONGEST_TIMEOUT))
            .read_timeout(options.read_timeout.min(LONGEST_TIMEOUT))
            .pool_max_idle_per_host(options.jobs)
            .user_agent(concat!("hub-audit/", env!("CARGO_PKG_VERSION")));
        if options.proxy == Proxy::Environment { builder } else { builder.no_proxy() }
    };
    let built = builder().build();
    // Without TLS a machine without certificates will do, unless a proxy is spoken to over TLS.
    let built = if is_secure { built } else { built.or_else(|_| builder().tls_certs_only([]).build()) };
    built.map_err(|source| HubError::Client { source })
}

fn parse_endpoint(text: &str) -> Result<Url, HubError> {
    let invalid = |reason: String| HubError::Endpoint { text: redact::address(text), reason };
    let url = Url::parse(text.trim().trim_end_matches('/')).map_err(|error| invalid(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid("it must begin with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not hold a user name or password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it must not hold a query".to_owned()));
    }
    Ok(url)
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

    #[test]
    fn a_token_never_prints() {
        let token = Token::new(" hf_secret\n").unwrap().unwrap();
        assert!(!format!("{token:?}").contains("secret"));
        assert!(!format!("{:?}", token.0).contains("secret"));
        assert!(Token::new("  ").unwrap().is_none());
        for text in ["a\nb", "a b", "hf_tökén"] {
            assert!(matches!(Token::new(text), Err(HubError::UnsendableToken)), "{text}");
        }
    }

    #[test]
    fn only_a_web_address_is_an_endpoint() {
        assert!(parse_endpoint("https://huggingface.co/").is_ok());
        assert!(parse_endpoint("http://127.0.0.1:1/base").is_ok());
        for text in ["huggingface.co", "ftp://a", "https://", "http://a/?b=c"] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_hub_of_this_machine_sends_into_it() {
        let target = |endpoint: &str, text: &str| {
            let options = HubOptions { endpoint: endpoint.to_owned(), ..HubOptions::default() };
            let from = Url::parse(endpoint).unwrap();
            HubClient::new(&options).unwrap().safe_target(&from, text).is_ok()
        };
        for near in
            ["http://127.0.0.1/f", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/f", "http://localhost:1/"]
        {
            assert!(!target("http://hub.example", near), "{near}");
            assert!(target("http://127.0.0.1:8000", near), "{near}");
            assert!(target("http://hub.corp", near), "{near}");
        }
        assert!(target("http://hub.example", "https://cdn.example/f"));
    }

    #[test]
    fn a_content_store_is_reached_by_https_unless_the_hub_is_here() {
        let store = |endpoint: &str, text: &str| {
            let options = HubOptions { endpoint: endpoint.to_owned(), ..HubOptions::default() };
            HubClient::new(&options).unwrap().store_url(text).map(String::from)
        };
        let hub = "https://hub.example";
        assert_eq!(store(hub, "https://cas.example"), Ok("https://cas.example/".to_owned()));
        assert_eq!(store(hub, "http://cas.example"), Err("from https to http"));
        assert_eq!(store(hub, "https://me:secret@cas.example"), Err("to an address with a user name in it"));
        assert_eq!(store(hub, "https://169.254.169.254"), Err("to an address of this machine or its network"));
        assert_eq!(store(hub, "https://cas.example/?a=b"), Err("to an address with a query in it"));
        assert_eq!(store(hub, ""), Err("to something that is not an address"));
        assert_eq!(store(hub, "/cas"), Err("to something that is not an address"));
        assert_eq!(store("http://hub.corp", "http://cas.corp"), Err("to an address without https"));
        assert_eq!(store("http://127.0.0.1:8000", "http://127.0.0.1:8001"), Ok("http://127.0.0.1:8001/".to_owned()));
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated_however_malformed_it_is() {
        for text in [
            "https://me:secret@host",
            "http://me:secret@127.0.0.1:99999",
            "http://me:secret@[bad",
            "http://me:se/secret@host",
            "http://me:se?secret@host",
            "http://me:se#secret@host",
            "http://me:secret%40host:x",
            "me:secret@host",
            "ftp://me:secret@host",
            "http:\\\\me:secret@host:x",
            "http://host:x/?key=secret",
        ] {
            // Without the password some of them are addresses.
            let Err(error) = parse_endpoint(text).map_err(|error| error.to_string()) else { continue };
            assert!(!error.contains("secret") && !error.contains("me:"), "{error}");
        }
        let error = parse_endpoint("huggingface.co").unwrap_err();
        assert!(error.to_string().starts_with("`huggingface.co` cannot be the Hub's address"), "{error}");
    }

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
            let request = client.request(&url, target, None).await.unwrap().build().unwrap();
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
        let request = client.request(&url, Target::Cas(&call), None).await.unwrap().build().unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer xet_y");
    }
}
