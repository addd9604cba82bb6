//! Every layer of one model with every layer of another.
//!
//! If layer i of one model came from layer j of another, its row would peak there. Whether rows peak at their own index more
//! often than chance lets them is therefore asked beside the means on and off the diagonal.

use std::{collections::BTreeMap, ops::Range};

use super::{
    Entry, Held, Matrix, PairTable, Sources, TableKey,
    packed::Packed,
    pairs::{compare, described, prepare},
};
use crate::{
    metric::{MeanSd, Metric, PairMetrics, Stats, Undefined},
    parallel,
};

/// Elements that are held of one model at a time: matrices of all layers would not fit.
const HELD: u64 = 1 << 26;

/// Which layer of the second model each layer of the first resembles most.
#[derive(Debug, Clone, PartialEq)]
pub struct BestLayers {
    /// For each row the place of its best column and r there; `None` for a row without a value. The first of equals.
    pub best: Vec<Option<(usize, f64)>>,
    /// Rows whose best column has their own index.
    pub own: usize,
    /// Rows whose own index is among the columns that have a value.
    pub possible: usize,
    /// How many would peak at their own index by chance: Σ 1/(columns with a value) over those rows.
    pub by_chance: f64,
}

impl PairTable {
    /// Every layer in which the first of two models has `role` with every one of the second, block by block.
    pub(crate) fn across(sources: &Sources<'_>, role: TableKey) -> Self {
        let keys = [0, 1].map(|model| sources.layers(model, role));
        let blocks = [0, 1].map(|model| {
            let sizes = keys[model].iter().map(|key| sources.numel(model, key));
            blocks(&sizes.collect::<Vec<u64>>())
        });
        let read = |model: usize, block: &Range<usize>| -> Vec<Held> {
            let read = |key: &TableKey| Held { model, place: key.layer, cell: sources.read(model, key) };
            parallel::map(&keys[model][block.clone()], read)
        };
        // A model without this role leaves the other's layers unread: they are listed all the same.
        let mut entries = [0, 1].map(|model| keys[model].iter().map(|key| unread(model, key)).collect::<Vec<Entry>>());
        let mut pairs: BTreeMap<(usize, usize), PairMetrics> = BTreeMap::new();
        for row_block in &blocks[0] {
            let rows = read(0, row_block);
            let prepared_rows = prepare(&rows);
            entries[0][row_block.clone()].clone_from_slice(&described(&rows, &prepared_rows));
            for column_block in &blocks[1] {
                let columns = read(1, column_block);
                let prepared_columns = prepare(&columns);
                entries[1][column_block.clone()].clone_from_slice(&described(&columns, &prepared_columns));
                let (height, width) = (row_block.len(), column_block.len());
                pairs.extend(parallel::numbers(height * width, |cell| {
                    let (row, column) = (cell / width, cell % width);
                    let place = (row_block.start + row, column_block.start + column);
                    (place, compare(&prepared_rows[row], &prepared_columns[column]))
                }));
            }
        }
        let [rows, columns] = entries;
        let pairs = Packed::compute(pairs.keys().copied(), |row, column| pairs[&(row, column)].clone(), None);
        Self { key: role, rows, columns: Some(columns), pairs }
    }

    /// Count, mean and deviation (ddof 0) of `metric` where row and column are one layer, and elsewhere; `None` where either has no
    /// value.
    pub fn contrast(&self, metric: Metric) -> Option<[(usize, MeanSd); 2]> {
        contrast(&self.layer_matrix(metric))
    }

    /// The best layer map by Pearson's r.
    pub fn best_layers(&self) -> BestLayers {
        best_layers(&self.layer_matrix(Metric::Pearson))
    }
}

fn unread(model: usize, key: &TableKey) -> Entry {
    let reason = "not read".to_owned();
    let summary = Err(Undefined::NotComparable(reason.clone()));
    Entry { model, place: key.layer, side: Err(reason), summary, is_mostly_tied: false }
}

/// Cells are on the diagonal where the labels, which are layers, are equal.
fn contrast(matrix: &Matrix) -> Option<[(usize, MeanSd); 2]> {
    let of = |own: bool| {
        let is_own = |row: usize, column: usize| matrix.rows[row] == matrix.columns[column];
        let cells = matrix.iter().filter(|&(row, column, _)| is_own(row, column) == own);
        let stats = Stats::of(cells.map(|(.., cell)| cell));
        Some((stats.n, stats.figures?.mean_sd()))
    };
    Some([of(true)?, of(false)?])
}

fn best_layers(matrix: &Matrix) -> BestLayers {
    let mut best = Vec::new();
    let (mut own, mut possible, mut by_chance) = (0, 0, 0.0);
    for row in 0..matrix.rows.len() {
        let values =
            (0..matrix.columns.len()).filter_map(|column| Some((column, *matrix.get(row, column).as_ref().ok()?)));
        let values: Vec<(usize, f64)> = values.collect();
        let top = values.iter().copied().reduce(|top, next| if next.1 > top.1 { next } else { top });
        let is_own = |column: usize| matrix.columns[column] == matrix.rows[row];
        if values.iter().any(|&(column, _)| is_own(column)) {
            possible += 1;
            by_chance += 1.0 / values.len() as f64;
        }
        own += usize::from(top.is_some_and(|(column, _)| is_own(column)));
        best.push(top);
    }
    BestLayers { best, own, possible, by_chance }
}

/// Consecutive tensors that fit into [`HELD`] elements together, at least one at a time.
fn blocks(sizes: &[u64]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut held = 0_u64;
    for (place, &size) in sizes.iter().enumerate() {
        held = held.saturating_add(size);
        match blocks.last_mut() {
            Some(block) if held <= HELD => block.end = place + 1,
            _ => {
                blocks.push(place..place + 1);
                held = size;
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(range: Range<u32>) -> Vec<String> {
        range.map(|layer| layer.to_string()).collect()
    }

    /// Layers 0–2 against layers 1–4, r high where the column is the row's own index, but for row 2.
    fn rectangle() -> Matrix {
        Matrix::from_fn(layers(0..3), layers(1..5), |row, column| match (row, column) {
            (1, 0) => Ok(0.9),
            (2, 3) => Ok(0.5),
            (0, 0) => Err(Undefined::Constant),
            _ => Ok(0.1),
        })
    }

    #[test]
    fn the_diagonal_is_where_the_layers_agree_not_the_places() {
        let [same, other] = contrast(&rectangle()).unwrap();
        assert_eq!((same.0, other.0), (2, 9));
        assert!((same.1.mean - 0.5).abs() < 1e-15);
        assert!((other.1.mean - 1.3 / 9.0).abs() < 1e-15);
    }

    #[test]
    fn rows_that_peak_at_their_own_index_are_counted_against_chance() {
        let best = best_layers(&rectangle());
        assert_eq!(best.best[1], Some((0, 0.9)));
        assert_eq!(best.best[2], Some((3, 0.5)));
        // Layer 0 is no column; rows 1 and 2 could peak at themselves, one of four columns each.
        assert_eq!((best.own, best.possible), (1, 2));
        assert!((best.by_chance - 0.5).abs() < 1e-15);
    }

    #[test]
    fn a_matrix_without_a_diagonal_has_no_contrast() {
        assert_eq!(contrast(&Matrix::from_fn(layers(0..2), layers(5..7), |_, _| Ok(1.0))), None);
    }

    #[test]
    fn blocks_cover_all_and_hold_at_least_one() {
        assert_eq!(blocks(&[1, 2, HELD]), [0..2, 2..3]);
        assert_eq!(blocks(&[HELD, 1, HELD - 1, 9]), [0..1, 1..3, 3..4]);
        assert_eq!(blocks(&[HELD * 2, HELD * 2]), [0..1, 1..2]);
        assert!(blocks(&[]).is_empty());
    }
}
