//! Requests of many models at once, the bytes in memory bounded over all of them, and whole tensors into the cache: planned, fetched,
//! decoded and hashed off the reactor.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinSet, spawn_blocking},
};

use super::{ModelPlan, PIECE, Span};
use crate::{
    cache::{Cache, Incoming, TensorKey, TensorMeta},
    digest::{self, Sha256Hex},
    dtype::decode,
    error::{Error, Result},
    model::{AuditError, Model, Opened, Session, Tensor},
    range::ByteRange,
};

/// Bytes of weights that may be in memory between the network and the cache.
pub const BYTES_IN_FLIGHT: u64 = 64 * 1024 * 1024;

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

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

/// One span on its way.
pub(super) struct Transfer {
    pub(super) session: Session,
    pub(super) label: String,
    pub(super) model: Arc<Model>,
    pub(super) span: Span,
    /// Where the bytes come from, as the cache's records name it.
    pub(super) source: String,
    in_flight: Arc<Semaphore>,
}

/// The bound on bytes in flight that all transfers of one run share.
pub(super) fn room_for_all() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(BYTES_IN_FLIGHT / UNIT).unwrap_or(1)))
}

impl Transfer {
    pub(super) fn new(
        session: &Session,
        (label, model): (&str, &Arc<Model>),
        span: &Span,
        source: &str,
        room: &Arc<Semaphore>,
    ) -> Self {
        Self {
            session: session.clone(),
            label: label.to_owned(),
            model: Arc::clone(model),
            span: span.clone(),
            source: source.to_owned(),
            in_flight: Arc::clone(room),
        }
    }

    /// Room for so many bytes; one request larger than all the room goes alone.
    pub(super) async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).clamp(1, BYTES_IN_FLIGHT / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.in_flight).acquire_many_owned(units).await.ok()
    }

    /// Bytes of the span's shard. Progress is of what the network brings.
    pub(super) async fn read(&self, range: ByteRange) -> Result<Bytes> {
        let bytes = self.model.repository.read(&self.span.shard, range).await?;
        if !self.model.repository.is_shared(&self.span.shard) {
            self.session.progress.arrived(&self.label, range.len());
        }
        Ok(bytes)
    }

    /// The bytes of the tensor at `position` within those of the span.
    pub(super) fn slice(&self, bytes: &Bytes, position: usize) -> Result<Bytes> {
        let tensor = self.model.brought(position);
        let range = tensor.info.range;
        let at = |offset: u64| offset.checked_sub(self.span.range.start).and_then(|at| usize::try_from(at).ok());
        match (at(range.start), at(range.end)) {
            (Some(start), Some(end)) if start <= end && end <= bytes.len() => Ok(bytes.slice(start..end)),
            _ => Err(self.model.vanished(tensor).into()),
        }
    }

    /// One failure for all tensors of the span: the first carries the cause, the others name it.
    pub(super) fn fail_all<T>(&self, error: Error) -> Vec<(usize, Result<T>)> {
        let reason = error.to_string();
        let mut cause = Some(error);
        let mut failure = || {
            cause.take().unwrap_or_else(|| {
                AuditError::SameRequest { model: self.model.repository.place(), reason: reason.clone() }.into()
            })
        };
        self.span.tensors.iter().map(|&position| (position, Err(failure()))).collect()
    }
}

/// Starts a task a transfer; each answers with the number that came with it.
pub(super) fn start<T, F>(transfers: Vec<(usize, Transfer)>, run: impl Fn(Transfer) -> F) -> JoinSet<(usize, T)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (number, transfer) in transfers {
        let work = run(transfer);
        tasks.spawn(async move { (number, work.await) });
    }
    tasks
}

/// Carries out the plans of all models at once and returns, for each, the tensors that failed. One that fails stops no other.
pub(super) async fn fetch(session: &Session, opened: &[Opened], plans: &[ModelPlan]) -> Vec<Failures> {
    let room = room_for_all();
    let mut transfers = Vec::new();
    for (number, (opened, plan)) in opened.iter().zip(plans).enumerate() {
        let Some(model) = opened.model() else { continue };
        session.progress.planned(&opened.label, plan.bytes());
        let network = plan.spans.iter().map(|span| (span, session.access.source.as_str()));
        let shared = plan.shared_spans.iter().map(|span| (span, session.access.shared_source()));
        let transfer = |(span, source)| (number, Transfer::new(session, (&opened.label, model), span, source, &room));
        transfers.extend(network.chain(shared).map(transfer));
    }
    let mut tasks = start(transfers, |transfer| async move {
        let large = transfer.span.is_large();
        let _room = transfer.room(if large { PIECE } else { transfer.span.range.len() }).await;
        if large { bring_large(&transfer).await } else { bring(transfer).await }
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
async fn bring(transfer: Transfer) -> Outcomes {
    match transfer.read(transfer.span.range).await {
        Ok(bytes) => {
            let transfer = Arc::new(transfer);
            let kept = Arc::clone(&transfer);
            let keep = move || -> Outcomes {
                let one = |&position: &usize| (position, keep(&kept, position, &bytes));
                kept.span.tensors.iter().map(one).collect()
            };
            spawn_blocking(keep).await.unwrap_or_else(|error| transfer.fail_all(error.into()))
        }
        Err(error) => transfer.fail_all(error),
    }
}

fn keep(transfer: &Transfer, position: usize, bytes: &Bytes) -> Result<()> {
    let tensor = transfer.model.brought(position);
    let Some(key) = transfer.model.key(tensor) else { return Ok(()) };
    let stored = transfer.slice(bytes, position)?;
    let cache: &Cache = &transfer.session.access.cache;
    let values = decode(&tensor.info.dtype, &stored)?;
    cache.insert(&key, &values, &meta(tensor, &transfer.source, digest::sha256_hex(&stored)))?;
    Ok(())
}

/// One tensor, piece by piece: never held whole.
async fn bring_large(transfer: &Transfer) -> Outcomes {
    let Some(&position) = transfer.span.tensors.first() else { return Vec::new() };
    vec![(position, keep_large(transfer, transfer.model.brought(position)).await)]
}

async fn keep_large(transfer: &Transfer, tensor: &Tensor) -> Result<()> {
    let Some(key) = transfer.model.key(tensor) else { return Ok(()) };
    let like = decode(&tensor.info.dtype, &[])?;
    let mut incoming = transfer.session.access.cache.begin(&key, &like, &tensor.info.shape)?;
    let mut digest = Sha256Hex::default();
    for piece in transfer.span.pieces() {
        let bytes = transfer.read(piece).await?;
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
    let meta = meta(tensor, &transfer.source, digest.finish());
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
