//! Every layer of one model with every layer of another.
//!
//! If layer i of one model came from layer j of another, its row would peak there. Whether rows peak at their own index more
//! often than chance lets them is therefore asked beside the means on and off the diagonal.

use std::{collections::BTreeSet, ops::Range};

use rayon::prelude::*;

use super::{Cells, Extent, Matrix, PanelKey, Side, missing};
use crate::{
    family::LayerIndex,
    metric::{Metric, PairMetrics},
    question::survey::Sources,
    tensor::{Loaded, Prepared},
};

/// Elements that are held of one model at a time: matrices of all layers would not fit.
const HELD: u64 = 1 << 26;

/// A layer's tensor, or the reason why there is none.
type At = (LayerIndex, Result<Side, String>);

/// Layer × layer of two models, for one role.
#[derive(Debug)]
pub struct Crossing {
    /// The role.
    pub key: PanelKey,
    /// Layers of the first model.
    pub rows: Vec<At>,
    /// Layers of the second.
    pub columns: Vec<At>,
    /// Row by row.
    metrics: Vec<PairMetrics>,
}

/// The diagonal of a layer × layer matrix against the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// Cells whose two layers have one index.
    pub same: Extent,
    /// How many those are.
    pub same_n: usize,
    /// The other cells.
    pub other: Extent,
    /// How many those are.
    pub other_n: usize,
}

impl Contrast {
    /// Mean on the diagonal less mean beside it.
    pub fn difference(&self) -> f64 {
        self.same.mean - self.other.mean
    }
}

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

impl Crossing {
    /// The metrics of a row's and a column's layer.
    pub fn metrics(&self, row: usize, column: usize) -> &PairMetrics {
        &self.metrics[row * self.columns.len() + column]
    }

    /// One metric, rows and columns labelled by layer.
    pub fn matrix(&self, metric: Metric) -> Matrix {
        let labels = |layers: &[At]| layers.iter().map(|(layer, _)| layer.to_string()).collect();
        Matrix::from_fn(labels(&self.rows), labels(&self.columns), |row, column| {
            self.metrics(row, column).get(metric).clone()
        })
    }

    /// The tensors of the first (0) or second (1) model.
    pub fn tensors_of(&self, model: usize) -> impl Iterator<Item = &Side> {
        let layers = if model == 0 { &self.rows } else { &self.columns };
        layers.iter().filter_map(|(_, side)| side.as_ref().ok())
    }

    /// The diagonal against the rest; `None` where either has no value.
    pub fn contrast(&self, metric: Metric) -> Option<Contrast> {
        contrast(&self.matrix(metric))
    }

    /// The best layer map by Pearson's r.
    pub fn best_layers(&self) -> BestLayers {
        best_layers(&self.matrix(Metric::Pearson))
    }

    /// Number of defined cells.
    pub fn defined(&self, metric: Metric) -> usize {
        self.matrix(metric).statistics(Cells::All).n
    }
}

/// Cells are on the diagonal where the labels, which are layers, are equal.
fn contrast(matrix: &Matrix) -> Option<Contrast> {
    let is_own = |row: usize, column: usize| matrix.rows[row] == matrix.columns[column];
    let statistics = |own: bool| {
        let cells = matrix.iter().filter(move |&(row, column, _)| is_own(row, column) == own);
        crate::table::Statistics::of(cells.map(|(.., cell)| cell))
    };
    let (same, other) = (statistics(true), statistics(false));
    Some(Contrast { same: same.values?, same_n: same.n, other: other.values?, other_n: other.n })
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

/// One crossing a role that either of the two models has in its layers.
pub(crate) fn crossings(sources: &Sources<'_>) -> Vec<Crossing> {
    if sources.opened.len() != 2 {
        return Vec::new();
    }
    let keys = sources.placed.iter().flat_map(|placed| placed.keys());
    let roles: BTreeSet<PanelKey> = keys.filter(|key| key.layer.is_some()).map(PanelKey::whole).collect();
    roles.into_iter().map(|role| cross(sources, role)).collect()
}

fn cross(sources: &Sources<'_>, role: PanelKey) -> Crossing {
    let [row_keys, column_keys] = [0, 1].map(|model| -> Vec<PanelKey> {
        let keys = sources.placed[model].keys();
        keys.filter(|key| key.layer.is_some() && key.whole() == role).copied().collect()
    });
    let blocks = |model: usize, keys: &[PanelKey]| {
        let size = |key: &PanelKey| {
            let tensors = sources.placed[model].get(key);
            let tensor = tensors.and_then(|tensors| tensors.first());
            tensor.map_or(0, |tensor| tensor.info.shape.iter().product())
        };
        blocks(&keys.iter().map(size).collect::<Vec<u64>>())
    };
    let read = |model: usize, keys: &[PanelKey]| -> Vec<Result<(Side, Loaded), String>> {
        keys.par_iter().map(|key| sources.read(model, key)).collect()
    };
    let side =
        |cell: &Result<(Side, Loaded), String>| cell.as_ref().map(|(side, _)| side.clone()).map_err(Clone::clone);
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    let width = column_keys.len();
    let mut metrics: Vec<Option<PairMetrics>> = vec![None; row_keys.len() * width];
    for row_block in blocks(0, &row_keys) {
        let row_cells = read(0, &row_keys[row_block.clone()]);
        let row_sides = prepare(&row_cells);
        rows.extend(row_cells.iter().map(side));
        for column_block in blocks(1, &column_keys) {
            let column_cells = read(1, &column_keys[column_block.clone()]);
            let column_sides = prepare(&column_cells);
            if row_block.start == 0 {
                columns.extend(column_cells.iter().map(side));
            }
            let across = column_block.len();
            let computed: Vec<PairMetrics> = (0..row_block.len() * across)
                .into_par_iter()
                .map(|cell| pair(&row_sides[cell / across], &column_sides[cell % across]))
                .collect();
            for (cell, value) in computed.into_iter().enumerate() {
                let place = (row_block.start + cell / across) * width + column_block.start + cell % across;
                metrics[place] = Some(value);
            }
        }
    }
    // A model without this role leaves the other's layers unread: they are listed all the same.
    let unread = |keys: &[PanelKey], sides: Vec<Result<Side, String>>| -> Vec<At> {
        let mut sides = sides.into_iter();
        keys.iter()
            .filter_map(|key| key.layer)
            .map(|layer| (layer, sides.next().unwrap_or_else(|| Err("not read".to_owned()))))
            .collect()
    };
    Crossing {
        key: role,
        rows: unread(&row_keys, rows),
        columns: unread(&column_keys, columns),
        metrics: metrics
            .into_iter()
            .map(|metrics| metrics.unwrap_or_else(|| PairMetrics::undefined(&missing("not read"))))
            .collect(),
    }
}

fn prepare(cells: &[Result<(Side, Loaded), String>]) -> Vec<Result<Prepared<'_>, &String>> {
    cells.par_iter().map(|cell| cell.as_ref().map(|(_, loaded)| Prepared::new(loaded))).collect()
}

fn pair(a: &Result<Prepared<'_>, &String>, b: &Result<Prepared<'_>, &String>) -> PairMetrics {
    match (a, b) {
        (Ok(a), Ok(b)) => a.compare(b),
        (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(&missing(reason)),
    }
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
    use crate::metric::Undefined;

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
        let contrast = contrast(&rectangle()).unwrap();
        assert_eq!((contrast.same_n, contrast.other_n), (2, 9));
        assert!((contrast.same.mean - 0.5).abs() < 1e-15);
        assert!((contrast.difference() - (0.5 - 1.3 / 9.0)).abs() < 1e-15);
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
