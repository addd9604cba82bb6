//! The five sums of blocks of two matrices, compiled for each instruction set.

use rayon::prelude::*;

use crate::metric::{
    simd::{Kernel, Path, fold},
    weights::Lane,
};

/// Elements that are summed by column: 64 additions each.
pub(super) const BLOCK: usize = 4096;

/// Elements in a row.
const COLUMNS: usize = 64;

/// Rows that are added at once.
const ROWS: usize = 8;

/// Blocks that one thread takes at a time.
const BLOCKS_PER_TASK: usize = 16;

/// a·b, a·a, b·b, Σa, Σb of a block.
pub(super) type Figures = [f64; 5];

/// The figures of every pair of blocks, in order.
pub(super) fn blocks<A: Lane, B: Lane>(a: &[A], b: &[B]) -> Vec<Figures> {
    let path = Path::best();
    let task = BLOCK * BLOCKS_PER_TASK;
    let parts: Vec<Vec<Figures>> = a
        .par_chunks(task)
        .zip(b.par_chunks(task))
        .map(|(a, b)| path.kernel(Blocks::<'_, _, _, true> { a, b }))
        .collect();
    parts.concat()
}

/// The same without the sums of `a` alone, which are zero, on this thread.
pub(super) fn blocks_after<A: Lane, B: Lane>(a: &[A], b: &[B]) -> Vec<Figures> {
    Path::best().kernel(Blocks::<'_, _, _, false> { a, b })
}

/// The blocks of a task. `OF_A`: with the sums of `a` alone.
struct Blocks<'t, A, B, const OF_A: bool> {
    a: &'t [A],
    b: &'t [B],
}

impl<A: Lane, B: Lane, const OF_A: bool> Kernel for Blocks<'_, A, B, OF_A> {
    type Output = Vec<Figures>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn run<const FUSED: bool>(self) -> Vec<Figures> {
        // Not collected from an iterator: that would be compiled apart, and for the plain set.
        let mut figures = Vec::with_capacity(self.a.len().div_ceil(BLOCK));
        for (a, b) in self.a.chunks(BLOCK).zip(self.b.chunks(BLOCK)) {
            figures.push(block::<FUSED, OF_A, _, _>(a, b));
        }
        figures
    }
}

/// Sums of one column, or of all.
#[derive(Debug, Clone, Copy)]
struct Terms {
    dot: f64,
    square_a: f64,
    square_b: f64,
    sum_a: f64,
    sum_b: f64,
}

impl Terms {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn plus<const FUSED: bool, const OF_A: bool, A: Lane, B: Lane>(self, a: A, b: B) -> Self {
        let (x, y) = (a.wide(), b.wide());
        // Where a product is exact, fusing it with the addition changes no bit.
        let add = |x: f64, y: f64, sum: f64, is_exact: bool| {
            if FUSED && is_exact {
                x.mul_add(y, sum)
            } else {
                x * y + sum
            }
        };
        Self {
            dot: add(x, y, self.dot, A::HAS_EXACT_PRODUCTS && B::HAS_EXACT_PRODUCTS),
            square_a: if OF_A { add(x, x, self.square_a, A::HAS_EXACT_PRODUCTS) } else { 0.0 },
            square_b: add(y, y, self.square_b, B::HAS_EXACT_PRODUCTS),
            sum_a: if OF_A { self.sum_a + x } else { 0.0 },
            sum_b: self.sum_b + y,
        }
    }
}

/// The sums of every column.
#[derive(Debug)]
#[repr(align(64))]
struct Lanes {
    dot: [f64; COLUMNS],
    square_a: [f64; COLUMNS],
    square_b: [f64; COLUMNS],
    sum_a: [f64; COLUMNS],
    sum_b: [f64; COLUMNS],
}

impl Lanes {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn at(&self, column: usize) -> Terms {
        Terms {
            dot: self.dot[column],
            square_a: self.square_a[column],
            square_b: self.square_b[column],
            sum_a: self.sum_a[column],
            sum_b: self.sum_b[column],
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn set(&mut self, column: usize, terms: Terms) {
        self.dot[column] = terms.dot;
        self.square_a[column] = terms.square_a;
        self.square_b[column] = terms.square_b;
        self.sum_a[column] = terms.sum_a;
        self.sum_b[column] = terms.sum_b;
    }
}

/// Elements are laid out in rows of [`COLUMNS`], and each column has sums of its own: see
/// [`stream::lanes`](crate::metric::stream).
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn block<const FUSED: bool, const OF_A: bool, A: Lane, B: Lane>(a: &[A], b: &[B]) -> Figures {
    let zero = [0.0; COLUMNS];
    let mut lanes = Lanes {
        dot: zero,
        square_a: zero,
        square_b: zero,
        sum_a: zero,
        sum_b: zero,
    };
    let ((rows_a, rest_a), (rows_b, rest_b)) = (a.as_chunks::<COLUMNS>(), b.as_chunks::<COLUMNS>());
    let ((tiles_a, rows_a), (tiles_b, rows_b)) = (rows_a.as_chunks::<ROWS>(), rows_b.as_chunks::<ROWS>());
    for (a, b) in tiles_a.iter().zip(tiles_b) {
        for column in 0..COLUMNS {
            // Written out: a loop here would keep the columns from being vectorised.
            let add = |terms: Terms, row: usize| terms.plus::<FUSED, OF_A, _, _>(a[row][column], b[row][column]);
            let terms = add(add(add(add(lanes.at(column), 0), 1), 2), 3);
            lanes.set(column, add(add(add(add(terms, 4), 5), 6), 7));
        }
    }
    for (a, b) in rows_a.iter().zip(rows_b) {
        for column in 0..COLUMNS {
            lanes.set(column, lanes.at(column).plus::<FUSED, OF_A, _, _>(a[column], b[column]));
        }
    }
    for (column, (&a, &b)) in rest_a.iter().zip(rest_b).enumerate() {
        lanes.set(column, lanes.at(column).plus::<FUSED, OF_A, _, _>(a, b));
    }
    [lanes.dot, lanes.square_a, lanes.square_b, lanes.sum_a, lanes.sum_b].map(|sums| fold(&sums, |x, y| x + y))
}

