//! The way to content stores: which is asked with which token, how often at once, and when it is left.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use reqwest::{StatusCode, header::HeaderValue};
use tokio::{sync::Semaphore, time::Instant};
use url::Url;

use super::{
    error::{CasError, Unexamined},
    nodes::{ContentNode, Fingerprinted},
    terms::{Joined, Reconstruction, Term},
    token::{CasToken, TokenAnswer, renew_at},
};
use crate::{
    digest::xet::XetHash,
    hub::{
        api,
        body::BodyError,
        client::{Bucket, CasCall, HubClient, Target},
        error::{HubError, Place},
        redact,
        retry::Budget,
    },
    range::ByteRange,
    secret,
    spec::{Commit, RepoId},
};

/// Bytes of an answer that are read at most: one term a chunk of a file of 15 GB.
const ANSWER_CAP: u64 = 32 * 1024 * 1024;

/// Bytes of a token's answer that are read at most.
const TOKEN_CAP: u64 = 64 * 1024;

/// Requests at once to one store.
const AT_ONCE: usize = 4;

/// Requests for nodes at once, and positions in one: a header of four kilobytes.
const NODES_AT_ONCE: usize = 2;
const POSITIONS: usize = 150;

/// Bytes of a file that are asked for at once; the store's documentation advises against more than ten gigabytes.
const PART: u64 = 8 << 30;

/// Versions of the route, newest first.
const VERSIONS: [&str; 2] = ["v2", "v1"];

/// What was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CasTraffic {
    /// Tokens that were asked of the Hub.
    pub tokens: u64,
    /// Requests to the store, repeated attempts included.
    pub requests: u64,
    /// Bytes of the store's answers.
    pub bytes: u64,
}

/// A large file of a repository.
#[derive(Debug, Clone, Copy)]
pub struct CasFile<'a> {
    /// The repository.
    pub repo: &'a RepoId,
    /// Its commit.
    pub commit: &'a Commit,
    /// Path of the file.
    pub path: &'a str,
    /// Its size.
    pub size: u64,
    /// Its Xet hash.
    pub hash: XetHash,
}

impl CasFile<'_> {
    fn place(&self) -> Place {
        Place::new(self.repo, Some(self.commit), Some(self.path))
    }
}

/// A way to the content stores that a Hub names. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CasClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: HubClient,
    tokens: Mutex<HashMap<(RepoId, Commit), Arc<TokenSlot>>>,
    stores: Mutex<HashMap<Url, Arc<Store>>>,
    tokens_asked: AtomicU64,
    asked: Arc<AtomicU64>,
    bytes: AtomicU64,
}

/// Locked while the token is asked for, so that it is never asked for twice at once.
type TokenSlot = tokio::sync::Mutex<Option<Result<CasToken, CasError>>>;

/// What is asked of a store.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    /// The route, behind the store's address.
    path: &'a str,
    range: Option<ByteRange>,
    dirty: Option<&'a HeaderValue>,
}

/// What a run has learnt of a store.
#[derive(Debug)]
struct Store {
    places: Semaphore,
    /// Of requests for nodes, which cost a store more.
    places_of_nodes: Semaphore,
    /// Whether requests for nodes have failed.
    has_no_nodes: AtomicBool,
    /// Which of [`VERSIONS`] it speaks; their number while that is not known.
    version: AtomicUsize,
    /// Why it is not asked again.
    lost: OnceLock<CasError>,
}

impl CasClient {
    /// No request is sent.
    pub fn new(hub: &HubClient) -> Self {
        Self(Arc::new(Inner {
            hub: hub.clone(),
            tokens: Mutex::default(),
            stores: Mutex::default(),
            tokens_asked: AtomicU64::new(0),
            asked: Arc::default(),
            bytes: AtomicU64::new(0),
        }))
    }

    /// What was asked so far.
    pub fn traffic(&self) -> CasTraffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CasTraffic { tokens: count(&self.0.tokens_asked), requests: count(&self.0.asked), bytes: count(&self.0.bytes) }
    }

    /// What a file is made of, in its order: its terms together are the file.
    pub async fn terms(&self, file: &CasFile<'_>) -> Result<Vec<Term>, CasError> {
        let mut joined = Joined::default();
        while joined.end < file.size {
            let part = ByteRange::new(joined.end, file.size.min(joined.end.saturating_add(PART)));
            let range = (part.len() < file.size).then_some(part);
            let (store, body) = self.reconstruction(file, range).await?;
            let inconsistent = |reason: String| {
                let (host, place) = (redact::host(&store), file.place());
                CasError::new(Unexamined::Inconsistent, HubError::Chunks { host, place, reason })
            };
            let answer: Reconstruction = serde_json::from_slice(&body)
                .map_err(|error| inconsistent(redact::excerpt(error.to_string().as_bytes())))?;
            joined.add(answer, part, file.size).map_err(inconsistent)?;
        }
        Ok(joined.terms)
    }

    /// Nodes of the file's own Merkle tree, which name the bytes below them however these are stored: of what lies between the chunks
    /// that `positions` are in, which are in ascending order.
    pub async fn nodes(&self, file: &CasFile<'_>, positions: &[u64]) -> Result<Vec<ContentNode>, CasError> {
        let mut nodes = Vec::new();
        for positions in positions.chunks(POSITIONS) {
            let ranges: Vec<String> = positions.iter().map(|at| format!("{at}-{at}")).collect();
            let ask = async |token: &CasToken, store: &Store| {
                let dirty = HeaderValue::from_str(&format!("bytes={}", ranges.join(",")));
                let _place = store.places_of_nodes.acquire().await.ok();
                let path = format!("v2/file-chunk-hashes/{}", file.hash);
                let is_off = store.has_no_nodes.load(Ordering::Relaxed);
                let Some(dirty) = dirty.ok().filter(|_| !is_off) else {
                    let (host, place) = (redact::host(&token.store), file.place());
                    return Err(CasError::new(Unexamined::Unknown, HubError::NoNodes { host, place }));
                };
                let asked = Asked { path: &path, range: None, dirty: Some(&dirty) };
                self.ask(file, asked, token, store).await.inspect_err(|error| {
                    if !is_status(&error.source, StatusCode::UNAUTHORIZED) {
                        store.has_no_nodes.store(true, Ordering::Relaxed);
                    }
                })
            };
            let (store, body) = self.with_token(file, ask).await?;
            let read = serde_json::from_slice::<Fingerprinted>(&body).map_err(|error| error.to_string());
            nodes.extend(read.and_then(|answer| answer.nodes(file.size)).map_err(|reason| {
                let (host, place) = (redact::host(&store), file.place());
                let reason = redact::excerpt(reason.as_bytes());
                CasError::new(Unexamined::Inconsistent, HubError::Chunks { host, place, reason })
            })?);
        }
        Ok(nodes)
    }

    /// The store's words on a file or a part of it, and which store it was.
    async fn reconstruction(&self, file: &CasFile<'_>, range: Option<ByteRange>) -> Result<(Url, Vec<u8>), CasError> {
        let ask = async |token: &CasToken, store: &Store| {
            let ask = async |version: usize| {
                let path = format!("{}/reconstructions/{}", VERSIONS[version], file.hash);
                self.ask(file, Asked { path: &path, range, dirty: None }, token, store).await
            };
            let known = store.version.load(Ordering::Relaxed);
            if known < VERSIONS.len() {
                return ask(known).await;
            }
            let (mut outcome, mut version) = (ask(0).await, 0);
            // It may be the route that is not there, and not the file.
            if outcome.as_ref().is_err_and(|error| is_no_route(&error.source)) {
                (outcome, version) = (ask(1).await, 1);
            }
            if outcome.is_ok() {
                store.version.store(version, Ordering::Relaxed);
            }
            outcome
        };
        self.with_token(file, ask).await
    }

    /// Asks with a token, and once more with a new one where that is refused; which store it was stands beside the answer.
    async fn with_token(
        &self,
        file: &CasFile<'_>,
        ask: impl AsyncFn(&CasToken, &Store) -> Result<Vec<u8>, CasError>,
    ) -> Result<(Url, Vec<u8>), CasError> {
        let token = self.token(file, None).await?;
        match ask(&token, &self.store(&token.store)).await {
            Err(error) if is_status(&error.source, StatusCode::UNAUTHORIZED) => {
                let token = self.token(file, Some(token.generation)).await?;
                let body = ask(&token, &self.store(&token.store)).await?;
                Ok((token.store, body))
            }
            outcome => Ok((token.store, outcome?)),
        }
    }

    async fn ask(
        &self,
        file: &CasFile<'_>,
        asked: Asked<'_>,
        token: &CasToken,
        store: &Store,
    ) -> Result<Vec<u8>, CasError> {
        let failed = |source: HubError| {
            let state = match &source {
                HubError::Unreachable { .. } | HubError::Tls { .. } => Unexamined::Unreachable,
                HubError::Status { status: 403 | 404, .. } => Unexamined::Unknown,
                HubError::Status { status: 401, .. } => Unexamined::TokenRefused,
                HubError::TooLarge { .. } | HubError::RepeatsToken { .. } => Unexamined::Inconsistent,
                _ => Unexamined::Failed,
            };
            let error = CasError::new(state, source);
            if state == Unexamined::Unreachable {
                // The first reason counts.
                let _ = store.lost.set(error.clone());
            }
            error
        };
        let text = format!("{}/{}", token.store.as_str().trim_end_matches('/'), asked.path);
        let url = Url::parse(&text)
            .map_err(|error| failed(HubError::Endpoint { text: redact::address(&text), reason: error.to_string() }))?;
        // The semaphore is never closed.
        let _place = store.places.acquire().await.ok();
        if let Some(lost) = store.lost.get() {
            return Err(lost.clone());
        }
        let (token, counter) = (token.value.clone(), Arc::clone(&self.0.asked));
        let call = CasCall { token, dirty: asked.dirty.cloned(), asked: counter };
        self.whole_answer(&url, asked.range, &call, &file.place()).await.map_err(failed)
    }

    /// One answer, at most [`ANSWER_CAP`] of it. A redirect is none: the token would go with it.
    async fn whole_answer(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        call: &CasCall,
        place: &Place,
    ) -> Result<Vec<u8>, HubError> {
        let hub = &self.0.hub;
        let mut budget = Budget::new(hub.retry_policy());
        loop {
            let mut exchange = hub.exchange(url, Target::Cas(call), range, place, &mut budget).await?;
            let status = exchange.response.status();
            if !status.is_success() {
                let (host, message) = (exchange.host.clone(), hub.server_message(exchange.response).await);
                return Err(HubError::Status { host, status: status.as_u16(), place: place.clone(), message });
            }
            let stated = exchange.response.content_length();
            if let Some(size) = stated.filter(|&size| size > ANSWER_CAP) {
                return Err(HubError::TooLarge { place: place.clone(), size, cap: ANSWER_CAP });
            }
            let mut body = Vec::new();
            let read = hub.read_body(&mut exchange.response, ANSWER_CAP, &mut body, Some(place)).await;
            self.0.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
            match read {
                Ok(()) if secret::is_in(&body) => {
                    return Err(HubError::RepeatsToken { host: exchange.host, place: place.clone() });
                }
                Ok(()) => return Ok(body),
                Err(BodyError::TooLarge) => {
                    return Err(HubError::TooLarge { place: place.clone(), size: ANSWER_CAP + 1, cap: ANSWER_CAP });
                }
                Err(BodyError::Exhausted(error)) => return Err(error),
                Err(BodyError::Cut(fault)) => {
                    let host = exchange.host.clone();
                    drop(exchange);
                    hub.pause_or_give_up(fault, &host, body.len() as u64, &mut budget).await?;
                }
            }
        }
    }

    fn store(&self, url: &Url) -> Arc<Store> {
        let new = || Store {
            places: Semaphore::new(AT_ONCE),
            places_of_nodes: Semaphore::new(NODES_AT_ONCE),
            has_no_nodes: AtomicBool::new(false),
            version: AtomicUsize::new(VERSIONS.len()),
            lost: OnceLock::new(),
        };
        Arc::clone(self.0.stores.lock().entry(url.clone()).or_insert_with(|| Arc::new(new())))
    }

    /// The token for the files of a commit; a new one where it ends soon, or the store has `refused` that one. What the Hub does not
    /// give once it is not asked for again.
    async fn token(&self, file: &CasFile<'_>, refused: Option<u64>) -> Result<CasToken, CasError> {
        let key = (file.repo.clone(), file.commit.clone());
        let slot = Arc::clone(self.0.tokens.lock().entry(key).or_default());
        let mut slot = slot.lock().await;
        let generation = match &*slot {
            Some(Ok(token)) => {
                let is_alive = token.renew_at.is_none_or(|at| Instant::now() < at);
                if is_alive && refused != Some(token.generation) {
                    return Ok(token.clone());
                }
                token.generation + 1
            }
            Some(Err(error)) => return Err(error.clone()),
            None => 0,
        };
        let outcome = self.new_token(file, generation).await.map_err(|source| {
            let state = match &source {
                HubError::RepoNotFound { .. }
                | HubError::RevisionNotFound { .. }
                | HubError::EntryNotFound { .. }
                | HubError::Gated { .. }
                | HubError::Disabled { .. }
                | HubError::BadToken
                | HubError::Forbidden { .. }
                | HubError::Status { .. } => Unexamined::TokenRefused,
                _ => Unexamined::Failed,
            };
            CasError::new(state, source)
        });
        *slot = Some(outcome.clone());
        outcome
    }

    async fn new_token(&self, file: &CasFile<'_>, generation: u64) -> Result<CasToken, HubError> {
        let hub = &self.0.hub;
        let place = Place::new(file.repo, Some(file.commit), None);
        let id = api::path(file.repo.as_str());
        let url = hub.url(&format!("api/models/{id}/xet-read-token/{}", file.commit))?;
        self.0.tokens_asked.fetch_add(1, Ordering::Relaxed);
        let answer = hub.get_secret(&url, Bucket::Api, &place, None, TOKEN_CAP).await?;
        // Why it cannot be read is not told: the reason may hold the token.
        let no_token = |_| HubError::NoStoreToken { host: answer.host.clone(), place: place.clone() };
        let TokenAnswer { access_token, exp, cas_url } = serde_json::from_slice(&answer.body).map_err(no_token)?;
        secret::keep(&access_token);
        let mut value =
            HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(|_| HubError::UnsendableToken)?;
        value.set_sensitive(true);
        let store = hub.store_url(&cas_url).map_err(|reason| HubError::Redirect {
            host: answer.host,
            place,
            reason: reason.to_owned(),
        })?;
        Ok(CasToken { value, store, renew_at: renew_at(exp), generation })
    }
}

fn is_status(error: &HubError, expected: StatusCode) -> bool {
    matches!(error, HubError::Status { status, .. } if *status == expected.as_u16())
}

fn is_no_route(error: &HubError) -> bool {
    is_status(error, StatusCode::NOT_FOUND) || is_status(error, StatusCode::NOT_IMPLEMENTED)
}
