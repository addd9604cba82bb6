//! Cross-products of blocks of two matrices: A·Bᵀ of the same rows, or Aᵀ·B of the same columns.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};

use crate::metric::Weights;

/// Elements of the long side that are widened at once, and the room for them: a stride of a power of two would send all rows
/// to the same few lines of a cache.
pub(super) const PANEL: usize = 248;
pub(super) const PANEL_STRIDE: usize = 264;

/// scale·A·Bᵀ of the rows `first`..`first + width` of two matrices: entry (i, j) is the product of row i of `a` with row j of
/// `b`.
pub(super) fn rows(a: &Weights, b: &Weights, first: usize, width: usize, scale: f64) -> Mat<f64> {
    let mut cross = Mat::zeros(width, width);
    let mut panels = [vec![0.0; width * PANEL_STRIDE], vec![0.0; width * PANEL_STRIDE]];
    for column in (0..a.columns()).step_by(PANEL) {
        let length = PANEL.min(a.columns() - column);
        for (panel, weights) in panels.iter_mut().zip([a, b]) {
            for (row, out) in panel.chunks_exact_mut(PANEL_STRIDE).enumerate() {
                weights.widen(first + row, column, &mut out[..length]);
            }
        }
        let [left, right] = panels
            .each_ref()
            .map(|panel| MatRef::from_column_major_slice_with_stride(panel, length, width, PANEL_STRIDE));
        matmul(cross.as_mut(), Accum::Add, left.transpose(), right, scale, Par::Seq);
    }
    cross
}

/// The same of the columns `first`..`first + width`, that is of the rows of the transposed matrices.
pub(super) fn columns(a: &Weights, b: &Weights, first: usize, width: usize, scale: f64) -> Mat<f64> {
    let mut cross = Mat::zeros(width, width);
    let stride = width + 8;
    let mut panels = [vec![0.0; PANEL * stride], vec![0.0; PANEL * stride]];
    for row in (0..a.rows()).step_by(PANEL) {
        let length = PANEL.min(a.rows() - row);
        for (panel, weights) in panels.iter_mut().zip([a, b]) {
            for (at, out) in panel.chunks_exact_mut(stride).take(length).enumerate() {
                weights.widen(row + at, first, &mut out[..width]);
            }
        }
        let [left, right] =
            panels.each_ref().map(|panel| MatRef::from_column_major_slice_with_stride(panel, width, length, stride));
        matmul(cross.as_mut(), Accum::Add, left, right.transpose(), scale, Par::Seq);
    }
    cross
}

/// Σ of the diagonal: the product of the blocks as they stand.
pub(super) fn trace(cross: MatRef<'_, f64>) -> f64 {
    (0..cross.nrows()).map(|at| cross[(at, at)]).sum()
}
