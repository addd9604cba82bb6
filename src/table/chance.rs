//! What the permutation null alone says of every compared cell: which pairs of models correlate beyond chance, by Bonferroni
//! over all cells of the run. It needs no population of unrelated pairs, so two models have an answer too.
//!
//! The test is that of Spearman's ρ, whose moments under permutation are exact whatever the values, and whose tail is close to the
//! normal one that is taken for it. Pearson's r has no such tail: one large channel in common, which two strangers in n have by
//! chance once in n, gives r near 1. Ranks of which more than half are tied are no better, and are not tested.

use super::{PairTable, pairs::number_of};
use crate::metric::{Metric, log10_two_sided, z_perm};

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
    /// Spearman's ρ.
    pub rho: f64,
    /// ρ·√(n−1).
    pub z: f64,
}

/// The tests of one pair of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tests {
    /// How many there are.
    pub count: u32,
    /// Of those, with p ≤ [`LEVEL`] / all tests of the run, whatever the sign of ρ.
    pub beyond: u32,
}

/// Every compared cell against the permutation null.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chance {
    /// All tests of the run.
    pub tests: usize,
    /// Tests within chance whose r alone would lie beyond it: few channels carry it.
    pub carried: usize,
    /// Cells that are not tested, since more than half of the elements of a side are equal.
    pub tied: usize,
    /// How many models there are, and the tests of each pair of them, in the order of [`pairs_of`](super::pairs_of).
    models: usize,
    pairs: Vec<Tests>,
    /// The cell farthest from the null, the first of equals; `None` without tests.
    pub strongest: Option<ChanceCell>,
}

impl Chance {
    /// Judges the cells of `tables`.
    pub fn of<'t>(tables: impl Iterator<Item = &'t PairTable> + Clone) -> Self {
        let models = tables.clone().flat_map(|table| table.rows.iter().chain(table.columns()));
        let models = models.map(|entry| entry.model + 1).max().unwrap_or(0);
        let tests = tables.clone().map(|table| cells(table).count()).sum();
        let pairs = vec![Tests::default(); models * models.saturating_sub(1) / 2];
        let mut chance = Self { tests, models, pairs, ..Self::default() };
        let bound = (LEVEL / chance.tests as f64).log10();
        for (number, table) in tables.enumerate() {
            chance.tied += correlated(table).filter(|&(place, _)| is_tied(table, place)).count();
            for (place, [r, rho, z]) in cells(table) {
                let is_beyond = log10_two_sided(z) <= bound;
                let pair = number_of(models, table.rows[place.0].model, table.columns()[place.1].model);
                let Tests { count, beyond } = &mut chance.pairs[pair];
                (*count, *beyond) = (*count + 1, *beyond + u32::from(is_beyond));
                let by_r = table.get(place.0, place.1, Metric::Log10PPerm).is_ok_and(|log10_p| log10_p <= bound);
                chance.carried += usize::from(by_r && !is_beyond);
                if chance.strongest.is_none_or(|strongest| z.abs() > strongest.z.abs()) {
                    chance.strongest = Some(ChanceCell { table: number, place, r, rho, z });
                }
            }
        }
        chance
    }

    /// The tests of a pair of models, in either order.
    pub fn of_pair(&self, (a, b): (usize, usize)) -> Tests {
        if a.max(b) < self.models { self.pairs[number_of(self.models, a, b)] } else { Tests::default() }
    }

    /// Pairs of models with a test.
    pub fn compared(&self) -> usize {
        self.pairs.iter().filter(|tests| tests.count > 0).count()
    }

    /// Pairs of models with a test beyond chance.
    pub fn beyond(&self) -> usize {
        self.pairs.iter().filter(|tests| tests.beyond > 0).count()
    }
}

/// r and ρ of each cell of different tensors that has them, each pair of rows once.
fn correlated(table: &PairTable) -> impl Iterator<Item = ((usize, usize), [f64; 2])> + '_ {
    table.different().filter_map(|(pair, place)| {
        let value = |metric| table.pairs.get(pair, metric).ok();
        Some((place, [value(Metric::Pearson)?, value(Metric::Spearman)?]))
    })
}

/// r, ρ and ρ·√(n−1) of each of those that can be tested.
fn cells(table: &PairTable) -> impl Iterator<Item = ((usize, usize), [f64; 3])> + '_ {
    correlated(table).filter(|&(place, _)| !is_tied(table, place)).filter_map(|(place, [r, rho])| {
        let n = table.channels(place.0, place.1)?;
        Some((place, [r, rho, z_perm(rho, n)]))
    })
}

fn is_tied(table: &PairTable, (row, column): (usize, usize)) -> bool {
    table.rows[row].is_mostly_tied || table.columns()[column].is_mostly_tied
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
        assert_eq!((chance.carried, chance.tied), (0, 0));
    }

    #[test]
    fn one_large_channel_that_strangers_share_is_within_chance() {
        let large = |seed: u64| {
            let mut values = noise(seed);
            values[17] = 50.0;
            Some(values)
        };
        let (table, _) = planted(0, &[large(1), large(2)], false);
        assert!(table.get(0, 1, Metric::Pearson).unwrap() > 0.99);
        assert!(table.get(0, 1, Metric::Log10PPerm).unwrap() < -10.0);
        let chance = Chance::of([&table].into_iter());
        assert_eq!((chance.tests, chance.beyond(), chance.carried), (1, 0, 1));
        assert!(chance.strongest.unwrap().rho.abs() < 0.3);
    }

    #[test]
    fn vectors_of_one_value_but_for_a_channel_are_not_tested() {
        let mut odd = vec![1.0; 64];
        odd[17] = 2.0;
        // Of 64 permutations one gives r = ρ = 1: p is 1/64, and a normal tail would say 1e-15.
        let (table, _) = planted(0, &[Some(odd.clone()), Some(odd)], false);
        assert!(table.get(0, 1, Metric::Spearman).unwrap() > 0.999);
        let chance = Chance::of([&table].into_iter());
        assert_eq!((chance.tests, chance.tied, chance.strongest), (0, 1, None));
    }

    #[test]
    fn one_test_needs_less_than_many_do() {
        let mut other = noise(1);
        let more = noise(7);
        // ρ·√63 by SciPy is 3.173447863765935: p is 0.0015.
        for (value, more) in other.iter_mut().zip(&more) {
            *value = 0.6 * *value + 0.9 * more;
        }
        let (alone, _) = planted(0, &[Some(noise(1)), Some(other.clone())], false);
        let z = Chance::of([&alone].into_iter()).strongest.unwrap().z;
        assert!((z - 3.173_447_863_765_935).abs() < 1e-12, "{z}");
        assert_eq!(Chance::of([&alone].into_iter()).beyond(), 1);
        let mut vectors = vec![Some(noise(1)), Some(other)];
        vectors.extend((20..40).map(|seed| Some(noise(seed))));
        let (many, _) = planted(0, &vectors, false);
        let chance = Chance::of([&many].into_iter());
        assert_eq!((chance.tests, chance.of_pair((0, 1)).beyond), (231, 0));
    }
}
