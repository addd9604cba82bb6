//! Whole tensors into the cache: planned, fetched, decoded and hashed off the reactor.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{
    ModelPlan, PIECE,
    spans::{Visit, room_for_all, start},
};
use crate::{
    cache::{Cache, Incoming, TensorKey, TensorMeta},
    digest::{self, Sha256Hex},
    dtype::decode,
    error::{Error, Result},
    model::{Model, Opened, Session, Tensor},
};

/// Tensors that could not be brought, by name, with the reason.
pub type Failures = BTreeMap<String, Error>;

/// Plans what of `model` must move, of the tensors at the positions that `wanted` names and of what their values are made of beside
/// their elements: tensors in the cache, in the Hugging Face cache and in folders cost nothing. Every byte of a kept tensor is checked
/// here, while there is still a network: a broken one is removed, and planned like one that was never kept.
pub fn plan(session: &Session, model: &Model, wanted: impl Fn(usize) -> bool) -> ModelPlan {
    ModelPlan { shared_spans: Vec::new(), ..plan_copies(session, model, wanted) }
}

/// As [`plan`], for one who needs in the cache what the Hugging Face cache has.
pub fn plan_copies(session: &Session, model: &Model, wanted: impl Fn(usize) -> bool) -> ModelPlan {
    let positions: Vec<usize> = (0..model.tensors.len()).filter(|&position| wanted(position)).collect();
    let beside = positions.iter().flat_map(|&position| model.companions_of(&model.tensors[position], false));
    plan_brought(session, model, positions.iter().copied().chain(beside), is_decodable)
}

/// Only what the values of these tensors are made of beside their elements, packed ones among them: the way to values of rows that are
/// planned apart.
pub(crate) fn plan_companions(session: &Session, model: &Model, of: impl IntoIterator<Item = usize>) -> ModelPlan {
    let beside = of.into_iter().flat_map(|position| model.companions_of(&model.tensors[position], true));
    ModelPlan { shared_spans: Vec::new(), ..plan_brought(session, model, beside, is_decodable) }
}

/// The tensors at these positions, as of [`Model::brought`]; of those that are not on this machine the ones that are `worth` it.
pub(super) fn plan_brought(
    session: &Session,
    model: &Model,
    positions: impl IntoIterator<Item = usize>,
    worth: impl Fn(&Tensor) -> bool,
) -> ModelPlan {
    let (mut tensors, mut cached, mut local) = (0, 0, 0);
    let (mut missing, mut shared) = (Vec::new(), Vec::new());
    for position in positions {
        let tensor = model.brought(position);
        tensors += 1;
        match model.key(tensor) {
            None => local += 1,
            Some(key) if is_kept(session, &key) => cached += 1,
            Some(_) if worth(tensor) => {
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

/// Whether the cache has the tensor, every byte of it intact: a broken entry is found before the plan, and fetched again.
pub(super) fn is_kept(session: &Session, key: &TensorKey) -> bool {
    session.access.cache.check(key).ok().flatten().is_some()
}

/// Whether the element type is decoded at all; one that is not would be paid for in vain.
fn is_decodable(tensor: &Tensor) -> bool {
    decode(&tensor.info.dtype, &[]).is_ok()
}

/// Carries out the plans of all models at once and returns, for each, the tensors that failed. One that fails stops no other.
pub(super) async fn fetch(session: &Session, opened: &[Opened], plans: &[ModelPlan]) -> Vec<Failures> {
    let room = room_for_all();
    let mut visits = Vec::new();
    for (number, (opened, plan)) in opened.iter().zip(plans).enumerate() {
        let Some(model) = opened.model() else { continue };
        session.progress.planned(&opened.label, plan.bytes());
        let network = plan.spans.iter().map(|span| (span, session.access.source.as_str()));
        let shared = plan.shared_spans.iter().map(|span| (span, session.access.shared_source()));
        let visit = |(span, source)| (number, Visit::new(session, (&opened.label, model), span, source, &room));
        visits.extend(network.chain(shared).map(visit));
    }
    let mut tasks = start(visits, |visit| async move {
        let large = visit.span.is_large();
        let _room = visit.room(if large { PIECE } else { visit.span.range.len() }).await;
        if large { bring_large(&visit).await } else { bring(visit).await }
    });
    let mut failures: Vec<Failures> = opened.iter().map(|_| Failures::new()).collect();
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its tensors then miss from the cache and say so when they are read.
        let Ok((number, outcomes)) = joined else { continue };
        let failed = outcomes.into_iter().filter_map(|(position, result)| Some((position, result.err()?)));
        let named = |(position, error)| Some((opened[number].model()?.brought(position).info.name.clone(), error));
        failures[number].extend(failed.filter_map(named));
    }
    failures
}

type Outcomes = Vec<(usize, Result<()>)>;

/// One request: its tensors are held, decoded and kept.
async fn bring(visit: Visit) -> Outcomes {
    match visit.read(visit.span.range).await {
        Ok(bytes) => {
            let visit = Arc::new(visit);
            let kept = Arc::clone(&visit);
            let keep = move || -> Outcomes {
                let one = |&position: &usize| (position, keep(&kept, position, &bytes));
                kept.span.tensors.iter().map(one).collect()
            };
            spawn_blocking(keep).await.unwrap_or_else(|error| visit.fail_all(error.into()))
        }
        Err(error) => visit.fail_all(error),
    }
}

fn keep(visit: &Visit, position: usize, bytes: &Bytes) -> Result<()> {
    let tensor = visit.model.brought(position);
    let Some(key) = visit.model.key(tensor) else { return Ok(()) };
    let stored = visit.slice(bytes, position)?;
    let cache: &Cache = &visit.session.access.cache;
    let values = decode(&tensor.info.dtype, &stored)?;
    cache.insert(&key, &values, &meta(tensor, &visit.source, digest::sha256_hex(&stored)))?;
    Ok(())
}

/// One tensor, piece by piece: never held whole.
async fn bring_large(visit: &Visit) -> Outcomes {
    let Some(&position) = visit.span.tensors.first() else { return Vec::new() };
    vec![(position, keep_large(visit, visit.model.brought(position)).await)]
}

async fn keep_large(visit: &Visit, tensor: &Tensor) -> Result<()> {
    let Some(key) = visit.model.key(tensor) else { return Ok(()) };
    let like = decode(&tensor.info.dtype, &[])?;
    let mut incoming = visit.session.access.cache.begin(&key, &like, &tensor.info.shape)?;
    let mut digest = Sha256Hex::default();
    for piece in visit.span.pieces() {
        let bytes = visit.read(piece).await?;
        let dtype = tensor.info.dtype.clone();
        let before = piece.start - tensor.info.range.start;
        let work = move || -> Result<(Incoming, Sha256Hex)> {
            digest.update(&bytes);
            // A piece ends with an element: its length is a multiple of every element's.
            incoming.write(&decode(&dtype, &bytes).map_err(|error| error.behind(before))?)?;
            Ok((incoming, digest))
        };
        (incoming, digest) = spawn_blocking(work).await??;
    }
    let meta = meta(tensor, &visit.source, digest.finish());
    spawn_blocking(move || incoming.finish(&meta)).await??;
    Ok(())
}

/// What the cache keeps beside a tensor, or beside rows of one, which have no digest of the whole.
pub(super) fn meta(tensor: &Tensor, source: &str, sha256: String) -> TensorMeta {
    TensorMeta {
        dtype: tensor.info.dtype.clone(),
        shape: tensor.info.shape.clone(),
        shard: tensor.shard.clone(),
        range: tensor.info.range,
        sha256,
        source: source.to_owned(),
    }
}
