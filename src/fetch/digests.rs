//! Digests of tensors that are on the Hub, streamed: nothing is kept, and memory does not grow with the tensor.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinSet, spawn_blocking},
};

use super::{BYTES_IN_FLIGHT, Failures, ModelPlan, SPAN_LIMIT, Span};
use crate::{
    digest::{TensorDigest, TensorHash},
    error::Result,
    model::{AuditError, Model, Session},
    range::ByteRange,
};

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

/// What hashing a model costs, and the way to it.
#[derive(Debug, Clone, Default)]
pub struct HashPlan {
    /// The costs. A tensor above [`SPAN_LIMIT`] counts as one request a piece.
    pub plan: ModelPlan,
    /// Positions of the tensors that stream from the Hub, several to a request or one in several.
    work: Vec<Span>,
}

/// Plans what of `model` must move to be hashed: tensors in the cache, in the Hub's standard cache and in folders cost nothing.
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
            Some(key) if session.cache.lookup(&key).is_some() => cached += 1,
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

/// Streams and digests what the plans say, all models at once: for each, the digests by position, and the tensors that
/// failed by name. The rest goes on.
pub async fn hash_remote(
    session: &Session,
    models: &[(String, Arc<Model>, HashPlan)],
) -> Vec<(BTreeMap<usize, TensorHash>, Failures)> {
    let in_flight = Arc::new(Semaphore::new(usize::try_from(BYTES_IN_FLIGHT / UNIT).unwrap_or(1)));
    let mut tasks = JoinSet::new();
    for (number, (label, model, plan)) in models.iter().enumerate() {
        session.progress.planned(label, plan.plan.bytes());
        for span in &plan.work {
            let stream = Stream {
                session: session.clone(),
                label: label.clone(),
                model: Arc::clone(model),
                span: span.clone(),
                in_flight: Arc::clone(&in_flight),
            };
            tasks.spawn(async move { (number, stream.run().await) });
        }
    }
    let mut outcomes: Vec<(BTreeMap<usize, TensorHash>, Failures)> =
        models.iter().map(|_| Default::default()).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its tensors then have no digest, and are reported as missing.
        let Ok((number, results)) = joined else { continue };
        let (hashes, failures) = &mut outcomes[number];
        for (position, result) in results {
            match result {
                Ok(hash) => drop(hashes.insert(position, hash)),
                Err(error) => {
                    let name = models[number].1.tensors.get(position).map(|tensor| tensor.info.name.clone());
                    failures.insert(name.unwrap_or_default(), error);
                }
            }
        }
    }
    outcomes
}

/// One span on its way.
struct Stream {
    session: Session,
    label: String,
    model: Arc<Model>,
    span: Span,
    in_flight: Arc<Semaphore>,
}

type Results = Vec<(usize, Result<TensorHash>)>;

impl Stream {
    async fn run(self) -> Results {
        match self.span.tensors.as_slice() {
            &[position] => {
                let result = self.alone(position).await;
                vec![(position, result)]
            }
            _ => self.together().await,
        }
    }

    /// Room for so many bytes; one request larger than all the room goes alone.
    async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).clamp(1, BYTES_IN_FLIGHT / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.in_flight).acquire_many_owned(units).await.ok()
    }

    async fn read(&self, range: ByteRange) -> Result<Bytes> {
        let bytes = self.model.repository.read(&self.span.shard, range).await?;
        self.session.progress.arrived(&self.label, range.len());
        Ok(bytes)
    }

    /// One tensor, in as many pieces as it takes: the next one travels while the last one is digested.
    async fn alone(&self, position: usize) -> Result<TensorHash> {
        let info = &self.model.tensors[position].info;
        let _room = self.room(info.range.len().min(2 * SPAN_LIMIT)).await;
        let mut digest = TensorDigest::new(&info.dtype, &info.shape);
        let mut arrived = Bytes::new();
        for piece in pieces(&self.span) {
            let (read, digested) = tokio::join!(self.read(piece.range), update(digest, arrived));
            (digest, arrived) = (digested?, read?);
        }
        Ok(update(digest, arrived).await?.finish())
    }

    /// Several small tensors that share a request.
    async fn together(&self) -> Results {
        let _room = self.room(self.span.range.len()).await;
        let read = self.read(self.span.range).await;
        let mut cause = None;
        let bytes = read.unwrap_or_else(|error| {
            cause = Some((error.to_string(), error));
            Bytes::new()
        });
        let mut results = Vec::with_capacity(self.span.tensors.len());
        let reason = cause.as_ref().map(|(reason, _)| reason.clone());
        let mut cause = cause.map(|(_, error)| error);
        for &position in &self.span.tensors {
            let info = &self.model.tensors[position].info;
            // The first tensor carries the cause; the others name it.
            let result = match (&reason, cause.take()) {
                (_, Some(error)) => Err(error),
                (Some(reason), None) => {
                    Err(AuditError::SameRequest { model: self.model.repository.place(), reason: reason.clone() }.into())
                }
                (None, None) => {
                    let at = |offset: u64| usize::try_from(offset - self.span.range.start).unwrap_or(usize::MAX);
                    let stored = bytes.slice(at(info.range.start)..at(info.range.end));
                    update(TensorDigest::new(&info.dtype, &info.shape), stored).await.map(TensorDigest::finish)
                }
            };
            results.push((position, result));
        }
        results
    }
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
