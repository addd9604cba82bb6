//! All metrics of one tensor pair.
//!
//! Two passes over the pair (differences, then products about the means) and what each [`Side`] knows of itself give every
//! figure from the same sums, so that identities between columns hold to rounding: `cos = (μaμb + r·σaσb)/(rms_a rms_b)`.

use super::{
    Element, Metric, Moments, Side, Undefined,
    formulas::{Pair, QUANTILES, share},
    pair_sums::{Centred, Differences},
    quantile::quantiles,
    sums,
};

/// From this length on the two sides are prepared on two threads.
const WORTH_A_THREAD: usize = 1 << 16;

/// The value of every metric of one pair, or the reason why it has none.
///
/// `a` is the reference side. Symmetric metrics of (b, a) equal those of (a, b) bit for bit. Where elements are NaN or
/// infinite, or a side's magnitudes lie beyond 2^±200 (`NotComparable`), every metric is undefined but the three counts
/// `zero_frac_a`, `zero_frac_b` and `changed_frac`; in these a NaN differs from everything. Lengths that differ leave
/// nothing (`Shape`), and so does an empty pair (`TooFew`).
#[derive(Debug, Clone, PartialEq)]
pub struct PairMetrics {
    values: [Result<f64, Undefined>; Metric::COUNT],
}

impl PairMetrics {
    /// The metrics of two slices of elements in the same order.
    pub fn compute<A: Element, B: Element>(a: &[A], b: &[B]) -> Self {
        if a.len() != b.len() {
            return Self::undefined(&Undefined::Shape);
        }
        let (of_a, of_b) = if a.len() < WORTH_A_THREAD {
            (Side::new(a), Side::new(b))
        } else {
            rayon::join(|| Side::new(a), || Side::new(b))
        };
        Self::of((a, &of_a), (b, &of_b))
    }

    /// The metrics of two slices, each with what it says of itself.
    pub fn of<A: Element, B: Element>((a, side_a): (&[A], &Side), (b, side_b): (&[B], &Side)) -> Self {
        if a.len() != b.len() {
            return Self::undefined(&Undefined::Shape);
        }
        if a.is_empty() {
            return Self::undefined(&Undefined::TooFew);
        }
        let differences = Differences::of(&sums::pair_blocks(a, b, Differences::figures));
        let moments = [&side_a.moments, &side_b.moments];
        let (Ok(of_a), Ok(of_b)) = (&moments[0].summary, &moments[1].summary) else {
            return Self::counts_only(moments, &differences);
        };
        let about = Centred::about([of_a.mean, of_b.mean], [of_a.norm, of_b.norm]);
        let pairs = a.iter().zip(b);
        let mut absolute: Vec<f64> = pairs.map(|(x, y)| (x.to_f64() - y.to_f64()).abs()).collect();
        let ranks = (side_a.ranks.as_ref(), side_b.ranks.as_ref());
        Self::assemble(&Pair {
            moments,
            sides: [of_a, of_b],
            differences: &differences,
            centred: Centred::of(&sums::pair_blocks(a, b, |a, b| about.figures(a, b)), 0),
            spearman: match ranks {
                (Ok(of_a), Ok(of_b)) => of_a.spearman(of_b),
                (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
            },
            abs_q99: [side_a.abs_q99.clone(), side_b.abs_q99.clone()],
            quantiles: quantiles(&mut absolute, &QUANTILES),
        })
    }

    /// What is left of a pair that has no sums: counts, and why the rest is undefined.
    pub(super) fn counts_only(moments: [&Moments; 2], differences: &Differences) -> Self {
        let mut metrics = Self::undefined(&Moments::why_not(moments));
        for metric in [Metric::ZeroFracA, Metric::ZeroFracB, Metric::ChangedFrac] {
            metrics.values[metric as usize] = Ok(share(metric, moments, differences));
        }
        metrics
    }

    /// The metrics, from what they are made of.
    pub(super) fn assemble(pair: &Pair<'_>) -> Self {
        Self::from_fn(|metric| pair.value(metric))
    }

    /// No metric at all, for one reason: a tensor is missing, its type is not decoded, the shapes differ.
    pub fn undefined(reason: &Undefined) -> Self {
        Self::from_fn(|_| Err(reason.clone()))
    }

    /// The metrics as `value` gives each.
    pub(crate) fn from_fn(mut value: impl FnMut(Metric) -> Result<f64, Undefined>) -> Self {
        Self { values: std::array::from_fn(|index| value(Metric::ALL[index])) }
    }

    /// The value of `metric`, or the reason why there is none.
    pub fn get(&self, metric: Metric) -> &Result<f64, Undefined> {
        &self.values[metric as usize]
    }

    /// Every metric with its value, in column order.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &Result<f64, Undefined>)> {
        Metric::ALL.iter().copied().zip(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value<A: Element, B: Element>(a: &[A], b: &[B], metric: Metric) -> Result<f64, Undefined> {
        PairMetrics::compute(a, b).get(metric).clone()
    }

    fn near(value: Result<f64, Undefined>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= 5e-7, "{value} is not {expected}");
    }

    #[test]
    fn four_numbers_with_neighbours_swapped() {
        let (a, b) = ([1, 2, 3, 4], [2, 1, 4, 3]);
        near(value(&a, &b, Metric::CosSim), 0.933_333);
        near(value(&a, &b, Metric::Pearson), 0.6);
        near(value(&a, &b, Metric::RelL2Err), 0.365_148);
    }

    #[test]
    fn a_quantile_of_the_difference_is_not_a_difference_of_quantiles() {
        let (a, b) = ([0, 1, 2, 3, 10], [0, 2, 1, 3, -10]);
        near(value(&a, &b, Metric::CosSim), -0.763_158);
        near(value(&a, &b, Metric::Pearson), -0.889_517);
        near(value(&a, &b, Metric::Q99AbsDiff), 19.24);
        assert_eq!(value(&a, &b, Metric::AbsValueQ99Gap), Ok(0.0));
    }

    #[test]
    fn a_spread_of_a_few_last_bits_keeps_its_correlation() {
        // 1 + i·2⁻⁵² is exact, and r does not depend on the 1: σ/|μ| is 1e-14, and the mean is off by up to a thousandth of σ.
        let small = |seed: u32| -> Vec<f64> {
            let hash = |i: u32| (i.wrapping_mul(2_654_435_761) ^ seed).wrapping_mul(0x9e37_79b9) >> 24;
            (0..5000).map(|i| f64::from(hash(i))).collect()
        };
        let (a, b) = (small(1), small(2));
        let near_one = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| 1.0 + x * f64::EPSILON).collect() };
        let (near_a, near_b) = (near_one(&a), near_one(&b));
        let r = value(&a, &b, Metric::Pearson).unwrap();
        assert!((value(&near_a, &near_b, Metric::Pearson).unwrap() - r).abs() < 1e-13);
        assert_eq!(value(&near_a, &near_a, Metric::Pearson), Ok(1.0));
        let ratio = value(&a, &b, Metric::StdRatio).unwrap();
        assert!((value(&near_a, &near_b, Metric::StdRatio).unwrap() - ratio).abs() < 1e-13);
        let vectors = [Ok(near_a.as_slice()), Ok(near_b.as_slice())];
        assert!((crate::metric::Correlations::of(&vectors).get(0, 1).unwrap() - r).abs() < 1e-13);
        assert!((crate::metric::RowPair::compute(&near_a, &near_b).pearson.unwrap() - r).abs() < 1e-13);
        // Less than four last bits is constant.
        let bits: Vec<f64> = (0..5000).map(|i| 1.0 + f64::from(i % 2) * f64::EPSILON).collect();
        assert_eq!(value(&bits, &near_b, Metric::Pearson), Err(Undefined::Constant));
    }

    #[test]
    fn twice_as_large_is_equal_up_to_scale() {
        let a = [0.3_f32, -1.7, 2.9, 0.01];
        let b = a.map(|x| 2.0 * x);
        assert_eq!(value(&a, &b, Metric::CosSim), Ok(1.0));
        assert_eq!(value(&a, &b, Metric::Pearson), Ok(1.0));
        assert_eq!(value(&a, &b, Metric::Residual), Ok(0.0));
        assert_eq!(value(&a, &b, Metric::RelL2Err), Ok(1.0));
        assert_eq!(value(&a, &b, Metric::RelL2ErrB), Ok(0.5));
        near(value(&a, &b, Metric::RelL2Sym), 2.0 / 3.0);
    }

    #[test]
    fn an_untrained_norm_has_a_cosine_but_no_pearson() {
        let metrics = PairMetrics::compute(&[1.0_f32; 4096], &[0.5_f32; 4096]);
        assert_eq!(metrics.get(Metric::CosSim), &Ok(1.0));
        assert_eq!(metrics.get(Metric::CosNull), &Ok(1.0));
        for metric in [Metric::Pearson, Metric::ZPerm, Metric::Log10PPerm, Metric::Spearman, Metric::StdRatio] {
            assert_eq!(metrics.get(metric), &Err(Undefined::Constant), "{metric}");
        }
    }

    #[test]
    fn non_finite_elements_leave_the_counts_alone_defined() {
        let metrics = PairMetrics::compute(&[0.0, f32::NAN, 1.0, 0.0], &[0.0, f32::NAN, 1.0, f32::INFINITY]);
        for (metric, value) in metrics.iter() {
            let expected = match metric {
                Metric::ZeroFracA | Metric::ChangedFrac => Ok(0.5),
                Metric::ZeroFracB => Ok(0.25),
                _ => Err(Undefined::NonFinite { count: 3 }),
            };
            assert_eq!(value, &expected, "{metric}");
        }
    }

    #[test]
    fn nothing_and_unequal_lengths_have_no_metrics() {
        assert!(PairMetrics::compute::<f32, f32>(&[], &[]).iter().all(|(_, value)| value == &Err(Undefined::TooFew)));
        assert!(PairMetrics::compute(&[1], &[1, 2]).iter().all(|(_, value)| value == &Err(Undefined::Shape)));
    }

    #[test]
    fn the_type_of_the_elements_does_not_matter_to_the_numbers() {
        let (narrow, wide): (Vec<i8>, Vec<f64>) = (-100..100).map(|x: i8| (x, f64::from(x))).unzip();
        let other: Vec<f32> = (0..200_u8).map(|x| f32::from(x % 7)).collect();
        assert_eq!(PairMetrics::compute(&narrow, &other), PairMetrics::compute(&wide, &other));
    }

    fn sides() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let element =
            prop_oneof![4 => -10.0..10.0_f32, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(1.0), 1 => 1e-30..1e-20_f32];
        (1..1500_usize).prop_flat_map(move |n| {
            (prop::collection::vec(element.clone(), n), prop::collection::vec(element.clone(), n))
        })
    }

    proptest! {
        #[test]
        fn symmetric_metrics_are_the_same_both_ways_to_the_bit((a, b) in sides()) {
            let (forth, back) = (PairMetrics::compute(&a, &b), PairMetrics::compute(&b, &a));
            for (metric, value) in forth.iter().filter(|(metric, _)| metric.is_symmetric()) {
                prop_assert_eq!(value, back.get(metric), "{}", metric);
            }
        }

        #[test]
        fn every_value_is_finite_and_in_its_range((a, b) in sides()) {
            for (metric, value) in PairMetrics::compute(&a, &b).iter() {
                let Ok(value) = *value else { continue };
                let in_range = match metric.range() {
                    "−1..1" => (-1.0..=1.0).contains(&value),
                    "0..1" => (0.0..=1.0).contains(&value),
                    "0..2" => (0.0..=2.0).contains(&value),
                    "≥ 0" => value >= 0.0,
                    "≤ 0" => value <= 0.0,
                    "any" => true,
                    other => return Err(TestCaseError::fail(format!("unknown range {other}"))),
                };
                prop_assert!(value.is_finite() && in_range, "{} = {}", metric, value);
            }
        }

        #[test]
        fn cosine_splits_into_its_null_and_the_correlation((a, b) in sides()) {
            let metrics = PairMetrics::compute(&a, &b);
            if let (Ok(cos), Ok(null), Ok(sd), Ok(z)) = (
                metrics.get(Metric::CosSim),
                metrics.get(Metric::CosNull),
                metrics.get(Metric::CosNullSd),
                metrics.get(Metric::ZPerm),
            ) {
                prop_assert!((cos - (null + z * sd)).abs() <= 1e-9);
            }
        }

        #[test]
        fn residuals_follow_from_the_cosine((a, b) in sides()) {
            let metrics = PairMetrics::compute(&a, &b);
            if let Ok(cos) = *metrics.get(Metric::CosSim) {
                let squared = |metric| metrics.get(metric).clone().map(|value: f64| value * value);
                prop_assert!((squared(Metric::Residual).unwrap() - (2.0 - 2.0 * cos)).abs() <= 1e-14);
                prop_assert!((squared(Metric::ResidualScaled).unwrap() - (1.0 - cos * cos)).abs() <= 1e-14);
            }
        }

        #[test]
        fn a_slice_is_equal_to_itself((a, _) in sides()) {
            let metrics = PairMetrics::compute(&a, &a);
            for metric in [Metric::CosSim, Metric::Pearson, Metric::Spearman, Metric::NormRatio, Metric::StdRatio] {
                prop_assert!(matches!(metrics.get(metric), Ok(1.0) | Err(_)), "{}", metric);
            }
            for metric in [Metric::L2, Metric::ChangedFrac, Metric::Residual, Metric::ResidualScaled, Metric::AbsValueQ99Gap] {
                prop_assert!(matches!(metrics.get(metric), Ok(0.0) | Err(_)), "{}", metric);
            }
        }
    }
}
