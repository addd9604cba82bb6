//! Requests of many models at once: each span is a task, and the bytes that may be in memory are bounded over all of them.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use super::Span;
use crate::{
    error::{Error, Result},
    model::{AuditError, Model, Session},
    range::ByteRange,
};

/// Bytes of weights that may be in memory between the network and the cache.
pub const BYTES_IN_FLIGHT: u64 = 64 * 1024 * 1024;

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

/// One span on its way.
pub(super) struct Visit {
    pub(super) session: Session,
    pub(super) label: String,
    pub(super) model: Arc<Model>,
    pub(super) span: Span,
    /// Where the bytes come from, as the cache's records name it.
    pub(super) source: String,
    in_flight: Arc<Semaphore>,
}

/// The bound on bytes in flight that all visits of one run share.
pub(super) fn room_for_all() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(BYTES_IN_FLIGHT / UNIT).unwrap_or(1)))
}

impl Visit {
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

/// Starts a task a visit; each answers with the number that came with it.
pub(super) fn start<T, F>(visits: Vec<(usize, Visit)>, run: impl Fn(Visit) -> F) -> JoinSet<(usize, T)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (number, visit) in visits {
        let work = run(visit);
        tasks.spawn(async move { (number, work.await) });
    }
    tasks
}
