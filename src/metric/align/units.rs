//! The units of a gated MLP in two layers, and the products of every unit with every other.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    aligned::cosine,
    blocks::{PANEL, PANEL_STRIDE},
};
use crate::{
    metric::{Undefined, Weights},
    parallel,
};

/// Units whose products one thread works out at a time.
pub(super) const TILE: usize = 512;

/// Gate, up and down of two layers, `[out, in]`: gate and up have a unit in each row, down in each column.
#[derive(Debug, Clone, Copy)]
pub struct UnitPair<'a> {
    /// units × hidden.
    pub gate: [&'a Weights; 2],
    /// units × hidden.
    pub up: [&'a Weights; 2],
    /// hidden × units.
    pub down: [&'a Weights; 2],
}

impl<'a> UnitPair<'a> {
    /// How many units there are, and their inputs; the reason where shapes disagree.
    pub(super) fn extents(&self) -> Result<(usize, usize), Undefined> {
        let (units, hidden) = self.gate[0].shape();
        let expected = [
            ("gate_proj", self.gate, (units, hidden)),
            ("up_proj", self.up, (units, hidden)),
            ("down_proj", self.down, (hidden, units)),
        ];
        for (role, sides, expected) in expected {
            for side in sides {
                if side.shape() != expected {
                    return Err(Undefined::NotComparable(format!(
                        "{role} is {} × {}, and the units of gate_proj make it {} × {}",
                        side.rows(),
                        side.columns(),
                        expected.0,
                        expected.1
                    )));
                }
            }
        }
        Ok((units, hidden))
    }

    pub(super) fn matrices(&self) -> [[&'a Weights; 2]; 3] {
        [self.gate, self.up, self.down]
    }

    /// Cosines as stored, and the products of both sides' norms: of gate, up and down.
    pub(super) fn raw(&self) -> Result<([f64; 3], [f64; 3]), Undefined> {
        let (mut cosines, mut norms) = ([0.0; 3], [0.0; 3]);
        for (at, sides) in self.matrices().into_iter().enumerate() {
            (cosines[at], norms[at]) = cosine(sides)?;
        }
        Ok((cosines, norms))
    }
}

/// A factor for every unit of a matrix, of both sides.
pub(super) type Factors<'f> = Option<[&'f [f64]; 2]>;

/// Adds scale·(unit i of `a` · unit j of `b`) to entry j of column i. Columns of `products` are `stride` apart.
pub(super) fn add_products(products: &mut [f64], stride: usize, [a, b]: [&Weights; 2], in_rows: bool, scale: f64) {
    let (units, long) = if in_rows { a.shape() } else { (a.columns(), a.rows()) };
    let mut panels = [vec![0.0; units * PANEL_STRIDE], vec![0.0; units * PANEL_STRIDE]];
    for first in (0..long).step_by(PANEL) {
        let length = PANEL.min(long - first);
        for (panel, weights) in panels.iter_mut().zip([a, b]) {
            parallel::change_runs(panel, TILE * PANEL_STRIDE, |tile, part| {
                fill(part, weights, in_rows, tile * TILE, first, length, None);
            });
        }
        let [left, right] = &panels;
        let whole = MatRef::from_column_major_slice_with_stride(right, length, units, PANEL_STRIDE);
        parallel::change_runs(products, TILE * stride, |tile, part| {
            let width = TILE.min(units - tile * TILE);
            let slice = &left[tile * TILE * PANEL_STRIDE..];
            let of_a = MatRef::from_column_major_slice_with_stride(slice, length, width, PANEL_STRIDE);
            let out = MatMut::from_column_major_slice_with_stride_mut(part, units, width, stride);
            matmul(out, Accum::Add, whole.transpose(), of_a, scale, Par::Seq);
        });
    }
}

/// Pieces of units, [`PANEL_STRIDE`] apart, from unit `unit` and from element `first` of each on; at most [`TILE`] of them where
/// units are columns.
pub(super) fn fill(
    part: &mut [f64],
    weights: &Weights,
    in_rows: bool,
    unit: usize,
    first: usize,
    length: usize,
    factors: Option<&[f64]>,
) {
    if in_rows {
        for (at, out) in part.chunks_exact_mut(PANEL_STRIDE).enumerate() {
            weights.widen(unit + at, first, &mut out[..length]);
        }
    } else {
        let width = part.len() / PANEL_STRIDE;
        let mut piece = [0.0; TILE];
        for row in 0..length {
            weights.widen(first + row, unit, &mut piece[..width]);
            for (out, &value) in part.chunks_exact_mut(PANEL_STRIDE).zip(&piece[..width]) {
                out[row] = value;
            }
        }
    }
    if let Some(factors) = factors {
        for (out, factor) in part.chunks_exact_mut(PANEL_STRIDE).zip(&factors[unit..]) {
            for value in &mut out[..length] {
                *value *= factor;
            }
        }
    }
}
