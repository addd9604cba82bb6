//! The largest eigenvalues of a symmetric matrix too large for Jacobi's rotations, by Lanczos' method.
//!
//! A few hundred layer vectors have as many components, of which a picture shows two and a table five. Every new
//! direction is made orthogonal to all former ones, twice, so that no eigenvalue is found in two copies; what has not
//! converged is not given, and the caller falls back on the slow method. Where vectors repeat, or are more than their elements, the
//! directions soon are closed under the matrix: what the trace has left then bounds what the start did not reach.
//!
//! `faer::matrix_free::eigen::partial_self_adjoint_eigen` (0.24) does the same to the same accuracy, but never returns where
//! the directions are closed under the matrix (equal vectors, a matrix of zeros), and panics below 65 rows.

use super::eigen::{self, Eigen};
use crate::parallel;

/// Sizes of the small problem at which convergence is looked at; the last is where it is given up.
const LOOKS: [usize; 4] = [32, 64, 128, 256];

/// A residual at or below this share of the largest eigenvalue is rounding.
const CONVERGED: f64 = 1e-13;

/// Directions are closed under the matrix where what leads out of them is at most this share of the trace.
const CLOSED: f64 = 8.0 * f64::EPSILON;

/// The `count` largest eigenvalues of the positive semidefinite `matrix`, largest first, or as many as differ from 0; `None` where
/// they did not converge, or where the matrix is too small for the method to be worth it.
pub(super) fn leading(matrix: &[Vec<f64>], count: usize) -> Option<Vec<Eigen>> {
    let size = matrix.len();
    let most = LOOKS[LOOKS.len() - 1].min(size);
    if count == 0 || size < 2 * LOOKS[0] || count * 4 > LOOKS[0] {
        return None;
    }
    let trace: f64 = matrix.iter().enumerate().map(|(row, values)| values[row]).sum();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut basis = vec![random.orthogonal_to(&[], size)?];
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    // Where the directions that lead to each other begin.
    let mut first = 0;
    while basis.len() <= most {
        let newest = basis.last()?;
        let mut next = parallel::map(matrix, |row| dot(row, newest));
        diagonal.push(dot(&next, newest));
        orthogonalise(&mut next, &basis);
        let length = dot(&next, &next).sqrt();
        let is_closed = length <= CLOSED * trace;
        let is_look = LOOKS.contains(&basis.len()) && basis.len() - first >= LOOKS[0] / 2;
        if is_look || is_closed && may_be_all(&diagonal, trace, count, size) {
            let small = eigen::symmetric(tridiagonal(&diagonal, &beside));
            let largest = small.first()?.value;
            let converged = |eigen: &Eigen| {
                let last = eigen.vector.last().copied().unwrap_or_default();
                length * last.abs() <= CONVERGED * largest
            };
            let least = small.get(count - 1).map_or(0.0, |eigen| eigen.value);
            let is_found = if is_closed {
                // No eigenvalue that is missing exceeds the sum of all that are.
                left(&diagonal, trace) <= least.max(rounding(trace, size))
            } else {
                small.iter().take(count).all(converged)
            };
            if is_found {
                let leading = small.iter().take(count).take_while(|eigen| eigen.value > rounding(trace, size));
                return Some(leading.map(|eigen| lifted(&basis, eigen)).collect());
            }
        }
        if is_closed {
            // Others may exist that this start does not reach.
            first = basis.len();
            beside.push(0.0);
            basis.push(random.orthogonal_to(&basis, size)?);
        } else {
            beside.push(length);
            basis.push(next.into_iter().map(|x| x / length).collect());
        }
    }
    None
}

/// The sum of the eigenvalues that are not among those of the directions so far.
fn left(diagonal: &[f64], trace: f64) -> f64 {
    trace - diagonal.iter().sum::<f64>()
}

/// What rounding leaves of a trace.
fn rounding(trace: f64, size: usize) -> f64 {
    size as f64 * f64::EPSILON * trace
}

/// Whether what is left can be below the `count` largest of these directions: it is below their mean, or nothing.
fn may_be_all(diagonal: &[f64], trace: f64, count: usize, size: usize) -> bool {
    let left = left(diagonal, trace);
    left * count as f64 <= trace - left || left <= rounding(trace, size)
}

/// Numbers without a pattern that data could share, the same each time.
struct Random(u64);

impl Random {
    /// A unit vector; `None` where `basis` leaves no room for one.
    fn orthogonal_to(&mut self, basis: &[Vec<f64>], size: usize) -> Option<Vec<f64>> {
        if basis.len() >= size {
            return None;
        }
        let mut vector: Vec<f64> = (0..size).map(|_| self.next()).collect();
        orthogonalise(&mut vector, basis);
        let length = dot(&vector, &vector).sqrt();
        (length > 0.0).then(|| vector.into_iter().map(|x| x / length).collect())
    }

    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }
}

fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    for _ in 0..2 {
        for former in basis {
            let along = dot(vector, former);
            for (x, y) in vector.iter_mut().zip(former) {
                *x -= along * y;
            }
        }
    }
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

    /// Products of `size` vectors of `length` elements of which some stand out; vector i is that of i modulo `distinct`.
    fn gram(size: usize, distinct: usize, length: usize) -> Vec<Vec<f64>> {
        let noise = |i: usize, k: usize| {
            let hash = ((i * 400 + k) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let vector = |i: usize| -> Vec<f64> {
            let i = i % distinct;
            (0..length).map(|k| noise(i, k) + ((i / 20) * (k % 7)) as f64 * 0.05).collect()
        };
        let vectors: Vec<Vec<f64>> = (0..size).map(vector).collect();
        vectors.iter().map(|a| vectors.iter().map(|b| dot(a, b)).collect()).collect()
    }

    /// That the fast method answers, as the slow one does.
    fn agrees(gram: Vec<Vec<f64>>, expected: usize) {
        let (fast, slow) = (leading(&gram, 5).unwrap(), eigen::symmetric(gram));
        assert_eq!(fast.len(), expected);
        for (place, (fast, slow)) in fast.iter().zip(&slow).enumerate() {
            assert!((fast.value - slow.value).abs() < 1e-11 * slow.value, "{place}: {} {}", fast.value, slow.value);
            assert!((dot(&fast.vector, &slow.vector).abs() - 1.0).abs() < 1e-10, "{place}");
        }
    }

    #[test]
    fn the_leading_values_are_those_of_the_slow_method() {
        agrees(gram(150, 150, 400), 5);
    }

    #[test]
    fn vectors_that_repeat_and_more_vectors_than_elements_need_no_slow_method() {
        agrees(gram(150, 40, 400), 5);
        agrees(gram(150, 150, 12), 5);
        agrees(gram(150, 3, 400), 3);
    }

    #[test]
    fn equal_values_are_all_found() {
        let identity: Vec<Vec<f64>> =
            (0..100).map(|row| (0..100).map(|column| f64::from(u8::from(row == column))).collect()).collect();
        let found = leading(&identity, 2).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|eigen| (eigen.value - 1.0).abs() < 1e-14));
        assert!(dot(&found[0].vector, &found[1].vector).abs() < 1e-14);
    }

    #[test]
    fn what_is_small_it_leaves_to_the_slow_method() {
        assert!(leading(&gram(20, 20, 400), 2).is_none());
    }
}
