//! What the permutation null alone says of every compared cell: which pairs of models correlate beyond chance, by Bonferroni
//! over all cells of the run. It needs no population of unrelated pairs, so two models have an answer too.

use std::collections::BTreeMap;

use super::PairTable;
use crate::metric::Metric;

/// Largest probability that any one of all tests is called beyond chance by chance.
pub const LEVEL: f64 = 0.01;

/// A cell whose p-value is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChanceCell {
    /// Number of the table.
    pub table: usize,
    /// Row and column there.
    pub place: (usize, usize),
    /// Pearson's r.
    pub r: f64,
    /// r·√(n−1).
    pub z: f64,
}

/// The tests of one pair of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tests {
    /// How many there are.
    pub count: usize,
    /// Of those, with p ≤ [`LEVEL`] / all tests of the run, whatever the sign of r.
    pub beyond: usize,
}

/// Every compared cell against the permutation null.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chance {
    /// All tests of the run.
    pub tests: usize,
    /// The tests of each pair of models that has one, the lower model first.
    pub pairs: BTreeMap<(usize, usize), Tests>,
    /// The cell farthest from the null, the first of equals; `None` without tests.
    pub strongest: Option<ChanceCell>,
}

impl Chance {
    /// Judges the cells of `tables`.
    pub fn of<'t>(tables: impl Iterator<Item = &'t PairTable> + Clone) -> Self {
        let mut chance = Self { tests: tables.clone().map(|table| cells(table).count()).sum(), ..Self::default() };
        let bound = (LEVEL / chance.tests as f64).log10();
        for (number, table) in tables.enumerate() {
            for (place, [r, z, log10_p]) in cells(table) {
                let [a, b] = [table.rows[place.0].model, table.columns()[place.1].model];
                let tests = chance.pairs.entry((a.min(b), a.max(b))).or_default();
                tests.count += 1;
                tests.beyond += usize::from(log10_p <= bound);
                if chance.strongest.is_none_or(|strongest| z.abs() > strongest.z.abs()) {
                    chance.strongest = Some(ChanceCell { table: number, place, r, z });
                }
            }
        }
        chance
    }

    /// The tests of a pair of models, in either order.
    pub fn of_pair(&self, (a, b): (usize, usize)) -> Tests {
        self.pairs.get(&(a.min(b), a.max(b))).copied().unwrap_or_default()
    }

    /// Pairs of models with a test beyond chance.
    pub fn beyond(&self) -> usize {
        self.pairs.values().filter(|tests| tests.beyond > 0).count()
    }
}

/// r, z and log10 p of each cell of different tensors that has them, each pair of rows once.
fn cells(table: &PairTable) -> impl Iterator<Item = ((usize, usize), [f64; 3])> + '_ {
    table.different().filter_map(|(pair, place)| {
        let value = |metric| table.pairs.get(pair, metric).ok();
        Some((place, [value(Metric::Pearson)?, value(Metric::ZPerm)?, value(Metric::Log10PPerm)?]))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::pairs::tests::planted, *};

    /// 64 elements that have nothing in common for different seeds.
    fn noise(seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..64).map(next).collect()
    }

    #[test]
    fn a_copy_is_beyond_chance_and_what_is_drawn_anew_is_not() {
        let (table, _) = planted(3, &[Some(noise(1)), Some(noise(2)), Some(noise(1)), None], true);
        let chance = Chance::of([&table].into_iter());
        assert_eq!((chance.tests, chance.beyond()), (3, 1));
        assert_eq!(chance.of_pair((2, 0)), Tests { count: 1, beyond: 1 });
        assert_eq!(chance.of_pair((0, 1)), Tests { count: 1, beyond: 0 });
        assert_eq!(chance.of_pair((0, 3)), Tests::default());
        let strongest = chance.strongest.unwrap();
        assert_eq!((strongest.table, strongest.place), (0, (0, 2)));
        // r = 1 over 64 elements.
        assert!((strongest.r - 1.0).abs() < 1e-12 && (strongest.z - 63_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn one_test_needs_less_than_many_do() {
        let mut other = noise(1);
        let more = noise(7);
        // 3.4 standard deviations: p is 0.0006.
        for (value, more) in other.iter_mut().zip(&more) {
            *value = 0.6 * *value + 0.9 * more;
        }
        let (alone, _) = planted(0, &[Some(noise(1)), Some(other.clone())], false);
        let z = Chance::of([&alone].into_iter()).strongest.unwrap().z;
        assert!((3.42..3.43).contains(&z), "{z}");
        assert_eq!(Chance::of([&alone].into_iter()).beyond(), 1);
        let mut vectors = vec![Some(noise(1)), Some(other)];
        vectors.extend((20..40).map(|seed| Some(noise(seed))));
        let (many, _) = planted(0, &vectors, false);
        let chance = Chance::of([&many].into_iter());
        assert_eq!((chance.tests, chance.of_pair((0, 1)).beyond), (231, 0));
    }
}
