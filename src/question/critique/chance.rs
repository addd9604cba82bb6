//! Random vectors beside real ones: what cosine, Pearson's r and distance are when nothing is shared.
//!
//! One set of unit normal pairs serves every mean and spread: with a = μa + σa·u and b = μb + σb·v, all three figures of a
//! trial follow from five sums over u and v. Seven baselines therefore cost as much as one.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{Lists, Pair, Study};
use crate::{
    metric::{MeanSd, Metric, Summary, Undefined},
    parallel,
    table::PairTable,
};

/// The metrics that are set beside random vectors.
pub const BESIDE_CHANCE: [Metric; 3] = [Metric::CosSim, Metric::Pearson, Metric::L2];

/// One metric as random vectors have it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The metric.
    pub metric: Metric,
    /// Drawn.
    pub drawn: Result<MeanSd, Undefined>,
    /// The same in closed form.
    pub closed: Result<MeanSd, Undefined>,
}

/// Experiment 6: pairs beside random vectors.
#[derive(Debug, Clone)]
pub struct ChanceExperiment {
    /// Elements of the study's random vectors: as many as the first model has.
    pub n: u64,
    /// Pairs drawn.
    pub trials: u32,
    /// N(mean, sd²) of the study, one entry each of [`BESIDE_CHANCE`].
    pub study: Vec<Expected>,
    /// The pairs, each with the same of random vectors that have the mean and spread of either side.
    pub pairs: Vec<(Pair, Vec<Expected>)>,
}

impl ChanceExperiment {
    /// Draws what the pairs of the sixth list stand beside.
    pub(crate) fn of(study: &Study, table: &PairTable, lists: &Lists, seed: u64) -> Self {
        let trials = study.random.trials;
        let numel = |row: usize| table.rows[row].numel();
        let n = lists.all_models.rows.first().map_or(0, |&row| numel(row));
        let mut drawn: BTreeMap<u64, UnitTrials> = BTreeMap::new();
        for length in lists.beside.iter().map(|&(a, _)| numel(a)).chain([n]) {
            // Lengths of vectors in memory fit.
            let elements = usize::try_from(length).unwrap_or_default();
            drawn.entry(length).or_insert_with(|| UnitTrials::draw(elements, trials, seed));
        }
        let expect = |metric, sides: Result<[MeanSd; 2], Undefined>, n: u64| Expected {
            metric,
            drawn: sides.clone().and_then(|[a, b]| drawn.get(&n).ok_or(Undefined::TooFew)?.expect(metric, a, b)),
            closed: sides.and_then(|[a, b]| closed_form(metric, a, b, n)),
        };
        let own = MeanSd { mean: study.random.mean, sd: study.random.sd };
        let mean_sd = |row: usize| table.rows[row].summary.as_ref().map(Summary::mean_sd).map_err(Clone::clone);
        let beside = |&(a, b): &Pair| {
            // What cannot be compared has no baseline either.
            let sides = |metric| {
                table.get(a, b, metric)?;
                Ok([mean_sd(a)?, mean_sd(b)?])
            };
            ((a, b), BESIDE_CHANCE.map(|metric| expect(metric, sides(metric), numel(a))).to_vec())
        };
        Self {
            n,
            trials,
            study: BESIDE_CHANCE.map(|metric| expect(metric, Ok([own, own]), n)).to_vec(),
            pairs: lists.beside.iter().map(beside).collect(),
        }
    }
}

/// Sums over the elements of one pair of unit normal vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    u: f64,
    v: f64,
    uu: f64,
    vv: f64,
    uv: f64,
}

/// Pairs of independent unit normal vectors of `n` elements, reduced to their sums.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTrials {
    n: usize,
    trials: Vec<Sums>,
}

impl UnitTrials {
    /// Draws `trials` pairs. Every trial has a generator stream of its own, so a seed gives the same pairs on any number of
    /// threads, and the same as [`GaussianBaseline`](crate::metric::GaussianBaseline) does before it rounds to `f32`.
    pub fn draw(n: usize, trials: u32, seed: u64) -> Self {
        let draw = |trial: usize| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(trial as u64);
            let u: Vec<f64> = (&mut random).sample_iter(StandardNormal).take(n).collect();
            let mut sums = Sums { u: u.iter().sum(), v: 0.0, uu: u.iter().map(|u| u * u).sum(), vv: 0.0, uv: 0.0 };
            for (u, v) in u.iter().zip(random.sample_iter::<f64, _>(StandardNormal)) {
                sums.v += v;
                sums.vv += v * v;
                sums.uv += u * v;
            }
            sums
        };
        Self { n, trials: parallel::numbers(trials as usize, draw) }
    }

    /// Mean and deviation (ddof 0) of `metric` over the trials, for elements with these means and spreads. `TooFew` without
    /// elements or trials, `ZeroNorm` and `Constant` as of real vectors, `NotComparable` for any other metric.
    pub fn expect(&self, metric: Metric, a: MeanSd, b: MeanSd) -> Result<MeanSd, Undefined> {
        let values: Result<Vec<f64>, _> = self.trials.iter().map(|sums| sums.value(metric, a, b, self.n)).collect();
        MeanSd::of(&values?).filter(|_| self.n > 1).ok_or(Undefined::TooFew)
    }
}

impl Sums {
    fn value(&self, metric: Metric, a: MeanSd, b: MeanSd, n: usize) -> Result<f64, Undefined> {
        let n = n as f64;
        let squares =
            |of: MeanSd, one: f64, two: f64| n * of.mean * of.mean + of.sd * (2.0 * of.mean * one + of.sd * two);
        let (aa, bb) = (squares(a, self.u, self.uu), squares(b, self.v, self.vv));
        let ab = n * a.mean * b.mean + a.mean * b.sd * self.v + b.mean * a.sd * self.u + a.sd * b.sd * self.uv;
        match metric {
            Metric::CosSim if aa <= 0.0 || bb <= 0.0 => Err(Undefined::ZeroNorm),
            Metric::CosSim => Ok(ab / (aa * bb).sqrt()),
            Metric::Pearson if a.sd == 0.0 || b.sd == 0.0 => Err(Undefined::Constant),
            Metric::Pearson => {
                let centred = (self.uu - self.u * self.u / n) * (self.vv - self.v * self.v / n);
                Ok((self.uv - self.u * self.v / n) / centred.sqrt())
            }
            Metric::L2 => Ok((aa + bb - 2.0 * ab).max(0.0).sqrt()),
            other => Err(no_baseline(other)),
        }
    }
}

/// The same in closed form, to the first order in 1/n: mean and deviation of `metric` for independent normal elements.
///
/// Cosine: mean `μaμb/(rms_a rms_b)`, the permutation null's; its variance adds to the permutation null's what the sampling of
/// both spreads gives, cos²·Σ(c⁴+2c⁶)/(2n(1+c²)²) over both sides with c = σ/μ. Pearson: 0 and 1/√(n−1). Distance: with
/// δ = μa−μb and s² = σa²+σb², the square has mean m = n(δ²+s²) and variance v = n(2s⁴+4δ²s²), the root √m(1−v/8m²) and
/// √(v/4m).
pub fn closed_form(metric: Metric, a: MeanSd, b: MeanSd, n: u64) -> Result<MeanSd, Undefined> {
    if n < 2 {
        return Err(Undefined::TooFew);
    }
    let count = n as f64;
    match metric {
        Metric::CosSim => {
            let mean = crate::metric::null::cos_null(a, b)?;
            let fixed = crate::metric::null::cos_null_sd(a, b, n)?;
            if a.mean == 0.0 || b.mean == 0.0 {
                return Err(Undefined::MeanNearZero);
            }
            let sampled = |of: MeanSd| {
                let square = (of.sd / of.mean).powi(2);
                (square * square + 2.0 * square.powi(3)) / (2.0 * count * (1.0 + square).powi(2))
            };
            let variance = fixed * fixed + mean * mean * (sampled(a) + sampled(b));
            Ok(MeanSd { mean, sd: variance.sqrt() })
        }
        Metric::Pearson if a.sd == 0.0 || b.sd == 0.0 => Err(Undefined::Constant),
        Metric::Pearson => Ok(MeanSd { mean: 0.0, sd: 1.0 / (count - 1.0).sqrt() }),
        Metric::L2 => {
            let (offset, spread) = ((a.mean - b.mean).powi(2), a.sd * a.sd + b.sd * b.sd);
            let square = count * (offset + spread);
            let variance = count * spread * (2.0 * spread + 4.0 * offset);
            if square == 0.0 {
                return Ok(MeanSd { mean: 0.0, sd: 0.0 });
            }
            Ok(MeanSd {
                mean: square.sqrt() * (1.0 - variance / (8.0 * square * square)),
                sd: (variance / (4.0 * square)).sqrt(),
            })
        }
        other => Err(no_baseline(other)),
    }
}

fn no_baseline(metric: Metric) -> Undefined {
    Undefined::NotComparable(format!("no baseline of random vectors is worked out for {metric}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::GaussianBaseline;

    const NORM: MeanSd = MeanSd { mean: 1.0, sd: 0.1 };
    const SOLAR: MeanSd = MeanSd { mean: 0.235_74, sd: 0.040_96 };

    #[test]
    fn five_sums_give_what_whole_vectors_give() {
        let whole = GaussianBaseline::draw(SOLAR, NORM, 300, 40, 7).unwrap();
        let trials = UnitTrials::draw(300, 40, 7);
        for metric in BESIDE_CHANCE {
            let (whole, sums) = (whole.get(metric).clone().unwrap(), trials.expect(metric, SOLAR, NORM).unwrap());
            assert!((whole.mean - sums.mean).abs() < 1e-6, "{metric}: {whole:?} {sums:?}");
            assert!((whole.sd - sums.sd).abs() < 1e-6, "{metric}: {whole:?} {sums:?}");
        }
    }

    #[test]
    fn the_closed_form_is_the_published_one() {
        let near = |metric, mean: f64, sd: f64| {
            let closed = closed_form(metric, NORM, NORM, 4096).unwrap();
            assert!((closed.mean - mean).abs() < 5e-5 && (closed.sd / sd - 1.0).abs() < 0.01, "{metric}: {closed:?}");
        };
        near(Metric::CosSim, 0.990_099, 0.000_219);
        near(Metric::Pearson, 0.0, 0.015_627);
        near(Metric::L2, 9.0504, 0.1000);
    }

    #[test]
    fn simulation_and_closed_form_agree_within_the_error_of_a_thousand_trials() {
        let trials = UnitTrials::draw(1024, 1000, 3);
        for (a, b) in [(NORM, NORM), (SOLAR, NORM), (SOLAR, SOLAR)] {
            for metric in BESIDE_CHANCE {
                let (drawn, closed) = (trials.expect(metric, a, b).unwrap(), closed_form(metric, a, b, 1024).unwrap());
                assert!(
                    (drawn.mean - closed.mean).abs() < 5.0 * closed.sd / 1000_f64.sqrt(),
                    "{metric}: {drawn:?} {closed:?}"
                );
                assert!((drawn.sd / closed.sd - 1.0).abs() < 0.12, "{metric}: {drawn:?} {closed:?}");
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_figures_on_any_number_of_threads() {
        let draw = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| UnitTrials::draw(50, 20, 1))
        };
        assert_eq!(draw(1), draw(3));
        assert_ne!(draw(1), UnitTrials::draw(50, 20, 2));
    }

    #[test]
    fn what_has_no_figure_says_why() {
        let flat = MeanSd { mean: 1.0, sd: 0.0 };
        let trials = UnitTrials::draw(9, 3, 0);
        assert_eq!(trials.expect(Metric::Pearson, flat, NORM), Err(Undefined::Constant));
        assert!(trials.expect(Metric::CosSim, flat, NORM).is_ok());
        assert_eq!(UnitTrials::draw(9, 0, 0).expect(Metric::L2, NORM, NORM), Err(Undefined::TooFew));
        assert!(closed_form(Metric::Spearman, NORM, NORM, 9).is_err());
    }
}
