//! Eigenvalues of a small symmetric matrix by Jacobi's rotations.
//!
//! Slow for large matrices, and hard to get wrong: every rotation is orthogonal, the result is accurate to rounding
//! for any spectrum, and the order of rotations is fixed, so the same matrix always gives the same bits.

/// Sweeps after which rotations stop; about ten are needed, and convergence is quadratic.
const SWEEPS: usize = 64;

/// Entries off the diagonal at or below this share of the largest on it are zero: a thousandth of a rounding error.
const NEGLIGIBLE: f64 = f64::EPSILON / 1024.0;

/// An eigenvalue and its unit eigenvector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Eigen {
    pub(super) value: f64,
    pub(super) vector: Vec<f64>,
}

/// The eigenvalues of the positive semidefinite `matrix` (as many rows as columns), largest first.
pub(super) fn symmetric(mut matrix: Vec<Vec<f64>>) -> Vec<Eigen> {
    let size = matrix.len();
    // Row i becomes eigenvector i: rotating rows keeps memory access in order.
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| if row == column { 1.0 } else { 0.0 }).collect()).collect();
    let largest = (0..size).map(|i| matrix[i][i].abs()).fold(0.0, f64::max);
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q].abs() > NEGLIGIBLE * largest {
                    annihilate(&mut matrix, &mut vectors, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut eigen: Vec<Eigen> =
        vectors.into_iter().enumerate().map(|(i, vector)| Eigen { value: matrix[i][i], vector }).collect();
    eigen.sort_by(|left, right| right.value.total_cmp(&left.value));
    eigen
}

/// Rotates rows and columns `p` < `q` so that the entry at (p, q) vanishes.
fn annihilate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let (at_p, at_q, across) = (matrix[p][p], matrix[q][q], matrix[p][q]);
    let slope = (at_q - at_p) / (2.0 * across);
    let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    rotate(vectors, p, q, cosine, sine);
    rotate(matrix, p, q, cosine, sine);
    for row in matrix.iter_mut() {
        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
    }
    matrix[p][p] = at_p - tangent * across;
    matrix[q][q] = at_q + tangent * across;
    matrix[p][q] = 0.0;
    matrix[q][p] = 0.0;
}

/// Replaces rows `p` and `q` by c·p − s·q and s·p + c·q.
fn rotate(rows: &mut [Vec<f64>], p: usize, q: usize, cosine: f64, sine: f64) {
    let (above, below) = rows.split_at_mut(q);
    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_by_two_has_the_textbook_eigenvalues() {
        let eigen = symmetric(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        assert!((eigen[0].value - 3.0).abs() < 1e-15 && (eigen[1].value - 1.0).abs() < 1e-15);
        assert!((eigen[0].vector[0] - eigen[0].vector[1]).abs() < 1e-15);
    }

    #[test]
    fn nothing_and_zeros_are_done_at_once() {
        assert!(symmetric(Vec::new()).is_empty());
        assert_eq!(symmetric(vec![vec![0.0; 3]; 3])[2].vector, [0.0, 0.0, 1.0]);
    }

    proptest! {
        #[test]
        fn vectors_are_orthonormal_and_rebuild_the_matrix(
            rows in (1..9_usize).prop_flat_map(|k| prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 4), k)),
        ) {
            let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            let gram: Vec<Vec<f64>> = rows.iter().map(|x| rows.iter().map(|y| dot(x, y)).collect()).collect();
            let eigen = symmetric(gram.clone());
            for (i, left) in eigen.iter().enumerate() {
                for (j, right) in eigen.iter().enumerate() {
                    let rebuilt: f64 = eigen.iter().map(|e| e.value * e.vector[i] * e.vector[j]).sum();
                    prop_assert!((rebuilt - gram[i][j]).abs() < 1e-13);
                    let unit = if i == j { 1.0 } else { 0.0 };
                    prop_assert!((dot(&left.vector, &right.vector) - unit).abs() < 1e-13);
                }
            }
            prop_assert!(eigen.windows(2).all(|pair| pair[0].value >= pair[1].value));
        }
    }
}
