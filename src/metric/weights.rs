//! A weight matrix as it is stored, widened to `f64` only where it is read: a layer of a large model fits memory in its
//! stored width, and not four times over.

use std::ops::Range;

use super::{Undefined, simd::Path};

/// A matrix of weights, `[out, in]`, row-major. A vector is a matrix of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    rows: usize,
    columns: usize,
    stored: Stored,
}

/// Elements in their stored width.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stored {
    /// Pairs of little-endian bytes.
    Bf16(Vec<[u8; 2]>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// An element that widens to `f64` exactly.
pub(super) trait Lane: Copy + Sync {
    /// Whether `f64` holds the product of any two of them.
    const HAS_EXACT_PRODUCTS: bool;

    fn wide(self) -> f64;

    /// Two neighbours.
    #[inline(always)]
    fn wide_two([first, second]: [Self; 2]) -> [f64; 2] {
        [first.wide(), second.wide()]
    }
}

impl Lane for [u8; 2] {
    const HAS_EXACT_PRODUCTS: bool = true;

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(f32::from_bits(u32::from(u16::from_le_bytes(self)) << 16))
    }

    /// As one word, whose halves need a shift and a mask: half of the instructions that two numbers of 16 bits take.
    #[inline(always)]
    fn wide_two([first, second]: [Self; 2]) -> [f64; 2] {
        let word = u32::from_le_bytes([first[0], first[1], second[0], second[1]]);
        [word << 16, word & 0xFFFF_0000].map(|bits| f64::from(f32::from_bits(bits)))
    }
}

impl Lane for f32 {
    const HAS_EXACT_PRODUCTS: bool = true;

    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Lane for f64 {
    const HAS_EXACT_PRODUCTS: bool = false;

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// Evaluates `$body` with `$elements` bound to the elements of any width.
macro_rules! for_stored {
    ($stored:expr, $elements:ident => $body:expr) => {
        match $stored {
            $crate::metric::weights::Stored::Bf16($elements) => $body,
            $crate::metric::weights::Stored::F32($elements) => $body,
            $crate::metric::weights::Stored::F64($elements) => $body,
        }
    };
}
pub(super) use for_stored;

impl Weights {
    /// BF16 elements as they are stored; `Shape` where there are not rows × columns of them.
    pub fn bf16(rows: usize, columns: usize, elements: Vec<[u8; 2]>) -> Result<Self, Undefined> {
        Self::of(rows, columns, elements.len(), Stored::Bf16(elements))
    }

    /// `f32` elements; `Shape` where there are not rows × columns of them.
    pub fn f32(rows: usize, columns: usize, elements: Vec<f32>) -> Result<Self, Undefined> {
        Self::of(rows, columns, elements.len(), Stored::F32(elements))
    }

    /// `f64` elements; `Shape` where there are not rows × columns of them.
    pub fn f64(rows: usize, columns: usize, elements: Vec<f64>) -> Result<Self, Undefined> {
        Self::of(rows, columns, elements.len(), Stored::F64(elements))
    }

    fn of(rows: usize, columns: usize, length: usize, stored: Stored) -> Result<Self, Undefined> {
        if rows.checked_mul(columns) == Some(length) {
            Ok(Self { rows, columns, stored })
        } else {
            Err(Undefined::Shape)
        }
    }

    /// Rows: outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.rows * self.columns
    }

    /// The same elements in other rows; `Shape` where their number differs.
    pub fn reshaped(self, rows: usize, columns: usize) -> Result<Self, Undefined> {
        let length = self.numel();
        Self::of(rows, columns, length, self.stored)
    }

    pub(super) fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Widens as many elements of `row` as `out` holds, from `column` on.
    pub(super) fn widen(&self, row: usize, column: usize, out: &mut [f64]) {
        let first = row * self.columns + column;
        for_stored!(&self.stored, elements => {
            let elements = &elements[first..first + out.len()];
            Path::best().run(
                #[inline(always)]
                || {
                    for (wide, &element) in out.iter_mut().zip(elements) {
                        *wide = element.wide();
                    }
                },
            );
        });
    }

    /// Rows as columns: what a checkpoint that stores `[in, out]` needs.
    #[must_use]
    pub fn transposed(self) -> Self {
        let (rows, columns) = (self.rows, self.columns);
        let stored = match self.stored {
            Stored::Bf16(elements) => Stored::Bf16(transposed(&elements, columns)),
            Stored::F32(elements) => Stored::F32(transposed(&elements, columns)),
            Stored::F64(elements) => Stored::F64(transposed(&elements, columns)),
        };
        Self { rows: columns, columns: rows, stored }
    }

    /// The rows of these ranges, one below the other; `Shape` where one lies outside.
    pub fn take_rows(&self, ranges: &[Range<usize>]) -> Result<Self, Undefined> {
        if ranges.iter().any(|range| range.start > range.end || range.end > self.rows) {
            return Err(Undefined::Shape);
        }
        let rows = ranges.iter().map(ExactSizeIterator::len).sum();
        let stored = match &self.stored {
            Stored::Bf16(elements) => Stored::Bf16(taken(elements, ranges, self.columns)),
            Stored::F32(elements) => Stored::F32(taken(elements, ranges, self.columns)),
            Stored::F64(elements) => Stored::F64(taken(elements, ranges, self.columns)),
        };
        Ok(Self { rows, stored, ..*self })
    }
}

fn transposed<T: Copy>(elements: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| elements.iter().skip(column).step_by(columns).copied()).collect()
}

fn taken<T: Copy>(elements: &[T], ranges: &[Range<usize>], columns: usize) -> Vec<T> {
    ranges.iter().flat_map(|range| &elements[range.start * columns..range.end * columns]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(weights: &Weights, row: usize) -> Vec<f64> {
        let mut out = vec![0.0; weights.columns()];
        weights.widen(row, 0, &mut out);
        out
    }

    #[test]
    fn every_width_widens_exactly() {
        let stored = [1.5_f32, -0.25, 3.0e38, -0.0].map(|value| half::bf16::from_f32(value).to_le_bytes()).to_vec();
        let narrow = Weights::bf16(2, 2, stored.clone()).unwrap();
        let wide = stored.iter().map(|&raw| half::bf16::from_le_bytes(raw).to_f32()).collect();
        let single = Weights::f32(2, 2, wide).unwrap();
        for at in 0..2 {
            assert_eq!(row(&narrow, at), row(&single, at));
        }
        assert_eq!(Weights::f64(2, 3, vec![0.0; 5]), Err(Undefined::Shape));
    }

    #[test]
    fn rows_are_taken_and_turned_into_columns() {
        let weights = Weights::f32(3, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let turned = weights.clone().transposed();
        assert_eq!(turned.shape(), (2, 3));
        assert_eq!(row(&turned, 1), [2.0, 4.0, 6.0]);
        let taken = weights.take_rows(&[2..3, 0..1]).unwrap();
        assert_eq!((row(&taken, 0), row(&taken, 1)), (vec![5.0, 6.0], vec![1.0, 2.0]));
        assert_eq!(weights.take_rows(&[0..1, 2..4]), Err(Undefined::Shape));
    }
}
