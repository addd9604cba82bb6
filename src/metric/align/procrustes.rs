//! Orthogonal Procrustes: the rotation R that brings A nearest to B, from their cross-product A·Bᵀ.
//!
//! ‖R·A − B‖ is least where tr(R·A·Bᵀ) is greatest. With A·Bᵀ = U·Σ·Vᵀ that is R = V·Uᵀ, and the trace is Σσ; U·Vᵀ, which
//! looks alike, turns A away from B.

use faer::{Mat, MatRef};

use crate::metric::Undefined;

/// The best rotation.
#[derive(Debug)]
pub(super) struct Rotation {
    /// R = V·Uᵀ.
    matrix: Mat<f64>,
    /// Σσ = tr(R·A·Bᵀ).
    pub(super) gain: f64,
}

impl Rotation {
    /// The rotation of a square cross-product; the reason where the cross-product leaves it open.
    pub(super) fn of(cross: MatRef<'_, f64>) -> Result<Self, Undefined> {
        let svd = cross.svd().map_err(|_| no_convergence())?;
        let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let size = values.len();
        let largest = values.first().copied().unwrap_or(0.0);
        let least = size as f64 * f64::EPSILON * largest;
        let rank = values.iter().filter(|&&value| value > least).count();
        if rank < size {
            return Err(Undefined::NotComparable(format!(
                "the cross-product has rank {rank} of {size}, which leaves the rotation open"
            )));
        }
        Ok(Self {
            matrix: svd.V() * svd.U().transpose(),
            gain: values.iter().sum(),
        })
    }

    /// tr(R·M): what this rotation gains in a cross-product that is a part of its own.
    pub(super) fn gain_in(&self, part: MatRef<'_, f64>) -> f64 {
        let size = part.nrows();
        (0..size)
            .map(|column| {
                (0..size)
                    .map(|row| self.matrix[(row, column)] * part[(column, row)])
                    .sum::<f64>()
            })
            .sum()
    }
}

/// A decomposition that did not converge: never seen, and no reason to stop.
pub(super) fn no_convergence() -> Undefined {
    Undefined::NotComparable("the singular value decomposition did not converge".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_found_and_its_mirror_image_is_not_taken_for_it() {
        // B = R A for a rotation by a right angle in one plane and by 0.3 in another.
        let a = Mat::<f64>::from_fn(4, 9, |i, j| ((i * 9 + j) as f64 * 1.7).sin());
        let mut r = Mat::<f64>::identity(4, 4);
        (r[(0, 0)], r[(0, 1)], r[(1, 0)], r[(1, 1)]) = (0.0, -1.0, 1.0, 0.0);
        let (s, c) = 0.3_f64.sin_cos();
        (r[(2, 2)], r[(2, 3)], r[(3, 2)], r[(3, 3)]) = (c, -s, s, c);
        let b = &r * &a;
        let cross = &a * b.transpose();
        let found = Rotation::of(cross.as_ref()).unwrap();
        for i in 0..4 {
            for j in 0..4 {
                assert!((found.matrix[(i, j)] - r[(i, j)]).abs() < 1e-12);
            }
        }
        let size: f64 = (0..9)
            .flat_map(|j| (0..4).map(move |i| (i, j)))
            .map(|at| a[at] * a[at])
            .sum();
        assert!((found.gain - size).abs() < 1e-12 * size);
        assert!((found.gain_in(cross.as_ref()) - size).abs() < 1e-12 * size);
    }

    #[test]
    fn a_cross_product_that_lacks_rank_is_refused_with_the_figure() {
        let cross = Mat::<f64>::from_fn(3, 3, |i, j| if i == j && i < 2 { 1.0 } else { 0.0 });
        let reason = Rotation::of(cross.as_ref()).unwrap_err().to_string();
        assert!(reason.contains("rank 2 of 3"), "{reason}");
    }
}
