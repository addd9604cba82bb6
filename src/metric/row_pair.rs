//! The five numbers of a pair of rows, where there are thousands of pairs and nothing else is asked.

use super::{
    Element, Moments, Summary, Undefined,
    formulas::{cos_sim, pearson},
    null::{cos_null, cos_null_sd, z_perm},
    sums,
};

/// Cosine and Pearson's r of two rows, each beside its null. Every figure equals that of [`PairMetrics`](super::PairMetrics)
/// to the last bit, and is undefined where that is.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPair {
    /// a·b/(‖a‖‖b‖).
    pub cos_sim: Result<f64, Undefined>,
    /// Mean of the cosine where the channels of one row are permuted.
    pub cos_null: Result<f64, Undefined>,
    /// Its standard deviation.
    pub cos_null_sd: Result<f64, Undefined>,
    /// Pearson's r.
    pub pearson: Result<f64, Undefined>,
    /// r·√(n−1).
    pub z_perm: Result<f64, Undefined>,
}

impl RowPair {
    /// Compares two rows. `Shape` where their lengths differ, `TooFew` of empty ones.
    pub fn compute<A: Element, B: Element>(a: &[A], b: &[B]) -> Self {
        if a.len() != b.len() {
            return Self::undefined(&Undefined::Shape);
        }
        let (of_a, of_b) = (Moments::of(a), Moments::of(b));
        match (&of_a.summary, &of_b.summary) {
            (Ok(summary_a), Ok(summary_b)) => Self::of(a, b, [summary_a, summary_b]),
            _ => Self::undefined(&Moments::why_not([&of_a, &of_b])),
        }
    }

    /// No number at all, for one reason.
    pub fn undefined(reason: &Undefined) -> Self {
        let none = || Err(reason.clone());
        Self { cos_sim: none(), cos_null: none(), cos_null_sd: none(), pearson: none(), z_perm: none() }
    }

    fn of<A: Element, B: Element>(a: &[A], b: &[B], sides: [&Summary; 2]) -> Self {
        let [mean_a, mean_b] = sides.map(|side| side.mean);
        let figures = sums::pair_blocks(a, b, |a, b| {
            [sums::pair_sum(a, b, |x, y| x * y), sums::pair_sum(a, b, |x, y| (x - mean_a) * (y - mean_b))]
        });
        let (n, [of_a, of_b]) = (a.len() as u64, sides.map(Summary::mean_sd));
        let pearson = pearson(sums::total(&figures, 1), sides);
        Self {
            cos_sim: cos_sim(sums::total(&figures, 0), sides),
            cos_null: cos_null(of_a, of_b),
            cos_null_sd: cos_null_sd(of_a, of_b, n),
            z_perm: pearson.clone().map(|r| z_perm(r, n)),
            pearson,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::{Metric, PairMetrics};

    fn agrees(a: &[f32], b: &[f32]) {
        let (row, all) = (RowPair::compute(a, b), PairMetrics::compute(a, b));
        let pairs = [
            (&row.cos_sim, Metric::CosSim),
            (&row.cos_null, Metric::CosNull),
            (&row.cos_null_sd, Metric::CosNullSd),
            (&row.pearson, Metric::Pearson),
            (&row.z_perm, Metric::ZPerm),
        ];
        for (value, metric) in pairs {
            assert_eq!(value, all.get(metric), "{metric} of {a:?} and {b:?}");
        }
    }

    #[test]
    fn what_has_no_number_has_the_reason_that_tensors_have() {
        let long = vec![1.5; 3000];
        let cases: [(&[f32], &[f32]); 7] = [
            (&[], &[]),
            (&[1.0], &[2.0]),
            (&[1.0, 2.0], &[1.0]),
            (&[0.0, 0.0], &[1.0, 2.0]),
            (&[1.0, 1.0], &[1.0, 2.0]),
            (&[f32::NAN, 1.0], &[f32::INFINITY, 1.0]),
            (&long, &long),
        ];
        for (a, b) in cases {
            agrees(a, b);
            agrees(b, a);
        }
    }

    proptest! {
        #[test]
        fn every_figure_is_that_of_tensors(pairs in prop::collection::vec((-1e3_f32..1e3, -1.0_f32..1.0), 0..2100)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            agrees(&a, &b);
        }
    }
}
