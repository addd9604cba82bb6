//! Which pairs are outliers in a population of pairs.
//!
//! Nominal p-values trust the permutation null, and channels of trained models are not quite exchangeable. So a pair is
//! judged against the other pairs instead: their median and MAD say what unrelated models look like, and a pair is
//! flagged only where it exceeds that by far and survives the correction for the number of pairs looked at.
//!
//! Where most pairs are related there are no such others: their median lies far from the permutation null, or there are too few
//! of them. Then the permutation null is all there is to judge by, and that is said.

use super::{Undefined, null::log10_two_sided, quantile::median};

/// MAD of a normal distribution times this is its standard deviation.
const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Below this many pairs a median says nothing about a population.
pub const FEWEST: usize = 4;

/// How far a pair must stand out to be called related. Both conditions must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// Smallest z. Default 6: layers of independently trained small networks reached 4.6, fine-tunes started at 19.8.
    pub z: f64,
    /// Largest log10 of the false discovery rate. Default −2.
    pub log10_q: f64,
}

impl Default for Criterion {
    fn default() -> Self {
        Self { z: 6.0, log10_q: -2.0 }
    }
}

/// What pairs are judged against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// The other pairs.
    Population,
    /// The permutation null, because only so many pairs of models can be compared.
    FewPairs(usize),
    /// The permutation null, because the median of Fisher's s = artanh(r)·√(n−3) lies this far from it: at least half of the pairs
    /// are no example of unrelated ones.
    MedianFar(f64),
}

/// Where a pair stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelatedVerdict {
    /// Whether it is flagged as related, by r of either sign.
    pub related: bool,
    /// Of Fisher's s = artanh(r)·√(n−3): (s − median s) / max(1.4826·MAD, 1) against a population, s itself against the
    /// permutation null. The floor of 1 is the deviation that chance alone gives s: a few pairs that happen to agree more
    /// closely do not make the others stand out. `None` where r is ±1, which has no s: the pair is flagged, and in no median.
    pub z: Option<f64>,
    /// log10 of the false discovery rate by Benjamini and Hochberg at which this pair is still discovered, from both normal
    /// tails beyond `z`, but no lower than a population of so many pairs of models can show: log10(1/(pairs + 1)). `None` against
    /// the permutation null, whose tails say nothing of trained models this far out.
    pub log10_q: Option<f64>,
}

impl RelatedVerdict {
    /// z, or that r is ±1.
    pub fn value(&self) -> Result<f64, Undefined> {
        self.z.ok_or_else(|| Undefined::NotComparable("identical up to sign and scale: r is ±1".to_owned()))
    }

    /// |z|, by which pairs are ordered; infinite where r is ±1.
    pub fn distance(&self) -> f64 {
        self.z.map_or(f64::INFINITY, f64::abs)
    }
}

/// The verdicts of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    /// What they are judged against.
    pub baseline: Baseline,
    /// One a pair, in the order of the population.
    pub each: Vec<Result<RelatedVerdict, Undefined>>,
}

/// A verdict for each entry of a population, Pearson's r and the number of its channels, that `pairs` pairs of models form, of which
/// each may have several entries.
///
/// An entry is undefined where its r is, or with n < 4 (`TooFew`). `pairs` does not count those whose r [`is_one`] throughout.
pub fn related(population: &[(Result<f64, Undefined>, u64)], pairs: usize, criterion: Criterion) -> Verdicts {
    let score = |(r, n): &(Result<f64, Undefined>, u64)| fisher_score(r.clone()?, *n);
    let scores: Vec<Result<f64, Undefined>> = population.iter().map(score).collect();
    let mut judge = Judge::of(scores.iter().flatten().copied().collect(), pairs, criterion);
    let each = scores.into_iter().map(|score| Ok(judge.next(score?))).collect();
    Verdicts { baseline: judge.baseline, each }
}

/// What judges the entries of a population by their Fisher scores, one after the other.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) baseline: Baseline,
    centre: f64,
    sd: f64,
    criterion: Criterion,
    /// The smallest rate that so many pairs can show.
    smallest: f64,
    log10_q: std::vec::IntoIter<f64>,
}

impl Judge {
    /// Takes the scores of all entries that have one.
    pub(crate) fn of(scores: Vec<f64>, pairs: usize, criterion: Criterion) -> Self {
        let (baseline, centre, sd) = baseline(&scores, pairs, criterion);
        let smallest = -((pairs + 1) as f64).log10();
        let mut judge = Self { baseline, centre, sd, criterion, smallest, log10_q: Vec::new().into_iter() };
        let log10_p = scores.into_iter().map(|score| judge.z(score).map_or(f64::NEG_INFINITY, log10_two_sided));
        judge.log10_q = benjamini_hochberg(&log10_p.collect::<Vec<f64>>()).into_iter();
        judge
    }

    /// The verdict on the next score, in the order in which they were taken.
    pub(crate) fn next(&mut self, score: f64) -> RelatedVerdict {
        let (z, log10_q) = (self.z(score), self.log10_q.next().unwrap_or(0.0));
        RelatedVerdict {
            related: z.is_none_or(|z| z.abs() >= self.criterion.z) && log10_q <= self.criterion.log10_q,
            z,
            log10_q: (self.baseline == Baseline::Population).then_some(log10_q.max(self.smallest)),
        }
    }

    /// `None` where r is ±1.
    fn z(&self, score: f64) -> Option<f64> {
        score.is_finite().then(|| (score - self.centre) / self.sd)
    }
}

/// What there is to judge by, with its centre and deviation.
fn baseline(scores: &[f64], pairs: usize, criterion: Criterion) -> (Baseline, f64, f64) {
    let mut defined: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    let few = (Baseline::FewPairs(pairs), 0.0, 1.0);
    if pairs < FEWEST || defined.len() < FEWEST {
        return few;
    }
    let Ok(centre) = median(&mut defined) else { return few };
    if centre.abs() >= criterion.z {
        return (Baseline::MedianFar(centre), 0.0, 1.0);
    }
    for score in &mut defined {
        *score = (*score - centre).abs();
    }
    median(&mut defined).map_or(few, |spread| (Baseline::Population, centre, (MAD_TO_SD * spread).max(1.0)))
}

/// The false discovery rate at which each test is still discovered, by Benjamini and Hochberg's step-up procedure: with
/// the i-th smallest of m p-values, the smallest p·m/j over all j ≥ i, at most 1. Takes and gives log10.
pub fn benjamini_hochberg(log10_p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..log10_p.len()).collect();
    order.sort_unstable_by(|&left, &right| log10_p[left].total_cmp(&log10_p[right]));
    let (mut log10_q, mut best) = (vec![0.0; log10_p.len()], 0.0_f64);
    for (place, &test) in order.iter().enumerate().rev() {
        best = best.min(log10_p[test] + (log10_p.len() as f64 / (place + 1) as f64).log10());
        log10_q[test] = best;
    }
    log10_q
}

/// Whether r is ±1 but for its rounding. Fisher's s would be infinite, or made of rounding alone.
pub fn is_one(r: f64) -> bool {
    r.abs() >= 1.0 - 8.0 * f64::EPSILON
}

/// Fisher's s; infinite where r is ±1.
pub(crate) fn fisher_score(r: f64, n: u64) -> Result<f64, Undefined> {
    if n < 4 {
        return Err(Undefined::TooFew);
    }
    if !r.is_finite() {
        return Err(Undefined::NonFinite { count: 1 });
    }
    Ok(if is_one(r) { f64::INFINITY } else { r.atanh() * ((n - 3) as f64).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 36 pairs of nine models with |r| ≤ 0.035, two of them replaced.
    fn grid(planted: &[(usize, f64)]) -> Vec<(Result<f64, Undefined>, u64)> {
        (0..36_u32)
            .map(|pair| {
                let planted = planted.iter().find(|(place, _)| *place == pair as usize);
                let r = planted.map_or(0.035 * f64::from(pair * 17 % 36) / 35.0 * 2.0 - 0.035, |(_, r)| *r);
                (Ok(r), 4096)
            })
            .collect()
    }

    fn judge(population: &[(Result<f64, Undefined>, u64)]) -> Verdicts {
        related(population, population.len(), Criterion::default())
    }

    fn flagged(verdicts: &Verdicts) -> Vec<usize> {
        let is_related = |&pair: &usize| verdicts.each[pair].as_ref().is_ok_and(|verdict| verdict.related);
        (0..verdicts.each.len()).filter(is_related).collect()
    }

    #[test]
    fn two_related_pairs_among_nine_models_are_flagged_and_no_other() {
        let verdicts = judge(&grid(&[(5, 0.996), (20, 0.99)]));
        assert_eq!((verdicts.baseline, flagged(&verdicts)), (Baseline::Population, vec![5, 20]));
        let verdict = verdicts.each[5].as_ref().unwrap();
        assert!(verdict.z.unwrap() > 50.0);
        // 36 pairs show no rate below one in 37, however far a normal tail may be extended.
        assert!((verdict.log10_q.unwrap() + 37_f64.log10()).abs() < 1e-15);
    }

    #[test]
    fn a_population_without_relations_has_none() {
        assert_eq!(flagged(&judge(&grid(&[]))), [0_usize; 0]);
    }

    #[test]
    fn copies_and_undefined_pairs_do_not_disturb_the_others() {
        let mut population = grid(&[(5, 1.0), (20, -1.0)]);
        population[7].0 = Err(Undefined::Constant);
        population[8].1 = 3;
        let verdicts = judge(&population);
        // A copy and a negated one have no z, and stand out more than any that has.
        assert_eq!(flagged(&verdicts), [5, 20]);
        for pair in [5, 20] {
            let verdict = verdicts.each[pair].as_ref().unwrap();
            assert_eq!((verdict.z, verdict.distance()), (None, f64::INFINITY));
        }
        assert_eq!(verdicts.each[7], Err(Undefined::Constant));
        assert_eq!(verdicts.each[8], Err(Undefined::TooFew));
        // The others are judged as if those four pairs were not there.
        let rest: Vec<_> = population
            .iter()
            .enumerate()
            .filter(|(at, _)| ![5, 7, 8, 20].contains(at))
            .map(|(_, pair)| pair.clone())
            .collect();
        let alone = judge(&rest).each;
        let others = verdicts.each.iter().flatten().filter(|verdict| verdict.z.is_some());
        assert!(others.map(|verdict| verdict.z).eq(alone.iter().flatten().map(|verdict| verdict.z)));
    }

    #[test]
    fn a_pair_that_is_opposed_stands_out_as_one_that_agrees() {
        let verdicts = judge(&grid(&[(5, 0.4), (20, -0.4)]));
        assert_eq!(flagged(&verdicts), [5, 20]);
        let [up, down] = [5, 20].map(|pair| verdicts.each[pair].as_ref().unwrap().z.unwrap());
        assert!(up > 6.0 && down < -6.0, "{up} {down}");
    }

    #[test]
    fn copies_alone_are_no_population_and_have_no_median() {
        let copies = vec![(Ok(1.0), 96); 6];
        let verdicts = related(&copies, 0, Criterion::default());
        assert_eq!(verdicts.baseline, Baseline::FewPairs(0));
        assert_eq!(flagged(&verdicts), [0, 1, 2, 3, 4, 5]);
        assert!(verdicts.each.iter().flatten().all(|verdict| verdict.z.is_none() && verdict.log10_q.is_none()));
    }

    #[test]
    fn pairs_that_agree_by_luck_do_not_make_chance_stand_out() {
        let mut population = vec![(Ok(0.001), 4096); 9];
        population.push((Ok(0.03), 4096));
        assert_eq!(flagged(&judge(&population)), [0_usize; 0]);
    }

    #[test]
    fn three_pairs_are_no_population_and_are_judged_against_the_permutation_null() {
        let verdicts = judge(&grid(&[(1, 0.4)])[..3]);
        assert_eq!((verdicts.baseline, flagged(&verdicts)), (Baseline::FewPairs(3), vec![1]));
        let verdict = verdicts.each[1].as_ref().unwrap();
        // artanh(0.4)·√4093 by NumPy.
        assert!((verdict.z.unwrap() - 27.103_600_441_819_022).abs() < 1e-12);
        assert_eq!(verdict.log10_q, None);
    }

    #[test]
    fn where_half_of_the_pairs_are_related_there_is_no_population_to_depart_from() {
        let copies = vec![(Ok(0.9985), 1024); 6];
        let verdicts = judge(&copies);
        let Baseline::MedianFar(median) = verdicts.baseline else { panic!("{:?}", verdicts.baseline) };
        // artanh(0.9985)·√1021 by NumPy.
        assert!((median - 114.946_243_956_251_5).abs() < 1e-10, "{median}");
        assert_eq!(flagged(&verdicts), [0, 1, 2, 3, 4, 5]);
        // Three related and three unrelated: the median lies between both kinds.
        let mut halves = copies;
        for (pair, r) in [(0, 0.02), (2, -0.03), (4, 0.001)] {
            halves[pair].0 = Ok(r);
        }
        let verdicts = judge(&halves);
        assert!(matches!(verdicts.baseline, Baseline::MedianFar(_)));
        assert_eq!(flagged(&verdicts), [1, 3, 5]);
    }

    proptest! {
        #[test]
        fn discovery_rates_keep_the_order_of_the_p_values(p in prop::collection::vec(-300.0..0.0_f64, 1..50)) {
            let q = benjamini_hochberg(&p);
            for (left, q_left) in p.iter().zip(&q) {
                prop_assert!(q_left >= left && *q_left <= 0.0);
                for (right, q_right) in p.iter().zip(&q) {
                    prop_assert!(left > right || q_left <= q_right);
                }
            }
        }
    }
}
