//! The way of every command that needs models: what the library gathers on one runtime, which is gone before anything is computed, and
//! what is said of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use anyhow::bail;
use hub_audit::{
    Error,
    cache::Cache,
    family::{LayerIndex, LayerSelection},
    fetch::{Corpus, Cost, Failures, Gathered, Limits, Request},
    model::{Access, Exclusion, Opened, Question, Session},
    serve::{self, Hub, ServeOptions, Store},
    spec::ModelSpec,
};
use tokio::runtime::Builder;

use super::{
    exit::{ExitStatus, Interrupted},
    options,
    printer::Printer,
    progress_bars::ProgressBars,
    render_error, runtime,
    settings::HubArgs,
    size::Size,
    table,
};

/// Models whose lack of tensors is explained; of more, their number is told.
const MOST_MODELS: usize = 10;

/// How models are gathered.
pub(crate) struct Gather<'a> {
    pub(crate) hub: &'a HubArgs,
    /// `None` where only headers are read.
    pub(crate) limits: Option<&'a options::Limits>,
    pub(crate) printer: &'a Printer,
    /// Whether tensors are chosen by the question alone, so that none at all has a reason in it.
    pub(crate) explains_absence: bool,
    /// Whether the same models were opened before in this run, so that what there is to say of their files was said.
    pub(crate) is_again: bool,
    /// What `--dry-run` prints after the plan.
    pub(crate) after_plan: &'a dyn Fn(&[Opened]) -> String,
}

impl<'a> Gather<'a> {
    /// The usual way: tensors are chosen by the question alone.
    pub(crate) fn new(hub: &'a HubArgs, limits: &'a options::Limits, printer: &'a Printer) -> Self {
        let after_plan = &|_: &[Opened]| String::new();
        Self { hub, limits: Some(limits), printer, explains_absence: true, is_again: false, after_plan }
    }

    /// Headers alone.
    pub(crate) fn headers(hub: &'a HubArgs, printer: &'a Printer) -> Self {
        let after_plan = &|_: &[Opened]| String::new();
        Self { hub, limits: None, printer, explains_absence: false, is_again: false, after_plan }
    }

    /// Opens the models and brings what the question chooses. `None` after `--dry-run`, whose plan has been printed.
    pub(crate) fn ask(&self, specs: &[ModelSpec], question: &Question) -> anyhow::Result<Option<Corpus>> {
        let gather = async |session: &Session, limits: Limits| {
            Ok((session.gather(Request { specs, question, limits }).await?, ()))
        };
        Ok(self.run(gather)?.map(|(corpus, ())| corpus))
    }

    /// As [`Gather::ask`], by work that also tells something of its own.
    pub(crate) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&Session, Limits) -> Result<(Gathered, T), Error>,
    ) -> anyhow::Result<Option<(Corpus, T)>> {
        runtime::compute(self.limits.and_then(|limits| limits.threads), self.printer)?;
        let limits = self
            .limits
            .map_or_else(Limits::default, |limits| Limits { max_bytes: limits.max_bytes.0, dry_run: limits.dry_run });
        let runtime = runtime::network()?;
        let outcome = runtime.block_on(async {
            let (session, demo) = self.session().await?;
            let outcome = tokio::select! {
                outcome = work(&session, limits) => outcome.map_err(anyhow::Error::from),
                () = interruption() => Err(Interrupted { kept: "the tensors that have arrived are" }.into()),
            };
            if let Some(hub) = demo {
                hub.shutdown().await;
            }
            // The bars are gone with the session, before anything else is printed.
            outcome
        });
        // Nothing may run on the runtime while the pairs are computed; writes that have begun get a moment to end.
        runtime.shutdown_timeout(Duration::from_millis(500));
        let (gathered, told) = outcome?;
        match gathered {
            Gathered::Planned(opened, plans, cost) => {
                let no_failures: Vec<Failures> = opened.iter().map(|_| Failures::new()).collect();
                self.report(&opened, &no_failures);
                let after = (self.after_plan)(&opened);
                let most = self.hub.max_metadata;
                let limit = || {
                    format!("Headers, indexes, listings and small files of the run: {most} at most (--max-metadata)\n")
                };
                let limit = if cost.of_the_hub { limit() } else { String::new() };
                self.printer.data(&(table::plan(&opened, &plans) + &limit + &after))?;
                print_summary(&cost, self.printer);
                if opened.iter().all(|opened| opened.outcome.is_err()) {
                    bail!("no model could be read");
                }
                Ok(None)
            }
            Gathered::Done(corpus) => {
                end_at_ctrl_c(self.printer);
                self.report(&corpus.opened, &corpus.failures);
                Ok(Some((corpus, told)))
            }
        }
    }

    /// A session, and with `--demo` the embedded Hub that it asks.
    async fn session(&self) -> anyhow::Result<(Session, Option<Hub>)> {
        let hub = self.hub;
        let mut options = hub.hub_options()?;
        let mut demo = None;
        if hub.demo {
            let hub = serve::start(ServeOptions::new(Store::replica())).await.map_err(Error::from)?;
            hub.url().clone_into(&mut options.endpoint);
            demo = Some(hub);
        }
        let printer = self.printer.clone();
        let cache = Cache::open_with(hub.cache_folder()?, move |text| printer.warn(text)).map_err(Error::from)?;
        if hub.no_verify && !hub.demo {
            self.printer.warn("--no-verify: files of the Hugging Face cache are not verified");
        }
        let access = Access::new(&options, cache)?.with_shared(hub.hugging_face_cache());
        // The embedded Hub has another address each time, and always the same models.
        let access = if hub.demo { access.with_source("embedded Hub") } else { access };
        let mut session = Session::new(access);
        if self.printer.draws_bars() {
            session.progress = Arc::new(ProgressBars::new());
        }
        Ok((session, demo))
    }

    fn report(&self, opened: &[Opened], failures: &[Failures]) {
        if self.is_again {
            for (opened, failures) in opened.iter().zip(failures) {
                report_unfetched(&opened.label, failures, self.printer);
            }
            return;
        }
        report_failures(opened, failures, self.printer);
        if self.explains_absence {
            report_absence(opened, self.printer);
        }
    }
}

/// Set once a thread ends the program at Ctrl-C.
static ENDS_ITSELF: OnceLock<()> = OnceLock::new();

/// Ctrl-C; never where a thread of an earlier round of this run sees to it.
async fn interruption() {
    match ENDS_ITSELF.get() {
        Some(()) => std::future::pending().await,
        None => drop(tokio::signal::ctrl_c().await),
    }
}

/// Once a program has listened for Ctrl-C, the system no longer ends it. From here on this does, while it computes and writes:
/// what is kept is kept, and files of a report appear whole or not at all.
fn end_at_ctrl_c(printer: &Printer) {
    if ENDS_ITSELF.get().is_some() {
        return;
    }
    let printer = printer.clone();
    let thread = thread::Builder::new().name("ctrl-c".to_owned()).spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
            return;
        };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            printer.error(&[("error", Interrupted { kept: "the tensors are" }.to_string())]);
            process::exit(ExitStatus::Interrupted.code().into());
        }
    });
    // Without the thread Ctrl-C would do nothing; that is no reason not to compute.
    if thread.is_ok() {
        let _ = ENDS_ITSELF.set(());
    }
}

/// Says what a run cost, where there was anything to pay for: `moved 5.9 MB in 131 requests, 33 tensors fetched, 0 from cache, 0.9 s`;
/// before the time also `12 from the Hugging Face cache`, where any were.
pub(crate) fn print_summary(cost: &Cost, printer: &Printer) {
    if !cost.of_the_hub {
        return;
    }
    let shared = match cost.from_hf_cache {
        0 => String::new(),
        count => format!(", {count} from the Hugging Face cache"),
    };
    printer.talk(&format!(
        "moved {} in {}, {} fetched, {} from cache{shared}, {:.1} s",
        Size(cost.traffic.bytes),
        table::count(cost.traffic.requests, "request"),
        table::count(cost.fetched as u64, "tensor"),
        cost.cached,
        cost.elapsed.as_secs_f64()
    ));
}

/// Says of each model that was opened and has nothing of what was asked why that is.
fn report_absence(opened: &[Opened], printer: &Printer) {
    let mut without = opened.iter().filter_map(|opened| {
        let model = opened.outcome.as_ref().ok()?;
        Some((&opened.label, model.absence.as_ref()?))
    });
    for (label, reason) in without.by_ref().take(MOST_MODELS) {
        printer.warn(&format!("{label}: no match: {reason}"));
    }
    let more = without.count();
    if more > 0 {
        let models = table::count(more as u64, "more model");
        printer.warn(&format!("no matching tensors in {models} either"));
    }
}

/// Says of (model, what, why) that was not read, the first ones each and of the others how many.
pub(crate) fn report_unread<'a>(unread: impl Iterator<Item = (&'a String, &'a String, &'a String)>, printer: &Printer) {
    let mut unread = unread;
    for (label, what, why) in unread.by_ref().take(MOST_MODELS) {
        printer.warn(&format!("{label}: skipped {what}: {why}"));
    }
    let more = unread.count();
    if more > 0 {
        printer.warn(&format!("{} more skipped; the report lists them", table::count(more as u64, "tensor")));
    }
}

/// Whether a role or layer that was asked for by its name or number is in none of the models; each is named.
pub(crate) fn lacks(opened: &[Opened], question: &Question, printer: &Printer) -> bool {
    let models = opened.iter().filter_map(|opened| opened.outcome.as_ref().ok());
    let lacking = models.flat_map(|model| &model.lacking).filter(|lacking| lacking.is_fault && lacking.layer.is_none());
    let roles: BTreeSet<&str> = lacking.map(|lacking| lacking.tensor.as_str()).collect();
    for role in &roles {
        printer.warn(&format!("no model has a tensor of role `{role}`"));
    }
    lacks_layers(opened, &question.layers, printer) || !roles.is_empty()
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
        printer.warn(&format!("no model has layer {layer} of the requested tensors"));
    }
    !absent.is_empty()
}

/// Says which tensors cannot be read: one line a cause, however many tensors it costs.
fn report_unreadable(label: &str, excluded: &[Exclusion], printer: &Printer) {
    let mut causes: BTreeMap<&str, Vec<&Exclusion>> = BTreeMap::new();
    for fault in excluded.iter().filter(|exclusion| exclusion.is_fault) {
        causes.entry(&fault.reason).or_default().push(fault);
    }
    for (reason, faults) in causes {
        let [first, others @ ..] = faults.as_slice() else { continue };
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        printer.warn(&format!("{label}: tensor `{}`{more} cannot be read: {reason}", first.tensor.escape_debug()));
        for fault in others {
            printer.detail(&format!("{label}: tensor `{}` cannot be read", fault.tensor.escape_debug()));
        }
    }
}

/// Says what could not be read, and what is odd about the files of what could.
fn report_failures(opened: &[Opened], failures: &[Failures], printer: &Printer) {
    for (opened, failures) in opened.iter().zip(failures) {
        match &opened.outcome {
            Err(error) => {
                render_error::render_model(error, printer);
                render_error::hint_at_folder(&opened.spec, printer);
            }
            Ok(model) => {
                if let Some(notice) = &model.notice {
                    printer.warn(&format!("{}: {notice}", opened.label));
                }
                report_unreadable(&opened.label, &model.excluded, printer);
                for warning in &model.warnings {
                    printer.detail(&format!("{}: {warning}", opened.label));
                }
                if !printer.is_verbose() && !model.warnings.is_empty() {
                    let count = table::count(model.warnings.len() as u64, "file warning");
                    printer.talk(&format!("{}: {count} (show with -v)", opened.label));
                }
            }
        }
        report_unfetched(&opened.label, failures, printer);
    }
}

/// Says which tensors could not be brought.
pub(crate) fn report_unfetched(label: &str, failures: &Failures, printer: &Printer) {
    for (tensor, error) in failures {
        printer.warn(&format!("{label}: tensor `{}` was not fetched", tensor.escape_debug()));
        render_error::render_model(error, printer);
    }
}
