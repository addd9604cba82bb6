//! Which pairs are outliers in a population of pairs.
//!
//! Nominal p-values trust the permutation null, and channels of trained models are not quite exchangeable. So a pair is
//! judged against the other pairs instead: their median and MAD say what unrelated models look like, and a pair is
//! flagged only where it exceeds that by far and survives the correction for the number of pairs looked at.

use std::f64::consts::LN_10;

use super::{Undefined, null::log10_two_sided, quantile::median};

/// MAD of a normal distribution times this is its standard deviation.
const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Below this many pairs a median says nothing about a population.
const FEWEST: usize = 4;

/// One pair of the population: Pearson's r over n channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// Pearson's r, or why there is none.
    pub pearson: Result<f64, Undefined>,
    /// Channels.
    pub n: u64,
}

/// How far a pair must stand out to be called related. Both conditions must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// Smallest robust z. Default 6: layers of independently trained small networks reached 4.6, fine-tunes started at 19.8.
    pub robust_z: f64,
    /// Largest log10 of the false discovery rate. Default −2.
    pub log10_q: f64,
}

impl Default for Criterion {
    fn default() -> Self {
        Self { robust_z: 6.0, log10_q: -2.0 }
    }
}

/// Where a pair stands in its population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelatedVerdict {
    /// Whether it is flagged as related.
    pub related: bool,
    /// (s − median s) / max(1.4826·MAD, 1) of Fisher's s = artanh(r)·√(n−3). The floor of 1 is the deviation that
    /// chance alone gives s: a few pairs that happen to agree more closely do not make the others stand out.
    pub robust_z: f64,
    /// log10 of the false discovery rate by Benjamini and Hochberg at which this pair is still discovered, from the upper
    /// normal tail at `robust_z`. Kept as a logarithm, since related pairs go below the smallest `f64`.
    pub log10_q: f64,
}

/// A verdict for each pair of a population, in its order.
///
/// Holds as long as fewer than half of the pairs are related. A pair is undefined where its r is, or with n < 4
/// (`TooFew`); all are (`TooFew`) where fewer than four pairs are defined. An r of ±1 counts as ±(1 − 2⁻⁵³).
pub fn related(population: &[Correlation], criterion: Criterion) -> Vec<Result<RelatedVerdict, Undefined>> {
    let scores: Vec<Result<f64, Undefined>> = population.iter().map(fisher_score).collect();
    let mut defined: Vec<f64> = scores.iter().filter_map(|score| score.as_ref().ok().copied()).collect();
    if defined.len() < FEWEST {
        return scores.into_iter().map(|score| Err(score.err().unwrap_or(Undefined::TooFew))).collect();
    }
    let spread = median(&mut defined).and_then(|centre| {
        let mut deviations: Vec<f64> = defined.iter().map(|score| (score - centre).abs()).collect();
        Ok((centre, (MAD_TO_SD * median(&mut deviations)?).max(1.0)))
    });
    let robust_z: Vec<Result<f64, Undefined>> = scores
        .into_iter()
        .map(|score| {
            let (centre, sd) = spread.clone()?;
            Ok((score? - centre) / sd)
        })
        .collect();
    let log10_p: Vec<f64> = robust_z.iter().flatten().map(|&z| log10_upper_tail(z)).collect();
    let mut log10_q = benjamini_hochberg(&log10_p).into_iter();
    robust_z
        .into_iter()
        .map(|z| {
            let robust_z = z?;
            let log10_q = log10_q.next().unwrap_or(0.0);
            let related = robust_z >= criterion.robust_z && log10_q <= criterion.log10_q;
            Ok(RelatedVerdict { related, robust_z, log10_q })
        })
        .collect()
}

/// The false discovery rate at which each test is still discovered, by Benjamini and Hochberg's step-up procedure: with
/// the i-th smallest of m p-values, the smallest p·m/j over all j ≥ i, at most 1. Takes and gives log10.
pub fn benjamini_hochberg(log10_p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..log10_p.len()).collect();
    order.sort_by(|&left, &right| log10_p[left].total_cmp(&log10_p[right]));
    let (mut log10_q, mut best) = (vec![0.0; log10_p.len()], 0.0_f64);
    for (place, &test) in order.iter().enumerate().rev() {
        best = best.min(log10_p[test] + (log10_p.len() as f64 / (place + 1) as f64).log10());
        log10_q[test] = best;
    }
    log10_q
}

fn fisher_score(correlation: &Correlation) -> Result<f64, Undefined> {
    let closest = 1.0 - f64::EPSILON / 2.0;
    let r = correlation.pearson.clone()?;
    if correlation.n < 4 {
        return Err(Undefined::TooFew);
    }
    if !r.is_finite() {
        return Err(Undefined::NonFinite { count: 1 });
    }
    Ok(r.clamp(-closest, closest).atanh() * ((correlation.n - 3) as f64).sqrt())
}

fn log10_upper_tail(z: f64) -> f64 {
    let log10_tail = log10_two_sided(z) - 2.0_f64.log10();
    if z >= 0.0 { log10_tail } else { (-10.0_f64.powf(log10_tail)).ln_1p() / LN_10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 36 pairs of nine models with |r| ≤ 0.035, two of them replaced.
    fn grid(planted: &[(usize, f64)]) -> Vec<Correlation> {
        (0..36_u32)
            .map(|pair| {
                let planted = planted.iter().find(|(place, _)| *place == pair as usize);
                let r = planted.map_or(0.035 * f64::from(pair * 17 % 36) / 35.0 * 2.0 - 0.035, |(_, r)| *r);
                Correlation { pearson: Ok(r), n: 4096 }
            })
            .collect()
    }

    fn flagged(verdicts: &[Result<RelatedVerdict, Undefined>]) -> Vec<usize> {
        (0..verdicts.len()).filter(|&pair| verdicts[pair].as_ref().is_ok_and(|verdict| verdict.related)).collect()
    }

    #[test]
    fn two_related_pairs_among_nine_models_are_flagged_and_no_other() {
        let verdicts = related(&grid(&[(5, 0.996), (20, 0.99)]), Criterion::default());
        assert_eq!(flagged(&verdicts), [5, 20]);
        let verdict = verdicts[5].as_ref().unwrap();
        assert!(verdict.robust_z > 50.0 && verdict.log10_q < -500.0 && verdict.log10_q.is_finite());
    }

    #[test]
    fn a_population_without_relations_has_none() {
        assert_eq!(flagged(&related(&grid(&[]), Criterion::default())), [0_usize; 0]);
    }

    #[test]
    fn copies_and_undefined_pairs_do_not_disturb_the_others() {
        let mut population = grid(&[(5, 1.0), (20, -1.0)]);
        population[7].pearson = Err(Undefined::Constant);
        population[8].n = 3;
        let verdicts = related(&population, Criterion::default());
        assert_eq!(flagged(&verdicts), [5]);
        assert_eq!(verdicts[7], Err(Undefined::Constant));
        assert_eq!(verdicts[8], Err(Undefined::TooFew));
        assert!(verdicts.iter().flatten().all(|verdict| verdict.robust_z.is_finite()));
    }

    #[test]
    fn pairs_that_agree_by_luck_do_not_make_chance_stand_out() {
        let mut population = vec![Correlation { pearson: Ok(0.001), n: 4096 }; 9];
        population.push(Correlation { pearson: Ok(0.03), n: 4096 });
        assert_eq!(flagged(&related(&population, Criterion::default())), [0_usize; 0]);
    }

    #[test]
    fn three_pairs_are_no_population() {
        let verdicts = related(&grid(&[])[..3], Criterion::default());
        assert_eq!(verdicts, vec![Err(Undefined::TooFew); 3]);
    }

    #[test]
    fn the_upper_tail_is_a_half_at_zero_and_joins_on_both_sides() {
        assert!((log10_upper_tail(0.0) - 0.5_f64.log10()).abs() < 1e-15);
        let sum = 10.0_f64.powf(log10_upper_tail(1.3)) + 10.0_f64.powf(log10_upper_tail(-1.3));
        assert!((sum - 1.0).abs() < 1e-14);
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
