//! Whether a change is a matrix of few directions plus rounding, as a merged adapter is.

use super::{
    change::step,
    distance::PairedRows,
    products::{column_rms, energies},
};
use crate::metric::Element;

/// Singular values of noise end at √m + √k; so far above them one is not noise.
const ABOVE_NOISE: f64 = 1.15;

/// A rank beyond this share of the smaller side is not read.
const MOST_OF_SIDE: f64 = 0.6;

/// How many directions a change has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LowRank {
    pub(crate) rank: usize,
    /// ‖D‖² over the rounding noise of the child.
    pub(crate) over_noise: f64,
    /// What the directions leave, over the rounding noise; `None` where they leave nothing.
    pub(crate) rest_over_noise: Option<f64>,
    /// Whether the rank is small enough, and the change large enough, to be read.
    pub(crate) readable: bool,
}

impl LowRank {
    /// Of D = b − a, with b stored in `bits` significant bits. Rounding makes noise of variance step²/12; rows and columns are divided
    /// by their rms step, which keeps the rank and makes the noise even. `None` where most elements did not change.
    pub(super) fn of<T: Element>(rows: &PairedRows<'_, T>, bits: u32) -> Option<Self> {
        let (m, k) = (rows.len(), rows.width);
        let mut change: Vec<f64> = rows.pairs().map(|(a, b)| b - a).collect();
        if 2 * change.iter().filter(|d| **d == 0.0).count() > change.len() {
            return None;
        }
        let squares: f64 = change.iter().map(|d| d * d).sum();
        let steps: Vec<f64> = rows.b.iter().map(|b| step(b.to_f64(), bits)).collect();
        let noise = steps.iter().map(|step| step * step).sum::<f64>() / 12.0;
        let columns = column_rms(&steps, k, m as f64);
        for (row, steps) in change.chunks_exact_mut(k).zip(steps.chunks_exact(k)) {
            let even = steps.iter().zip(&columns).map(|(step, column)| step / column);
            let size = (even.map(|x| x * x).sum::<f64>() / k as f64).sqrt();
            row.iter_mut().zip(&columns).for_each(|(d, column)| *d /= column * size);
        }
        let energies = energies(&change, k)?;
        let edge = ABOVE_NOISE * 12_f64.sqrt().recip() * ((m as f64).sqrt() + (k as f64).sqrt());
        let rank = energies.iter().filter(|energy| **energy > edge * edge).count();
        let smaller = m.min(k);
        let left = ((m - rank) * (k - rank)) as f64 / 12.0;
        let over_noise = squares / noise;
        Some(Self {
            rank,
            over_noise,
            rest_over_noise: (rank < smaller).then(|| energies[rank..].iter().sum::<f64>() / left),
            readable: rank as f64 <= MOST_OF_SIDE * smaller as f64 && over_noise >= 10.0,
        })
    }

    /// Whether the directions and rounding are all that there is.
    pub(super) fn explains(&self) -> bool {
        self.readable && self.rank > 0 && self.rest_over_noise.is_some_and(|rest| (0.7..=1.5).contains(&rest))
    }
}
