//! The way of every command that needs tensors: open, plan, fetch, on one runtime that is gone before anything is computed.

use std::{
    collections::BTreeMap,
    process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hub_audit::{
    cache::Cache,
    digest::TensorHash,
    error::Error,
    family::{LayerIndex, LayerSelection},
    fetch::Failures,
    hub::HubClient,
    model::{Opened, Progress, Question, Session, Silent},
    question::embeddings::Chosen,
    serve::{self, Hub, ServeOptions, Store},
    spec::ModelSpec,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    cost::Cost,
    exit::ExitStatus,
    job::{Job, Questions},
    options::Reach,
    printer::Printer,
    progress_bars::ProgressBars,
    table,
    until::Until,
};

/// Models whose lack of tensors is explained; of more, their number is told.
const MOST_MODELS: usize = 10;

/// What was opened and brought into the cache.
pub(crate) struct Gathered {
    pub(crate) opened: Vec<Opened>,
    pub(crate) failures: Vec<Failures>,
    /// Digests of the tensors that streamed past, by position in their model. Only after [`Until::Hashed`].
    pub(crate) hashes: Vec<BTreeMap<usize, TensorHash>>,
    /// The tokens whose rows were brought into the cache. Only after [`Until::Rows`], and where both models were opened.
    pub(crate) chosen: Option<Chosen>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) cost: Cost,
}

/// Opens the models and, if asked, fetches their tensors. `None` after `--dry-run`, whose plan has been printed.
pub(crate) fn gather(
    reach: &Reach,
    specs: &[ModelSpec],
    question: &Question,
    until: &Until<'_>,
    printer: &Printer,
) -> anyhow::Result<Option<Gathered>> {
    gather_by(reach, specs, Questions::One(question), until, printer)
}

/// As [`gather`], with a question of its own for each model.
pub(crate) fn gather_each(
    reach: &Reach,
    specs: &[ModelSpec],
    questions: &[Question],
    until: &Until<'_>,
    printer: &Printer,
) -> anyhow::Result<Option<Gathered>> {
    gather_by(reach, specs, Questions::Each(questions), until, printer)
}

fn gather_by(
    reach: &Reach,
    specs: &[ModelSpec],
    questions: Questions<'_>,
    until: &Until<'_>,
    printer: &Printer,
) -> anyhow::Result<Option<Gathered>> {
    let cache = Arc::new(Cache::open(reach.cache_folder()?).map_err(Error::from)?);
    if let Some(limits) = until.limits() {
        set_threads(limits.threads)?;
    }
    let runtime = Runtime::new().context("the network runtime cannot start")?;
    let outcome = runtime.block_on(async {
        let (hub, demo) = reach.connect().await?;
        let job = Job {
            session: Session {
                hub,
                cache: Arc::clone(&cache),
                shared: reach.shared_cache().map(Arc::new),
                progress: progress(printer),
                offline: reach.is_offline(),
                source: reach.source(),
            },
            // Counted from here: the embedded Hub's start-up is not part of what an audit costs.
            started: Instant::now(),
            printer,
        };
        let outcome = tokio::select! {
            outcome = job.run(specs, questions, until) => outcome,
            _ = tokio::signal::ctrl_c() => bail!(
                "interrupted; the tensors that have arrived are kept in the cache, and the same command goes on from there"
            ),
        };
        if let Some(hub) = demo {
            hub.shutdown().await;
        }
        outcome
    });
    // Nothing may run on the runtime while the pairs are computed; writes that have begun get a moment to end.
    runtime.shutdown_timeout(Duration::from_millis(500));
    if let Ok(Some(_)) = outcome {
        end_at_ctrl_c(printer);
    }
    outcome
}

/// Once a program has listened for Ctrl-C, the system no longer ends it. From here on this does, while it computes and writes:
/// what is kept is kept, and files of a report appear whole or not at all.
fn end_at_ctrl_c(printer: &Printer) {
    let printer = printer.clone();
    // Without the thread Ctrl-C would do nothing; that is no reason not to compute.
    let _ = thread::Builder::new().name("ctrl-c".to_owned()).spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
            return;
        };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            printer.error(&[(
                "error",
                "interrupted; the tensors are kept in the cache, and the same command goes on from there".to_owned(),
            )]);
            process::exit(ExitStatus::Failed.code().into());
        }
    });
}

fn progress(printer: &Printer) -> Arc<dyn Progress> {
    if printer.draws_bars() { Arc::new(ProgressBars::new()) } else { Arc::new(Silent) }
}

impl Reach {
    /// Name of the Hub in the cache. The embedded one has another address each time, and always the same models.
    fn source(&self) -> String {
        if self.demo { "embedded Hub".to_owned() } else { self.endpoint.trim_end_matches('/').to_owned() }
    }

    /// A client of the Hub; with `--demo` of the embedded one, which lives as long as what is returned beside it.
    async fn connect(&self) -> anyhow::Result<(HubClient, Option<Hub>)> {
        let mut options = self.hub_options()?;
        let mut demo = None;
        if self.demo {
            let hub = serve::start(ServeOptions::new(Store::replica())).await.map_err(Error::from)?;
            hub.url().clone_into(&mut options.endpoint);
            demo = Some(hub);
        }
        Ok((HubClient::new(&options).map_err(Error::from)?, demo))
    }
}

/// Whether nothing at all could be read: then there is no result to speak of.
pub(crate) fn all_failed(opened: &[Opened]) -> bool {
    opened.iter().all(|opened| opened.outcome.is_err())
}

/// Whether a tensor that was asked for could not be fetched.
pub(crate) fn any_tensor_failed(failures: &[Failures]) -> bool {
    failures.iter().any(|failures| !failures.is_empty())
}

/// Says of each model that was opened and has nothing of what was asked why that is.
pub(super) fn report_nothing(opened: &[Opened], printer: &Printer) {
    let mut without = opened.iter().filter_map(|opened| {
        let model = opened.outcome.as_ref().ok()?;
        Some((&opened.label, model.nothing.as_ref()?))
    });
    for (label, reason) in without.by_ref().take(MOST_MODELS) {
        printer.warn(&format!("{label}: no tensor was chosen: {reason}"));
    }
    let more = without.count();
    if more > 0 {
        let models = table::count(more as u64, "more model");
        printer.warn(&format!("no tensor was chosen of {models} either"));
    }
}

/// Whether a layer that was asked for by its number is in none of the models; each is named.
pub(crate) fn lacks_layers(opened: &[Opened], layers: &LayerSelection, printer: &Printer) -> bool {
    let models = || opened.iter().filter_map(|opened| opened.outcome.as_ref().ok());
    if models().next().is_none() {
        return false;
    }
    let is_there = |layer| models().any(|model| model.tensors.iter().any(|tensor| tensor.layer == Some(layer)));
    let absent: Vec<LayerIndex> = layers.numbers().filter(|&layer| !is_there(layer)).collect();
    for layer in &absent {
        printer.warn(&format!("no model has layer {layer} of what was asked for"));
    }
    !absent.is_empty()
}

fn set_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
            .context("the compute threads cannot be set up")?;
    }
    Ok(())
}
