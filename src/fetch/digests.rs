//! Digests of tensors that are on the Hub, streamed: nothing is kept, and memory does not grow with the tensor.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{
    Failures, ModelPlan, SPAN_LIMIT, Span,
    tensors::{Transfer, plan_brought, room_for_all, start},
};
use crate::{
    digest::{TensorDigest, TensorHash},
    error::Result,
    model::{Model, Opened, Session},
};

/// Plans what of `model` must move to be hashed: tensors in the cache, in the Hugging Face cache and in folders cost nothing. Every byte
/// of a kept tensor is checked here, as for [`plan`](super::plan). A tensor above [`SPAN_LIMIT`] counts as one request a piece.
///
/// `is_wanted` tells which of the model's tensors are hashed at all.
pub fn plan_hash(session: &Session, model: &Model, is_wanted: impl Fn(&str) -> bool) -> ModelPlan {
    let wanted = (0..model.tensors.len()).filter(|&position| is_wanted(&model.tensors[position].info.name));
    let plan = plan_brought(session, model, wanted, |_| true);
    let spans = plan.spans.into_iter().map(|span| Span { piece: SPAN_LIMIT, ..span }).collect();
    ModelPlan { spans, shared_spans: Vec::new(), ..plan }
}

/// Digests of a model's tensors, by position.
pub type Digests = BTreeMap<usize, TensorHash>;

/// Streams and digests what the plans say, all models at once: for each, the digests by position, and the tensors that
/// failed by name. One that fails stops no other.
pub(super) async fn hash_remote(session: &Session, opened: &[Opened], plans: &[ModelPlan]) -> Vec<(Digests, Failures)> {
    let room = room_for_all();
    let mut transfers = Vec::new();
    for (number, (opened, plan)) in opened.iter().zip(plans).enumerate() {
        let Some(model) = opened.model() else { continue };
        session.progress.planned(&opened.label, plan.bytes());
        let source = &session.access.source;
        let transfer = |span| (number, Transfer::new(session, (&opened.label, model), span, source, &room));
        transfers.extend(plan.spans.iter().map(transfer));
    }
    let mut tasks = start(transfers, |transfer| async move {
        match transfer.span.tensors.as_slice() {
            &[position] => vec![(position, alone(&transfer, position).await)],
            _ => together(&transfer).await,
        }
    });
    let mut outcomes: Vec<(Digests, Failures)> = opened.iter().map(|_| Default::default()).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its tensors then have no digest, and are reported as missing.
        let Ok((number, results)) = joined else { continue };
        let Some(model) = opened[number].model() else { continue };
        let (hashes, failures) = &mut outcomes[number];
        for (position, result) in results {
            match result {
                Ok(hash) => drop(hashes.insert(position, hash)),
                Err(error) => drop(failures.insert(model.tensors[position].info.name.clone(), error)),
            }
        }
    }
    outcomes
}

/// One tensor, in as many pieces as it takes: the next one travels while the last one is digested.
async fn alone(transfer: &Transfer, position: usize) -> Result<TensorHash> {
    let info = &transfer.model.tensors[position].info;
    let _room = transfer.room(info.range.len().min(2 * SPAN_LIMIT)).await;
    let mut digest = TensorDigest::new(&info.dtype, &info.shape);
    let mut arrived = Bytes::new();
    for piece in transfer.span.pieces() {
        let (read, digested) = tokio::join!(transfer.read(piece), update(digest, arrived));
        (digest, arrived) = (digested?, read?);
    }
    Ok(update(digest, arrived).await?.finish())
}

/// Several small tensors that share a request.
async fn together(transfer: &Transfer) -> Vec<(usize, Result<TensorHash>)> {
    let _room = transfer.room(transfer.span.range.len()).await;
    let bytes = match transfer.read(transfer.span.range).await {
        Ok(bytes) => bytes,
        Err(error) => return transfer.fail_all(error),
    };
    let mut results = Vec::with_capacity(transfer.span.tensors.len());
    for &position in &transfer.span.tensors {
        let info = &transfer.model.tensors[position].info;
        let digest = TensorDigest::new(&info.dtype, &info.shape);
        let result = match transfer.slice(&bytes, position) {
            Ok(stored) => update(digest, stored).await.map(TensorDigest::finish),
            Err(error) => Err(error),
        };
        results.push((position, result));
    }
    results
}

/// Off the reactor: digesting is work.
async fn update(mut digest: TensorDigest, stored: Bytes) -> Result<TensorDigest> {
    if stored.is_empty() {
        return Ok(digest);
    }
    spawn_blocking(move || {
        digest.update(&stored)?;
        Ok(digest)
    })
    .await?
}
