//! The tables of a survey: every pair, group, average and matrix in full digits.

use super::{View, baselines, components, groups, not_compared, pairs, relations};
use crate::{
    metric::Metric,
    question::{
        lineage::page::lineage_tables,
        page::{self, PairRow},
        survey::Survey,
    },
    report::{Format, Frame, Frames},
    table::{PairTable, TableKey, pairs_of},
};

/// Name of the CSV file of one matrix.
pub fn matrix_file(metric: Metric, key: &TableKey) -> String {
    format!("matrix_{}_{}_{}.csv", metric.name(), key.role_name(), key.layer_name())
}

/// Every table. Those whose subject was not asked for are not among them.
pub fn survey_tables<'a>(survey: &'a Survey, view: &View<'_>) -> Frames<'a> {
    let compared =
        |&(table, (a, b)): &(&PairTable, (usize, usize))| table.columns.is_some() || table.channels(a, b).is_some();
    let row = |&(table, pair): &(_, _)| PairRow::of(&survey.models, table, pair);
    // Of a mixed list most pairs have no number: JSON, which repeats the names of its fields, has them by model and reason alone.
    let mut frames = vec![
        page::pairs(all_pairs(survey), row).only(Format::Csv),
        page::pairs(all_pairs(survey).filter(compared), row).only(Format::Json),
    ];
    frames.extend(not_compared::frame(survey));
    if !survey.tables.is_empty() {
        frames.push(groups::frame(survey));
        frames.push(relations::frame(survey));
    }
    if !survey.averages.is_empty() {
        frames.push(averages(survey));
    }
    if survey.components.iter().any(|components| !components.vectors.is_empty()) {
        frames.push(components::scores(survey));
        frames.push(components::all_shares(survey));
    }
    frames.extend(survey.baselines.as_ref().map(|baselines| baselines::frame(survey, baselines)));
    let (of_lineage, squares): (Vec<Frame<'a>>, Vec<Frame<'a>>) =
        survey.lineage.iter().flat_map(lineage_tables).partition(|table| !table.is_matrix());
    frames.extend(of_lineage);
    let shown = view.shown();
    let square = move |table: &'a PairTable, metric| {
        // Rows are layers in a layer table, and models in any other.
        let labels = match table.columns {
            Some(_) => table.layer_labels(),
            None => [survey.labels(), survey.labels()],
        };
        Frame::matrix(matrix_file(metric, &table.key), labels, move |row, column| table.get(row, column, metric))
    };
    let of_tables = survey.tables.iter().chain(&survey.layer_tables);
    let of_tables = of_tables.flat_map(move |table| shown.clone().into_iter().map(move |metric| square(table, metric)));
    Box::new(frames.into_iter().chain(of_tables).chain(squares))
}

/// All pairs of different models, or of all layers of two.
fn all_pairs(survey: &Survey) -> impl Iterator<Item = (&PairTable, (usize, usize))> {
    let tables = survey.tables.iter().enumerate().flat_map(move |(number, table)| {
        // Where neither model has the tensor there is no pair: each is among what was excluded, with its reason.
        let is_there =
            move |&(a, b): &(usize, usize)| ![a, b].iter().all(|&row| survey.lacking.contains(&(number, row)));
        pairs_of(table.rows.len()).filter(is_there).map(move |pair| (table, pair))
    });
    let layer_tables = survey.layer_tables.iter().flat_map(|table| {
        let width = table.columns().len();
        (0..table.rows.len() * width).map(move |cell| (table, (cell / width, cell % width)))
    });
    tables.chain(layer_tables)
}

fn averages(survey: &Survey) -> Frame<'_> {
    let roles = survey.roles();
    let pairs = survey.averages.iter().flat_map(move |averages| {
        let tables = roles.iter().find(|tables| tables.iter().any(|table| table.key.whole() == averages.key));
        let tables = tables.copied().unwrap_or_default();
        let compared = averages.pairs.iter().filter(|pair| pair.channels.is_some());
        compared.map(move |pair| (averages, tables, pair))
    });
    pairs::averages(survey, pairs)
}
