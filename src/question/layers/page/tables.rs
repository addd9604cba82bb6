//! The tables of one model and role, for reading; `layers.csv`, `distance.csv` and `pairs.csv` hold the same in full digits.

use super::{BESIDE, Named, deviation, mean};
use crate::{
    metric::{Metric, Summary, Undefined},
    report::{Block, Cell, Column, Digits},
    table::Entry,
};

/// What each tensor is on its own.
pub(crate) fn per_layer(named: &Named<'_>) -> Block {
    let number = |value: Result<f64, Undefined>| Cell::number(value, Digits::Significant(5));
    let cells = |row: &Entry| {
        let of = |get: fn(&Summary) -> f64| number(row.summary.as_ref().map(get).map_err(Clone::clone));
        vec![
            layer(row),
            of(|summary| summary.mean),
            of(|summary| summary.sd),
            number(row.summary.as_ref().map_err(Clone::clone).and_then(Summary::cv)),
            of(|summary| summary.min),
            of(|summary| summary.max),
            of(|summary| summary.norm),
        ]
    };
    Block::table(
        "The elements of each layer's tensor: mean, standard deviation (ddof 0), coefficient of variation, extremes, Euclidean norm. \
         `layers.csv` has all digits.",
        Column::list(&[], &["layer", "mean", "sd", "CV", "min", "max", "norm"]),
        named.table.rows.iter().map(cells),
    )
}

/// Pairs of layers, one row each, with the four numbers that belong together.
pub(crate) fn pairs(named: &Named<'_>, pairs: &[(usize, usize)], caption: &str) -> Block {
    let table = named.table;
    let row = |&(a, b): &(usize, usize)| {
        let numbers = BESIDE.iter().map(|&metric| Cell::number(table.get(a, b, metric), digits(metric)));
        [layer(&table.rows[a]), layer(&table.rows[b])].into_iter().chain(numbers).collect()
    };
    let mut columns = Column::list(&[], &["layer a", "layer b"]);
    columns.extend(BESIDE.iter().map(|metric| Column::numeric(metric.name())));
    Block::table(caption, columns, pairs.iter().map(row))
}

/// Mean and deviation over the pairs of each distance.
pub(crate) fn by_distance(named: &Named<'_>) -> Block {
    let rows = named.table.by_distance().into_iter().map(|(distance, pairs)| {
        let of = |metric| named.table.stats(metric, &pairs);
        let (cosine, null, pearson) = (of(Metric::CosSim), of(Metric::CosNull), of(Metric::Pearson));
        let number = |value| Cell::number(value, Digits::Fixed(6));
        vec![
            Cell::count(distance as usize),
            Cell::count(pairs.len()),
            Cell::count(cosine.n),
            number(mean(&cosine)),
            number(deviation(&cosine)),
            number(mean(&null)),
            Cell::count(pearson.n),
            number(mean(&pearson)),
            number(deviation(&pearson)),
        ]
    });
    let columns = "distance|n pairs|n cos_sim|mean cos_sim|sd cos_sim|mean cos_null|n pearson|mean pearson|sd pearson";
    Block::table(
        "Layers k and k + d by their distance d: mean and standard deviation (ddof 0) over the n pairs of that distance that have a \
         value. `distance.csv` has all digits and the other metrics.",
        columns.split('|').map(Column::numeric).collect(),
        rows,
    )
}

/// A number to sort by, and the mark of a block that is no layer.
fn layer(row: &Entry) -> Cell {
    if row.is_mtp() {
        Cell::text(row.place_name())
    } else {
        Cell::count(row.layer().map_or(0, |layer| layer.0 as usize))
    }
}

fn digits(metric: Metric) -> Digits {
    match metric {
        Metric::ZPerm => Digits::Fixed(2),
        _ => Digits::Fixed(6),
    }
}
