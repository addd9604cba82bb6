//! From a plan to the cache: requests in parallel, bytes in flight bounded, decoding and hashing off the reactor.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{AuditError, Model, ModelPlan, Session, Tensor};
use crate::{
    cache::{Cache, TensorKey, TensorMeta},
    checkpoint::decode,
    digest,
    error::{Error, Result},
};

/// Bytes of weights that may be in memory between the network and the cache. One tensor larger than this goes alone.
pub const BYTES_IN_FLIGHT: u64 = 64 * 1024 * 1024;

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

/// Tensors that could not be brought into the cache, by name, with the reason.
pub type Failures = BTreeMap<String, Error>;

/// Plans what of `model` must move: tensors in the cache and in folders cost nothing. Every byte of a kept tensor is checked
/// here, while there is still a network: a broken one is removed, and planned like one that was never kept.
pub fn plan(session: &Session, model: &Model) -> ModelPlan {
    let mut cached = 0;
    let mut local = 0;
    let mut missing = Vec::new();
    for (position, tensor) in model.tensors.iter().enumerate() {
        match model.key(tensor) {
            None => local += 1,
            Some(key) if is_kept(session, &key) => cached += 1,
            Some(_) if is_decodable(tensor) => {
                missing.push((position, tensor.shard.clone(), tensor.info.range));
            }
            Some(_) => {}
        }
    }
    ModelPlan::new(model.tensors.len(), cached, local, &missing, |shard| {
        model.repository.is_resolved(shard)
    })
}

/// Whether the cache has the tensor from this source, every byte of it intact: a broken entry is found before the plan, and
/// fetched again.
pub(super) fn is_kept(session: &Session, key: &TensorKey) -> bool {
    let kept = session.cache.get(key).ok().flatten();
    kept.is_some_and(|tensor| tensor.sidecar.meta.source == session.source)
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
        for span in &plan.spans {
            let (session, model, span) = (session.clone(), Arc::clone(model), span.clone());
            let (label, in_flight) = (label.clone(), Arc::clone(&in_flight));
            tasks.spawn(async move {
                let units = span.range.len().div_ceil(UNIT).clamp(1, BYTES_IN_FLIGHT / UNIT);
                let permit = in_flight
                    .acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX))
                    .await;
                let read = model.repository.read(&span.shard, span.range).await;
                let outcome = match read {
                    Ok(bytes) => {
                        session.progress.arrived(&label, span.range.len());
                        let (cache, kept, tensors) =
                            (Arc::clone(&session.cache), Arc::clone(&model), span.tensors.clone());
                        let source = session.source.clone();
                        let work = move || keep_span(&cache, &source, &kept, &span, &bytes);
                        match tokio::task::spawn_blocking(work).await {
                            Ok(outcome) => outcome,
                            Err(source) => failed_span(&model, &tensors, AuditError::Task { source }.into()),
                        }
                    }
                    Err(error) => failed_span(&model, &span.tensors, error),
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

/// The first tensor of a span carries the cause; the others name it.
fn failed_span(model: &Model, tensors: &[usize], error: Error) -> Vec<(String, Result<()>)> {
    let reason = error.to_string();
    let mut cause = Some(error);
    tensors
        .iter()
        .map(|&position| {
            let name = model.tensors[position].info.name.clone();
            let error = cause.take().unwrap_or_else(|| {
                AuditError::SameRequest {
                    model: model.repository.place(),
                    reason: reason.clone(),
                }
                .into()
            });
            (name, Err(error))
        })
        .collect()
}

fn keep_span(
    cache: &Cache,
    source: &str,
    model: &Model,
    span: &super::Span,
    bytes: &[u8],
) -> Vec<(String, Result<()>)> {
    span.tensors
        .iter()
        .map(|&position| {
            let tensor = &model.tensors[position];
            let start = usize::try_from(tensor.info.range.start - span.range.start).unwrap_or(usize::MAX);
            let length = usize::try_from(tensor.info.range.len()).unwrap_or(usize::MAX);
            let slice = start.checked_add(length).and_then(|end| bytes.get(start..end));
            let result = slice
                .ok_or_else(|| {
                    AuditError::Vanished {
                        model: model.repository.place(),
                        tensor: tensor.info.name.clone(),
                    }
                    .into()
                })
                .and_then(|stored| keep_tensor(cache, source, model, tensor, stored));
            (tensor.info.name.clone(), result)
        })
        .collect()
}

fn keep_tensor(cache: &Cache, source: &str, model: &Model, tensor: &Tensor, stored: &[u8]) -> Result<()> {
    let Some(key) = model.key(tensor) else { return Ok(()) };
    let values = decode(&tensor.info.dtype, stored)?;
    let meta = TensorMeta {
        dtype: tensor.info.dtype.clone(),
        shape: tensor.info.shape.clone(),
        shard: tensor.shard.clone(),
        range: tensor.info.range,
        sha256: digest::sha256_hex(stored),
        source: source.to_owned(),
    };
    cache.insert(&key, &values, &meta)?;
    Ok(())
}
