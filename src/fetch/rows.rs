//! Rows into the cache: requests in parallel, bytes in flight bounded, and what has arrived written whole.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
};

use super::{BYTES_IN_FLIGHT, Failures, RowPlan, Span, row_meta, tensors::fetch};
use crate::{
    dtype::decode,
    error::Result,
    model::{AuditError, Model, Session},
    rows::RowSet,
};

/// Unit of the bound on bytes in flight: a semaphore counts in u32.
const UNIT: u64 = 1024;

/// Bytes of rows that wait in memory before they are written, and may be lost where the run is interrupted. An entry is
/// rewritten whole, so what waits must also be as much as what was written before: then every byte is written twice at most on
/// average.
const WAITING: u64 = 8 * 1024 * 1024;

/// Carries out the plans of all models at once and returns, for each, whether its tensor failed. Rows that have arrived are
/// kept all the same.
pub async fn fetch_rows(session: &Session, models: &[(String, Arc<Model>, RowPlan)]) -> Vec<Failures> {
    let whole: Vec<_> = models
        .iter()
        .filter(|(_, _, plan)| plan.whole)
        .map(|(label, model, plan)| (label.clone(), Arc::clone(model), plan.plan.clone()))
        .collect();
    let mut failed_whole = fetch(session, &whole).await.into_iter();
    let in_flight = Arc::new(Semaphore::new(usize::try_from(BYTES_IN_FLIGHT / UNIT).unwrap_or(1)));
    let mut tasks = JoinSet::new();
    let mut tables: Vec<Arriving> = Vec::with_capacity(models.len());
    for (number, (label, model, plan)) in models.iter().enumerate() {
        tables.push(Arriving::new(Arc::clone(model), plan.clone()));
        if plan.whole {
            continue;
        }
        session.progress.planned(label, plan.plan.bytes());
        for span in &plan.plan.spans {
            let (session, model, span) = (session.clone(), Arc::clone(model), span.clone());
            let (label, in_flight) = (label.clone(), Arc::clone(&in_flight));
            tasks.spawn(async move {
                let units = span.range.len().div_ceil(UNIT).clamp(1, BYTES_IN_FLIGHT / UNIT);
                let permit = in_flight.acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
                let read = model.repository.read(&span.shard, span.range).await;
                if read.is_ok() {
                    session.progress.arrived(&label, span.range.len());
                }
                (number, span, read, permit)
            });
        }
    }
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its rows then miss from the cache and say so when they are read.
        let Ok((number, span, read, permit)) = joined else {
            continue;
        };
        let table = &mut tables[number];
        let outcome = match read {
            Ok(bytes) => table.arrived(&span, &bytes),
            Err(error) => Err(error),
        };
        // What is between the rows is gone by now.
        drop(permit);
        let kept = if table.is_full() { table.keep(session).await } else { Ok(()) };
        table.note(outcome.and(kept));
    }
    let mut failures = Vec::with_capacity(tables.len());
    for mut table in tables {
        let kept = table.keep(session).await;
        table.note(kept);
        failures.push(if table.plan.whole { failed_whole.next().unwrap_or_default() } else { table.failures() });
    }
    failures
}

/// The rows of one tensor on their way into the cache.
struct Arriving {
    model: Arc<Model>,
    plan: RowPlan,
    /// Rows and their bytes, by the first row.
    waiting: BTreeMap<u64, (RowSet, Vec<u8>)>,
    waiting_bytes: u64,
    kept_bytes: u64,
    failure: Option<crate::Error>,
}

impl Arriving {
    fn new(model: Arc<Model>, plan: RowPlan) -> Self {
        Self { model, plan, waiting: BTreeMap::new(), waiting_bytes: 0, kept_bytes: 0, failure: None }
    }

    /// Takes the missing rows out of a span; the bytes between them are let go.
    fn arrived(&mut self, span: &Span, bytes: &Bytes) -> Result<()> {
        let tensor = &self.model.tensors[self.plan.position];
        let (start, width) = (tensor.info.range.start, self.plan.width);
        let row_at = |offset: u64| (offset - start) / width;
        let rows = self.plan.missing.within(&(row_at(span.range.start)..row_at(span.range.end)));
        let mut stored = Vec::new();
        for run in rows.runs() {
            let at = |row: u64| usize::try_from(start + row * width - span.range.start).unwrap_or(usize::MAX);
            let slice = bytes.get(at(run.start)..at(run.end));
            stored.extend_from_slice(slice.ok_or_else(|| AuditError::Vanished {
                model: self.model.repository.place(),
                tensor: tensor.info.name.clone(),
            })?);
        }
        let first = rows.runs().first().map(|run| run.start);
        if let Some(first) = first {
            self.waiting_bytes += stored.len() as u64;
            self.waiting.insert(first, (rows, stored));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.waiting_bytes >= WAITING.max(self.kept_bytes)
    }

    /// Writes what waits.
    async fn keep(&mut self, session: &Session) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.kept_bytes += std::mem::take(&mut self.waiting_bytes);
        if waiting.is_empty() {
            return Ok(());
        }
        let (cache, source) = (Arc::clone(&session.cache), session.source.clone());
        let (model, position) = (Arc::clone(&self.model), self.plan.position);
        let work = move || {
            let tensor = &model.tensors[position];
            let Some(key) = model.key(tensor) else { return Ok(()) };
            let (mut rows, mut stored) = (Vec::new(), Vec::new());
            // Spans do not overlap: in the order of their first rows, all rows are in order.
            for (of_span, bytes) in waiting.into_values() {
                rows.extend(of_span.iter());
                stored.extend(bytes);
            }
            let rows: RowSet = rows.into_iter().collect();
            let values = decode(&tensor.info.dtype, &stored)?;
            cache.insert_rows(&key, &rows, &values, &row_meta(tensor, &source))?;
            Ok(())
        };
        spawn_blocking(work).await.unwrap_or_else(|source| Err(AuditError::Task { source }.into()))
    }

    /// Remembers the first failure.
    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }

    fn failures(self) -> Failures {
        let name = |model: &Model| model.tensors.get(self.plan.position).map(|tensor| tensor.info.name.clone());
        let mut failures = Failures::new();
        if let (Some(error), Some(name)) = (self.failure, name(&self.model)) {
            failures.insert(name, error);
        }
        failures
    }
}
