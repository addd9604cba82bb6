//! Digests of tensors that are on the Hub, streamed: nothing is kept, and memory does not grow with the tensor.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{
    Failures, ModelPlan, SPAN_LIMIT, Span,
    spans::{Visit, room_for_all, start},
    tensors::is_kept,
};
use crate::{
    digest::{TensorDigest, TensorHash},
    error::Result,
    model::{AuditError, Model, Session},
    range::ByteRange,
};

/// What hashing a model costs, and the way to it.
#[derive(Debug, Clone, Default)]
pub struct HashPlan {
    /// The costs. A tensor above [`SPAN_LIMIT`] counts as one request a piece.
    pub plan: ModelPlan,
    /// Positions of the tensors that stream from the Hub, several to a request or one in several.
    work: Vec<Span>,
}

/// Plans what of `model` must move to be hashed: tensors in the cache, in the Hugging Face cache and in folders cost nothing. Every byte
/// of a kept tensor is checked here, as for [`plan`](super::plan).
///
/// `is_wanted` tells which of the model's tensors are hashed at all.
pub fn plan_hash(session: &Session, model: &Model, is_wanted: impl Fn(&str) -> bool) -> HashPlan {
    let (mut tensors, mut cached, mut local, mut shared) = (0, 0, 0, 0);
    let mut missing = Vec::new();
    for (position, tensor) in model.tensors.iter().enumerate() {
        if !is_wanted(&tensor.info.name) {
            continue;
        }
        tensors += 1;
        match model.key(tensor) {
            None => local += 1,
            Some(key) if is_kept(session, &key) => cached += 1,
            Some(_) if model.repository.is_shared(&tensor.shard) => shared += 1,
            Some(_) => missing.push((position, tensor.shard.clone(), tensor.info.range)),
        }
    }
    let resolved = |shard: &str| model.repository.is_resolved(shard);
    let mut plan = ModelPlan::new(tensors, cached, local, &missing, resolved);
    plan.shared = shared;
    let work = std::mem::take(&mut plan.spans);
    plan.spans = work.iter().flat_map(pieces).collect();
    HashPlan { plan, work }
}

impl HashPlan {
    /// Leaves out what another plan of the same model digests.
    pub(super) fn drop_what(&mut self, other: &Self) {
        self.work.retain(|span| !other.work.contains(span));
        self.plan.drop_what(&other.plan);
    }
}

/// A span as the requests that it takes.
fn pieces(span: &Span) -> Vec<Span> {
    if span.range.is_empty() {
        return vec![span.clone()];
    }
    let starts = (span.range.start..span.range.end).step_by(usize::try_from(SPAN_LIMIT).unwrap_or(usize::MAX));
    let piece = |start: u64| Span {
        range: ByteRange::new(start, span.range.end.min(start.saturating_add(SPAN_LIMIT))),
        ..span.clone()
    };
    starts.map(piece).collect()
}

/// Digests of a model's tensors, by position.
pub type Digests = BTreeMap<usize, TensorHash>;

/// Streams and digests what the plans say, all models at once: for each, the digests by position, and the tensors that
/// failed by name. The rest goes on.
pub async fn hash_remote(session: &Session, models: &[(String, Arc<Model>, HashPlan)]) -> Vec<(Digests, Failures)> {
    let room = room_for_all();
    let mut visits = Vec::new();
    for (number, (label, model, plan)) in models.iter().enumerate() {
        session.progress.planned(label, plan.plan.bytes());
        let visit = |span| (number, Visit::new(session, (label, model), span, &session.access.source, &room));
        visits.extend(plan.work.iter().map(visit));
    }
    let mut tasks = start(visits, |visit| async move {
        match visit.span.tensors.as_slice() {
            &[position] => vec![(position, alone(&visit, position).await)],
            _ => together(&visit).await,
        }
    });
    let mut outcomes: Vec<(Digests, Failures)> = models.iter().map(|_| Default::default()).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its tensors then have no digest, and are reported as missing.
        let Ok((number, results)) = joined else { continue };
        let (hashes, failures) = &mut outcomes[number];
        for (position, result) in results {
            match result {
                Ok(hash) => drop(hashes.insert(position, hash)),
                Err(error) => {
                    drop(failures.insert(models[number].1.tensors[position].info.name.clone(), error));
                }
            }
        }
    }
    outcomes
}

/// One tensor, in as many pieces as it takes: the next one travels while the last one is digested.
async fn alone(visit: &Visit, position: usize) -> Result<TensorHash> {
    let info = &visit.model.tensors[position].info;
    let _room = visit.room(info.range.len().min(2 * SPAN_LIMIT)).await;
    let mut digest = TensorDigest::new(&info.dtype, &info.shape);
    let mut arrived = Bytes::new();
    for piece in pieces(&visit.span) {
        let (read, digested) = tokio::join!(visit.read(piece.range), update(digest, arrived));
        (digest, arrived) = (digested?, read?);
    }
    Ok(update(digest, arrived).await?.finish())
}

/// Several small tensors that share a request.
async fn together(visit: &Visit) -> Vec<(usize, Result<TensorHash>)> {
    let _room = visit.room(visit.span.range.len()).await;
    let bytes = match visit.read(visit.span.range).await {
        Ok(bytes) => bytes,
        Err(error) => return visit.fail_all(error),
    };
    let mut results = Vec::with_capacity(visit.span.tensors.len());
    for &position in &visit.span.tensors {
        let info = &visit.model.tensors[position].info;
        let digest = TensorDigest::new(&info.dtype, &info.shape);
        let result = match visit.slice(&bytes, position) {
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
    .await
    .unwrap_or_else(|source| Err(AuditError::Task { source }.into()))
}
