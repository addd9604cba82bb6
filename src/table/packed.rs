//! The metrics of many pairs in little room: a survey of a thousand models has half a million.

use std::{collections::HashMap, sync::Arc};

use super::scratch::{BLOCK, Records, Scratch};
use crate::{
    metric::{Metric, PairMetrics, Undefined},
    parallel,
};

/// A quiet NaN, whose low bits hold the number of a reason.
const ABSENT: u64 = 0x7ff8_0000_0000_0000;

/// The bits of the metrics of one pair.
type Bits = [u64; Metric::COUNT];

/// Metrics by row and column: a number each, and each reason once. A pair takes 256 bytes, a third of its [`PairMetrics`], and of many
/// pairs all but its place lies in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    /// Row and column of each pair, ascending.
    places: Vec<(u32, u32)>,
    /// The first pair of each row.
    firsts: Vec<usize>,
    values: Records<{ Metric::COUNT }>,
    reasons: Vec<Undefined>,
}

impl Packed {
    /// Works out the pairs at `places`, in parallel.
    pub(super) fn compute(
        places: impl IntoIterator<Item = (usize, usize)>,
        metrics: impl Fn(usize, usize) -> PairMetrics + Sync,
        scratch: Option<&Arc<Scratch>>,
    ) -> Self {
        let mut places: Vec<(u32, u32)> = places.into_iter().map(narrow).collect();
        places.sort_unstable();
        places.dedup();
        let rows = places.last().map_or(0, |&(row, _)| row + 1);
        let firsts = (0..rows).map(|row| places.partition_point(|place| place.0 < row)).collect();
        let mut packed = Self { firsts, values: Records::new(places.len(), scratch), ..Self::default() };
        let mut known = HashMap::new();
        for places in places.chunks(BLOCK) {
            let metrics = parallel::map(places, |&(row, column)| metrics(row as usize, column as usize));
            let bits: Vec<Bits> = metrics.iter().map(|metrics| packed.bits(metrics, &mut known)).collect();
            packed.values.push(&bits);
        }
        Self { places, ..packed }
    }

    /// The metrics of a pair as numbers, a reason by its own.
    fn bits(&mut self, metrics: &PairMetrics, known: &mut HashMap<Undefined, u64>) -> Bits {
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
        let mut bits = [0; Metric::COUNT];
        for (bits, (_, value)) in bits.iter_mut().zip(metrics.iter()) {
            *bits = match value {
                Ok(value) if value.is_nan() => absent(&not_finite),
                Ok(value) => value.to_bits(),
                Err(reason) => absent(reason),
            };
        }
        bits
    }

    /// The number of the pair at a place, if it was worked out.
    pub(super) fn find(&self, row: usize, column: usize) -> Option<usize> {
        let place = narrow((row, column));
        let &first = self.firsts.get(row)?;
        // Most rows have every column from their first on.
        let ahead = place.1.checked_sub(self.places.get(first)?.1)? as usize;
        if self.places.get(first + ahead) == Some(&place) {
            return Some(first + ahead);
        }
        self.places.binary_search(&place).ok()
    }

    /// One metric of a pair.
    pub(super) fn get(&self, pair: usize, metric: Metric) -> Result<f64, Undefined> {
        self.value(self.values.get(pair, metric as usize).ok_or_else(unread)?)
    }

    /// Every metric of a pair.
    pub(super) fn metrics(&self, pair: usize) -> PairMetrics {
        match self.values.row(pair) {
            Some(bits) => PairMetrics::from_fn(|metric| self.value(bits[metric as usize])),
            None => PairMetrics::undefined(&unread()),
        }
    }

    fn value(&self, bits: u64) -> Result<f64, Undefined> {
        let value = f64::from_bits(bits);
        if !value.is_nan() {
            return Ok(value);
        }
        Err(self.reasons[usize::try_from(bits ^ ABSENT).unwrap_or_default()].clone())
    }

    /// Row and column of every pair.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.places.iter().map(|&(row, column)| (row as usize, column as usize))
    }
}

/// Why a number is absent that was written and cannot be read; whoever reads it fails later by [`Scratch::check`].
fn unread() -> Undefined {
    Undefined::NotComparable("the temporary file of the pairs cannot be read".to_owned())
}

/// A place in half the room; there are no tables of four thousand million rows.
fn narrow((row, column): (usize, usize)) -> (u32, u32) {
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
        // In any order, and one of them twice; in memory, and in a file.
        let folder = tempfile::tempdir().unwrap();
        for scratch in [None, Some(Scratch::with_room(folder.path(), 0))] {
            let places = [(2, 2), (0, 3), (2, 1), (0, 1), (2, 0), (0, 1)];
            let packed = Packed::compute(places, at, scratch.as_ref());
            assert!(packed.places().eq(pairs.iter().map(|(place, _)| *place)));
            for ((row, column), metrics) in &pairs {
                let pair = packed.find(*row, *column).unwrap();
                assert_eq!(packed.metrics(pair), *metrics);
                assert!(metrics.iter().all(|(metric, value)| packed.get(pair, metric) == *value));
            }
            for (row, column) in [(0, 0), (0, 2), (0, 4), (1, 0), (2, 3), (3, 0)] {
                assert_eq!(packed.find(row, column), None);
            }
            let distinct: HashSet<&Undefined> = packed.reasons.iter().collect();
            assert_eq!((packed.reasons.len(), distinct.len()), (5, 5), "each reason once");
        }
    }

    #[test]
    fn of_many_pairs_no_more_than_their_places_are_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::with_room(folder.path(), 0);
        let metrics = PairMetrics::compute(&[1.0, 2.0, 4.0], &[2.0, 2.5, 4.0]);
        let places = (0..200).flat_map(|row| (row..200).map(move |column| (row, column)));
        let packed = Packed::compute(places, |_, _| metrics.clone(), Some(&scratch));
        let held = packed.places.capacity() * 8 + packed.firsts.capacity() * 8 + packed.values.held();
        assert_eq!(packed.places.len(), 20_100);
        assert!(held <= 20_100 * 16, "{held} bytes");
        assert_eq!(packed.metrics(20_099), metrics);
    }
}
