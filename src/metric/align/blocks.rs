//! Cross-products of blocks of two matrices: A·Bᵀ of the same rows, or Aᵀ·B of the same columns.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};

use crate::metric::Weights;

/// Elements of the long side that are widened at once, and the room for them: a stride of a power of two would send all rows
/// to the same few lines of a cache.
pub(super) const PANEL: usize = 248;
pub(super) const PANEL_STRIDE: usize = 264;

/// scale·A·Bᵀ of the rows `first`..`first + width` of two matrices: entry (i, j) is the product of row i of `a` with row j of
/// `b`. Or of these columns, that is of the rows of the transposed matrices.
pub(super) fn cross([a, b]: [&Weights; 2], in_rows: bool, first: usize, width: usize, scale: f64) -> Mat<f64> {
    let mut cross = Mat::zeros(width, width);
    let (long, stride, most) = if in_rows { (a.columns(), PANEL_STRIDE, width) } else { (a.rows(), width + 8, PANEL) };
    let mut panels = [vec![0.0; most * stride], vec![0.0; most * stride]];
    for start in (0..long).step_by(PANEL) {
        let length = PANEL.min(long - start);
        let (pieces, size) = if in_rows { (width, length) } else { (length, width) };
        for (panel, weights) in panels.iter_mut().zip([a, b]) {
            for (at, out) in panel.chunks_exact_mut(stride).take(pieces).enumerate() {
                let (row, column) = if in_rows { (first + at, start) } else { (start + at, first) };
                weights.widen(row, column, &mut out[..size]);
            }
        }
        let [left, right] =
            panels.each_ref().map(|panel| MatRef::from_column_major_slice_with_stride(panel, size, pieces, stride));
        let (left, right) = if in_rows { (left.transpose(), right) } else { (left, right.transpose()) };
        matmul(cross.as_mut(), Accum::Add, left, right, scale, Par::Seq);
    }
    cross
}
