//! What one tensor looks like on its own: count, mean, spread, norm, extremes, zeros.
//!
//! Norm weights are nearly constant vectors, so most of what a cosine between two of them says is already said by each
//! side's mean and spread. Reports show these beside every comparison, and the null models are made of them.

use super::{Element, MeanSd, Undefined, sums};

/// Sums of squares and their products stay inside `f64` while magnitudes are within 2^±200, that is 1.6e60; every value
/// of BF16, F16, F8 and F32 is.
const LARGEST: f64 = f64::from_bits((1023 + 200) << 52);
const SMALLEST: f64 = f64::from_bits((1023 - 200) << 52);

/// At or below this σ/|μ| the rounding of the mean, up to 2⁻⁵³|μ|, would change sums of products about it by more than 1e-12 of
/// themselves, and is taken off.
const NEARLY_CONSTANT: f64 = 1e-10;

/// Counts and, where they exist, the statistics of one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// How many elements.
    pub n: u64,
    /// How many are exactly zero; −0.0 is.
    pub zeros: u64,
    /// How many are NaN or infinite.
    pub non_finite: u64,
    /// The statistics; absent of an empty slice (`TooFew`), of one with NaN or infinite elements (`NonFinite`), and of one
    /// whose largest magnitude lies beyond 2^±200 (`NotComparable`).
    pub summary: Result<Summary, Undefined>,
}

/// Statistics of a non-empty slice of finite elements. Sums in `f64`, the mean refined by a second pass, the spread
/// from a third.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean μ.
    pub mean: f64,
    /// Population standard deviation σ (ddof 0).
    pub sd: f64,
    /// Euclidean norm.
    pub norm: f64,
    /// Root mean square, norm/√n.
    pub rms: f64,
    /// Smallest element.
    pub min: f64,
    /// Largest element.
    pub max: f64,
    /// Σx²; kept, because the root of its square is itself, which makes the cosine of equal slices exactly 1.
    pub(super) squares: f64,
    /// Σ(x−μ)²; kept for the same reason.
    pub(super) centred_squares: f64,
    /// What rounding took from the mean: Σ(x−μ)/n, where σ is so small beside |μ| that it matters, else 0.
    pub(super) mean_rest: f64,
    pub(super) n: f64,
}

impl Moments {
    /// The moments of `values`.
    pub fn of<T: Element>(values: &[T]) -> Self {
        let first = FirstPass::of(values.len() as u64, &sums::blocks(values, FirstPass::figures));
        if first.usable.is_err() {
            return first.without_summary();
        }
        let rough = first.rough_mean();
        let mean = first.mean(&sums::blocks(values, |block| [sums::sum(block, |x| x - rough)]), 0);
        let centred = sums::blocks(values, |block| [sums::sum(block, |x| (x - mean) * (x - mean))]);
        let mut moments = first.moments(mean, sums::total(&centred, 0));
        if let Ok(summary) = &mut moments.summary
            && summary.sd <= NEARLY_CONSTANT * mean.abs()
        {
            let rest = sums::blocks(values, |block| [sums::sum(block, |x| x - mean)]);
            summary.correct(sums::total(&rest, 0) / values.len() as f64);
        }
        moments
    }

    /// Why a pair has no sums of which a side has none: elements that are not finite, over both sides, come first.
    pub(super) fn why_not(sides: [&Self; 2]) -> Undefined {
        let reasons = || sides.iter().filter_map(|side| side.summary.as_ref().err());
        if reasons().any(|reason| matches!(reason, Undefined::NonFinite { .. })) {
            return Undefined::NonFinite { count: sides.iter().map(|side| side.non_finite).sum() };
        }
        reasons().next().cloned().unwrap_or(Undefined::TooFew)
    }
}

/// What one pass over the blocks of a slice says of it, and how the figures of later passes complete it. A slice in memory
/// and one that streams past go the same way, and have the same moments to the last bit.
#[derive(Debug, Clone)]
pub(super) struct FirstPass {
    n: u64,
    pub(super) zeros: u64,
    non_finite: u64,
    sum: f64,
    pub(super) squares: f64,
    max: f64,
    min: f64,
    /// Whether there is anything to sum up.
    pub(super) usable: Result<(), Undefined>,
}

impl FirstPass {
    /// The figures of one block.
    #[inline(always)]
    pub(super) fn figures(block: &[f64]) -> [f64; 6] {
        [
            sums::sum(block, |x| if x == 0.0 { 1.0 } else { 0.0 }),
            sums::sum(block, |x| if x.abs() < f64::INFINITY { 0.0 } else { 1.0 }),
            sums::sum(block, |x| x),
            sums::sum(block, |x| x * x),
            sums::max(block, |x| x),
            sums::max(block, |x| -x),
        ]
    }

    /// From the figures of all blocks of `n` elements.
    pub(super) fn of(n: u64, blocks: &[[f64; 6]]) -> Self {
        let (max, min) = (sums::peak(blocks, 4), -sums::peak(blocks, 5));
        let (magnitude, non_finite) = (max.max(-min), count(sums::total(blocks, 1)));
        let usable = if n == 0 {
            Err(Undefined::TooFew)
        } else if non_finite > 0 {
            Err(Undefined::NonFinite { count: non_finite })
        } else if magnitude > LARGEST || (magnitude > 0.0 && magnitude < SMALLEST) {
            Err(Undefined::NotComparable("magnitudes beyond 2^200 or below 2^-200".to_owned()))
        } else {
            Ok(())
        };
        Self {
            n,
            zeros: count(sums::total(blocks, 0)),
            non_finite,
            sum: sums::total(blocks, 2),
            squares: sums::total(blocks, 3),
            max,
            min,
            usable,
        }
    }

    /// The mean before it is refined.
    pub(super) fn rough_mean(&self) -> f64 {
        self.sum / self.n as f64
    }

    /// The mean, refined by Σ(x − rough mean), which is figure `index` of these blocks.
    pub(super) fn mean<const N: usize>(&self, blocks: &[[f64; N]], index: usize) -> f64 {
        self.rough_mean() + sums::total(blocks, index) / self.n as f64
    }

    /// Euclidean norm.
    pub(super) fn norm(&self) -> f64 {
        self.squares.sqrt()
    }

    /// The counts alone, and why there is nothing else.
    pub(super) fn without_summary(&self) -> Moments {
        let reason = self.usable.clone().err().unwrap_or(Undefined::TooFew);
        Moments { n: self.n, zeros: self.zeros, non_finite: self.non_finite, summary: Err(reason) }
    }

    /// All moments, with the refined mean and Σ(x − μ)².
    pub(super) fn moments(&self, mean: f64, centred_squares: f64) -> Moments {
        let n = self.n as f64;
        let summary = Summary {
            mean,
            sd: (centred_squares / n).sqrt(),
            norm: self.norm(),
            rms: (self.squares / n).sqrt(),
            min: self.min,
            max: self.max,
            squares: self.squares,
            centred_squares,
            mean_rest: 0.0,
            n,
        };
        Moments { n: self.n, zeros: self.zeros, non_finite: self.non_finite, summary: Ok(summary) }
    }
}

impl Summary {
    /// Takes off what the rounding of the mean added to sums about it.
    fn correct(&mut self, mean_rest: f64) {
        self.mean_rest = mean_rest;
        self.centred_squares = (self.centred_squares - self.n * mean_rest * mean_rest).max(0.0);
        self.sd = (self.centred_squares / self.n).sqrt();
    }

    /// Whether the slice does not vary: σ ≤ 4·ε·|μ| with ε = [`f64::EPSILON`], because the statistics are made in `f64`
    /// whatever the elements are. All-equal elements always are constant, and BF16 or F32 elements only if all are equal.
    pub fn is_constant(&self) -> bool {
        self.sd <= 4.0 * f64::EPSILON * self.mean.abs()
    }

    /// Whether the mean does not differ from zero: μ is 0, or |μ| < 3σ/√n.
    pub fn is_mean_near_zero(&self) -> bool {
        self.mean == 0.0 || self.mean.abs() < 3.0 * self.sd / self.n.sqrt()
    }

    /// Coefficient of variation σ/|μ|; `MeanNearZero` where the mean does not differ from zero.
    pub fn cv(&self) -> Result<f64, Undefined> {
        if self.is_mean_near_zero() { Err(Undefined::MeanNearZero) } else { Ok(self.sd / self.mean.abs()) }
    }

    /// Mean and standard deviation alone, as the null models take them.
    pub fn mean_sd(&self) -> MeanSd {
        MeanSd { mean: self.mean, sd: self.sd }
    }
}

/// A count that was summed as `f64`, where whole numbers are exact up to 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of zeros and ones")]
pub(super) fn count(sum: f64) -> u64 {
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mean_and_spread_of_four_numbers_are_the_textbook_ones() {
        let summary = Moments::of(&[1_u8, 2, 3, 4]).summary.unwrap();
        assert_eq!((summary.mean, summary.min, summary.max), (2.5, 1.0, 4.0));
        assert!((summary.sd - 1.25_f64.sqrt()).abs() < 1e-15);
        assert!((summary.norm - 30_f64.sqrt()).abs() < 1e-15);
        assert!((summary.cv().unwrap() - 0.447_213_595_499_957_9).abs() < 1e-15);
    }

    #[test]
    fn a_small_spread_on_a_large_mean_survives() {
        let values: Vec<f64> = (0..4096).map(|i| 1.0 + 1e-6 * f64::from(i % 2)).collect();
        let summary = Moments::of(&values).summary.unwrap();
        assert!((summary.sd / 0.5e-6 - 1.0).abs() < 1e-9);
        assert!(!summary.is_constant());
    }

    #[test]
    fn equal_elements_are_constant_whatever_their_value_and_number() {
        for value in [0.0, 1.0, 0.1, -1.0 / 3.0, 1e-40, 3e38] {
            for n in [1, 2, 1000, 4096, 200_000] {
                assert!(Moments::of(&vec![value; n]).summary.unwrap().is_constant(), "{value} × {n}");
            }
        }
    }

    #[test]
    fn one_element_that_differs_by_a_bit_is_no_constant() {
        let mut values = vec![1.0_f32; 4096];
        values[17] = 1.0 + f32::EPSILON;
        assert!(!Moments::of(&values).summary.unwrap().is_constant());
    }

    #[test]
    fn negative_zero_counts_as_zero_and_non_finite_elements_are_counted() {
        let moments = Moments::of(&[0.0_f32, -0.0, f32::NAN, f32::INFINITY, 1.0]);
        assert_eq!((moments.n, moments.zeros, moments.non_finite), (5, 2, 2));
        assert_eq!(moments.summary, Err(Undefined::NonFinite { count: 2 }));
    }

    #[test]
    fn an_empty_slice_has_no_statistics() {
        assert_eq!(Moments::of::<f32>(&[]).summary, Err(Undefined::TooFew));
    }

    #[test]
    fn magnitudes_whose_squares_leave_f64_are_refused() {
        for value in [1e100, 1e-100, f64::MAX, f64::MIN_POSITIVE] {
            assert!(matches!(Moments::of(&[value, 0.0]).summary, Err(Undefined::NotComparable(_))), "{value}");
        }
        assert!(Moments::of(&[f32::MAX, f32::from_bits(1)]).summary.is_ok());
        assert!(Moments::of(&[f32::from_bits(1)]).summary.is_ok());
    }

    proptest! {
        #[test]
        fn the_mean_lies_between_the_extremes_and_rms_joins_mean_and_spread(
            values in prop::collection::vec(-1e6..1e6_f64, 1..3000),
        ) {
            let summary = Moments::of(&values).summary.unwrap();
            prop_assert!(summary.min - 1e-9 <= summary.mean && summary.mean <= summary.max + 1e-9);
            prop_assert!((summary.mean_sd().rms() - summary.rms).abs() <= 1e-9 * summary.rms);
        }
    }
}
