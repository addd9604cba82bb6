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
        Ok(place.interpolate(statistic(place.below as u64), statistic(place.above as u64)))
    }

    /// The ranks of all codes.
    pub(super) fn ranks(&self) -> CodeRanks {
        let mut ranks = CodeRanks { doubled: vec![0; CODES], squares: 0 };
        let mut smaller = 0;
        // `count` elements after `smaller` ones share the ranks smaller+1 to smaller+count.
        for tied in self.held.chunk_by(|left, right| left.value.total_cmp(&right.value).is_eq()) {
            let count: u64 = tied.iter().map(|held| held.count).sum();
            let doubled = 2 * smaller + count + 1;
            for held in tied {
                ranks.doubled[held.code] = doubled;
            }
            ranks.squares += u128::from(count) * (u128::from(doubled) * u128::from(doubled));
            smaller += count;
        }
        ranks
    }
}

/// The doubled midrank of every code, and Σ of its square over all elements.
#[derive(Debug)]
pub(super) struct CodeRanks {
    pub(super) doubled: Vec<u64>,
    pub(super) squares: u128,
}
