//! The five sums of blocks of two matrices, compiled for each instruction set.

use crate::{
    metric::{
        simd::{Kernel, Path, fold, lanes},
        weights::Lane,
    },
    parallel,
};

/// Elements that are summed by column: 256 additions each.
pub(super) const BLOCK: usize = 16_384;

/// Elements in a row, and pairs of neighbours.
const COLUMNS: usize = 64;
const HALF: usize = COLUMNS / 2;

/// Rows that are added at once.
const ROWS: usize = 8;

/// Blocks that one thread takes at a time.
const BLOCKS_PER_TASK: usize = 4;

/// a·b, a·a, b·b, Σa, Σb of a block.
pub(super) type Figures = [f64; 5];

/// The figures of every pair of blocks, in order.
pub(super) fn blocks<A: Lane, B: Lane>(a: &[A], b: &[B]) -> Vec<Figures> {
    let path = Path::best();
    let task = BLOCK * BLOCKS_PER_TASK;
    let parts = parallel::numbers(a.len().div_ceil(task), |at| {
        let run = at * task..a.len().min((at + 1) * task);
        path.kernel(Blocks::<'_, _, _, true> { a: &a[run.clone()], b: &b[run] })
    });
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
    fn run<const FUSED: bool>(self) -> Vec<Figures> {
        // Not collected from an iterator: that would be compiled apart, and for the plain set.
        let mut figures = Vec::with_capacity(self.a.len().div_ceil(BLOCK));
        for (a, b) in self.a.chunks(BLOCK).zip(self.b.chunks(BLOCK)) {
            figures.push(block::<FUSED, OF_A, _, _>(a, b));
        }
        figures
    }
}

// Even columns before odd ones.
lanes! { COLUMNS;
    dot: f64 = 0.0;
    square_a: f64 = 0.0;
    square_b: f64 = 0.0;
    sum_a: f64 = 0.0;
    sum_b: f64 = 0.0;
}

impl Terms {
    #[inline(always)]
    fn plus<const FUSED: bool, const OF_A: bool, A: Lane, B: Lane>(self, x: f64, y: f64) -> Self {
        // Where a product is exact, fusing it with the addition changes no bit.
        let add = |x: f64, y: f64, sum: f64, is_exact: bool| {
            if FUSED && is_exact { x.mul_add(y, sum) } else { x * y + sum }
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

/// Elements are laid out in rows of [`COLUMNS`], and each column has sums of its own: see
/// [`stream::lanes`](crate::metric::stream). Neighbours are widened together.
#[inline(always)]
fn block<const FUSED: bool, const OF_A: bool, A: Lane, B: Lane>(a: &[A], b: &[B]) -> Figures {
    let mut lanes = Lanes::new();
    let ((twos_a, last_a), (twos_b, last_b)) = (a.as_chunks::<2>(), b.as_chunks::<2>());
    let ((rows_a, rest_a), (rows_b, rest_b)) = (twos_a.as_chunks::<HALF>(), twos_b.as_chunks::<HALF>());
    let ((tiles_a, rows_a), (tiles_b, rows_b)) = (rows_a.as_chunks::<ROWS>(), rows_b.as_chunks::<ROWS>());
    let plus = |[even, odd]: [Terms; 2], a: [A; 2], b: [B; 2]| {
        let ([even_a, odd_a], [even_b, odd_b]) = (A::wide_two(a), B::wide_two(b));
        [even.plus::<FUSED, OF_A, A, B>(even_a, even_b), odd.plus::<FUSED, OF_A, A, B>(odd_a, odd_b)]
    };
    for (a, b) in tiles_a.iter().zip(tiles_b) {
        for column in 0..HALF {
            // Written out: a loop here would keep the columns from being vectorised.
            let add = |terms: [Terms; 2], row: usize| plus(terms, a[row][column], b[row][column]);
            let terms = [lanes.at(column), lanes.at(HALF + column)];
            let terms = add(add(add(add(terms, 0), 1), 2), 3);
            let [even, odd] = add(add(add(add(terms, 4), 5), 6), 7);
            lanes.set(column, even);
            lanes.set(HALF + column, odd);
        }
    }
    for (a, b) in rows_a.iter().zip(rows_b) {
        for column in 0..HALF {
            let [even, odd] = plus([lanes.at(column), lanes.at(HALF + column)], a[column], b[column]);
            lanes.set(column, even);
            lanes.set(HALF + column, odd);
        }
    }
    let rest = rest_a.as_flattened().iter().chain(last_a).zip(rest_b.as_flattened().iter().chain(last_b));
    for (at, (a, b)) in rest.enumerate() {
        let column = at % 2 * HALF + at / 2;
        lanes.set(column, lanes.at(column).plus::<FUSED, OF_A, A, B>(a.wide(), b.wide()));
    }
    [lanes.dot, lanes.square_a, lanes.square_b, lanes.sum_a, lanes.sum_b].map(|sums| {
        let in_order: [f64; COLUMNS] = std::array::from_fn(|at| sums[at % 2 * HALF + at / 2]);
        fold(&in_order, |x, y| x + y)
    })
}
