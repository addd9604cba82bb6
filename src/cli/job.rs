//! One run of a command that needs tensors: models are opened, their tensors planned, and what is planned is brought here.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use anyhow::bail;
use hub_audit::{
    digest::TensorHash,
    error::Error,
    fetch::{Failures, HashPlan, ModelPlan, RowPlan},
    model::{AuditError, Model, Opened, Question, Session},
    question::{
        compare::Matching,
        embeddings::{Chosen, TokenAsk},
    },
    spec::{ModelSource, ModelSpec},
};

use super::{
    cost::Cost,
    gather::{self, Gathered},
    options::Limits,
    printer::Printer,
    render_error, table,
    until::Until,
};

/// What is asked: the same of all models, or something of each.
#[derive(Clone, Copy)]
pub(super) enum Questions<'a> {
    One(&'a Question),
    Each(&'a [Question]),
}

pub(super) struct Job<'a> {
    pub(super) session: Session,
    pub(super) started: Instant,
    pub(super) printer: &'a Printer,
}

/// What is to be brought here, for each model, opened or not.
struct Planned {
    plans: Vec<ModelPlan>,
    work: Work,
    chosen: Option<Chosen>,
}

/// What is done with what a plan names.
enum Work {
    /// Whole tensors are kept.
    Tensors,
    /// Tensors are digested as they stream past.
    Hashes(Vec<HashPlan>),
    /// Rows of tensors are kept.
    Rows(Vec<RowPlan>),
}

/// What came of the work, for each model, opened or not.
struct Done {
    hashes: Vec<BTreeMap<usize, TensorHash>>,
    failures: Vec<Failures>,
    /// How many tensors arrived, and how many were read from the cache that the Hub's own clients share.
    counts: (usize, usize),
}

impl Job<'_> {
    /// Does it; `None` after `--dry-run`, whose plan has been printed.
    pub(super) async fn run(
        self,
        specs: &[ModelSpec],
        questions: Questions<'_>,
        until: &Until<'_>,
    ) -> anyhow::Result<Option<Gathered>> {
        let opened = match questions {
            Questions::One(question) => self.session.open(specs, question).await,
            Questions::Each(questions) => self.session.open_each(specs, questions).await,
        };
        let Planned { plans, work, chosen } = self.plan(&opened, until).await?;
        let done = match until.limits() {
            Some(limits) if limits.dry_run => return self.print(&opened, &plans, until).map(|()| None),
            Some(limits) => {
                self.allow(limits, &plans)?;
                self.carry_out(&opened, &plans, work).await
            }
            None => {
                Done { hashes: Vec::new(), failures: opened.iter().map(|_| Failures::new()).collect(), counts: (0, 0) }
            }
        };
        // A plan that is not carried out reads nothing, from the cache either.
        let carried_out = if until.limits().is_some() { plans.as_slice() } else { &[] };
        let cost = self.cost(&opened, carried_out, done.counts);
        let (cache, printer) = (Arc::clone(&self.session.cache), self.printer);
        // The bars must be gone before anything else is printed.
        drop(self);
        report_failures(&opened, &done.failures, printer);
        if until.chooses() {
            gather::report_nothing(&opened, printer);
        }
        Ok(Some(Gathered { opened, failures: done.failures, hashes: done.hashes, chosen, cache, cost }))
    }

    async fn plan(&self, opened: &[Opened], until: &Until<'_>) -> anyhow::Result<Planned> {
        let (mut chosen, mut work) = (None, Work::Tensors);
        let mut plans: Vec<ModelPlan> = match until {
            Until::Hashed(_, wanted) => {
                let hashes = each(opened, |model| hub_audit::fetch::plan_hash(&self.session, model, wanted));
                let plans = hashes.iter().map(|hash| hash.plan.clone()).collect();
                work = Work::Hashes(hashes);
                plans
            }
            Until::Rows(_, ask) => {
                let rows;
                (chosen, rows) = self.choose_rows(opened, *ask).await?;
                let plans = rows.iter().map(|rows| rows.plan.clone()).collect();
                work = Work::Rows(rows);
                plans
            }
            Until::Matched(_, matched) => self.plan_matched(opened, matched),
            Until::Opened | Until::Fetched(_) | Until::Computed(..) | Until::Kept(_) => {
                each(opened, |model| hub_audit::fetch::plan(&self.session, model))
            }
        };
        if !matches!(until, Until::Kept(_)) {
            // What can be read where it lies need not be there twice.
            for plan in &mut plans {
                plan.shared_spans.clear();
            }
        }
        Ok(Planned { plans, work, chosen })
    }

    /// Plans what the two models need of each other; nothing where one could not be read.
    fn plan_matched(&self, opened: &[Opened], matched: &dyn Fn(&Model, &Model) -> Matching) -> Vec<ModelPlan> {
        let models = models(opened);
        let &[a, b] = models.as_slice() else {
            return opened.iter().map(|_| ModelPlan::default()).collect();
        };
        let needed = matched(a, b).needed();
        models
            .iter()
            .zip(&needed)
            .map(|(model, needed)| {
                hub_audit::fetch::plan_where(&self.session, model, |position| needed.contains(&position))
            })
            .collect()
    }

    /// Chooses tokens of the two models, and plans their rows; nothing where one could not be read.
    async fn choose_rows(&self, opened: &[Opened], ask: TokenAsk) -> anyhow::Result<(Option<Chosen>, Vec<RowPlan>)> {
        let models = models(opened);
        let &[first, second] = models.as_slice() else {
            return Ok((None, vec![RowPlan::default(); opened.len()]));
        };
        let chosen = hub_audit::question::embeddings::choose_tokens(&self.session, [first, second], ask).await?;
        let mut plans = Vec::with_capacity(models.len());
        for ((model, table), wanted) in models.iter().zip(&chosen.tables).zip(chosen.wanted()) {
            plans.push(match table {
                Ok(table) => hub_audit::fetch::plan_rows(&self.session, model, table.position, &wanted)?,
                Err(_) => RowPlan::default(),
            });
        }
        Ok((Some(chosen), plans))
    }

    /// Prints what `--dry-run` asks for.
    fn print(self, opened: &[Opened], plans: &[ModelPlan], until: &Until<'_>) -> anyhow::Result<()> {
        let cost = self.cost(opened, &[], (0, 0));
        let printer = self.printer;
        // As above.
        drop(self);
        let no_failures: Vec<Failures> = opened.iter().map(|_| Failures::new()).collect();
        report_failures(opened, &no_failures, printer);
        if until.chooses() {
            gather::report_nothing(opened, printer);
        }
        printer.data(&(table::plan(opened, plans) + &until.arithmetic(opened)))?;
        cost.tell(printer);
        if gather::all_failed(opened) {
            bail!("no model could be read, so there is no plan");
        }
        Ok(())
    }

    /// Refuses a plan beyond the limit, and has the Hub's client refuse what goes beyond the plan: a server may answer with more.
    fn allow(&self, limits: &Limits, plans: &[ModelPlan]) -> anyhow::Result<()> {
        let planned = plans.iter().map(ModelPlan::bytes).fold(0, u64::saturating_add);
        let limit = limits.max_bytes.0;
        if planned > limit {
            return Err(Error::from(AuditError::OverBudget { planned, limit }).into());
        }
        self.session.hub.limit_ranges(limit);
        Ok(())
    }

    async fn carry_out(&self, opened: &[Opened], plans: &[ModelPlan], work: Work) -> Done {
        let mut hashes = Vec::new();
        let failures: Vec<Failures> = match work {
            Work::Tensors => {
                let jobs = jobs(opened, plans.iter().cloned());
                one_each(opened, hub_audit::fetch::fetch(&self.session, &jobs).await)
            }
            Work::Rows(rows) => {
                let jobs = jobs(opened, rows);
                one_each(opened, hub_audit::fetch::fetch_rows(&self.session, &jobs).await)
            }
            Work::Hashes(plans) => {
                let jobs = jobs(opened, plans);
                let outcomes = hub_audit::fetch::hash_remote(&self.session, &jobs).await;
                let failures;
                (hashes, failures) = one_each(opened, outcomes).into_iter().unzip();
                failures
            }
        };
        let counts = counts(opened, plans, &failures);
        Done { hashes, failures, counts }
    }

    fn cost(&self, opened: &[Opened], plans: &[ModelPlan], (fetched, shared): (usize, usize)) -> Cost {
        Cost {
            of_the_hub: opened.iter().any(|opened| matches!(opened.spec.source, ModelSource::Hub { .. })),
            traffic: self.session.hub.traffic(),
            fetched,
            cached: plans.iter().map(|plan| plan.cached).sum(),
            shared,
            elapsed: self.started.elapsed(),
        }
    }
}

/// Those that were opened.
fn models(opened: &[Opened]) -> Vec<&Arc<Model>> {
    opened.iter().filter_map(|opened| opened.outcome.as_ref().ok()).collect()
}

/// Something of every model that was opened, and nothing of the others.
fn each<T: Default>(opened: &[Opened], of: impl Fn(&Arc<Model>) -> T) -> Vec<T> {
    let one = |opened: &Opened| opened.outcome.as_ref().map(&of).unwrap_or_default();
    opened.iter().map(one).collect()
}

/// The models that were opened, each with its plan.
fn jobs<P>(opened: &[Opened], plans: impl IntoIterator<Item = P>) -> Vec<(String, Arc<Model>, P)> {
    let pairs = opened.iter().zip(plans);
    pairs
        .filter_map(|(opened, plan)| Some((opened.label.clone(), Arc::clone(opened.outcome.as_ref().ok()?), plan)))
        .collect()
}

/// What came of the models that were opened, with nothing for the others, so that there is one for each again.
fn one_each<T: Default>(opened: &[Opened], outcomes: Vec<T>) -> Vec<T> {
    let mut outcomes = outcomes.into_iter();
    let outcome = |opened: &Opened| opened.outcome.as_ref().ok().and_then(|_| outcomes.next());
    opened.iter().map(outcome).map(Option::unwrap_or_default).collect()
}

/// How many of the planned tensors arrived, and how many were read from the cache that the Hub's own clients share.
fn counts(opened: &[Opened], plans: &[ModelPlan], failures: &[Failures]) -> (usize, usize) {
    let (mut fetched, mut shared) = (0, 0);
    for ((opened, plan), failures) in opened.iter().zip(plans).zip(failures) {
        let failed_shared = match &opened.outcome {
            Ok(model) => failed_shared(model, plan, failures),
            Err(_) => 0,
        };
        fetched += plan.moving().saturating_sub(failures.len() - failed_shared);
        shared += plan.shared.saturating_sub(failed_shared);
    }
    (fetched, shared)
}

/// How many of the failures are of tensors that should have come from the cache that the Hub's own clients share.
fn failed_shared(model: &Model, plan: &ModelPlan, failures: &Failures) -> usize {
    let positions = plan.shared_spans.iter().flat_map(|span| &span.tensors);
    positions.filter(|&&position| failures.contains_key(&model.tensors[position].info.name)).count()
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
            printer.warn(&format!("{}: tensor `{}` was not fetched", opened.label, tensor.escape_debug()));
            render_error::render_model(error, printer);
        }
    }
}
