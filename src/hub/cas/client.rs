//! The way to content stores: which is asked with which token, how often at once, and when it is left.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use reqwest::{StatusCode, header::HeaderValue};
use tokio::time::Instant;
use url::Url;

use super::{
    answer::read_answer,
    error::{CasError, Unexamined},
    nodes::{ContentNode, Fingerprinted},
    store::{Marks, Store, VERSIONS},
    terms::{Joined, Reconstruction, Term},
    token::{CasToken, TokenAnswer, renew_at},
};
use crate::{
    digest::xet::XetHash,
    hub::{
        api,
        body::Ask,
        client::{CasCall, HubClient},
        error::{HubError, Place},
        redact,
    },
    range::ByteRange,
    secret,
    spec::{Commit, RepoId},
};

/// Bytes of a token's answer that are read at most.
const TOKEN_CAP: u64 = 64 * 1024;

/// Marks in one request for nodes: a header of four kilobytes.
const MARKS: usize = 150;

/// Bytes of a file that are asked for at once; the store's documentation advises against more than ten gigabytes.
const PART: u64 = 8 << 30;

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
    bytes: Arc<AtomicU64>,
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

impl CasClient {
    /// No request is sent.
    pub fn new(hub: &HubClient) -> Self {
        Self(Arc::new(Inner {
            hub: hub.clone(),
            tokens: Mutex::default(),
            stores: Mutex::default(),
            tokens_asked: AtomicU64::new(0),
            asked: Arc::default(),
            bytes: Arc::default(),
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
            let (store, answer) = self.reconstruction(file, range).await?;
            joined.add(answer, part, file.size).map_err(|reason| inconsistent(&store, file, &reason))?;
        }
        Ok(joined.terms)
    }

    /// The chunk that holds a byte of a file, and how many bytes before that it begins. `None` where more than the chunk is told of.
    pub async fn chunk_at(&self, file: &CasFile<'_>, byte: u64) -> Result<Option<(Term, u64)>, CasError> {
        let (_, answer) = self.reconstruction(file, Some(ByteRange::new(byte, byte + 1))).await?;
        Ok(answer.only_chunk())
    }

    /// Nodes of the file's own Merkle tree, which name the bytes below them however these are stored: of what lies between the chunks
    /// that `marked` ranges are in, which are in ascending order. A `form` of marks that failed once is not asked for again.
    pub async fn nodes(
        &self,
        file: &CasFile<'_>,
        marked: &[ByteRange],
        form: Marks,
    ) -> Result<Vec<ContentNode>, CasError> {
        let mut nodes = Vec::new();
        for marked in marked.chunks(MARKS) {
            let ranges: Vec<String> = marked.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
            let fails = |store: &Store| store.failed_forms.fetch_max(form as usize + 1, Ordering::Relaxed);
            let ask = async |token: &CasToken, store: &Store| {
                let dirty = HeaderValue::from_str(&format!("bytes={}", ranges.join(",")));
                let _place = store.places_of_nodes.acquire().await.ok();
                let path = format!("v2/file-chunk-hashes/{}", file.hash);
                let is_off = store.failed_forms.load(Ordering::Relaxed) > form as usize;
                let Some(dirty) = dirty.ok().filter(|_| !is_off) else {
                    let (host, place) = (redact::host(&token.store), file.place());
                    return Err(CasError::new(Unexamined::Unknown, HubError::NoNodes { host, place }));
                };
                let asked = Asked { path: &path, range: None, dirty: Some(&dirty) };
                self.ask(file, asked, token, store).await.inspect_err(|error| {
                    if !is_status(&error.source, StatusCode::UNAUTHORIZED) {
                        fails(store);
                    }
                })
            };
            let (store, body) = self.with_token(file, ask).await?;
            let read = serde_json::from_slice::<Fingerprinted>(&body).map_err(|error| error.to_string());
            nodes.extend(read.and_then(|answer| answer.nodes(file.size)).map_err(|reason| {
                fails(&self.store(&store));
                inconsistent(&store, file, &reason)
            })?);
        }
        Ok(nodes)
    }

    /// The store's words on a file or a part of it, and which store it was.
    async fn reconstruction(
        &self,
        file: &CasFile<'_>,
        range: Option<ByteRange>,
    ) -> Result<(Url, Reconstruction), CasError> {
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
        let (store, body) = self.with_token(file, ask).await?;
        let answer = serde_json::from_slice(&body).map_err(|error| inconsistent(&store, file, &error.to_string()))?;
        Ok((store, answer))
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
        let call = CasCall {
            token: token.value.clone(),
            dirty: asked.dirty.cloned(),
            asked: Arc::clone(&self.0.asked),
            bytes: Arc::clone(&self.0.bytes),
        };
        read_answer(&self.0.hub, &url, asked.range, &call, &file.place()).await.map_err(failed)
    }

    fn store(&self, url: &Url) -> Arc<Store> {
        Arc::clone(self.0.stores.lock().entry(url.clone()).or_default())
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
        let answer = hub.get_secret(&Ask::api(&url, &place, TOKEN_CAP)).await?;
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

/// What a store says of a file cannot be.
fn inconsistent(store: &Url, file: &CasFile<'_>, reason: &str) -> CasError {
    let (host, place, reason) = (redact::host(store), file.place(), redact::excerpt(reason.as_bytes()));
    CasError::new(Unexamined::Inconsistent, HubError::Chunks { host, place, reason })
}

fn is_status(error: &HubError, expected: StatusCode) -> bool {
    matches!(error, HubError::Status { status, .. } if *status == expected.as_u16())
}

fn is_no_route(error: &HubError) -> bool {
    is_status(error, StatusCode::NOT_FOUND) || is_status(error, StatusCode::NOT_IMPLEMENTED)
}
