//! Sums over a pair: first those that need no mean, then those about the means.

use super::{moments::count, sums};

/// Sums over a pair that need no mean.
#[derive(Debug)]
pub(super) struct Differences {
    /// a·b
    pub(super) dot: f64,
    /// Σ|a−b|
    pub(super) absolute: f64,
    /// max|a−b|
    pub(super) largest: f64,
    /// Σ(a−b)²
    pub(super) squares: f64,
    /// Σ and max of |a−b|/max(|a|,|b|) where not both are 0, and how many those are.
    pub(super) relative: f64,
    pub(super) largest_relative: f64,
    pub(super) not_both_zero: u64,
    pub(super) changed: u64,
    /// Elements of equal sign; 0 and 0 are.
    pub(super) same_sign: u64,
}

impl Differences {
    /// The figures of one block of pairs.
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "`changed` counts elements that are not the same number")]
    pub(super) fn figures(a: &[f64], b: &[f64]) -> [f64; 9] {
        let relative = |x: f64, y: f64| {
            let (x_size, y_size) = (x.abs(), y.abs());
            let size = if x_size > y_size { x_size } else { y_size };
            if size > 0.0 { (x - y).abs() / size } else { 0.0 }
        };
        let mut buffer = sums::BUFFER;
        let gaps = sums::map(a, b, |x, y| (x - y).abs(), &mut buffer);
        let [absolute, largest, squares] = [sums::sum(gaps, |x| x), sums::max(gaps, |x| x), sums::sum(gaps, |x| x * x)];
        let relative = sums::map(a, b, relative, &mut buffer);
        [
            sums::pair_sum(a, b, |x, y| x * y),
            absolute,
            largest,
            squares,
            sums::sum(relative, |x| x),
            sums::max(relative, |x| x),
            sums::pair_sum(a, b, |x, y| if x == 0.0 && y == 0.0 { 0.0 } else { 1.0 }),
            sums::pair_sum(a, b, |x, y| if x == y { 0.0 } else { 1.0 }),
            sums::pair_sum(a, b, |x, y| if (x > 0.0) == (y > 0.0) && (x < 0.0) == (y < 0.0) { 1.0 } else { 0.0 }),
        ]
    }

    /// From the figures of all blocks.
    pub(super) fn of(blocks: &[[f64; 9]]) -> Self {
        Self {
            dot: sums::total(blocks, 0),
            absolute: sums::total(blocks, 1),
            largest: sums::peak(blocks, 2),
            squares: sums::total(blocks, 3),
            relative: sums::total(blocks, 4),
            largest_relative: sums::peak(blocks, 5),
            not_both_zero: count(sums::total(blocks, 6)),
            changed: count(sums::total(blocks, 7)),
            same_sign: count(sums::total(blocks, 8)),
        }
    }
}

/// Sums over a pair that need the means and norms of both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Centred {
    /// Σ(a−μa)(b−μb)
    pub(super) products: f64,
    /// ‖â−b̂‖ and ‖â+b̂‖ of the sides over their norms: summed, not taken from the cosine, whose last bit is worth 1e-8 here.
    pub(super) apart: f64,
    pub(super) together: f64,
}

/// What [`Centred`] is summed about: the sides' means, and one over their norms.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    means: [f64; 2],
    per_norm: [f64; 2],
}

impl Centred {
    pub(super) fn about(means: [f64; 2], norms: [f64; 2]) -> About {
        About { means, per_norm: norms.map(|norm| 1.0 / norm) }
    }

    /// From the figures of all blocks, which begin at `index` of each.
    pub(super) fn of<const N: usize>(blocks: &[[f64; N]], index: usize) -> Self {
        Self {
            products: sums::total(blocks, index),
            apart: sums::total(blocks, index + 1).sqrt(),
            together: sums::total(blocks, index + 2).sqrt(),
        }
    }
}

impl About {
    /// The figures of one block of pairs.
    #[inline(always)]
    pub(super) fn figures(&self, a: &[f64], b: &[f64]) -> [f64; 3] {
        let ([mean_a, mean_b], [per_a, per_b]) = (self.means, self.per_norm);
        [
            sums::pair_sum(a, b, |x, y| (x - mean_a) * (y - mean_b)),
            sums::pair_sum(a, b, |x, y| (x * per_a - y * per_b) * (x * per_a - y * per_b)),
            sums::pair_sum(a, b, |x, y| (x * per_a + y * per_b) * (x * per_a + y * per_b)),
        ]
    }
}
