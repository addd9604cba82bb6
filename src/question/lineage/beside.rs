//! The answer beside that of another question: the same models at the same commits, in one plan with what that question needs.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use super::{Choice, LineageAsk};
use crate::{
    error::Result,
    fetch::{Corpus, Gathered, Limits, ModelPlan, RowPlan, Work},
    model::{ModelSummary, Opened, Session},
    spec::{ModelSource, ModelSpec, Revision},
};

/// The same models at the commits that were opened, under the same names, so that another look at them reads the same weights.
pub fn pinned(opened: &[Opened]) -> Vec<ModelSpec> {
    let pin = |opened: &Opened| {
        let summary = ModelSummary::of(opened);
        let mut spec = ModelSpec { label: Some(opened.label.clone()), ..opened.spec.clone() };
        if let (ModelSource::Hub { revision, .. }, Some(commit)) = (&mut spec.source, &summary.commit)
            && let Ok(pinned) = Revision::from_str(commit.as_str())
        {
            *revision = pinned;
        }
        spec
    };
    opened.iter().map(pin).collect()
}

/// Brings what another question plans of the models that it opened, and beside it the rows that show whether the first `count` of them
/// are linked: one plan, so that a dry run tells and a limit holds for both. The rows come with what was chosen; a plan has none.
pub async fn bring_beside(
    session: &Session,
    (mut opened, plans): (Vec<Opened>, Vec<ModelPlan>),
    count: usize,
    ask: &LineageAsk,
    limits: Limits,
) -> Result<(Gathered, Option<(Choice, Corpus)>)> {
    let at = opened.len();
    let places: Vec<usize> = (0..count.min(at)).filter(|&place| opened[place].outcome.is_ok()).collect();
    let specs = pinned(&opened);
    let specs: Vec<ModelSpec> = places.iter().map(|&place| specs[place].clone()).collect();
    let again = session.open(&specs, &ask.question()?).await;
    let mut choice = Choice::of(session, &again, ask, None).await?;
    let brought: Vec<BTreeSet<String>> = places.iter().map(|&place| names(&opened[place], &plans[place])).collect();
    let rows = choice.plan(session, &again, &brought)?;
    let mut work: Vec<Vec<RowPlan>> = plans.into_iter().map(|plan| vec![RowPlan::of_whole(plan)]).collect();
    work.extend(rows);
    opened.extend(again);
    Ok(match session.bring(opened, Work::Rows(work), limits).await? {
        Gathered::Planned(mut opened, mut plans, cost) => {
            opened.truncate(at);
            let rows = plans.split_off(at);
            for (place, rows) in places.into_iter().zip(rows) {
                plans[place] = ModelPlan::sum([&plans[place], &rows]);
            }
            (Gathered::Planned(opened, plans, cost), None)
        }
        Gathered::Done(mut corpus) => {
            let beside = Corpus {
                opened: corpus.opened.split_off(at),
                failures: corpus.failures.split_off(at),
                digests: Vec::new(),
                cache: Arc::clone(&corpus.cache),
                cost: corpus.cost,
            };
            (Gathered::Done(corpus), Some((choice, beside)))
        }
    })
}

/// The tensors that a plan brings whole.
fn names(opened: &Opened, plan: &ModelPlan) -> BTreeSet<String> {
    let Ok(model) = &opened.outcome else { return BTreeSet::new() };
    let positions = plan.spans.iter().flat_map(|span| &span.tensors);
    positions.map(|&position| model.brought(position).info.name.clone()).collect()
}
