//! The way of every command that needs tensors: open, plan, fetch, on one runtime that is gone before anything is computed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hub_audit::{
    Error,
    audit::{self, AuditError, Failures, ModelPlan, Opened, Question, Session, Silent},
    cache::Cache,
    hub::{HubClient, HubOptions, Traffic},
    serve::{self, ServeOptions, Store},
    spec::ModelSpec,
};
use tokio::runtime::Runtime;

use super::{
    args::{Limits, Reach},
    printer::Printer,
    progress_bars::ProgressBars,
    render_error,
    size::Size,
    table,
};

/// What was opened and brought into the cache.
pub(crate) struct Gathered {
    pub(crate) opened: Vec<Opened>,
    pub(crate) failures: Vec<Failures>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) cost: Cost,
}

/// What a run has cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) traffic: Traffic,
    pub(crate) fetched: usize,
    pub(crate) cached: usize,
    pub(crate) elapsed: Duration,
}

impl Cost {
    /// `moved 5.9 MB in 131 requests, 33 tensors fetched, 0 from cache, 0.9 s`.
    pub(crate) fn line(&self) -> String {
        format!(
            "moved {} in {}, {} fetched, {} from cache, {:.1} s",
            Size(self.traffic.bytes),
            table::count(self.traffic.requests, "request"),
            table::count(self.fetched as u64, "tensor"),
            self.cached,
            self.elapsed.as_secs_f64()
        )
    }
}

/// How far to go.
pub(crate) enum Until<'a> {
    /// Headers only.
    Opened,
    /// Tensors in the cache, within limits.
    Fetched(&'a Limits),
}

/// Opens the models and, if asked, fetches their tensors. `None` after `--dry-run`, whose plan has been printed.
pub(crate) fn gather(
    reach: &Reach,
    specs: &[ModelSpec],
    question: &Question,
    until: &Until<'_>,
    printer: Printer,
) -> anyhow::Result<Option<Gathered>> {
    let started = Instant::now();
    let options = reach.hub_options()?;
    let cache = Arc::new(Cache::open(&reach.cache_folder()?).map_err(Error::from)?);
    if let Until::Fetched(limits) = until {
        set_threads(limits.threads)?;
    }
    let runtime = Runtime::new().context("the network runtime cannot start")?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work(reach, options, Arc::clone(&cache), specs, question, until, printer, started) => outcome,
            _ = tokio::signal::ctrl_c() => bail!("interrupted; what has arrived is kept in the cache, and the same command goes on from there"),
        }
    });
    // Nothing may run on the runtime while the pairs are computed; writes that have begun are waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call site; a struct would only rename the parameters"
)]
async fn work(
    reach: &Reach,
    mut options: HubOptions,
    cache: Arc<Cache>,
    specs: &[ModelSpec],
    question: &Question,
    until: &Until<'_>,
    printer: Printer,
    started: Instant,
) -> anyhow::Result<Option<Gathered>> {
    let demo = if reach.demo {
        let hub = serve::start(ServeOptions::new(Store::replica()))
            .await
            .map_err(Error::from)?;
        options.endpoint = hub.url().to_owned();
        Some(hub)
    } else {
        None
    };
    // The embedded Hub's start-up is not part of what the audit costs.
    let started = if demo.is_some() { Instant::now() } else { started };
    let session = Session {
        hub: HubClient::new(&options).map_err(Error::from)?,
        cache: Arc::clone(&cache),
        progress: if printer.draws_bars() {
            Arc::new(ProgressBars::new())
        } else {
            Arc::new(Silent)
        },
        offline: options.offline,
    };
    let opened = session.open(specs, question).await;
    let plans: Vec<ModelPlan> = opened
        .iter()
        .map(|opened| {
            opened
                .outcome
                .as_ref()
                .map_or_else(|_| ModelPlan::default(), |model| audit::plan(&session, model))
        })
        .collect();
    let mut failures: Vec<Failures> = opened.iter().map(|_| Failures::new()).collect();
    let mut fetched = 0;
    if let Until::Fetched(limits) = until {
        if limits.dry_run {
            let cost = Cost {
                traffic: session.hub.traffic(),
                elapsed: started.elapsed(),
                ..Cost::default()
            };
            drop(session);
            report_failures(&opened, printer);
            printer.data(&table::plan(&opened, &plans))?;
            printer.talk(&cost.line());
            return Ok(None);
        }
        let planned: u64 = plans.iter().map(ModelPlan::bytes).sum();
        if planned > limits.max_bytes.0 {
            return Err(Error::from(AuditError::OverBudget {
                planned,
                limit: limits.max_bytes.0,
            })
            .into());
        }
        let jobs: Vec<_> = opened
            .iter()
            .zip(&plans)
            .filter_map(|(opened, plan)| {
                Some((
                    opened.label.clone(),
                    Arc::clone(opened.outcome.as_ref().ok()?),
                    plan.clone(),
                ))
            })
            .collect();
        let mut outcomes = audit::fetch(&session, &jobs).await.into_iter();
        for (failures, opened) in failures.iter_mut().zip(&opened) {
            if opened.outcome.is_ok() {
                *failures = outcomes.next().unwrap_or_default();
            }
        }
        let wanted: usize = plans
            .iter()
            .flat_map(|plan| &plan.spans)
            .map(|span| span.tensors.len())
            .sum();
        fetched = wanted - failures.iter().map(Failures::len).sum::<usize>().min(wanted);
    }
    let cost = Cost {
        traffic: session.hub.traffic(),
        fetched,
        cached: plans.iter().map(|plan| plan.cached).sum(),
        elapsed: started.elapsed(),
    };
    // The bars must be gone before anything else is printed.
    drop(session);
    report_failures(&opened, printer);
    for (opened, failures) in opened.iter().zip(&failures) {
        for (tensor, error) in failures {
            printer.warn(&format!(
                "{}: tensor `{}` was not fetched",
                opened.label,
                tensor.escape_debug()
            ));
            render_error::render_model(error, &printer);
        }
    }
    if let Some(hub) = demo {
        hub.shutdown().await;
    }
    Ok(Some(Gathered {
        opened,
        failures,
        cache,
        cost,
    }))
}

fn report_failures(opened: &[Opened], printer: Printer) {
    for opened in opened {
        match &opened.outcome {
            Err(error) => render_error::render_model(error, &printer),
            Ok(model) => {
                for warning in &model.warnings {
                    printer.detail(&format!("{}: {warning}", opened.label));
                }
                if !printer.is_verbose() && !model.warnings.is_empty() {
                    let count = table::count(model.warnings.len() as u64, "warning");
                    printer.talk(&format!("{}: {count} about its files (-v prints them)", opened.label));
                }
            }
        }
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

fn set_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
            .context("the compute threads cannot be set up")?;
    }
    Ok(())
}
