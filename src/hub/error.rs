//! What the Hub can refuse, and what can go wrong on the way to it. No message holds a token or a signed query.

use std::{fmt, io, sync::Arc, time::Duration};

use crate::{
    hint::Hint,
    range::ByteRange,
    spec::{Commit, RepoId, Revision},
};

/// Where in the Hub something happened: a repository, its commit once pinned, and a file. Cheap to clone, since every error
/// carries one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    repo: RepoId,
    commit: Option<Commit>,
    file: Option<String>,
}

impl Place {
    pub(super) fn new(repo: &RepoId, commit: Option<&Commit>, file: Option<&str>) -> Self {
        Self(Arc::new(Inner { repo: repo.clone(), commit: commit.cloned(), file: file.map(str::to_owned) }))
    }

    /// The repository.
    pub fn repo(&self) -> &RepoId {
        &self.0.repo
    }

    /// The commit, once it is known.
    pub fn commit(&self) -> Option<&Commit> {
        self.0.commit.as_ref()
    }

    /// The file, where one is meant.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}", self.repo())?;
        if let Some(commit) = self.commit() {
            write!(f, "@{}", commit.short())?;
        }
        f.write_str("`")?;
        if let Some(file) = self.file() {
            write!(f, ", file `{}`", file.escape_debug())?;
        }
        Ok(())
    }
}

/// The Hub refused, or the way to it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says what its fields are")]
pub enum HubError {
    #[error("`{text}` cannot be the Hub's address: {reason}")]
    Endpoint { text: String, reason: String },
    #[error("cannot set up an HTTP client")]
    Client { source: reqwest::Error },
    #[error("the value of {variable} cannot be used as a proxy")]
    Proxy { variable: String },
    #[error("{what} is not in the cache, and network access is off")]
    Offline { what: String },
    #[error("{host} cannot be reached ({attempts} attempts)")]
    Unreachable { host: String, attempts: u32, source: reqwest::Error },
    #[error("the TLS connection to {host} failed")]
    Tls { host: String, source: reqwest::Error },
    #[error("{host} did not answer in time ({attempts} attempts)")]
    Timeout { host: String, attempts: u32, source: reqwest::Error },
    #[error("the connection to {host} broke ({attempts} attempts, {received} bytes of the last answer arrived)")]
    Broken { host: String, attempts: u32, received: u64, source: reqwest::Error },
    #[error(
        "{host} sends less than 64 KiB a minute ({attempts} attempts, {received} bytes of the last answer arrived)"
    )]
    TooSlow { host: String, attempts: u32, received: u64 },
    #[error("{place} is not read further: more than the {limit} bytes of weights that are allowed would arrive")]
    Exhausted { place: Place, limit: u64 },
    #[error(
        "{place} is not read: more than the {limit} bytes of headers, indexes, listings and small files that a run may read would arrive"
    )]
    TooMuchMetadata { place: Place, limit: u64 },
    #[error("repository `{repo}` does not exist{}", if *.anonymous { ", or it is private" } else { ", or the token has no access to it" })]
    RepoNotFound { repo: RepoId, anonymous: bool },
    #[error("repository `{repo}` has no revision `{revision}`")]
    RevisionNotFound { repo: RepoId, revision: Revision },
    #[error("{place} does not exist")]
    EntryNotFound { place: Place },
    #[error("repository `{repo}` is gated{}", if *.anonymous { ", and no token was given" } else { ", and the token's account has no access to it" })]
    Gated { repo: RepoId, anonymous: bool },
    #[error("access to repository `{repo}` has been disabled by the Hub")]
    Disabled { repo: RepoId },
    #[error("the Hub does not accept the token")]
    BadToken,
    #[error("the token has a character that cannot be sent")]
    UnsendableToken,
    #[error("{host} repeats the token in its answer for {place}; the answer is discarded")]
    RepeatsToken { host: String, place: Place },
    #[error("the Hub refuses access to {place}: {message}")]
    Forbidden { place: Place, message: String },
    #[error("{host} answered {status} for {place}{}", after_colon(.message))]
    Status { host: String, status: u16, place: Place, message: String },
    #[error("{host} still answers {status} for {place} after {attempts} attempts{}", after_colon(.message))]
    StillFailing { host: String, status: u16, place: Place, attempts: u32, message: String },
    #[error("the Hub asks to wait {} s before the next request, longer than the {} s allowed", .wait.as_secs(), .max_wait.as_secs())]
    RateLimited { wait: Duration, max_wait: Duration },
    #[error("{host} answered {place} with `{content_type}` instead of JSON; it begins with `{start}`")]
    NotJson { host: String, place: Place, content_type: String, start: String },
    #[error("{host} answered {place} with JSON of another form than the Hub's")]
    Json { host: String, place: Place, source: serde_json::Error },
    #[error("the listing of {place} {reason}")]
    Listing { place: Place, reason: String },
    #[error("{host} redirects {place} {reason}")]
    Redirect { host: String, place: Place, reason: String },
    #[error("the file host {host} refuses {place} with {status}, also after the link was renewed{}", match .renewals { 1 => String::new(), times => format!(" {times} times") })]
    CdnRefused { host: String, status: u16, place: Place, renewals: u32 },
    #[error(
        "{host} ignored the range: asked {} bytes ({range}) of {place}, and it answered 200 with {}",
        .range.len(), .length.map_or_else(|| "a body of unstated length".to_owned(), |n| format!("{n} bytes"))
    )]
    RangeIgnored { host: String, range: ByteRange, place: Place, length: Option<u64> },
    #[error("{host} answered the range {range} of {place} ({total} bytes in all) with the wrong bytes: {got}")]
    WrongRange { host: String, range: ByteRange, total: u64, place: Place, got: String },
    #[error("{host} sent {got} bytes for the range {range} of {place}, which has {}", .range.len())]
    WrongLength { host: String, range: ByteRange, place: Place, got: u64 },
    #[error("{place} has {expected} bytes by the listing, but {host} states {got}")]
    SizeDisagrees { host: String, place: Place, expected: u64, got: u64 },
    #[error("{host} sent {place} encoded as `{encoding}`, which was not asked for")]
    Encoding { host: String, place: Place, encoding: String },
    #[error("{host} sent {place} as gzip that unpacks to more than the {size} bytes that are listed")]
    UnpacksBeyond { host: String, place: Place, size: u64 },
    #[error("{host} sent gzip that cannot be unpacked ({attempts} attempts)")]
    DamagedGzip { host: String, attempts: u32, source: io::Error },
    #[error("{place} changed while it was being read: its ETag was `{before}` and is now `{after}`")]
    EtagChanged { place: Place, before: String, after: String },
    #[error("{host} answered {place} for commit `{got}`")]
    CommitDisagrees { host: String, place: Place, got: String },
    #[error("{host} answered {place} with several headers `{header}` that contradict each other")]
    Contradiction { host: String, place: Place, header: &'static str },
    #[error("{host} gives no token for the content store of {place}")]
    NoStoreToken { host: String, place: Place },
    #[error("{host} was not asked for fingerprints of {place}, since it gave none of a file before")]
    NoNodes { host: String, place: Place },
    #[error("{host} describes {place} by impossible chunks: {reason}")]
    Chunks { host: String, place: Place, reason: String },
    #[error("{place} has SHA-256 {got}, but the Hub states {expected}")]
    WrongDigest { place: Place, expected: String, got: String },
    #[error("{place} has git blob id {got}, but the Hub lists {expected}")]
    WrongBlob { place: Place, expected: String, got: String },
    /// The failure of another reader of the same file that was waited for.
    #[error(transparent)]
    Shared(Arc<HubError>),
    #[error("{place} has {size} bytes, more than the {cap} bytes read at most")]
    TooLarge { place: Place, size: u64, cap: u64 },
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Hint for HubError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Endpoint { .. } => "give the Hub's base URL, such as https://huggingface.co".to_owned(),
            Self::Offline { .. } => {
                "run once without --offline (or HF_HUB_OFFLINE) to download it".to_owned()
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "check the network, the proxy settings and --endpoint (HF_ENDPOINT)".to_owned()
            }
            Self::Tls { .. } => "check that the address speaks https, the clock of this machine and its CA certificates (or SSL_CERT_FILE), \
                 and whether a proxy stands between"
                .to_owned(),
            Self::Client { .. } => {
                "check the CA certificates of this machine (or SSL_CERT_FILE): https needs them"
                    .to_owned()
            }
            Self::Proxy { variable } => format!("write {variable} as http://host:port (SOCKS is not supported), or unset it"),
            Self::UnsendableToken => {
                "a token is one word of letters, digits and `_`: check HF_TOKEN or the token file, or use --no-token"
                    .to_owned()
            }
            Self::RepoNotFound { repo, anonymous: true } => format!(
                "check the spelling of `{repo}`; for a private repository give a token by HF_TOKEN or --token-file"
            ),
            Self::RepoNotFound { repo, anonymous: false } => {
                format!("check the spelling of `{repo}`, and that the token's account may read it")
            }
            Self::RevisionNotFound { .. } => "name a branch, a tag or a commit after `@`".to_owned(),
            Self::Gated { repo, .. } => {
                format!("accept the conditions on the page of `{repo}`, then give a token by HF_TOKEN or --token-file")
            }
            Self::BadToken => {
                "renew HF_TOKEN (or the token file), or use --no-token for public repositories".to_owned()
            }
            Self::RateLimited { wait, .. } => format!(
                "try again later, allow the wait with --max-wait {}, or give a token for a higher limit",
                wait.as_secs()
            ),
            Self::NotJson { .. } | Self::Json { .. } => {
                "the address may not be a Hub, or a proxy or login page may stand before it; check --endpoint"
                    .to_owned()
            }
            Self::RangeIgnored { .. } => {
                "this server cannot serve parts of files; use another endpoint, or audit a local folder".to_owned()
            }
            Self::Exhausted { .. } => {
                "the server sent more than it was asked for; allow it with a larger --max-bytes, or use another endpoint"
                    .to_owned()
            }
            Self::TooMuchMetadata { limit, .. } => format!(
                "ask for fewer models at once, or allow more with --max-metadata {}MB",
                limit.saturating_mul(2).div_ceil(1_000_000)
            ),
            Self::Broken { .. } | Self::StillFailing { .. } | Self::TooSlow { .. } | Self::DamagedGzip { .. } => {
                "run the same command again: what has arrived is kept in the cache".to_owned()
            }
            Self::Shared(error) => return error.hint(),
            _ => return None,
        };
        Some(text)
    }
}
