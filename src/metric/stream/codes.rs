//! Everything that a side alone decides, where its elements are one of a few codes: counting the codes gives all of it.

use super::column::CODES;
use crate::metric::{Undefined, moments::FirstPass, quantile::Place, sums};

/// One code that occurs.
#[derive(Debug, Clone, Copy)]
struct Held {
    code: usize,
    /// NaN where the code has no value.
    value: f64,
    count: u64,
}

/// The codes that occur in one side, in the order of their values.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    held: Vec<Held>,
    numel: u64,
}

impl Codes {
    /// Of the values of all codes and how many elements have each; there may be more counts than values.
    pub(super) fn new(values: &[f64], counts: &[u64]) -> Self {
        let all = values.iter().zip(counts).enumerate();
        let mut held: Vec<Held> = all
            .filter(|&(_, (_, &count))| count > 0)
            // Adding 0.0 makes 0.0 of −0.0.
            .map(|(code, (&value, &count))| Held { code, value: value + 0.0, count })
            .collect();
        held.sort_by(|left, right| left.value.total_cmp(&right.value));
        Self { numel: held.iter().map(|held| held.count).sum(), held }
    }

    /// The values that occur, and how often.
    pub(super) fn held(&self) -> impl Iterator<Item = (f64, u64)> + Clone {
        self.held.iter().map(|held| (held.value, held.count))
    }

    /// Whether an element has no value.
    pub(super) fn has_nan(&self) -> bool {
        self.held.iter().any(|held| held.value.is_nan())
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
        FirstPass::of(self.numel, &[figures])
    }

    /// The quantile of |x| at a probability; `TooFew` without elements.
    pub(super) fn abs_quantile(&self, probability: f64) -> Result<f64, Undefined> {
        let mut held: Vec<(f64, u64)> = self.held().map(|(value, count)| (value.abs(), count)).collect();
        held.sort_by(|left, right| left.0.total_cmp(&right.0));
        let last = self.numel.checked_sub(1).ok_or(Undefined::TooFew)?;
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
        let (mut centred, mut doubled) = (vec![0.0; CODES], vec![0; CODES]);
        let (mut smaller, mut doubled_squares) = (0, 0);
        let mut squares = Vec::new();
        let ties = self.held.chunk_by(|left, right| left.value.total_cmp(&right.value).is_eq());
        for tied in ties {
            let count: u64 = tied.iter().map(|held| held.count).sum();
            let rank = centred_rank(smaller, count, self.numel);
            let twice = 2 * smaller + count + 1;
            for held in tied {
                centred[held.code] = rank;
                doubled[held.code] = twice;
            }
            doubled_squares += u128::from(count) * (u128::from(twice) * u128::from(twice));
            squares.push(count as f64 * (rank * rank));
            smaller += count;
        }
        CodeRanks { centred, squares: sums::compensated(squares), doubled, doubled_squares }
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
fn centred_rank(smaller: u64, count: u64, numel: u64) -> f64 {
    (2 * smaller + count) as f64 - numel as f64
}
