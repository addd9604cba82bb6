//! Gaussian matrices and changes of basis to plant in them.

use faer::Mat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::metric::Weights;

/// A matrix of independent standard normals.
pub(super) fn gaussian(rows: usize, columns: usize, seed: u64) -> Mat<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || rng.sample::<f64, _>(StandardNormal);
    let elements: Vec<f64> = (0..rows * columns).map(|_| draw()).collect();
    Mat::from_fn(rows, columns, |i, j| elements[i * columns + j])
}

/// A random rotation: Gaussian columns made orthonormal, twice for good measure.
pub(super) fn orthogonal(size: usize, seed: u64) -> Mat<f64> {
    let mut matrix = gaussian(size, size, seed);
    for column in 0..size {
        for _ in 0..2 {
            for other in 0..column {
                let along: f64 = (0..size).map(|i| matrix[(i, column)] * matrix[(i, other)]).sum();
                for i in 0..size {
                    matrix[(i, column)] -= along * matrix[(i, other)];
                }
            }
            let length = (0..size).map(|i| matrix[(i, column)].powi(2)).sum::<f64>().sqrt();
            for i in 0..size {
                matrix[(i, column)] /= length;
            }
        }
    }
    matrix
}

/// Turns block `at` of rows by `rotation`.
pub(super) fn turn_rows(matrix: &Mat<f64>, at: usize, rotation: &Mat<f64>) -> Mat<f64> {
    let (width, mut turned) = (rotation.nrows(), matrix.clone());
    for column in 0..matrix.ncols() {
        for i in 0..width {
            turned[(at * width + i, column)] =
                (0..width).map(|j| rotation[(i, j)] * matrix[(at * width + j, column)]).sum();
        }
    }
    turned
}

/// Turns block `at` of columns by `rotation`.
pub(super) fn turn_columns(matrix: &Mat<f64>, at: usize, rotation: &Mat<f64>) -> Mat<f64> {
    turn_rows(&matrix.transpose().to_owned(), at, rotation).transpose().to_owned()
}

/// As weights.
pub(super) fn weights(matrix: &Mat<f64>) -> Weights {
    let elements = (0..matrix.nrows()).flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)]));
    Weights::f64(matrix.nrows(), matrix.ncols(), elements.collect()).unwrap()
}

/// q, k, v and o of an attention.
#[derive(Clone)]
pub(super) struct Attention(pub(super) [Mat<f64>; 4]);

impl Attention {
    /// Unrelated matrices.
    pub(super) fn gaussian(heads: usize, groups: usize, width: usize, hidden: usize, seed: u64) -> Self {
        Self([
            gaussian(heads * width, hidden, seed),
            gaussian(groups * width, hidden, seed + 1),
            gaussian(groups * width, hidden, seed + 2),
            gaussian(hidden, heads * width, seed + 3),
        ])
    }

    pub(super) fn weights(&self) -> [Weights; 4] {
        self.0.each_ref().map(weights)
    }
}
