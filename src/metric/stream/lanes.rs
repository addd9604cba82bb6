//! Sums and extrema over a stretch of pairs in one go.
//!
//! A stretch is laid out in rows of [`COLUMNS`] elements: every column has its own sums, so that a vector of columns is summed
//! by vector instructions of any width, in an order that does not depend on the width. Eight rows are added at once,
//! so that a column's sums are loaded and stored once for eight elements.

use crate::metric::{
    simd::{fold, lanes},
    sums::larger,
};

/// Elements in a row.
const COLUMNS: usize = 64;

/// Rows that are joined at once.
const ROWS: usize = 8;

lanes! { COLUMNS;
    dot: f64 = 0.0;
    absolute: f64 = 0.0;
    squares: f64 = 0.0;
    relative: f64 = 0.0;
    largest: f64 = 0.0;
    largest_relative: f64 = 0.0;
    /// How many elements are equal.
    equal: f64 = 0.0;
    /// How many have one sign and are not 0.
    one_sign: f64 = 0.0;
    /// The least max(|a|,|b|): above 0, no two elements are 0.
    least_size: f32 = f32::INFINITY;
}

impl Terms {
    /// Adds a pair. `FUSED`: the instruction set multiplies and adds at once, which makes a quotient cheaper than a division.
    #[inline(always)]
    fn plus<const FUSED: bool>(self, narrow_x: f32, narrow_y: f32) -> Self {
        let (x, y) = (f64::from(narrow_x), f64::from(narrow_y));
        let gap = (x - y).abs();
        let size = larger32(narrow_x.abs(), narrow_y.abs());
        // Never 0; below the least normal number the quotient is wrong, and is made again.
        let divisor = larger32(size, f32::MIN_POSITIVE);
        let relative = if FUSED { quotient(gap, divisor) } else { gap / f64::from(divisor) };
        let add = |x: f64, y: f64, sum: f64| if FUSED { x.mul_add(y, sum) } else { x * y + sum };
        Self {
            dot: add(x, y, self.dot),
            absolute: self.absolute + gap,
            squares: add(gap, gap, self.squares),
            relative: self.relative + relative,
            largest: larger(self.largest, gap),
            largest_relative: larger(self.largest_relative, relative),
            equal: self.equal + if gap == 0.0 { 1.0 } else { 0.0 },
            one_sign: self.one_sign + if x * y > 0.0 { 1.0 } else { 0.0 },
            least_size: if size < self.least_size { size } else { self.least_size },
        }
    }
}

/// `value / divisor` to the last bit: the reciprocal in `f32`, then twice what is left over.
#[inline(always)]
fn quotient(value: f64, divisor: f32) -> f64 {
    let (reciprocal, divisor) = (f64::from(1.0 / divisor), f64::from(divisor));
    let near = value * reciprocal;
    let near = (-near).mul_add(divisor, value).mul_add(reciprocal, near);
    (-near).mul_add(divisor, value).mul_add(reciprocal, near)
}

impl Lanes {
    #[inline(always)]
    fn total(&self) -> Terms {
        let sum = |left: f64, right: f64| left + right;
        Terms {
            dot: fold(&self.dot, sum),
            absolute: fold(&self.absolute, sum),
            squares: fold(&self.squares, sum),
            relative: fold(&self.relative, sum),
            largest: fold(&self.largest, larger),
            largest_relative: fold(&self.largest_relative, larger),
            equal: fold(&self.equal, sum),
            one_sign: fold(&self.one_sign, sum),
            least_size: self.least_size.iter().copied().fold(f32::INFINITY, f32::min),
        }
    }
}

/// The figures of a stretch of pairs, as [`Differences::figures`](crate::metric::pair_sums::Differences) orders them; `read_a` and
/// `read_b` make numbers of what is stored.
#[inline(always)]
pub(super) fn pair_figures<const FUSED: bool, E: Copy>(a: &[E], b: &[E], read: impl Fn(E) -> f32) -> [f64; 9] {
    let mut lanes = Lanes::new();
    let ((rows_a, rest_a), (rows_b, rest_b)) = (a.as_chunks::<COLUMNS>(), b.as_chunks::<COLUMNS>());
    let ((tiles_a, rows_a), (tiles_b, rows_b)) = (rows_a.as_chunks::<ROWS>(), rows_b.as_chunks::<ROWS>());
    for (a, b) in tiles_a.iter().zip(tiles_b) {
        for column in 0..COLUMNS {
            // Written out: a loop here would keep the columns from being vectorised.
            let add = |held: Terms, row: usize| held.plus::<FUSED>(read(a[row][column]), read(b[row][column]));
            let held = add(add(add(add(lanes.at(column), 0), 1), 2), 3);
            lanes.set(column, add(add(add(add(held, 4), 5), 6), 7));
        }
    }
    for (a, b) in rows_a.iter().zip(rows_b) {
        for column in 0..COLUMNS {
            let held = lanes.at(column);
            lanes.set(column, held.plus::<FUSED>(read(a[column]), read(b[column])));
        }
    }
    for (column, (&x, &y)) in rest_a.iter().zip(rest_b).enumerate() {
        let held = lanes.at(column);
        lanes.set(column, held.plus::<FUSED>(read(x), read(y)));
    }
    let mut total = lanes.total();
    let pairs = || a.iter().zip(b).map(|(&x, &y)| (read(x), read(y)));
    let is_finite = total.absolute < f64::INFINITY;
    let mut both_zero = 0;
    if total.least_size < f32::MIN_POSITIVE || !is_finite {
        let (mut tiny, mut zero) = (0_u32, 0_u32);
        for (x, y) in pairs() {
            let size = larger32(x.abs(), y.abs());
            tiny += u32::from(size > 0.0 && size < f32::MIN_POSITIVE);
            zero += u32::from(x == 0.0 && y == 0.0);
        }
        both_zero = zero;
        if tiny > 0 {
            (total.relative, total.largest_relative) = divided(pairs());
        }
    }
    if !is_finite {
        // Two infinities are equal, and no number apart.
        total.equal = f64::from(pairs().map(same).sum::<u32>());
    }
    let length = a.len() as f64;
    [
        total.dot,
        total.absolute,
        total.largest,
        total.squares,
        total.relative,
        total.largest_relative,
        length - f64::from(both_zero),
        length - total.equal,
        total.one_sign + f64::from(both_zero),
    ]
}

#[inline(always)]
#[expect(clippy::float_cmp, reason = "counts elements that are the same number")]
fn same((x, y): (f32, f32)) -> u32 {
    u32::from(x == y)
}

/// Σ and max of |a−b|/max(|a|,|b|) where not both are 0, by division.
fn divided(pairs: impl Iterator<Item = (f32, f32)>) -> (f64, f64) {
    let (mut sum, mut largest) = (0.0, 0.0);
    for (x, y) in pairs {
        let size = f64::from(larger32(x.abs(), y.abs()));
        if size > 0.0 {
            let relative = (f64::from(x) - f64::from(y)).abs() / size;
            sum += relative;
            largest = larger(largest, relative);
        }
    }
    (sum, largest)
}

#[inline(always)]
fn larger32(left: f32, right: f32) -> f32 {
    if left > right { left } else { right }
}
