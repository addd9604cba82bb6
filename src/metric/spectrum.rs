//! How many directions a difference of two matrices has: the entropy of its energies.
//!
//! Energies are squared singular values, that is the eigenvalues of the Gram matrix of the smaller side, which is summed
//! in `f64` from narrow panels. Exact, in memory of the smaller side squared, and independent of the number of threads.

use faer::{
    Accum, Mat, MatMut, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch},
        matmul::matmul,
    },
};

use super::{Overlap, Undefined, Weights};
use crate::parallel;

/// Rows and columns of a tile of the Gram matrix.
const TILE: usize = 256;

/// Elements of the long side that a panel holds, and the room for them: a stride of a power of two would send every row of
/// a panel to the same few lines of a cache.
const PANEL: usize = 504;
const PANEL_STRIDE: usize = 520;

/// From this size on, eigenvalues are worked out on two threads. A fixed number: it decides how sums are split.
const PARALLEL_FROM: usize = 512;

/// The energies of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Squared singular values, the largest first.
    energies: Vec<f64>,
}

impl Spectrum {
    /// The spectrum of b/‖b‖ − a/‖a‖. Undefined as [`Overlap::of`] is, and `ZeroNorm` where a side, or the difference, is
    /// all zeros.
    pub fn of_residual(a: &Weights, b: &Weights) -> Result<Self, Undefined> {
        let norms = Overlap::of(a, b)?.norms();
        if norms.contains(&0.0) {
            return Err(Undefined::ZeroNorm);
        }
        Self::of_combination(a, -norms[0].recip(), b, norms[1].recip())
    }

    /// The spectrum of `scale_a`·a + `scale_b`·b, whose shapes must agree.
    fn of_combination(a: &Weights, scale_a: f64, b: &Weights, scale_b: f64) -> Result<Self, Undefined> {
        let gram = gram(a.shape(), &|row, column, out, buffer| {
            a.widen(row, column, out);
            b.widen(row, column, buffer);
            for (x, &y) in out.iter_mut().zip(&*buffer) {
                *x = scale_a * *x + scale_b * y;
            }
        });
        let mut energies = eigenvalues(gram.into_whole().as_ref())?;
        // What rounding leaves below zero is zero.
        for energy in &mut energies {
            *energy = energy.max(0.0);
        }
        energies.sort_by(|left, right| right.total_cmp(left));
        if energies.first().is_none_or(|&largest| largest <= 0.0) {
            return Err(Undefined::ZeroNorm);
        }
        Ok(Self { energies })
    }

    /// H = −Σ p ln p with p = s²/Σs²: from 0 for one direction to ln n for n equal ones.
    pub fn entropy(&self) -> f64 {
        let total: f64 = self.energies.iter().sum();
        let terms = self.energies.iter().map(|energy| energy / total);
        let entropy: f64 = terms.filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum();
        entropy.max(0.0)
    }

    /// exp(H): how many equal directions would have the same entropy. Of energies: singular values 3 and 1 have 1.384145;
    /// the variant with p = s/Σs would say 1.754765.
    pub fn effective_rank(&self) -> f64 {
        self.entropy().exp()
    }
}

/// Fills a piece of a row; the second slice is room of the same length.
type Fill<'f> = &'f (dyn Fn(usize, usize, &mut [f64], &mut [f64]) + Sync);

/// The lower half of a symmetric matrix, tile by tile.
struct Tiles {
    size: usize,
    tiles: Vec<(usize, usize, Mat<f64>)>,
}

impl Tiles {
    fn zeros(size: usize) -> Self {
        let extent = |tile: usize| (size - tile * TILE).min(TILE);
        let places = (0..size.div_ceil(TILE)).flat_map(|i| (0..=i).map(move |j| (i, j)));
        Self { size, tiles: places.map(|(i, j)| (i, j, Mat::zeros(extent(i), extent(j)))).collect() }
    }

    fn into_whole(self) -> Mat<f64> {
        let mut whole = Mat::<f64>::zeros(self.size, self.size);
        for (i, j, tile) in self.tiles {
            whole.as_mut().submatrix_mut(i * TILE, j * TILE, tile.nrows(), tile.ncols()).copy_from(&tile);
        }
        whole
    }
}

/// The Gram matrix of the smaller side of a rows × columns matrix.
fn gram((rows, columns): (usize, usize), fill: Fill<'_>) -> Tiles {
    let (small, large) = (rows.min(columns), rows.max(columns));
    let mut gram = Tiles::zeros(small);
    let mut panel = vec![0.0; small * PANEL_STRIDE];
    for first in (0..large).step_by(PANEL) {
        let length = PANEL.min(large - first);
        parallel::change_runs(&mut panel, TILE * PANEL_STRIDE, |tile, part| {
            let (at, mut piece, mut buffer) = (tile * TILE, [0.0; PANEL], [0.0; PANEL]);
            if rows <= columns {
                // Short side down: each row of the panel is a piece of a row.
                for (row, out) in part.chunks_exact_mut(PANEL_STRIDE).enumerate() {
                    fill(at + row, first, &mut out[..length], &mut buffer[..length]);
                }
                return;
            }
            // Short side across: pieces of rows stand upright in the panel.
            let width = part.len() / PANEL_STRIDE;
            for row in 0..length {
                fill(first + row, at, &mut piece[..width], &mut buffer[..width]);
                for (out, &value) in part.chunks_exact_mut(PANEL_STRIDE).zip(&piece[..width]) {
                    out[row] = value;
                }
            }
        });
        parallel::change(&mut gram.tiles, |_, (i, j, tile)| {
            let part = |at: usize, width: usize| {
                let slice = &panel[at * TILE * PANEL_STRIDE..];
                MatRef::from_column_major_slice_with_stride(slice, length, width, PANEL_STRIDE)
            };
            let (left, right) = (part(*i, tile.nrows()), part(*j, tile.ncols()));
            matmul(tile.as_mut(), Accum::Add, left.transpose(), right, 1.0, Par::Seq);
        });
    }
    gram
}

/// The Gram matrix of the columns of a square matrix, its lower half; columns are `stride` apart.
/// The matrix is given up as soon as it is not needed, to make room.
pub(super) fn gram_of_columns(matrix: Vec<f64>, size: usize, stride: usize) -> Mat<f64> {
    let gram = gram((size, size), &|column, row, out, _| {
        let first = column * stride + row;
        out.copy_from_slice(&matrix[first..first + out.len()]);
    });
    drop(matrix);
    gram.into_whole()
}

/// The eigenvalues of a symmetric matrix, of which the lower half is read, ascending.
pub(super) fn eigenvalues(matrix: MatRef<'_, f64>) -> Result<Vec<f64>, Undefined> {
    let size = matrix.nrows();
    let par = if size < PARALLEL_FROM { Par::Seq } else { Par::rayon(2) };
    let mut values = Diag::<f64>::zeros(size);
    let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::No, par, faer::prelude::default());
    let mut memory = MemBuffer::try_new(scratch)
        .map_err(|_| Undefined::NotComparable("the memory for its spectrum cannot be had".to_owned()))?;
    self_adjoint_evd(
        matrix,
        values.as_mut(),
        None::<MatMut<'_, f64>>,
        par,
        MemStack::new(&mut memory),
        faer::prelude::default(),
    )
    .map_err(|_| Undefined::NotComparable("the eigenvalues did not converge".to_owned()))?;
    Ok(values.column_vector().iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with these singular values: between two reflections.
    fn with_values(rows: usize, columns: usize, values: &[f64]) -> Weights {
        // Columns of a reflection, as many as there are values.
        let reflection = |n: usize| -> Vec<Vec<f64>> {
            let direction: Vec<f64> = (0..n).map(|k| ((k + 1) as f64 * 0.9).sin()).collect();
            let size: f64 = direction.iter().map(|x| x * x).sum();
            let entry = |i: usize, k: usize| f64::from(u8::from(i == k)) - 2.0 * direction[i] * direction[k] / size;
            (0..n).map(|i| (0..values.len()).map(|k| entry(i, k)).collect()).collect()
        };
        let (left, right) = (reflection(rows), reflection(columns));
        let element = |i: usize, j: usize| {
            let terms = values.iter().zip(&left[i]).zip(&right[j]);
            terms.map(|((value, x), y)| x * value * y).sum()
        };
        let elements = (0..rows).flat_map(|i| (0..columns).map(move |j| element(i, j))).collect();
        Weights::f64(rows, columns, elements).unwrap()
    }

    fn rank(rows: usize, columns: usize, values: &[f64]) -> f64 {
        let weights = with_values(rows, columns, values);
        Spectrum::of_combination(&weights, 1.0, &weights, 0.0).unwrap().effective_rank()
    }

    #[test]
    fn effective_ranks_are_those_of_energies() {
        for (rows, columns) in [(5, 9), (9, 5), (5, 5), (300, 7), (7, 600)] {
            assert!((rank(rows, columns, &[3.0, 1.0]) - 1.384_145).abs() < 1e-6);
            assert!((rank(rows, columns, &[4.0, 3.0, 2.0, 1.0]) - 2.940_198).abs() < 1e-6);
            assert!((rank(rows, columns, &[2.0]) - 1.0).abs() < 1e-9);
            assert!((rank(rows, columns, &[2.0; 5]) - 5.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_residual_of_a_matrix_and_its_double_is_nothing() {
        let weights = with_values(4, 6, &[3.0, 1.0]);
        let mut doubled = [0.0; 24];
        for row in 0..4 {
            weights.widen(row, 0, &mut doubled[row * 6..row * 6 + 6]);
        }
        let doubled = Weights::f64(4, 6, doubled.iter().map(|x| 2.0 * x).collect()).unwrap();
        assert_eq!(Spectrum::of_residual(&weights, &doubled), Err(Undefined::ZeroNorm));
        let zero = Weights::f64(4, 6, vec![0.0; 24]).unwrap();
        assert_eq!(Spectrum::of_residual(&weights, &zero), Err(Undefined::ZeroNorm));
    }

    #[test]
    fn energies_of_tiles_and_panels_that_do_not_divide_the_matrix_are_those_of_the_whole() {
        let values: Vec<f64> = (1..=40).map(f64::from).collect();
        let weights = with_values(519, 301, &values);
        let spectrum = Spectrum::of_combination(&weights, 1.0, &weights, 0.0).unwrap();
        for (energy, value) in spectrum.energies.iter().zip(values.iter().rev()) {
            assert!((energy - value * value).abs() < 1e-9, "{energy} {value}");
        }
        assert!(spectrum.energies[40] < 1e-9);
    }
}
