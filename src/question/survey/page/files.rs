//! The tables of a survey: every pair, group, average and matrix in full digits.

use super::{View, baselines, components, groups, not_compared, pairs, relations};
use crate::{
    metric::Metric,
    question::{
        lineage::page::lineage_tables,
        page::{self, PairRow},
        survey::Survey,
    },
    report::{Frame, Frames},
    table::{TableKey, pairs_of},
};

/// Name of the CSV file of one matrix.
pub fn matrix_file(metric: Metric, key: &TableKey) -> String {
    format!("matrix_{}_{}_{}.csv", metric.name(), key.role_name(), key.layer_name())
}

/// Every table. Those whose subject was not asked for are not among them.
pub fn survey_tables<'a>(survey: &'a Survey, view: &View<'_>) -> Frames<'a> {
    let mut tables = vec![page::pairs(rows(survey))];
    tables.extend(not_compared::frame(survey));
    if !survey.panels.is_empty() {
        tables.push(groups::frame(survey));
        tables.push(relations::frame(survey, &survey.relations.pairs));
    }
    if !survey.averages.is_empty() {
        tables.push(averages(survey));
    }
    if survey.components.iter().any(|components| !components.vectors.is_empty()) {
        tables.push(components::scores(survey));
        tables.push(components::all_shares(survey));
    }
    tables.extend(survey.baselines.as_ref().map(|baselines| baselines::frame(survey, baselines)));
    let (of_lineage, squares): (Vec<Frame<'a>>, Vec<Frame<'a>>) =
        survey.lineage.iter().flat_map(lineage_tables).partition(|table| !table.is_matrix());
    tables.extend(of_lineage);
    let shown = view.shown();
    let metrics = shown.clone();
    let of_panels = survey.panels.iter().flat_map(move |panel| {
        let labels = survey.labels();
        // One at a time: of long lists each is tens of megabytes.
        let frame = move |metric| Frame::matrix(matrix_file(metric, &panel.key), panel.matrix(metric, &labels));
        metrics.clone().into_iter().map(frame)
    });
    let of_crossings = survey.crossings.iter().flat_map(move |crossing| {
        let frame = |&metric| Frame::matrix(matrix_file(metric, &crossing.key), crossing.layer_matrix(metric));
        shown.iter().map(frame).collect::<Vec<_>>()
    });
    Box::new(tables.into_iter().chain(of_panels).chain(of_crossings).chain(squares))
}

/// The pairs of different models that have tensors of one shape, or all layers of two models. The others are in `not_compared.csv`.
fn rows(survey: &Survey) -> impl Iterator<Item = PairRow<'_>> {
    let panels = survey.panels.iter().flat_map(|table| {
        let have_one_shape = |&(a, b): &(usize, usize)| table.channels(a, b).is_some();
        pairs_of(table.rows.len()).filter(have_one_shape).map(move |pair| (table, pair))
    });
    let crossings = survey.crossings.iter().flat_map(|table| {
        let width = table.columns().len();
        (0..table.rows.len() * width).map(move |cell| (table, (cell / width, cell % width)))
    });
    panels.chain(crossings).map(|(table, pair)| PairRow::of(&survey.models, table, pair))
}

fn averages(survey: &Survey) -> Frame<'_> {
    let roles = survey.roles();
    let pairs = survey.averages.iter().flat_map(move |averages| {
        let panels = roles.iter().find(|panels| panels.iter().any(|panel| panel.key.whole() == averages.key));
        let panels = panels.copied().unwrap_or_default();
        let compared = averages.pairs.iter().filter(|pair| pair.channels.is_some());
        compared.map(move |pair| (averages, panels, pair))
    });
    pairs::averages(survey, pairs)
}
