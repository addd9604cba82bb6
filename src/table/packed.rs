//! The metrics of many pairs in little room: a survey of a thousand models has half a million.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::metric::{Metric, PairMetrics, Undefined};

/// Pairs that are worked out at a time.
const AT_A_TIME: usize = 4096;

/// A quiet NaN, whose low bits hold the number of a reason.
const ABSENT: u64 = 0x7ff8_0000_0000_0000;

/// Metrics by row and column: a number each, and each reason once. A pair takes 256 bytes, a third of its [`PairMetrics`].
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    /// Row and column of each pair, ascending.
    places: Vec<(u32, u32)>,
    /// The bits of the metrics of one pair after those of another.
    values: Vec<u64>,
    reasons: Vec<Undefined>,
}

impl Packed {
    /// Works out the pairs at `places`, in parallel.
    pub(super) fn compute(
        places: impl IntoIterator<Item = (usize, usize)>,
        metrics: impl Fn(usize, usize) -> PairMetrics + Sync,
    ) -> Self {
        let mut places: Vec<(u32, u32)> = places.into_iter().map(narrow).collect();
        places.sort_unstable();
        places.dedup();
        let mut packed = Self { values: Vec::with_capacity(places.len() * Metric::COUNT), ..Self::default() };
        let mut known = HashMap::new();
        for places in places.chunks(AT_A_TIME) {
            let metrics = places.par_iter().map(|&(row, column)| metrics(row as usize, column as usize));
            for metrics in metrics.collect::<Vec<_>>() {
                packed.push(&metrics, &mut known);
            }
        }
        Self { places, ..packed }
    }

    /// Pairs that are worked out already, each once.
    pub(super) fn of(mut pairs: Vec<((usize, usize), PairMetrics)>) -> Self {
        pairs.sort_unstable_by_key(|(place, _)| *place);
        let (mut packed, mut known) = (Self::default(), HashMap::new());
        for (place, metrics) in &pairs {
            packed.places.push(narrow(*place));
            packed.push(metrics, &mut known);
        }
        packed
    }

    fn push(&mut self, metrics: &PairMetrics, known: &mut HashMap<Undefined, u64>) {
        let mut absent = |reason: &Undefined| {
            let number = known.get(reason).copied().unwrap_or_else(|| {
                let number = self.reasons.len() as u64;
                self.reasons.push(reason.clone());
                known.insert(reason.clone(), number);
                number
            });
            ABSENT | number
        };
        let not_finite = Undefined::NotComparable("not a finite number".to_owned());
        let bits = metrics.iter().map(|(_, value)| match value {
            Ok(value) if value.is_nan() => absent(&not_finite),
            Ok(value) => value.to_bits(),
            Err(reason) => absent(reason),
        });
        self.values.extend(bits);
    }

    /// The number of the pair at a place, if it was worked out.
    pub(super) fn find(&self, row: usize, column: usize) -> Option<usize> {
        self.places.binary_search(&narrow((row, column))).ok()
    }

    /// One metric of a pair.
    pub(super) fn get(&self, pair: usize, metric: Metric) -> Result<f64, Undefined> {
        let bits = self.values[pair * Metric::COUNT + metric as usize];
        let value = f64::from_bits(bits);
        if !value.is_nan() {
            return Ok(value);
        }
        Err(self.reasons[usize::try_from(bits ^ ABSENT).unwrap_or_default()].clone())
    }

    /// Every metric of a pair.
    pub(super) fn metrics(&self, pair: usize) -> PairMetrics {
        PairMetrics::from_fn(|metric| self.get(pair, metric))
    }

    /// Row and column of every pair.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.places.iter().map(|&(row, column)| (row as usize, column as usize))
    }
}

/// A place in half the room; there are no tables of four thousand million rows.
pub(super) fn narrow((row, column): (usize, usize)) -> (u32, u32) {
    let narrow = |index| u32::try_from(index).unwrap_or(u32::MAX);
    (narrow(row), narrow(column))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_and_every_reason_come_back_as_they_went_in() {
        let a = [1.0, 2.0, 4.0, -3.0];
        let pairs = [
            ((0, 1), PairMetrics::compute(&a, &[2.0, 2.5, 4.0, 1.0])),
            ((0, 3), PairMetrics::undefined(&Undefined::Shape)),
            ((2, 0), PairMetrics::compute(&a, &[1.0; 4])),
            ((2, 1), PairMetrics::undefined(&Undefined::NotComparable("it has no such tensor".to_owned()))),
            ((2, 2), PairMetrics::compute(&a, &[0.0, f64::NAN, 0.0, 1.0])),
        ];
        let at = |row, column| pairs.iter().find(|(place, _)| *place == (row, column)).unwrap().1.clone();
        // In any order, and one of them twice.
        let computed = Packed::compute([(2, 2), (0, 3), (2, 1), (0, 1), (2, 0), (0, 1)], at);
        let mut reversed = pairs.to_vec();
        reversed.reverse();
        for packed in [computed, Packed::of(reversed)] {
            assert!(packed.places().eq(pairs.iter().map(|(place, _)| *place)));
            for ((row, column), metrics) in &pairs {
                assert_eq!(packed.metrics(packed.find(*row, *column).unwrap()), *metrics);
            }
            assert_eq!(packed.find(1, 0), None);
            let distinct: HashSet<&Undefined> = packed.reasons.iter().collect();
            assert_eq!((packed.reasons.len(), distinct.len()), (5, 5), "each reason once");
        }
    }
}
