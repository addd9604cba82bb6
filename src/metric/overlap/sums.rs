//! The sums of a pair of matrices, and what follows from them.

use super::kernel::{Figures, blocks};
use crate::metric::{
    Undefined, sums,
    weights::{Lane, Weights, for_stored},
};

/// The sums of a pair of matrices of one shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    dot: f64,
    squares: [f64; 2],
    sums: [f64; 2],
    numel: usize,
}

impl Overlap {
    /// Sums a pair. The result does not depend on the number of threads, nor on the machine's instruction set.
    ///
    /// Undefined where the shapes differ (`Shape`), without elements (`TooFew`), and with NaN or infinite elements
    /// (`NonFinite`).
    pub fn of(a: &Weights, b: &Weights) -> Result<Self, Undefined> {
        if a.shape() != b.shape() {
            return Err(Undefined::Shape);
        }
        if a.numel() == 0 {
            return Err(Undefined::TooFew);
        }
        let blocks = for_stored!(a.stored(), a => for_stored!(b.stored(), b => blocks(a, b)));
        Self::total(&blocks, a.numel(), || non_finite(a) + non_finite(b))
    }

    /// From the figures of all blocks, in order.
    pub(super) fn total(blocks: &[Figures], numel: usize, non_finite: impl FnOnce() -> u64) -> Result<Self, Undefined> {
        let figures: Figures = std::array::from_fn(|index| sums::total(blocks, index));
        let [dot, square_a, square_b, sum_a, sum_b] = figures;
        if !figures.iter().all(|figure| figure.is_finite()) {
            let count = non_finite();
            return Err(if count > 0 {
                Undefined::NonFinite { count }
            } else {
                Undefined::NotComparable("the sum of squares exceeds what a 64-bit number holds".to_owned())
            });
        }
        Ok(Self { dot, squares: [square_a, square_b], sums: [sum_a, sum_b], numel })
    }

    /// Frobenius norms of both sides.
    pub fn norms(&self) -> [f64; 2] {
        self.squares.map(f64::sqrt)
    }

    /// a·b / (‖a‖‖b‖); `ZeroNorm` where a side is all zeros.
    pub fn cos_sim(&self) -> Result<f64, Undefined> {
        let [a, b] = self.nonzero_norms()?;
        // To the bit: one matrix and itself.
        Ok(if self.squares.iter().all(|square| square.to_bits() == self.dot.to_bits()) {
            1.0
        } else {
            (self.dot / (a * b)).clamp(-1.0, 1.0)
        })
    }

    /// The mean of the cosine when the elements of one side are permuted, `μaμb/(rms_a rms_b)`: near zero for projections, near
    /// one for norms, whose elements share a level.
    pub fn cos_null(&self) -> Result<f64, Undefined> {
        let [a, b] = self.nonzero_norms()?;
        let null = self.sums[0] / a * (self.sums[1] / b) / self.numel as f64;
        Ok(null.clamp(-1.0, 1.0))
    }

    fn nonzero_norms(&self) -> Result<[f64; 2], Undefined> {
        let norms = self.norms();
        if norms.contains(&0.0) { Err(Undefined::ZeroNorm) } else { Ok(norms) }
    }
}

/// ‖â − b̂‖ of matrices with this cosine, √(2 − 2c).
pub fn residual(cosine: f64) -> f64 {
    (2.0 - 2.0 * cosine).max(0.0).sqrt()
}

/// The least ‖s·â − b̂‖ over factors s of matrices with this cosine, √(1 − c²).
pub fn residual_scaled(cosine: f64) -> f64 {
    ((1.0 - cosine) * (1.0 + cosine)).max(0.0).sqrt()
}

/// The Frobenius norm of a matrix; undefined as [`Overlap::of`] is.
pub fn frobenius_norm(weights: &Weights) -> Result<f64, Undefined> {
    Overlap::of(weights, weights).map(|overlap| overlap.norms()[0]).map_err(|reason| match reason {
        // Both sides were counted.
        Undefined::NonFinite { count } => Undefined::NonFinite { count: count / 2 },
        other => other,
    })
}

fn non_finite(weights: &Weights) -> u64 {
    for_stored!(weights.stored(), elements => count_non_finite(elements))
}

pub(super) fn count_non_finite<T: Lane>(elements: &[T]) -> u64 {
    elements.iter().filter(|element| !element.wide().is_finite()).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two orthogonal patterns of equal length, so that a cosine can be planted exactly.
    fn planted(cosine: f64, n: usize) -> (Weights, Weights) {
        let a: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let other = |i: usize| if i % 4 < 2 { 1.0 } else { -1.0 };
        let sine = (1.0 - cosine * cosine).sqrt();
        let b = (0..n).map(|i| cosine * a[i] + sine * other(i)).collect();
        (Weights::f64(4, n / 4, a).unwrap(), Weights::f64(4, n / 4, b).unwrap())
    }

    #[test]
    fn residuals_at_planted_cosines_are_their_formulas() {
        for cosine in [-1.0_f64, -0.6, 0.0, 0.25, 0.8, 0.999, 1.0] {
            let (a, b) = planted(cosine, 20_000);
            let found = Overlap::of(&a, &b).unwrap().cos_sim().unwrap();
            assert!((found - cosine).abs() < 1e-13, "{found} for {cosine}");
            assert!((residual(found) - (2.0 - 2.0 * cosine).sqrt()).abs() < 1e-7);
            assert!((residual_scaled(found) - (1.0 - cosine * cosine).sqrt()).abs() < 1e-7);
        }
    }

    #[test]
    fn a_matrix_and_itself_are_no_distance_apart_and_a_zero_matrix_has_no_direction() {
        let a = Weights::f32(1, 3, vec![0.1, -0.7, 0.3]).unwrap();
        let same = Overlap::of(&a, &a).unwrap();
        assert_eq!(same.cos_sim(), Ok(1.0));
        assert!(residual(1.0) < f64::MIN_POSITIVE);
        let zero = Weights::f32(1, 3, vec![0.0; 3]).unwrap();
        let none = Overlap::of(&a, &zero).unwrap();
        assert_eq!(none.cos_sim(), Err(Undefined::ZeroNorm));
        assert_eq!(none.cos_null(), Err(Undefined::ZeroNorm));
        assert_eq!(frobenius_norm(&zero), Ok(0.0));
    }

    #[test]
    fn a_level_that_both_share_is_all_of_the_cosine_of_norms() {
        let norm = |phase: f32| (0..4096).map(|i| 2.0 + 0.1 * (i as f32 * phase).sin()).collect();
        let (a, b) = (Weights::f32(1, 4096, norm(0.7)).unwrap(), Weights::f32(1, 4096, norm(1.9)).unwrap());
        let overlap = Overlap::of(&a, &b).unwrap();
        let (cosine, null) = (overlap.cos_sim().unwrap(), overlap.cos_null().unwrap());
        assert!(null > 0.99 && (cosine - null).abs() < 1e-4, "{cosine} {null}");
    }

    #[test]
    fn what_is_not_a_number_is_counted_and_never_enters_a_sum() {
        let a = Weights::f32(1, 4, vec![1.0, f32::NAN, f32::INFINITY, 0.0]).unwrap();
        let b = Weights::f32(1, 4, vec![1.0; 4]).unwrap();
        assert_eq!(Overlap::of(&b, &a), Err(Undefined::NonFinite { count: 2 }));
        assert_eq!(Overlap::of(&a, &a), Err(Undefined::NonFinite { count: 4 }));
        assert_eq!(frobenius_norm(&a), Err(Undefined::NonFinite { count: 2 }));
        let other = Weights::f32(2, 2, vec![1.0; 4]).unwrap();
        assert_eq!(Overlap::of(&other, &b), Err(Undefined::Shape));
        let huge = Weights::f64(1, 1, vec![1e200]).unwrap();
        assert!(matches!(frobenius_norm(&huge), Err(Undefined::NotComparable(_))));
    }

    proptest! {
        #[test]
        fn any_mixture_of_widths_gives_the_same_sums(values in prop::collection::vec((-4.0..4.0_f32, -4.0..4.0_f32), 1..9000)) {
            let rounded = |of: fn(&(f32, f32)) -> f32| -> Vec<half::bf16> { values.iter().map(|pair| half::bf16::from_f32(of(pair))).collect() };
            let widths = |of: &[half::bf16]| {
                let n = of.len();
                [
                    Weights::bf16(1, n, of.iter().map(|x| x.to_le_bytes()).collect()).unwrap(),
                    Weights::f32(1, n, of.iter().map(|x| x.to_f32()).collect()).unwrap(),
                    Weights::f64(1, n, of.iter().map(|x| x.to_f64()).collect()).unwrap(),
                ]
            };
            let (a, b) = (widths(&rounded(|pair| pair.0)), widths(&rounded(|pair| pair.1)));
            let expected = Overlap::of(&a[2], &b[2]).unwrap();
            for a in &a {
                for b in &b {
                    prop_assert_eq!(Overlap::of(a, b).unwrap(), expected);
                }
            }
        }
    }
}
