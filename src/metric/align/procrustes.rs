//! Orthogonal Procrustes: the rotation R that brings A nearest to B, from their cross-product A·Bᵀ.
//!
//! ‖R·A − B‖ is least where tr(R·A·Bᵀ) is greatest. With A·Bᵀ = U·Σ·Vᵀ that is R = V·Uᵀ, and the trace is Σσ; U·Vᵀ, which
//! looks alike, turns A away from B.

use faer::{
    Accum, Mat, MatMut, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        matmul::matmul,
        svd::{ComputeSvdVectors, svd, svd_scratch},
    },
};

use crate::metric::{Undefined, spectrum};

/// Up to this size singular values are worked out as such. Beyond it they are roots of eigenvalues, in a fraction of the time: a
/// value below 10⁻⁸ of the largest is then lost, which their sum does not feel.
pub(crate) const PRECISE_TO: usize = 2048;

/// From this size on, two threads work. A fixed number: it decides how sums are split.
const PARALLEL_FROM: usize = 512;

/// The best rotation of a cross-product, R = V·Uᵀ over its `rank` largest singular values; refused where there are fewer, with
/// `limit`, which says how many there could be.
fn best_rotation(cross: MatRef<'_, f64>, rank: usize, limit: &str) -> Result<Mat<f64>, Undefined> {
    let size = cross.nrows();
    let (mut left, mut right) = (Mat::zeros(size, size), Mat::zeros(size, size));
    let values = decompose(cross, Some((left.as_mut(), right.as_mut())))?;
    let found = self::rank(&values);
    if found < rank {
        return Err(Undefined::NotComparable(format!(
            "the cross-product has rank {found} {limit}, which leaves the rotation open"
        )));
    }
    let mut rotation = Mat::zeros(size, size);
    let (left, right) = (left.get(.., ..rank), right.get(.., ..rank));
    matmul(rotation.as_mut(), Accum::Replace, right, left.transpose(), 1.0, Par::Seq);
    Ok(rotation)
}

/// How many singular values are not rounding.
fn rank(values: &[f64]) -> usize {
    let least = values.len() as f64 * f64::EPSILON * values.first().copied().unwrap_or(0.0);
    values.iter().filter(|&&value| value > least).count()
}

/// tr(R·M): what a rotation gains in a cross-product.
fn gain(rotation: &Mat<f64>, part: MatRef<'_, f64>) -> f64 {
    let size = part.nrows();
    (0..size).map(|column| (0..size).map(|row| rotation[(row, column)] * part[(column, row)]).sum::<f64>()).sum()
}

/// What each part of a cross-product gains as it stands, and under the best common rotation.
pub(super) fn rotated<const N: usize>(parts: [MatRef<'_, f64>; N]) -> Result<[[f64; 2]; N], Undefined> {
    let size = parts[0].nrows();
    let gained = gained(parts, size, &format!("of {size}"))?;
    Ok(std::array::from_fn(|at| [trace(parts[at]), gained[at]]))
}

/// What each part of a cross-product gains under the rotation that is best for all, where it should have rank `rank`: beyond it
/// the parts have nothing to gain.
pub(super) fn gains<const N: usize>(parts: [MatRef<'_, f64>; N], rank: usize) -> Result<[f64; N], Undefined> {
    gained(parts, rank, &format!("where {rank} is the most it can have"))
}

fn gained<const N: usize>(parts: [MatRef<'_, f64>; N], rank: usize, limit: &str) -> Result<[f64; N], Undefined> {
    let mut cross = parts[0].to_owned();
    for part in &parts[1..] {
        cross += part;
    }
    let rotation = best_rotation(cross.as_ref(), rank, limit)?;
    Ok(parts.map(|part| gain(&rotation, part)))
}

/// Σ of the diagonal: what a cross-product gains as it stands.
pub(super) fn trace(cross: MatRef<'_, f64>) -> f64 {
    (0..cross.nrows()).map(|at| cross[(at, at)]).sum()
}

/// Singular values, the largest first; and U and V where there is room for them.
fn decompose(
    matrix: MatRef<'_, f64>,
    vectors: Option<(MatMut<'_, f64>, MatMut<'_, f64>)>,
) -> Result<Vec<f64>, Undefined> {
    let size = matrix.nrows();
    let par = if size < PARALLEL_FROM { Par::Seq } else { Par::rayon(2) };
    let wanted = if vectors.is_some() { ComputeSvdVectors::Full } else { ComputeSvdVectors::No };
    let params = faer::prelude::default();
    let mut memory = MemBuffer::try_new(svd_scratch::<f64>(size, size, wanted, wanted, par, params))
        .map_err(|_| Undefined::NotComparable("the memory for its singular values cannot be had".to_owned()))?;
    let mut values = Diag::<f64>::zeros(size);
    let (left, right) = vectors.unzip();
    svd(matrix, values.as_mut(), left, right, par, MemStack::new(&mut memory), params)
        .map_err(|_| Undefined::NotComparable("the singular values did not converge".to_owned()))?;
    Ok(values.column_vector().iter().copied().collect())
}

/// Σσ of a large square matrix whose columns are `stride` apart, and which has rank `rank`, from the eigenvalues of its Gram matrix;
/// the matrix is given up to make room.
pub(super) fn nuclear_norm_of_large(
    matrix: Vec<f64>,
    size: usize,
    stride: usize,
    rank: usize,
) -> Result<f64, Undefined> {
    let gram = spectrum::gram_of_columns(matrix, size, stride);
    let mut roots: Vec<f64> =
        spectrum::eigenvalues(gram.as_ref())?.into_iter().map(|value| value.max(0.0).sqrt()).collect();
    // What lies beyond the rank is zero, and rounding would make 10⁻⁸ of each.
    roots.sort_by(|left, right| right.total_cmp(left));
    Ok(roots.iter().take(rank).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_found_and_its_mirror_image_is_not_taken_for_it() {
        // B = R A for a rotation by a right angle in one plane and by 0.3 in another.
        let a = super::super::planted::gaussian(4, 9, 2);
        let mut turn = Mat::<f64>::identity(4, 4);
        for (at, angle) in [(0, std::f64::consts::FRAC_PI_2), (2, 0.3_f64)] {
            let (sine, cosine) = angle.sin_cos();
            (turn[(at, at)], turn[(at + 1, at + 1)]) = (cosine, cosine);
            (turn[(at, at + 1)], turn[(at + 1, at)]) = (-sine, sine);
        }
        let b = &turn * &a;
        let cross = &a * b.transpose();
        let found = best_rotation(cross.as_ref(), 4, "of 4").unwrap();
        for i in 0..4 {
            for j in 0..4 {
                assert!((found[(i, j)] - turn[(i, j)]).abs() < 1e-12);
            }
        }
        let size: f64 = (0..9).flat_map(|j| (0..4).map(move |i| (i, j))).map(|at| a[at] * a[at]).sum();
        assert!((gain(&found, cross.as_ref()) - size).abs() < 1e-12 * size);
    }

    #[test]
    fn a_cross_product_that_lacks_rank_is_refused_with_the_figure() {
        let cross = Mat::<f64>::from_fn(3, 3, |i, j| if i == j && i < 2 { 1.0 } else { 0.0 });
        let reason = best_rotation(cross.as_ref(), 3, "of 3").unwrap_err().to_string();
        assert!(reason.contains("rank 2 of 3"), "{reason}");
    }
}
