//! Everything that a side alone decides, where its elements are one of a few codes: counting the codes gives all of it.

use crate::metric::{Undefined, moments::FirstPass, quantile::Place, sums};

/// Room for a code of two bytes.
pub(super) const CODES: usize = 1 << 16;

/// The values of all codes, NaN where a code has none, and how many elements have each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes<'c> {
    pub(super) values: &'c [f64],
    /// At least as long as `values`.
    pub(super) counts: &'c [u64],
}

impl Codes<'_> {
    /// The values that occur, and how often.
    pub(super) fn held(&self) -> impl Iterator<Item = (f64, u64)> + Clone {
        let all = self.values.iter().copied().zip(self.counts.iter().copied());
        all.filter(|&(_, count)| count > 0)
    }

    /// Σ f(x) over all elements.
    pub(super) fn sum(&self, f: impl Fn(f64) -> f64) -> f64 {
        sums::compensated(self.held().map(|(value, count)| count as f64 * f(value)))
    }

    /// What a pass over the elements would say.
    pub(super) fn first_pass(&self) -> FirstPass {
        let finite = |value: f64| value.abs() < f64::INFINITY;
        let counted =
            |is: &dyn Fn(f64) -> bool| self.held().filter(|&(value, _)| is(value)).map(|(_, n)| n as f64).sum();
        let figures = [
            counted(&|value| value == 0.0),
            counted(&|value| !finite(value)),
            self.sum(|x| x),
            self.sum(|x| x * x),
            self.held().map(|(value, _)| value).fold(f64::NEG_INFINITY, f64::max),
            self.held().map(|(value, _)| -value).fold(f64::NEG_INFINITY, f64::max),
        ];
        FirstPass::of(self.counts.iter().sum(), &[figures])
    }

    /// The quantile of |x| at a probability; `TooFew` without elements.
    pub(super) fn abs_quantile(&self, probability: f64) -> Result<f64, Undefined> {
        let mut held: Vec<(f64, u64)> = self.held().map(|(value, count)| (value.abs(), count)).collect();
        held.sort_by(|left, right| left.0.total_cmp(&right.0));
        let numel: u64 = held.iter().map(|&(_, count)| count).sum();
        let last = numel.checked_sub(1).ok_or(Undefined::TooFew)?;
        let place = Place::of(probability, usize::try_from(last).unwrap_or(usize::MAX));
        let statistic = |mut at: u64| {
            let found = held.iter().find(|&&(_, count)| {
                let is_here = at < count;
                at = at.saturating_sub(count);
                is_here
            });
            found.map_or(f64::NAN, |&(value, _)| value)
        };
        let below = place.below as u64;
        Ok(place.interpolate(statistic(below), statistic((below + 1).min(last))))
    }

    /// The ranks of all codes.
    pub(super) fn ranks(&self) -> CodeRanks {
        let numel: u64 = self.counts.iter().sum();
        // Adding 0.0 makes 0.0 of −0.0.
        let value = |code: usize| self.values[code] + 0.0;
        let mut order: Vec<usize> = (0..self.values.len()).filter(|&code| self.counts[code] > 0).collect();
        order.sort_by(|&left, &right| value(left).total_cmp(&value(right)));
        let (mut centred, mut doubled) = (vec![0.0; CODES], vec![0; CODES]);
        let (mut smaller, mut doubled_squares) = (0, 0);
        let mut squares = Vec::new();
        for tied in order.chunk_by(|&left, &right| value(left).total_cmp(&value(right)).is_eq()) {
            let count: u64 = tied.iter().map(|&code| self.counts[code]).sum();
            let rank = centred_rank(smaller, count, numel);
            let twice = 2 * smaller + count + 1;
            for &code in tied {
                centred[code] = rank;
                doubled[code] = twice;
            }
            doubled_squares += u128::from(count) * (u128::from(twice) * u128::from(twice));
            squares.push(count as f64 * (rank * rank));
            smaller += count;
        }
        CodeRanks {
            centred,
            squares: sums::compensated(squares),
            doubled,
            doubled_squares,
        }
    }
}

/// The doubled midrank of every code.
#[derive(Debug)]
pub(super) struct CodeRanks {
    /// Less its mean, by code; [`CODES`] of them, so that no index needs to be checked.
    pub(super) centred: Vec<f64>,
    /// Σ of the square of that over all elements.
    pub(super) squares: f64,
    /// As it is.
    pub(super) doubled: Vec<u64>,
    /// Σ of the square of that over all elements.
    pub(super) doubled_squares: u128,
}

/// `count` elements after `smaller` ones share the ranks smaller+1 to smaller+count: their doubled mean, less n + 1.
pub(super) fn centred_rank(smaller: u64, count: u64, numel: u64) -> f64 {
    (2 * smaller + count) as f64 - numel as f64
}
