//! Products of rows: the one kernel that all tests share.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use crate::metric::spectrum::eigenvalues;

/// `A·Bᵀ`, row-major, of two matrices with rows of `width` elements. Its sums do not depend on the number of threads.
pub(super) fn row_products(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let (rows, columns) = (a.len() / width, b.len() / width);
    let mut out = vec![0.0; rows * columns];
    matmul(
        MatMut::from_row_major_slice_mut(&mut out, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(a, rows, width),
        MatRef::from_row_major_slice(b, columns, width).transpose(),
        1.0,
        Par::Seq,
    );
    out
}

/// `AᵀB`, row-major, of two matrices with `rows` rows.
pub(super) fn column_products(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Vec<f64> {
    let mut out = vec![0.0; a.ncols() * b.ncols()];
    let product = MatMut::from_row_major_slice_mut(&mut out, a.ncols(), b.ncols());
    matmul(product, Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
    out
}

/// Squared singular values of a matrix with rows of `width` elements, the largest first; `None` where they do not converge.
pub(super) fn energies(values: &[f64], width: usize) -> Option<Vec<f64>> {
    let rows = values.len() / width;
    let whole = MatRef::from_row_major_slice(values, rows, width);
    let gram = if rows <= width { row_products(values, values, width) } else { column_products(whole, whole) };
    let size = rows.min(width);
    let mut energies = eigenvalues(MatRef::from_row_major_slice(&gram, size, size)).ok()?;
    energies.sort_by(|left, right| right.total_cmp(left));
    Some(energies)
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Divides by the length; zeros stay zeros. Says whether there is a length.
pub(super) fn to_unit_length(row: &mut [f64]) -> bool {
    let length = dot(row, row).sqrt();
    if length > 0.0 {
        for x in row.iter_mut() {
            *x /= length;
        }
    }
    length > 0.0
}

pub(super) fn mean(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

/// Takes the mean off.
pub(super) fn centre(row: &mut [f64]) {
    let mean = mean(row);
    for x in row.iter_mut() {
        *x -= mean;
    }
}

/// Σ f(x) over each column of rows of `width` elements.
pub(super) fn column_sums(values: &[f64], width: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f(*x));
    }
    sums
}

/// The rms of each column, as over `count` rows.
pub(super) fn column_rms(values: &[f64], width: usize, count: f64) -> Vec<f64> {
    column_sums(values, width, |x| x * x).into_iter().map(|squares| (squares / count).sqrt()).collect()
}

/// Takes the mean off each column.
pub(super) fn centre_columns(values: &mut [f64], width: usize) {
    let sums = column_sums(values, width, |x| x);
    let rows = (values.len() / width) as f64;
    for row in values.chunks_exact_mut(width) {
        row.iter_mut().zip(&sums).for_each(|(x, sum)| *x -= sum / rows);
    }
}
