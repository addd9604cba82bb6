//! What it costs to take each unit of one layer for each unit of another, in five bytes a pair.
//!
//! An assignment of ten thousand units weighs a hundred million costs against each other. They are kept as whole steps of
//! 2⁻⁴⁰ of their span, in place of eight bytes each: that is finer than the sums of products that they come from differ
//! between orders of adding, and whole numbers are added without rounding, so that the assignment is exact for them.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    blocks::{PANEL, PANEL_STRIDE},
    relaxation::Row,
    units::{Factors, TILE, fill},
};
use crate::{metric::Weights, parallel};

/// The greatest cost.
const GREATEST: f64 = ((1_u64 << 40) - 1) as f64;

/// Products of units that count for an assignment: scale · (unit i of the first side · unit j of the second).
pub(super) struct Gain<'a> {
    pub(super) sides: [&'a Weights; 2],
    /// Whether units are rows; or else columns.
    pub(super) in_rows: bool,
    pub(super) factors: Factors<'a>,
    pub(super) scale: f64,
    /// Nothing gains more than this, nor loses more.
    pub(super) bound: f64,
}

impl Gain<'_> {
    /// Adds the products of `widths` units from `firsts` on, `widths[1]` below each other for each unit of the first side.
    fn add_to(&self, products: &mut [f64], firsts: [usize; 2], widths: [usize; 2], panels: &mut [Vec<f64>; 2]) {
        let (rows, columns) = self.sides[0].shape();
        let long = if self.in_rows { columns } else { rows };
        for start in (0..long).step_by(PANEL) {
            let length = PANEL.min(long - start);
            for (side, panel) in panels.iter_mut().enumerate() {
                let part = &mut panel[..widths[side] * PANEL_STRIDE];
                let factors = self.factors.map(|factors| factors[side]);
                fill(part, self.sides[side], self.in_rows, firsts[side], start, length, factors);
            }
            let [of_a, of_b] = [0, 1].map(|side| {
                MatRef::from_column_major_slice_with_stride(&panels[side], length, widths[side], PANEL_STRIDE)
            });
            let out = MatMut::from_column_major_slice_mut(products, widths[1], widths[0]);
            matmul(out, Accum::Add, of_b.transpose(), of_a, self.scale, Par::Seq);
        }
    }
}

/// The nearest whole cost; a sum may exceed its bound by what rounding adds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was brought within its bounds")]
fn whole(steps: f64) -> u64 {
    steps.round().clamp(0.0, GREATEST) as u64
}

fn parts(cost: u64) -> (u32, u8) {
    let [low, high @ .., _, _, _] = cost.to_le_bytes();
    (u32::from_le_bytes(high), low)
}

/// A cost for each pair of units, a whole number below 2⁴⁰: the less, the more the pair gains.
pub(super) struct Costs {
    /// How many units either side has.
    pub(super) units: usize,
    high: Vec<u32>,
    low: Vec<u8>,
}

impl Costs {
    /// The costs of all pairs of `units` units, from the sum of all gains.
    pub(super) fn of(units: usize, gains: &[Gain<'_>]) -> Self {
        let bound: f64 = gains.iter().map(|gain| gain.bound).sum();
        let steps = if bound > 0.0 { GREATEST / (2.0 * bound) } else { 0.0 };
        let mut costs = Self { units, high: vec![0; units * units], low: vec![0; units * units] };
        let low = costs.low.chunks_mut(TILE * units);
        let mut tiles: Vec<(&mut [u32], &mut [u8])> = costs.high.chunks_mut(TILE * units).zip(low).collect();
        parallel::change(&mut tiles, |tile, (high, low)| {
            let mut products = vec![0.0; TILE * TILE];
            let mut panels = [0; 2].map(|_| vec![0.0; TILE * PANEL_STRIDE]);
            let of_a = high.len() / units;
            for first in (0..units).step_by(TILE) {
                let widths = [of_a, TILE.min(units - first)];
                let products = &mut products[..of_a * widths[1]];
                products.fill(0.0);
                for gain in gains {
                    gain.add_to(products, [tile * TILE, first], widths, &mut panels);
                }
                for (row, products) in products.chunks_exact(widths[1]).enumerate() {
                    let at = row * units + first..row * units + first + widths[1];
                    for ((high, low), gain) in high[at.clone()].iter_mut().zip(&mut low[at]).zip(products) {
                        (*high, *low) = parts(whole((bound - gain) * steps));
                    }
                }
            }
        });
        costs
    }

    /// Both parts of the costs of a unit of the first side.
    pub(super) fn row(&self, unit: usize) -> Row<'_> {
        let at = unit * self.units..(unit + 1) * self.units;
        (&self.high[at.clone()], &self.low[at])
    }

    /// Costs as they are given.
    #[cfg(test)]
    pub(super) fn given(units: usize, costs: &[u64]) -> Self {
        assert!(costs.len() == units * units && costs.iter().all(|cost| *cost >> 40 == 0));
        let (high, low) = costs.iter().copied().map(parts).unzip();
        Self { units, high, low }
    }
}
