//! From a plan to the cache: requests in parallel, bytes in flight bounded, decoding and hashing off the reactor.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{ModelPlan, PIECE, Span};
use crate::{
    cache::{Cache, Incoming, TensorKey, TensorMeta},
    digest::{self, Sha256Hex},
    dtype::decode,
    error::{Error, Result},
    model::{AuditError, Model, Session, Tensor},
};

/// Bytes of weights that may be in memory between the network and the cache.
pub const BYTES_IN_FLIGHT: u64 = 64 * 1024 * 1024;

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

/// Tensors that could not be brought into the cache, by name, with the reason.
pub type Failures = BTreeMap<String, Error>;

/// The source, in the cache's records, of tensors that were read from the Hub's standard cache.
const SHARED: &str = "Hugging Face cache";

/// Plans what of `model` must move: tensors in the cache, in the Hub's standard cache and in folders cost nothing. Every byte
/// of a kept tensor is checked here, while there is still a network: a broken one is removed, and planned like one that was
/// never kept.
pub fn plan(session: &Session, model: &Model) -> ModelPlan {
    plan_where(session, model, |_| true)
}

/// As [`plan`], for the tensors at the positions that `wanted` names.
pub fn plan_where(session: &Session, model: &Model, wanted: impl Fn(usize) -> bool) -> ModelPlan {
    let mut tensors = 0;
    let mut cached = 0;
    let mut local = 0;
    let (mut missing, mut shared) = (Vec::new(), Vec::new());
    for (position, tensor) in model.tensors.iter().enumerate().filter(|&(position, _)| wanted(position)) {
        tensors += 1;
        match model.key(tensor) {
            None => local += 1,
            Some(key) if is_kept(session, &key) => cached += 1,
            Some(_) if is_decodable(tensor) => {
                let is_shared = model.repository.is_shared(&tensor.shard);
                let list = if is_shared { &mut shared } else { &mut missing };
                list.push((position, tensor.shard.clone(), tensor.info.range));
            }
            Some(_) => {}
        }
    }
    let is_resolved = |shard: &str| model.repository.is_resolved(shard);
    ModelPlan::new(tensors, cached, local, &missing, is_resolved).with_shared(&shared)
}

/// Whether the cache has the tensor from this source, every byte of it intact: a broken entry is found before the plan, and
/// fetched again.
pub(crate) fn is_kept(session: &Session, key: &TensorKey) -> bool {
    let kept = session.cache.check(key).ok().flatten();
    kept.is_some_and(|sidecar| {
        let source = &sidecar.meta.source;
        *source == session.source || (session.shared.is_some() && source == SHARED)
    })
}

/// Whether the element type is decoded at all; one that is not would be paid for in vain.
fn is_decodable(tensor: &Tensor) -> bool {
    decode(&tensor.info.dtype, &[]).is_ok()
}

/// Carries out the plans of all models at once and returns, for each, the tensors that failed. The rest goes on.
pub async fn fetch(session: &Session, models: &[(String, Arc<Model>, ModelPlan)]) -> Vec<Failures> {
    let in_flight = Arc::new(Semaphore::new(usize::try_from(BYTES_IN_FLIGHT / UNIT).unwrap_or(1)));
    let mut tasks = JoinSet::new();
    for (number, (label, model, plan)) in models.iter().enumerate() {
        session.progress.planned(label, plan.bytes());
        let network = plan.spans.iter().map(|span| (span, session.source.as_str()));
        let shared = plan.shared_spans.iter().map(|span| (span, SHARED));
        for (span, source) in network.chain(shared) {
            let source = source.to_owned();
            let (session, model, span) = (session.clone(), Arc::clone(model), span.clone());
            let (label, in_flight) = (label.clone(), Arc::clone(&in_flight));
            tasks.spawn(async move {
                let most = if span.is_large() { PIECE } else { span.range.len() };
                let units = most.div_ceil(UNIT).clamp(1, BYTES_IN_FLIGHT / UNIT);
                let permit = in_flight.acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
                let outcome = if span.is_large() {
                    bring_large(&session, &source, &label, &model, &span).await
                } else {
                    bring(&session, source, &label, &model, span).await
                };
                drop(permit);
                (number, outcome)
            });
        }
    }
    let mut failures: Vec<Failures> = models.iter().map(|_| Failures::new()).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its tensors then miss from the cache and say so when they are read.
        let Ok((number, outcome)) = joined else { continue };
        for (name, result) in outcome {
            if let Err(error) = result {
                failures[number].insert(name, error);
            }
        }
    }
    failures
}

/// Progress is of what the network brings.
fn arrived(session: &Session, source: &str, label: &str, bytes: u64) {
    if source != SHARED {
        session.progress.arrived(label, bytes);
    }
}

type Outcomes = Vec<(String, Result<()>)>;

/// One request: its tensors are held, decoded and kept.
async fn bring(session: &Session, source: String, label: &str, model: &Arc<Model>, span: Span) -> Outcomes {
    match model.repository.read(&span.shard, span.range).await {
        Ok(bytes) => {
            arrived(session, &source, label, span.range.len());
            let (cache, kept, tensors) = (Arc::clone(&session.cache), Arc::clone(model), span.tensors.clone());
            let work = move || keep_span(&cache, &source, &kept, &span, &bytes);
            match tokio::task::spawn_blocking(work).await {
                Ok(outcome) => outcome,
                Err(source) => failed_span(model, &tensors, AuditError::Task { source }.into()),
            }
        }
        Err(error) => failed_span(model, &span.tensors, error),
    }
}

/// One tensor, piece by piece: never held whole.
async fn bring_large(session: &Session, source: &str, label: &str, model: &Arc<Model>, span: &Span) -> Outcomes {
    let Some(tensor) = span.tensors.first().map(|&position| &model.tensors[position]) else {
        return Vec::new();
    };
    let outcome = keep_large(session, source, label, model, span, tensor).await;
    vec![(tensor.info.name.clone(), outcome)]
}

async fn keep_large(
    session: &Session,
    source: &str,
    label: &str,
    model: &Model,
    span: &Span,
    tensor: &Tensor,
) -> Result<()> {
    let Some(key) = model.key(tensor) else { return Ok(()) };
    let like = decode(&tensor.info.dtype, &[])?;
    let mut incoming = session.cache.begin(&key, &like, &tensor.info.shape)?;
    let mut digest = Sha256Hex::default();
    for piece in span.pieces() {
        let bytes = model.repository.read(&span.shard, piece).await?;
        arrived(session, source, label, piece.len());
        let dtype = tensor.info.dtype.clone();
        let work = move || -> Result<(Incoming, Sha256Hex)> {
            digest.update(&bytes);
            // A piece ends with an element: its length is a multiple of every element's.
            incoming.write(&decode(&dtype, &bytes)?)?;
            Ok((incoming, digest))
        };
        (incoming, digest) =
            tokio::task::spawn_blocking(work).await.map_err(|source| AuditError::Task { source })??;
    }
    let meta = meta(source.to_owned(), tensor, digest.finish());
    tokio::task::spawn_blocking(move || incoming.finish(&meta))
        .await
        .map_err(|source| AuditError::Task { source })??;
    Ok(())
}

fn meta(source: String, tensor: &Tensor, sha256: String) -> TensorMeta {
    TensorMeta {
        dtype: tensor.info.dtype.clone(),
        shape: tensor.info.shape.clone(),
        shard: tensor.shard.clone(),
        range: tensor.info.range,
        sha256,
        source,
    }
}

/// The first tensor of a span carries the cause; the others name it.
fn failed_span(model: &Model, tensors: &[usize], error: Error) -> Vec<(String, Result<()>)> {
    let reason = error.to_string();
    let mut cause = Some(error);
    tensors
        .iter()
        .map(|&position| {
            let name = model.tensors[position].info.name.clone();
            let error = cause.take().unwrap_or_else(|| {
                AuditError::SameRequest { model: model.repository.place(), reason: reason.clone() }.into()
            });
            (name, Err(error))
        })
        .collect()
}

fn keep_span(cache: &Cache, source: &str, model: &Model, span: &Span, bytes: &[u8]) -> Vec<(String, Result<()>)> {
    span.tensors
        .iter()
        .map(|&position| {
            let tensor = &model.tensors[position];
            let start = usize::try_from(tensor.info.range.start - span.range.start).unwrap_or(usize::MAX);
            let length = usize::try_from(tensor.info.range.len()).unwrap_or(usize::MAX);
            let slice = start.checked_add(length).and_then(|end| bytes.get(start..end));
            let result = slice
                .ok_or_else(|| {
                    AuditError::Vanished { model: model.repository.place(), tensor: tensor.info.name.clone() }.into()
                })
                .and_then(|stored| keep_tensor(cache, source, model, tensor, stored));
            (tensor.info.name.clone(), result)
        })
        .collect()
}

fn keep_tensor(cache: &Cache, source: &str, model: &Model, tensor: &Tensor, stored: &[u8]) -> Result<()> {
    let Some(key) = model.key(tensor) else { return Ok(()) };
    let values = decode(&tensor.info.dtype, stored)?;
    let meta = meta(source.to_owned(), tensor, digest::sha256_hex(stored));
    cache.insert(&key, &values, &meta)?;
    Ok(())
}
