//! How values are spread, as a table describes them.

use crate::metric::{MeanSd, Undefined, quantiles};

/// Count, mean, standard deviation (ddof 0), extremes and quartiles of the values that are defined; how many are not, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Values that are defined.
    pub n: usize,
    /// Why others are not, and how many, in order of first appearance.
    pub undefined: Vec<(Undefined, usize)>,
    /// The figures; `TooFew` where no value is defined.
    pub figures: Result<Figures, Undefined>,
}

/// The figures of at least one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, ddof 0.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// A quarter is below, by linear interpolation, as the two that follow.
    pub q25: f64,
    /// Median.
    pub q50: f64,
    /// A quarter is above.
    pub q75: f64,
    /// Largest.
    pub max: f64,
}

impl Distribution {
    /// Describes `values`.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a Result<f64, Undefined>>) -> Self {
        let mut defined = Vec::new();
        let mut undefined: Vec<(Undefined, usize)> = Vec::new();
        for value in values {
            match value {
                Ok(value) => defined.push(*value),
                Err(reason) => match undefined.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, count)) => *count += 1,
                    None => undefined.push((reason.clone(), 1)),
                },
            }
        }
        let figures = MeanSd::of(&defined).ok_or(Undefined::TooFew).and_then(|of| {
            match quantiles(&mut defined, &[0.0, 0.25, 0.5, 0.75, 1.0])?.as_slice() {
                &[min, q25, q50, q75, max] => Ok(Figures { mean: of.mean, sd: of.sd, min, q25, q50, q75, max }),
                _ => Err(Undefined::TooFew),
            }
        });
        Self { n: defined.len(), undefined, figures }
    }

    /// One of the figures.
    pub fn get(&self, figure: fn(&Figures) -> f64) -> Result<f64, Undefined> {
        self.figures.as_ref().map(figure).map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_is_described_and_the_rest_counted() {
        let values = [Ok(4.0), Err(Undefined::ZeroNorm), Ok(1.0), Ok(2.0), Err(Undefined::ZeroNorm), Ok(3.0)];
        let of = Distribution::of(&values);
        assert_eq!((of.n, of.undefined.clone()), (4, vec![(Undefined::ZeroNorm, 2)]));
        let figures = of.figures.unwrap();
        // numpy.percentile([1, 2, 3, 4], [25, 50, 75])
        let got = [figures.q25, figures.q50, figures.q75, figures.min, figures.max, figures.mean, figures.sd];
        for (got, expected) in got.into_iter().zip([1.75, 2.5, 3.25, 1.0, 4.0, 2.5, 1.25_f64.sqrt()]) {
            assert!((got - expected).abs() < 1e-15, "{figures:?}");
        }
        assert_eq!(Distribution::of(&[]).get(|f| f.mean), Err(Undefined::TooFew));
    }
}
