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
    Error,
    audit::{
        self, AuditError, Chosen, Failures, HashPlan, Model, ModelPlan, Opened, Progress, Question, Session, Silent,
        TokenAsk, compare::Matching,
    },
    cache::Cache,
    digest::TensorHash,
    hub::{HubClient, Traffic},
    serve::{self, Hub, ServeOptions, Store},
    spec::ModelSpec,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    args::{Limits, Reach},
    exit::ExitStatus,
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
    /// Digests of the tensors that streamed past, by position in their model. Only after [`Until::Hashed`].
    pub(crate) hashes: Vec<BTreeMap<usize, TensorHash>>,
    /// The tokens whose rows were brought into the cache. Only after [`Until::Rows`], and where both models were opened.
    pub(crate) chosen: Option<Chosen>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) cost: Cost,
}

/// What a run has cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) traffic: Traffic,
    pub(crate) fetched: usize,
    pub(crate) cached: usize,
    /// Tensors that were read from the cache that the Hub's own clients share.
    pub(crate) shared: usize,
    pub(crate) elapsed: Duration,
}

impl Cost {
    /// `moved 5.9 MB in 131 requests, 33 tensors fetched, 0 from cache, 0.9 s`; before the time also
    /// `12 from the Hugging Face cache`, where any were.
    pub(crate) fn line(&self) -> String {
        let shared = match self.shared {
            0 => String::new(),
            count => format!(", {count} from the Hugging Face cache"),
        };
        format!(
            "moved {} in {}, {} fetched, {} from cache{shared}, {:.1} s",
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
    /// Tensors on this machine, within limits: in the cache, or where the Hugging Face cache has them.
    Fetched(&'a Limits),
    /// The same; with `--dry-run` this is printed after the plan.
    Computed(&'a Limits, &'a dyn Fn(&[Opened]) -> String),
    /// All tensors in the cache, within limits, each as a file of its own.
    Kept(&'a Limits),
    /// What two models need to be compared, in the cache, within limits.
    Matched(&'a Limits, &'a dyn Fn(&Model, &Model) -> Matching),
    /// Tensors that are neither cached nor local digested as they stream past, within limits: those whose name is wanted.
    Hashed(&'a Limits, &'a dyn Fn(&str) -> bool),
    /// Rows of the embedding tables of two models in the cache, within limits.
    Rows(&'a Limits, TokenAsk),
}

impl Until<'_> {
    /// What `--dry-run` prints after the plan.
    fn arithmetic(&self, opened: &[Opened]) -> String {
        match self {
            Self::Computed(_, arithmetic) => format!("\n{}", arithmetic(opened)),
            _ => String::new(),
        }
    }

    fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Opened => None,
            Self::Fetched(limits)
            | Self::Computed(limits, _)
            | Self::Kept(limits)
            | Self::Matched(limits, _)
            | Self::Hashed(limits, _)
            | Self::Rows(limits, _) => Some(limits),
        }
    }
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

/// What is asked: the same of all models, or something of each.
#[derive(Clone, Copy)]
enum Questions<'a> {
    One(&'a Question),
    Each(&'a [Question]),
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
    if printer.draws_bars() {
        Arc::new(ProgressBars::new())
    } else {
        Arc::new(Silent)
    }
}

impl Reach {
    /// Name of the Hub in the cache. The embedded one has another address each time, and always the same models.
    fn source(&self) -> String {
        if self.demo {
            "embedded Hub".to_owned()
        } else {
            self.endpoint.trim_end_matches('/').to_owned()
        }
    }

    /// A client of the Hub; with `--demo` of the embedded one, which lives as long as what is returned beside it.
    async fn connect(&self) -> anyhow::Result<(HubClient, Option<Hub>)> {
        let mut options = self.hub_options()?;
        let mut demo = None;
        if self.demo {
            let hub = serve::start(ServeOptions::new(Store::replica()))
                .await
                .map_err(Error::from)?;
            hub.url().clone_into(&mut options.endpoint);
            demo = Some(hub);
        }
        Ok((HubClient::new(&options).map_err(Error::from)?, demo))
    }
}

pub(super) struct Job<'a> {
    pub(super) session: Session,
    started: Instant,
    printer: &'a Printer,
}

impl Job<'_> {
    async fn run(
        self,
        specs: &[ModelSpec],
        questions: Questions<'_>,
        until: &Until<'_>,
    ) -> anyhow::Result<Option<Gathered>> {
        let opened = match questions {
            Questions::One(question) => self.session.open(specs, question).await,
            Questions::Each(questions) => self.session.open_each(specs, questions).await,
        };
        let model_of = |opened: &Opened| opened.outcome.as_ref().ok().map(Arc::clone);
        let hash_plans: Vec<HashPlan> = match until {
            Until::Hashed(_, wanted) => opened
                .iter()
                .map(|opened| model_of(opened).map(|model| audit::plan_hash(&self.session, &model, wanted)))
                .map(Option::unwrap_or_default)
                .collect(),
            _ => Vec::new(),
        };
        let (chosen, row_plans) = match until {
            Until::Rows(_, ask) => self.choose_rows(&opened, *ask).await?,
            _ => (None, Vec::new()),
        };
        let mut plans: Vec<ModelPlan> = match until {
            Until::Rows(..) => row_plans.iter().map(|plan| plan.plan.clone()).collect(),
            Until::Hashed(..) => hash_plans.iter().map(|plan| plan.plan.clone()).collect(),
            Until::Matched(_, matched) => self.plan_matched(&opened, matched),
            _ => opened
                .iter()
                .map(|opened| model_of(opened).map(|model| audit::plan(&self.session, &model)))
                .map(Option::unwrap_or_default)
                .collect(),
        };
        if !matches!(until, Until::Kept(_)) {
            // What can be read where it lies need not be there twice.
            for plan in &mut plans {
                plan.shared_spans.clear();
            }
        }
        let mut failures: Vec<Failures> = opened.iter().map(|_| Failures::new()).collect();
        let mut hashes = Vec::new();
        let (mut fetched, mut shared) = (0, 0);
        if let Some(limits) = until.limits() {
            if limits.dry_run {
                let cost = self.cost(0, 0, 0);
                let printer = self.printer;
                drop(self);
                report_failures(&opened, &failures, printer);
                printer.data(&(table::plan(&opened, &plans) + &until.arithmetic(&opened)))?;
                printer.talk(&cost.line());
                if all_failed(&opened) {
                    bail!("no model could be read, so there is no plan");
                }
                return Ok(None);
            }
            let planned = plans.iter().map(ModelPlan::bytes).fold(0, u64::saturating_add);
            if planned > limits.max_bytes.0 {
                return Err(Error::from(AuditError::OverBudget {
                    planned,
                    limit: limits.max_bytes.0,
                })
                .into());
            }
            // The plan is what should arrive; a server that answers with more must not get past the limit either.
            self.session.hub.limit_ranges(limits.max_bytes.0);
            match until {
                Until::Hashed(..) => (hashes, failures) = self.hash(&opened, hash_plans).await,
                Until::Rows(..) => failures = self.fetch_rows(&opened, row_plans).await,
                _ => failures = self.fetch(&opened, &plans).await,
            }
            let failed = opened
                .iter()
                .zip(&plans)
                .zip(&failures)
                .map(|((opened, plan), failures)| {
                    let shared = opened
                        .outcome
                        .as_ref()
                        .map_or(0, |model| failed_shared(model, plan, failures));
                    (failures.len() - shared, shared)
                });
            let (failed, failed_shared) = failed.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
            fetched = plans
                .iter()
                .map(ModelPlan::moving)
                .sum::<usize>()
                .saturating_sub(failed);
            shared = plans
                .iter()
                .map(|plan| plan.shared)
                .sum::<usize>()
                .saturating_sub(failed_shared);
        }
        let cost = self.cost(fetched, plans.iter().map(|plan| plan.cached).sum(), shared);
        let (cache, printer) = (Arc::clone(&self.session.cache), self.printer);
        // The bars must be gone before anything else is printed.
        drop(self);
        report_failures(&opened, &failures, printer);
        Ok(Some(Gathered {
            opened,
            failures,
            hashes,
            chosen,
            cache,
            cost,
        }))
    }

    /// Plans what the two models need of each other; nothing where one could not be read.
    fn plan_matched(&self, opened: &[Opened], matched: &dyn Fn(&Model, &Model) -> Matching) -> Vec<ModelPlan> {
        let models: Vec<&Arc<Model>> = opened
            .iter()
            .filter_map(|opened| opened.outcome.as_ref().ok())
            .collect();
        let [a, b] = models.as_slice() else {
            return opened.iter().map(|_| ModelPlan::default()).collect();
        };
        let needed = matched(a, b).needed();
        models
            .iter()
            .zip(&needed)
            .map(|(model, needed)| audit::plan_where(&self.session, model, |position| needed.contains(&position)))
            .collect()
    }

    async fn fetch(&self, opened: &[Opened], plans: &[ModelPlan]) -> Vec<Failures> {
        let jobs = jobs(opened, plans.iter().cloned());
        one_each(opened, audit::fetch(&self.session, &jobs).await)
    }

    /// Digests what streams past: for each model the digests by position, and what failed.
    async fn hash(&self, opened: &[Opened], plans: Vec<HashPlan>) -> (Vec<BTreeMap<usize, TensorHash>>, Vec<Failures>) {
        let jobs = jobs(opened, plans);
        let outcomes = audit::hash_remote(&self.session, &jobs).await;
        one_each(opened, outcomes).into_iter().unzip()
    }

    fn cost(&self, fetched: usize, cached: usize, shared: usize) -> Cost {
        Cost {
            traffic: self.session.hub.traffic(),
            fetched,
            cached,
            shared,
            elapsed: self.started.elapsed(),
        }
    }
}

/// The models that were opened, each with its plan.
pub(super) fn jobs<P>(opened: &[Opened], plans: impl IntoIterator<Item = P>) -> Vec<(String, Arc<Model>, P)> {
    let pairs = opened.iter().zip(plans);
    pairs
        .filter_map(|(opened, plan)| Some((opened.label.clone(), Arc::clone(opened.outcome.as_ref().ok()?), plan)))
        .collect()
}

/// What came of the models that were opened, with nothing for the others, so that there is one for each again.
pub(super) fn one_each<T: Default>(opened: &[Opened], outcomes: Vec<T>) -> Vec<T> {
    let mut outcomes = outcomes.into_iter();
    let outcome = |opened: &Opened| opened.outcome.as_ref().ok().and_then(|_| outcomes.next());
    opened.iter().map(outcome).map(Option::unwrap_or_default).collect()
}

/// How many of the failures are of tensors that should have come from the cache that the Hub's own clients share.
fn failed_shared(model: &Model, plan: &ModelPlan, failures: &Failures) -> usize {
    let positions = plan.shared_spans.iter().flat_map(|span| &span.tensors);
    positions
        .filter(|&&position| failures.contains_key(&model.tensors[position].info.name))
        .count()
}

/// Says what could not be read, and what is odd about the files of what could.
fn report_failures(opened: &[Opened], failures: &[Failures], printer: &Printer) {
    for (opened, failures) in opened.iter().zip(failures) {
        match &opened.outcome {
            Err(error) => render_error::render_model(error, printer),
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
        for (tensor, error) in failures {
            printer.warn(&format!(
                "{}: tensor `{}` was not fetched",
                opened.label,
                tensor.escape_debug()
            ));
            render_error::render_model(error, printer);
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
