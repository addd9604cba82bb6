//! What two independent Gaussian vectors show, by simulation.
//!
//! The closed form in [`null`](super::null) needs no simulation; this one exists to reproduce published baselines, which
//! drew N(1, 0.1²), and for the metrics that have no closed form. Every trial draws from a generator stream of its own, so
//! a seed gives the same figures on any number of threads.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{MeanSd, Metric, PairMetrics, Undefined};
use crate::parallel;

/// Mean and standard deviation (ddof 0) of every metric over pairs of independent Gaussian vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianBaseline {
    /// Elements per vector.
    pub n: usize,
    /// Pairs of vectors drawn.
    pub trials: u32,
    /// The seed that reproduces them.
    pub seed: u64,
    metrics: [Result<MeanSd, Undefined>; Metric::COUNT],
}

impl GaussianBaseline {
    /// Draws `trials` pairs of vectors of `n` elements, rounded to `f32`, from N(μ, σ²) with the means and deviations of
    /// `a` and `b`. `TooFew` without elements or trials, `NonFinite` where a mean or deviation is.
    pub fn draw(a: MeanSd, b: MeanSd, n: usize, trials: u32, seed: u64) -> Result<Self, Undefined> {
        let count = [a.mean, a.sd, b.mean, b.sd].iter().filter(|figure| !figure.is_finite()).count() as u64;
        if count > 0 {
            return Err(Undefined::NonFinite { count });
        }
        if n == 0 || trials == 0 {
            return Err(Undefined::TooFew);
        }
        let drawn: Vec<PairMetrics> = parallel::numbers(trials as usize, |trial| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(trial as u64);
            let a = vector(a, n, &mut random);
            PairMetrics::compute(&a, &vector(b, n, &mut random))
        });
        let metrics = std::array::from_fn(|index| {
            let values = drawn.iter().map(|metrics| metrics.get(Metric::ALL[index]).clone());
            MeanSd::of(&values.collect::<Result<Vec<f64>, _>>()?).ok_or(Undefined::TooFew)
        });
        Ok(Self { n, trials, seed, metrics })
    }

    /// Mean and deviation of `metric`; undefined, with the first trial's reason, where any trial was.
    pub fn get(&self, metric: Metric) -> &Result<MeanSd, Undefined> {
        &self.metrics[metric as usize]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is said in the documentation")]
fn vector(of: MeanSd, n: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    random.sample_iter(StandardNormal).take(n).map(|unit: f64| (of.mean + of.sd * unit) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::null::{cos_null, cos_null_sd};

    const NORM: MeanSd = MeanSd { mean: 1.0, sd: 0.1 };

    #[test]
    fn the_published_baseline_comes_out_and_agrees_with_the_closed_form() {
        let trials = 400;
        let baseline = GaussianBaseline::draw(NORM, NORM, 4096, trials, 7).unwrap();
        let near = |metric: Metric, mean: f64, sd: f64| {
            let drawn = baseline.get(metric).clone().unwrap();
            let error = sd / f64::from(trials).sqrt();
            assert!((drawn.mean - mean).abs() < 5.0 * error, "{metric}: {drawn:?}");
            assert!((drawn.sd / sd - 1.0).abs() < 0.2, "{metric}: {drawn:?}");
        };
        near(Metric::CosSim, 0.990_099, 0.000_22);
        near(Metric::Pearson, 0.0, 0.015_627);
        near(Metric::L2, 9.0504, 0.1000);
        let closed = cos_null(NORM, NORM).unwrap();
        assert!((closed - 0.990_099).abs() < 1e-6);
        // The closed form holds the moments fixed, a draw does not: its spread is a little larger.
        let fixed = cos_null_sd(NORM, NORM, 4096).unwrap();
        assert!((fixed / baseline.get(Metric::CosSim).clone().unwrap().sd) < 0.9);
    }

    #[test]
    fn a_seed_gives_the_same_figures_on_any_number_of_threads() {
        let draw = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| GaussianBaseline::draw(NORM, NORM, 50, 20, seed)).unwrap()
        };
        assert_eq!(draw(1, 3), draw(5, 3));
        assert_ne!(draw(1, 3).get(Metric::Pearson), draw(1, 4).get(Metric::Pearson));
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let zero = MeanSd { mean: 0.0, sd: 0.0 };
        assert_eq!(GaussianBaseline::draw(NORM, NORM, 0, 9, 1), Err(Undefined::TooFew));
        assert_eq!(GaussianBaseline::draw(NORM, NORM, 9, 0, 1), Err(Undefined::TooFew));
        let broken = MeanSd { mean: f64::NAN, sd: 1.0 };
        assert_eq!(GaussianBaseline::draw(NORM, broken, 9, 9, 1), Err(Undefined::NonFinite { count: 1 }));
        let baseline = GaussianBaseline::draw(zero, NORM, 9, 9, 1).unwrap();
        assert_eq!(baseline.get(Metric::CosSim), &Err(Undefined::ZeroNorm));
        assert!(baseline.get(Metric::L2).is_ok());
    }
}
