//! Rows into the cache: what has arrived is written whole, several tensors of a model side by side.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{
    Failures, ModelPlan, RowPlan, Span,
    tensors::{Transfer, fetch, meta, room_for_all, start},
};
use crate::{
    dtype::decode,
    error::Result,
    model::{Model, Opened, Session},
    rows::RowSet,
};

/// Bytes of rows that wait in memory before they are written, and may be lost where the run is interrupted. An entry is
/// rewritten whole, so what waits must also be as much as what was written before: then every byte is written twice at most on
/// average.
const WAITING: u64 = 8 * 1024 * 1024;

/// Carries out the plans of all models at once and returns, for each, the tensors that failed. Rows that have arrived are
/// kept all the same.
pub(super) async fn fetch_rows(session: &Session, opened: &[Opened], plans: &[Vec<RowPlan>]) -> Vec<Failures> {
    let room = room_for_all();
    let (mut whole, mut transfers, mut tables) = (vec![ModelPlan::default(); opened.len()], Vec::new(), Vec::new());
    for (number, (opened, plans)) in opened.iter().zip(plans).enumerate() {
        let Some(model) = opened.model() else { continue };
        let (entire, parts): (Vec<&RowPlan>, Vec<&RowPlan>) = plans.iter().partition(|plan| plan.whole);
        whole[number] = ModelPlan::sum(entire.into_iter().map(|plan| &plan.plan));
        session.progress.planned(&opened.label, parts.iter().map(|plan| plan.plan.bytes()).sum());
        for plan in parts {
            let (label, source) = (&opened.label, &session.access.source);
            let transfer = |span| (tables.len(), Transfer::new(session, (label, model), span, source, &room));
            transfers.extend(plan.plan.spans.iter().map(transfer));
            tables.push((number, Arriving::new(Arc::clone(model), plan.clone())));
        }
    }
    let mut failures = fetch(session, opened, &whole).await;
    let mut tasks = start(transfers, |transfer| async move {
        let room = transfer.room(transfer.span.range.len()).await;
        let read = transfer.read(transfer.span.range).await;
        (transfer.span, read, room)
    });
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect; its rows then miss from the cache and say so when they are read.
        let Ok((number, (span, read, room))) = joined else { continue };
        let table = &mut tables[number].1;
        let outcome = read.and_then(|bytes| table.arrived(&span, &bytes));
        // What is between the rows is gone by now.
        drop(room);
        let kept = if table.is_full() { table.keep(session).await } else { Ok(()) };
        table.note(outcome.and(kept));
    }
    for (number, mut table) in tables {
        let kept = table.keep(session).await;
        table.note(kept);
        if let Some(error) = table.failure {
            failures[number].insert(table.model.tensors[table.plan.position].info.name.clone(), error);
        }
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
            stored.extend_from_slice(slice.ok_or_else(|| self.model.vanished(tensor))?);
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
        let (cache, source) = (Arc::clone(&session.access.cache), session.access.source.clone());
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
            cache.insert_rows(&key, &rows, &values, &meta(tensor, &source, String::new()))?;
            Ok(())
        };
        spawn_blocking(work).await?
    }

    /// Remembers the first failure.
    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }
}
