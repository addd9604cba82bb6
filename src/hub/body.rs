//! Whole bodies with a cap and a least pace, redirects followed by hand, and refusals turned into errors.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, HeaderMap, LOCATION},
};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::{
    account::Matter,
    client::{Bucket, Exchange, HubClient, Part, Target},
    error::{HubError, Place},
    redact,
    retry::{Budget, Fault, PACE_BYTES, PACE_WINDOW, RetryPolicy},
};
use crate::{secret, spec::Revision};

/// Redirects followed for one question. The Hub's own chains have one or two.
const MAX_REDIRECTS: usize = 5;

/// Bytes of a refusal's body that are looked at for its reason.
const MESSAGE_CAP: u64 = 64 * 1024;

/// How long it is waited for what a refusal says.
const MESSAGE_TIME: Duration = Duration::from_secs(5);

/// What is asked for whole.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) bucket: Bucket,
    pub(super) place: &'a Place,
    /// The revision to name where the Hub does not know it.
    pub(super) revision: Option<&'a Revision>,
    /// Bytes of the body that are read at most.
    pub(super) cap: u64,
    /// Whether it may come as gzip.
    pub(super) may_be_packed: bool,
}

impl<'a> Ask<'a> {
    /// A question to the API, whose answer comes as it is.
    pub(super) fn api(url: &'a Url, place: &'a Place, cap: u64) -> Self {
        Self { url, bucket: Bucket::Api, place, revision: None, cap, may_be_packed: false }
    }

    /// A file, which may come as gzip.
    pub(super) fn file(url: &'a Url, place: &'a Place, cap: u64) -> Self {
        Self { bucket: Bucket::Resolvers, may_be_packed: true, ..Self::api(url, place, cap) }
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) headers: HeaderMap,
    /// As it came.
    pub(super) body: Vec<u8>,
    /// Whether that is gzip.
    pub(super) is_packed: bool,
}

/// Why a body could not be read to its end.
pub(super) enum BodyError {
    TooLarge,
    Cut(Fault),
    /// What a run may read was read.
    Exhausted(HubError),
}

impl HubClient {
    /// Appends the body to `buffer`, at most `cap` bytes of it, counting what arrives. A body that neither ends nor brings
    /// [`PACE_BYTES`] within [`PACE_WINDOW`] is left: a server that drips for ever would hold the run for ever. Where a place is named
    /// its metadata are paid for as they come; else somebody has paid.
    pub(super) async fn read_body(
        &self,
        response: &mut Response,
        cap: u64,
        buffer: &mut Vec<u8>,
        metadata_of: Option<&Place>,
    ) -> Result<(), BodyError> {
        let mut received = 0_u64;
        let mut deadline = Instant::now() + PACE_WINDOW;
        let mut in_window = 0;
        loop {
            let chunk = match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(BodyError::Cut(Fault::Http(error))),
                Err(_) => return Err(BodyError::Cut(Fault::Slow)),
            };
            self.account().count_bytes(chunk.len());
            received += chunk.len() as u64;
            if received > cap {
                return Err(BodyError::TooLarge);
            }
            if let Some(place) = metadata_of {
                self.account().reserve(Matter::Metadata, chunk.len() as u64, place).map_err(BodyError::Exhausted)?;
            }
            buffer.extend_from_slice(&chunk);
            in_window += chunk.len() as u64;
            if in_window >= PACE_BYTES {
                deadline = Instant::now() + PACE_WINDOW;
                in_window = 0;
            }
        }
    }

    /// Reads a short body to its end so that the connection can be used again. What it says does not matter.
    pub(super) async fn drain(&self, mut response: Response) {
        self.read_message(&mut response).await;
    }

    /// The body of a refusal, if all of it comes soon and is short.
    async fn read_message(&self, response: &mut Response) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        let read = timeout(MESSAGE_TIME, self.read_body(response, MESSAGE_CAP, &mut body, None)).await;
        matches!(read, Ok(Ok(()))).then_some(body)
    }

    /// The server's own words about a refusal: the header, or the `error` of a JSON body, on one short line.
    pub(super) async fn server_message(&self, mut response: Response) -> String {
        let header = response.headers().get("x-error-message").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = self.read_message(&mut response).await;
        let from_body = || {
            let json: serde_json::Value = serde_json::from_slice(&body?).ok()?;
            Some(json.get("error")?.as_str()?.to_owned())
        };
        redact::excerpt(header.or_else(from_body).unwrap_or_default().as_bytes())
    }

    /// A whole small answer, redirects followed, transient faults retried from the start. One that repeats a token is refused.
    pub(super) async fn get(&self, ask: &Ask<'_>) -> Result<Answer, HubError> {
        let mut budget = Budget::new(self.retry_policy());
        self.get_within(&mut budget, ask).await
    }

    /// As [`HubClient::get`], in one attempt.
    pub(super) async fn get_once(&self, ask: &Ask<'_>) -> Result<Answer, HubError> {
        let mut once = Budget::new(&RetryPolicy { attempts: 1, ..*self.retry_policy() });
        self.get_within(&mut once, ask).await
    }

    /// As [`HubClient::get`], in what is left of a budget.
    pub(super) async fn get_within(&self, budget: &mut Budget, ask: &Ask<'_>) -> Result<Answer, HubError> {
        without_token(self.read_whole(budget, ask).await?, ask.place)
    }

    /// As [`HubClient::get`], of an answer that is a secret itself, and may be one that is known.
    pub(super) async fn get_secret(&self, ask: &Ask<'_>) -> Result<Answer, HubError> {
        let mut budget = Budget::new(self.retry_policy());
        self.read_whole(&mut budget, ask).await
    }

    async fn read_whole(&self, budget: &mut Budget, ask: &Ask<'_>) -> Result<Answer, HubError> {
        let &Ask { place, cap, .. } = ask;
        loop {
            let (mut exchange, url) = self.follow(ask, budget).await?;
            if exchange.response.status() != StatusCode::OK {
                return Err(self.refusal(exchange, place, ask.revision).await);
            }
            let is_packed = is_packed(&exchange, ask)?;
            let headers = exchange.response.headers().clone();
            let stated = exchange.response.content_length();
            let mut body = Vec::with_capacity(usize::try_from(stated.unwrap_or(0).min(cap)).unwrap_or(0));
            let too_large = |size: u64| HubError::TooLarge { place: place.clone(), size, cap };
            if let Some(size) = stated.filter(|&size| size > cap) {
                return Err(too_large(size));
            }
            match self.read_body(&mut exchange.response, cap, &mut body, Some(place)).await {
                Ok(()) => return Ok(Answer { url, host: exchange.host, headers, body, is_packed }),
                Err(BodyError::TooLarge) => return Err(too_large(cap + 1)),
                Err(BodyError::Exhausted(error)) => return Err(error),
                Err(BodyError::Cut(error)) => {
                    let host = exchange.host.clone();
                    drop(exchange);
                    self.pause_or_give_up(error, &host, body.len() as u64, budget).await?;
                }
            }
        }
    }

    async fn follow(&self, ask: &Ask<'_>, budget: &mut Budget) -> Result<(Exchange, Url), HubError> {
        let place = ask.place;
        let part = if ask.may_be_packed { Part::Packed } else { Part::Whole };
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let target = self.target(&url, ask.bucket);
            let exchange = self.exchange(&url, target, part, place, budget).await?;
            let Some(next) = self.redirect_target(&exchange, &url, place)? else {
                return Ok((exchange, url));
            };
            self.drain(exchange.response).await;
            url = next;
        }
        Err(HubError::Redirect {
            host: redact::host(&url),
            place: place.clone(),
            reason: format!("more than {MAX_REDIRECTS} times"),
        })
    }

    /// What a final status that is not a success means.
    pub(super) async fn refusal(&self, exchange: Exchange, place: &Place, revision: Option<&Revision>) -> HubError {
        let Exchange { response, host, .. } = exchange;
        let status = response.status();
        let code =
            response.headers().get("x-error-code").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let message = self.server_message(response).await;
        let repo = place.repo().clone();
        let anonymous = self.is_anonymous();
        match (status.as_u16(), code.as_str()) {
            (401 | 403, "GatedRepo") => HubError::Gated { repo, anonymous },
            (401, _) if message.contains("Invalid credentials") => HubError::BadToken,
            (403, _) if message.contains("is disabled") => HubError::Disabled { repo },
            (401, _) | (404, "RepoNotFound") => HubError::RepoNotFound { repo, anonymous },
            (404, "RevisionNotFound") => {
                HubError::RevisionNotFound { repo, revision: revision.cloned().unwrap_or_default() }
            }
            (404, "EntryNotFound") => HubError::EntryNotFound { place: place.clone() },
            (403, _) => HubError::Forbidden { place: place.clone(), message },
            (status, _) => HubError::Status { host, status, place: place.clone(), message },
        }
    }

    /// The address that a redirect names, or `None` if the answer is no redirect. One that must not be gone to is an error.
    pub(super) fn redirect_target(
        &self,
        exchange: &Exchange,
        from: &Url,
        place: &Place,
    ) -> Result<Option<Url>, HubError> {
        if !matches!(exchange.response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let refuse = |reason: &str| HubError::Redirect {
            host: redact::host(from),
            place: place.clone(),
            reason: reason.to_owned(),
        };
        let text = exchange
            .response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| refuse("without saying where to"))?;
        self.safe_target(from, text).map(Some).map_err(refuse)
    }
}

/// Whether the body is gzip, which must have been asked for. Any other encoding is refused.
fn is_packed(exchange: &Exchange, ask: &Ask<'_>) -> Result<bool, HubError> {
    let Some(stated) = exchange.response.headers().get(CONTENT_ENCODING) else {
        return Ok(false);
    };
    match stated.to_str().map(str::to_ascii_lowercase).as_deref() {
        Ok("identity") => Ok(false),
        Ok("gzip" | "x-gzip") if ask.may_be_packed => Ok(true),
        _ => Err(HubError::Encoding {
            host: exchange.host.clone(),
            place: ask.place.clone(),
            encoding: redact::excerpt(stated.as_bytes()),
        }),
    }
}

fn without_token(answer: Answer, place: &Place) -> Result<Answer, HubError> {
    if secret::is_in(&answer.body) {
        return Err(HubError::RepeatsToken { host: answer.host, place: place.clone() });
    }
    Ok(answer)
}

/// Whether `target` still belongs to the Hub's own origin.
pub(super) fn is_hub(target: Target<'_>) -> bool {
    matches!(target, Target::Hub(_))
}
