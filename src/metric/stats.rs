//! What a list of values comes to. Those that are undefined are counted with their reasons, never skipped in silence.

use super::{Undefined, quantile::quantiles, sums::compensated};

/// A list of values, described.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Values that are defined.
    pub n: usize,
    /// Why others are not, and how many, in order of first appearance.
    pub undefined: Vec<(Undefined, usize)>,
    /// `None` where no value is defined.
    pub figures: Option<Figures>,
}

/// The figures of at least one value, in `f64` by compensated sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Mean μ.
    pub mean: f64,
    /// Population standard deviation √(Σ(x−μ)²/n) (ddof 0).
    pub sd: f64,
    /// Sample standard deviation √(Σ(x−μ)²/(n−1)) (ddof 1); `None` of one value.
    pub sd_sample: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// The 25 % quantile, by linear interpolation as the two that follow.
    pub q25: f64,
    /// The median.
    pub median: f64,
    /// The 75 % quantile.
    pub q75: f64,
    /// Largest value.
    pub max: f64,
}

/// The mean and the population standard deviation (ddof 0) of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSd {
    /// Mean μ.
    pub mean: f64,
    /// Standard deviation σ, ddof 0.
    pub sd: f64,
}

impl Stats {
    /// Describes `values`. A NaN or an infinity is undefined as `NonFinite`.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v Result<f64, Undefined>>) -> Self {
        let mut defined = Vec::new();
        let mut undefined: Vec<(Undefined, usize)> = Vec::new();
        for value in values {
            let reason = match value {
                Ok(value) if value.is_finite() => {
                    defined.push(*value);
                    continue;
                }
                Ok(_) => Undefined::NonFinite { count: 1 },
                Err(reason) => reason.clone(),
            };
            match undefined.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => undefined.push((reason, 1)),
            }
        }
        Self { n: defined.len(), undefined, figures: Figures::of(&defined) }
    }

    /// Values that are not defined.
    pub fn missing(&self) -> usize {
        self.undefined.iter().map(|(_, count)| count).sum()
    }

    /// One of the figures; `TooFew` where no value is defined.
    pub fn get(&self, figure: fn(&Figures) -> f64) -> Result<f64, Undefined> {
        self.figures.as_ref().map(figure).ok_or(Undefined::TooFew)
    }
}

impl Figures {
    /// Of finite numbers; `None` without any, or where one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        let (mean, squares) = mean_and_squares(values)?;
        let of_some = quantiles(&mut values.to_vec(), &[0.0, 0.25, 0.5, 0.75, 1.0]).ok()?;
        let &[min, q25, median, q75, max] = of_some.as_slice() else { return None };
        let n = values.len() as f64;
        let sd_sample = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self { mean, sd: (squares / n).sqrt(), sd_sample, min, q25, median, q75, max })
    }

    /// Mean and deviation (ddof 0) alone.
    pub fn mean_sd(&self) -> MeanSd {
        MeanSd { mean: self.mean, sd: self.sd }
    }
}

impl MeanSd {
    /// Of a list of finite numbers; `None` of an empty one.
    pub fn of(values: &[f64]) -> Option<Self> {
        let (mean, squares) = mean_and_squares(values)?;
        Some(Self { mean, sd: (squares / values.len() as f64).sqrt() })
    }

    /// Root mean square √(μ² + σ²).
    pub fn rms(self) -> f64 {
        self.mean.hypot(self.sd)
    }
}

/// μ and Σ(x−μ)²; `None` without values.
fn mean_and_squares(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let mean = compensated(values.iter().copied()) / values.len() as f64;
    Some((mean, compensated(values.iter().map(|value| (value - mean) * (value - mean)))))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn figures_are_those_of_numpy() {
        let goldens: Value = serde_json::from_str(include_str!("../../fixtures/stats_goldens.json")).unwrap();
        let cases = goldens["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let values: Vec<f64> = serde_json::from_value(case["values"].clone()).unwrap();
            let figures = Figures::of(&values).unwrap();
            let got = [
                ("mean", Some(figures.mean)),
                ("sd", Some(figures.sd)),
                ("sd_sample", figures.sd_sample),
                ("min", Some(figures.min)),
                ("q25", Some(figures.q25)),
                ("median", Some(figures.median)),
                ("q75", Some(figures.q75)),
                ("max", Some(figures.max)),
            ];
            for (name, got) in got {
                let expected = case[name].as_f64();
                let is_near = match (got, expected) {
                    (Some(got), Some(expected)) => (got - expected).abs() <= 1e-14 * expected.abs(),
                    (got, expected) => got == expected,
                };
                assert!(is_near, "{name} of {}: {got:?} is not {expected:?}", case["name"]);
            }
            assert_eq!(MeanSd::of(&values), Some(figures.mean_sd()));
            let listed: Vec<Result<f64, Undefined>> = values.into_iter().map(Ok).collect();
            assert_eq!(Stats::of(&listed).figures, Some(figures));
        }
    }

    #[test]
    fn what_is_undefined_is_counted_by_reason_and_in_no_figure() {
        let values = [
            Ok(4.0),
            Err(Undefined::ZeroNorm),
            Ok(f64::NAN),
            Ok(1.0),
            Err(Undefined::Constant),
            Err(Undefined::ZeroNorm),
        ];
        let stats = Stats::of(&values);
        let reasons = vec![(Undefined::ZeroNorm, 2), (Undefined::NonFinite { count: 1 }, 1), (Undefined::Constant, 1)];
        assert_eq!((stats.n, stats.missing()), (2, 4));
        assert_eq!(stats.undefined, reasons);
        assert!((stats.figures.as_ref().unwrap().mean - 2.5).abs() < 1e-15);
    }

    #[test]
    fn no_value_has_no_figures() {
        let none = Stats::of(&[Err(Undefined::TooFew)]);
        assert_eq!((none.n, none.missing(), none.figures), (0, 1, None));
        assert_eq!(Stats::of(&[]).figures, None);
        assert_eq!(none.get(|of| of.mean), Err(Undefined::TooFew));
        let some = Stats::of(&[Ok(4.0), Ok(1.0), Ok(2.0), Err(Undefined::TooFew), Ok(3.0)]);
        // numpy.percentile([1, 2, 3, 4], [25, 50, 75])
        assert_eq!(
            [some.get(|of| of.q25), some.get(|of| of.median), some.get(|of| of.q75)],
            [Ok(1.75), Ok(2.5), Ok(3.25)]
        );
        assert_eq!((Figures::of(&[]), MeanSd::of(&[])), (None, None));
        assert_eq!(Figures::of(&[1.0, f64::INFINITY]), None);
    }
}
