//! The largest eigenvalues of a symmetric matrix too large for Jacobi's rotations, by Lanczos' method.
//!
//! A few hundred layer vectors have as many components, of which a picture shows two and a table five. Every new
//! direction is made orthogonal to all former ones, twice, so that no eigenvalue is found in two copies; what has not
//! converged is not given, and the caller falls back on the slow method.
//!
//! `faer::matrix_free::eigen::partial_self_adjoint_eigen` (0.24) does the same to the same accuracy, but never returns where
//! the directions are closed under the matrix (equal vectors, a matrix of zeros), and panics below 65 rows.

use rayon::prelude::*;

use super::eigen::{self, Eigen};

/// Sizes of the small problem at which convergence is looked at; the last is where it is given up.
const LOOKS: [usize; 4] = [32, 64, 128, 256];

/// A residual at or below this share of the largest eigenvalue is rounding.
const CONVERGED: f64 = 1e-13;

/// The `count` largest eigenvalues of the positive semidefinite `matrix`, largest first; `None` where they did not
/// converge, or where the matrix is too small for the method to be worth it.
pub(super) fn leading(matrix: &[Vec<f64>], count: usize) -> Option<Vec<Eigen>> {
    let size = matrix.len();
    let most = LOOKS[LOOKS.len() - 1].min(size);
    if count == 0 || size < 2 * LOOKS[0] || count * 4 > LOOKS[0] {
        return None;
    }
    let mut basis = vec![start(size)?];
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    while basis.len() <= most {
        let newest = basis.last()?;
        let mut next: Vec<f64> = matrix.par_iter().map(|row| dot(row, newest)).collect();
        diagonal.push(dot(&next, newest));
        for _ in 0..2 {
            for former in &basis {
                let along = dot(&next, former);
                for (x, y) in next.iter_mut().zip(former) {
                    *x -= along * y;
                }
            }
        }
        let length = dot(&next, &next).sqrt();
        if LOOKS.contains(&basis.len()) {
            let small = eigen::symmetric(tridiagonal(&diagonal, &beside));
            let largest = small.first()?.value;
            let converged = |eigen: &Eigen| {
                let last = eigen.vector.last().copied().unwrap_or_default();
                length * last.abs() <= CONVERGED * largest
            };
            if small.iter().take(count).all(converged) {
                return Some(small.iter().take(count).map(|eigen| lifted(&basis, eigen)).collect());
            }
        }
        // The directions so far are closed under the matrix: others may exist that the start does not reach.
        if length <= f64::EPSILON * diagonal[0].abs() {
            return None;
        }
        beside.push(length);
        basis.push(next.into_iter().map(|x| x / length).collect());
    }
    None
}

/// A unit vector without a pattern that data could share, the same each time.
fn start(size: usize) -> Option<Vec<f64>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let raw: Vec<f64> = (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
        .collect();
    let length = dot(&raw, &raw).sqrt();
    (length > 0.0).then(|| raw.into_iter().map(|x| x / length).collect())
}

fn tridiagonal(diagonal: &[f64], beside: &[f64]) -> Vec<Vec<f64>> {
    let size = diagonal.len();
    let mut matrix = vec![vec![0.0; size]; size];
    for (i, &value) in diagonal.iter().enumerate() {
        matrix[i][i] = value;
    }
    for (i, &value) in beside.iter().enumerate().take(size.saturating_sub(1)) {
        matrix[i][i + 1] = value;
        matrix[i + 1][i] = value;
    }
    matrix
}

fn lifted(basis: &[Vec<f64>], small: &Eigen) -> Eigen {
    let mut vector = vec![0.0; basis.first().map_or(0, Vec::len)];
    for (direction, &weight) in basis.iter().zip(&small.vector) {
        for (x, y) in vector.iter_mut().zip(direction) {
            *x += weight * y;
        }
    }
    Eigen { value: small.value, vector }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    super::sums::pair_sum(a, b, |x, y| x * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of `size` vectors of which some stand out.
    fn gram(size: usize) -> Vec<Vec<f64>> {
        let noise = |i: usize, k: usize| {
            let hash = ((i * 400 + k) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let vector =
            |i: usize| -> Vec<f64> { (0..400).map(|k| noise(i, k) + ((i / 20) * (k % 7)) as f64 * 0.05).collect() };
        let vectors: Vec<Vec<f64>> = (0..size).map(vector).collect();
        vectors.iter().map(|a| vectors.iter().map(|b| dot(a, b)).collect()).collect()
    }

    #[test]
    fn the_leading_values_are_those_of_the_slow_method() {
        let gram = gram(150);
        let (fast, slow) = (leading(&gram, 5).unwrap(), eigen::symmetric(gram));
        assert_eq!(fast.len(), 5);
        for (fast, slow) in fast.iter().zip(&slow) {
            assert!((fast.value - slow.value).abs() < 1e-11 * slow.value);
            assert!((dot(&fast.vector, &slow.vector).abs() - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn what_it_cannot_do_it_leaves_to_the_slow_method() {
        assert!(leading(&gram(20), 2).is_none());
        let identity: Vec<Vec<f64>> =
            (0..100).map(|row| (0..100).map(|column| f64::from(u8::from(row == column))).collect()).collect();
        assert!(leading(&identity, 2).is_none(), "one direction of a hundred equal ones is no answer");
    }
}
