//! The pairs of a role as a table: the four numbers that belong together, strongest departure first.

use super::{MOST_PAIRS, digits, mean, names, rest};
use crate::{
    metric::{Metric, Undefined},
    question::survey::{RoleAverages, Survey},
    report::{Block, Cell, Column, Datum, Digits, Table},
    table::{PairTable, pairs_of},
};

/// The four numbers that always stand side by side.
const BESIDE: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// The pairs of one panel.
pub(crate) fn of_panel(survey: &Survey, panel: &PairTable) -> Block {
    let pairs = ranked(survey.models.len(), |(a, b)| panel.get(a, b, Metric::ZPerm).ok());
    let row = |&(a, b): &(usize, usize)| {
        let numbers = BESIDE.map(|metric| Cell::number(panel.get(a, b, metric), digits(metric)));
        names(survey, (a, b)).into_iter().chain(numbers).collect()
    };
    Block::Table(Table {
        caption: format!(
            "Pairs, {}, strongest departure from the permutation null first.{}",
            panel.key.title(),
            rest(pairs.len(), "pairs.csv")
        ),
        csv: None,
        columns: columns(&[], &BESIDE.map(Metric::name)),
        rows: pairs.iter().take(MOST_PAIRS).map(row).collect(),
    })
}

/// The pairs of one role, averaged over its panels, with the deviation that correlated layers leave.
pub(crate) fn of_means(survey: &Survey, panels: &[PairTable], averages: &RoleAverages) -> Block {
    let of_pair = |pair: (usize, usize)| averages.pairs.iter().find(|average| average.models == pair);
    let pairs = ranked(survey.models.len(), |pair| {
        let average = of_pair(pair)?.average.as_ref().ok()?;
        average.z.as_ref().ok().copied().or(Some(0.0))
    });
    let row = |&(a, b): &(usize, usize)| {
        let plain =
            |metric| Cell::number(Datum::from(mean(panels, metric, a, b).map(|(mean, _)| mean)), digits(metric));
        let average = of_pair((a, b)).map_or(Err(Undefined::TooFew), |pair| pair.average.clone());
        let number = |value: Result<f64, Undefined>, digits| Cell::number(Datum::from(value), digits);
        let layers = average.as_ref().map_or(0, |average| average.layers.len());
        let mut row = names(survey, (a, b));
        row.extend([
            Cell::count(layers),
            plain(Metric::CosSim),
            plain(Metric::CosNull),
            number(average.clone().map(|average| average.mean_r), Digits::Fixed(6)),
            number(average.clone().and_then(|average| average.z), Digits::Fixed(2)),
            number(average.map(|average| average.naive_z), Digits::Fixed(2)),
        ]);
        row
    };
    Block::Table(Table {
        caption: format!(
            "Pairs, mean over {} layers, strongest departure first. `z` is that of the mean `pearson` under one permutation of \
             channels for all layers, as layers of one model resemble each other; `naive z` pretends that they do not, and \
             stands here for contrast only.{}",
            panels.len(),
            rest(pairs.len(), "averages.csv")
        ),
        csv: None,
        columns: columns(&["layers"], &["cos_sim", "cos_null", "pearson", "z", "naive z"]),
        rows: pairs.iter().take(MOST_PAIRS).map(row).collect(),
    })
}

/// Pairs of different models, the largest magnitude of `strength` first, pairs without one last.
fn ranked(models: usize, strength: impl Fn((usize, usize)) -> Option<f64>) -> Vec<(usize, usize)> {
    let mut pairs: Vec<((usize, usize), f64)> =
        pairs_of(models).map(|pair| (pair, strength(pair).map_or(f64::NEG_INFINITY, f64::abs))).collect();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    pairs.into_iter().map(|(pair, _)| pair).collect()
}

fn columns(between: &[&str], numbers: &[&str]) -> Vec<Column> {
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(between.iter().chain(numbers).map(|title| Column::numeric(*title)));
    columns
}
