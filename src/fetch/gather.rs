//! From models that are opened to a corpus: what is planned is brought, within limits, and what it cost is counted.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Digests, Failures, ModelPlan, RowPlan, digests::hash_remote, plan, rows::fetch_rows, tensors::fetch};
use crate::{
    cache::Cache,
    error::{Error, Result},
    hub::Traffic,
    model::{AuditError, Model, Opened, Question, Session},
    spec::{ModelSource, ModelSpec},
};

/// What one call of [`Session::gather`] asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The models.
    pub specs: &'a [ModelSpec],
    /// Which of their tensors.
    pub question: &'a Question,
    /// How much may move.
    pub limits: Limits,
}

/// What may move.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of weights that may come over the network; a plan above it is refused before the first byte.
    pub max_bytes: u64,
    /// Whether the plan is all that is wanted.
    pub dry_run: bool,
}

impl Default for Limits {
    /// One gigabyte, and not only the plan.
    fn default() -> Self {
        Self { max_bytes: 1_000_000_000, dry_run: false }
    }
}

/// What is to be brought of each model, opened or not.
#[derive(Debug)]
pub enum Work {
    /// Nothing: the headers are enough.
    Headers,
    /// Whole tensors, to be kept.
    Tensors(Vec<ModelPlan>),
    /// Digests of tensors, taken as they stream past.
    Digests(Vec<ModelPlan>),
    /// Rows of tensors, to be kept.
    Rows(Vec<Vec<RowPlan>>),
}

impl Work {
    /// Takes out of the plans of models that are named again what the first naming brings.
    fn once_each(&mut self, repeats: &[(usize, usize)]) {
        for &(at, first) in repeats {
            match self {
                Self::Headers => {}
                Self::Tensors(plans) | Self::Digests(plans) => {
                    let of_first = plans[first].clone();
                    plans[at].drop_what(&of_first);
                }
                Self::Rows(plans) => {
                    let of_first = plans[first].clone();
                    for rows in &mut plans[at] {
                        for first in &of_first {
                            rows.plan.drop_what(&first.plan);
                        }
                    }
                }
            }
        }
    }

    /// What it costs, for each model.
    pub fn plans(&self) -> Vec<ModelPlan> {
        match self {
            Self::Headers => Vec::new(),
            Self::Tensors(plans) | Self::Digests(plans) => plans.clone(),
            Self::Rows(plans) => plans.iter().map(|rows| ModelPlan::sum(rows.iter().map(|rows| &rows.plan))).collect(),
        }
    }
}

/// Models and what was brought of them.
#[derive(Debug)]
pub struct Corpus {
    /// The models, in the order asked; one that could not be opened keeps its place.
    pub opened: Vec<Opened>,
    /// For each model the tensors that could not be brought.
    pub failures: Vec<Failures>,
    /// For each model digests of tensors that streamed past; empty where none were asked for.
    pub digests: Vec<Digests>,
    /// Where the tensors are kept.
    pub cache: Arc<Cache>,
    /// What it cost.
    pub cost: Cost,
}

/// What a run has moved, and how long it took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Whether any of the models is one of the Hub: of folders alone nothing moves.
    pub of_the_hub: bool,
    /// Requests and bytes.
    pub traffic: Traffic,
    /// Tensors that came over the network.
    pub fetched: usize,
    /// Tensors that were in the cache.
    pub cached: usize,
    /// Tensors that were read from the Hugging Face cache.
    pub from_hf_cache: usize,
    /// Time since the session began.
    pub elapsed: Duration,
}

/// A plan, or what came of it.
#[derive(Debug)]
pub enum Gathered {
    /// The plan alone was asked for: the models, the plan of each, and what opening them cost.
    Planned(Vec<Opened>, Vec<ModelPlan>, Cost),
    /// All that could be brought was.
    Done(Corpus),
}

impl Corpus {
    /// Whether nothing at all could be read: then there is no result to speak of.
    pub fn all_failed(&self) -> bool {
        self.opened.iter().all(|opened| opened.outcome.is_err())
    }

    /// Fails if a file on this machine changed since it was first looked at: to be asked when all has been read and nothing told yet.
    pub fn check_unchanged(&self) -> Result<()> {
        self.opened.iter().filter_map(Opened::model).try_for_each(|model| model.repository.check_unchanged())
    }

    /// Whether a tensor that was asked for could not be read.
    pub fn any_tensor_failed(&self) -> bool {
        let is_faulty = |model: &Arc<Model>| model.excluded.iter().any(|exclusion| exclusion.is_fault);
        self.failures.iter().any(|failures| !failures.is_empty())
            || self.opened.iter().filter_map(Opened::model).any(is_faulty)
    }
}

impl Session {
    /// Opens models and brings the tensors that the question chooses to this machine: into the cache, or they are read where
    /// the Hugging Face cache or a folder has them.
    pub async fn gather(&self, request: Request<'_>) -> Result<Gathered> {
        let opened = self.open(request.specs, request.question).await;
        let plans = each(&opened, |model| plan(self, model, |_| true));
        self.bring(opened, Work::Tensors(plans), request.limits).await
    }

    /// Brings what is planned of models that are open. A plan beyond the limit is refused.
    pub async fn bring(&self, opened: Vec<Opened>, mut work: Work, limits: Limits) -> Result<Gathered> {
        let repeats = repeats(&opened);
        work.once_each(&repeats);
        let plans = work.plans();
        if limits.dry_run {
            let cost = self.cost(&opened, &[], (0, 0));
            return Ok(Gathered::Planned(opened, plans, cost));
        }
        let planned = plans.iter().map(ModelPlan::bytes).fold(0, u64::saturating_add);
        if planned > limits.max_bytes {
            return Err(AuditError::OverBudget { planned, limit: limits.max_bytes }.into());
        }
        // A server may answer with more than was planned.
        if !matches!(work, Work::Headers) {
            self.access.hub.limit_ranges(limits.max_bytes);
        }
        let (mut digests, mut failures): (Vec<Digests>, Vec<Failures>) = match &work {
            Work::Headers => (Vec::new(), opened.iter().map(|_| Failures::new()).collect()),
            Work::Tensors(plans) => (Vec::new(), fetch(self, &opened, plans).await),
            Work::Rows(plans) => (Vec::new(), fetch_rows(self, &opened, plans).await),
            Work::Digests(plans) => hash_remote(self, &opened, plans).await.into_iter().unzip(),
        };
        let cost = self.cost(&opened, &plans, counts(&opened, &plans, &failures));
        for &(at, first) in &repeats {
            let again = |error: &Error| AuditError::FailedBefore { reason: error.to_string() }.into();
            let of_first: Failures =
                failures[first].iter().map(|(tensor, error)| (tensor.clone(), again(error))).collect();
            failures[at].extend(of_first);
            if let Some(of_first) = digests.get(first).cloned() {
                digests[at].extend(of_first);
            }
        }
        Ok(Gathered::Done(Corpus { opened, failures, digests, cache: Arc::clone(&self.access.cache), cost }))
    }

    fn cost(&self, opened: &[Opened], plans: &[ModelPlan], (fetched, from_hf_cache): (usize, usize)) -> Cost {
        Cost {
            of_the_hub: opened.iter().any(|opened| matches!(opened.spec.source, ModelSource::Hub { .. })),
            traffic: self.access.hub.traffic(),
            fetched,
            cached: plans.iter().map(|plan| plan.cached).sum(),
            from_hf_cache,
            elapsed: self.started.elapsed(),
        }
    }
}

/// Something of every model that was opened, and nothing of the others. Of one that is named again it is what it was the first time.
pub fn each<T: Default + Clone>(opened: &[Opened], of: impl Fn(&Arc<Model>) -> T) -> Vec<T> {
    let firsts: HashMap<usize, usize> = repeats(opened).into_iter().collect();
    let mut made: Vec<T> = Vec::with_capacity(opened.len());
    for (at, opened) in opened.iter().enumerate() {
        let known = firsts.get(&at).map(|&first| made[first].clone());
        made.push(known.unwrap_or_else(|| opened.model().map(&of).unwrap_or_default()));
    }
    made
}

/// The models that are named again: the position of each, and that of its first naming.
fn repeats(opened: &[Opened]) -> Vec<(usize, usize)> {
    let mut first: HashMap<*const Model, usize> = HashMap::new();
    let models = opened.iter().enumerate().filter_map(|(at, opened)| Some((at, opened.model()?)));
    let places = models.map(|(at, model)| (at, *first.entry(Arc::as_ptr(model)).or_insert(at)));
    places.filter(|(at, first)| at != first).collect()
}

/// How many of the planned tensors arrived, and how many were read from the Hugging Face cache.
fn counts(opened: &[Opened], plans: &[ModelPlan], failures: &[Failures]) -> (usize, usize) {
    let (mut fetched, mut shared) = (0, 0);
    for ((opened, plan), failures) in opened.iter().zip(plans).zip(failures) {
        let positions = plan.shared_spans.iter().flat_map(|span| &span.tensors);
        let has_failed = |&&position: &&usize| {
            opened.model().is_some_and(|model| failures.contains_key(&model.brought(position).info.name))
        };
        let failed_shared = positions.filter(has_failed).count();
        fetched += plan.moving().saturating_sub(failures.len() - failed_shared);
        shared += plan.shared.saturating_sub(failed_shared);
    }
    (fetched, shared)
}
