//! The tables: every pair, every layer, every distance, and one labelled matrix a table and metric.

use super::{BESIDE, Named, deviation, mean};
use crate::{
    metric::{Metric, Summary, Undefined},
    question::{
        layers::Layers,
        page::{self, PairRow, model_cells},
    },
    report::{Cell, Frame, Frames, all_or_each_reason},
    table::{Entry, pairs_of},
};

/// `pairs.csv`, `layers.csv`, `distance.csv`, and one matrix a table and metric.
pub fn layers_tables<'a>(layers: &'a Layers, metrics: &'a [Metric]) -> Frames<'a> {
    // Every pair of places of each table, the earlier one as reference; blocks of multi-token prediction among them.
    let pairs = layers.tables.iter().flat_map(|table| pairs_of(table.rows.len()).map(move |pair| (table, pair)));
    let pairs = page::pairs(pairs, |&(table, pair)| PairRow::of(&layers.models, table, pair));
    let tables = [pairs, per_layer(Named::all(layers)), distances(Named::all(layers), metrics)];
    let matrices = Named::all(layers).into_iter().flat_map(move |named| {
        metrics.iter().map(move |&metric| {
            let (name, table) = (format!("matrix_{metric}_{}.csv", named.stem), named.table);
            Frame::matrix(name, table.layer_labels(), move |row, column| table.get(row, column, metric))
        })
    });
    Box::new(tables.into_iter().chain(matrices))
}

fn per_layer(named: Vec<Named<'_>>) -> Frame<'_> {
    const FIGURES: [&str; 6] = ["mean", "sd", "cv", "min", "max", "norm"];
    let head = ["model", "commit", "role", "layer", "mtp"];
    let rows = named.into_iter().flat_map(|named| {
        let table = named.table;
        let row = move |entry: &Entry| {
            let mut row = cells_of(&named);
            row.extend([Cell::integer(entry.layer().map(|layer| layer.0.into())), Cell::Flag(entry.is_mtp())]);
            let of = |get: fn(&Summary) -> f64| entry.summary.as_ref().map(get).map_err(Undefined::clone);
            let cv = entry.summary.as_ref().map_err(Undefined::clone).and_then(Summary::cv);
            let figures = [of(|s| s.mean), of(|s| s.sd), cv, of(|s| s.min), of(|s| s.max), of(|s| s.norm)];
            let figures = figures.map(Cell::exact);
            let reasons = all_or_each_reason(&FIGURES, &figures);
            row.extend(figures);
            row.push(reasons);
            row
        };
        table.rows.iter().map(row)
    });
    Frame::new("layers.csv", head.into_iter().chain(FIGURES).chain(["undefined"]), rows)
}

fn distances<'a>(named: Vec<Named<'a>>, metrics: &[Metric]) -> Frame<'a> {
    let head = ["model", "commit", "role", "metric", "distance", "n", "mean", "sd", "undefined"];
    let mut wanted: Vec<Metric> = BESIDE.iter().chain(metrics).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = named.into_iter().flat_map(move |named| {
        let mut rows = Vec::new();
        for &metric in &wanted {
            for (distance, pairs) in named.table.by_distance() {
                let statistics = named.table.stats(metric, &pairs);
                let mut row = cells_of(&named);
                row.extend([
                    Cell::code(metric.name()),
                    Cell::integer(Some(distance.into())),
                    Cell::count(statistics.n),
                ]);
                row.extend([mean(&statistics), deviation(&statistics)].map(Cell::exact));
                // Why pairs have no value, and how many: `Constant (2)`.
                let reasons = statistics.undefined.iter().map(|(reason, count)| format!("{reason} ({count})"));
                row.push(Cell::text(reasons.collect::<Vec<_>>().join(";")));
                rows.push(row);
            }
        }
        rows
    });
    Frame::new("distance.csv", head, rows)
}

fn cells_of(named: &Named<'_>) -> Vec<Cell> {
    model_cells(named.model).into_iter().chain([Cell::text(&named.role)]).collect()
}
