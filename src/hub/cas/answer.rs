//! One answer of a store, whole or not at all.

use std::sync::atomic::Ordering;

use url::Url;

use crate::{
    hub::{
        body::BodyError,
        client::{CasCall, HubClient, Part, Target},
        error::{HubError, Place},
        retry::Budget,
    },
    range::ByteRange,
    secret,
};

/// Bytes of an answer that are read at most: one term a chunk of a file of 15 GB.
const ANSWER_CAP: u64 = 32 * 1024 * 1024;

/// Reads an answer, at most [`ANSWER_CAP`] of it. A redirect is none: the token would go with it.
pub(super) async fn read_answer(
    hub: &HubClient,
    url: &Url,
    range: Option<ByteRange>,
    call: &CasCall,
    place: &Place,
) -> Result<Vec<u8>, HubError> {
    let mut budget = Budget::new(hub.retry_policy());
    let part = range.map_or(Part::Whole, Part::Range);
    loop {
        let mut exchange = hub.exchange(url, Target::Cas(call), part, place, &mut budget).await?;
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
        call.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
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
