//! Sums whose value depends on the elements and their order alone, never on the number of threads.
//!
//! A slice is cut into blocks of [`BLOCK`] elements; a block is widened to `f64` once and summed in eight lanes, which the
//! compiler vectorises and which meet in a fixed tree; the blocks' sums are added in their order by Neumaier's
//! compensated sum. The relative error stays near 1e-14 of the sum of magnitudes for any length.

use super::{Element, simd};
use crate::parallel;

/// Elements per block: two blocks of `f64` fit a first-level cache with room to spare.
pub(super) const BLOCK: usize = 1024;

/// Room for what a block's elements are turned into.
pub(super) const BUFFER: [f64; BLOCK] = [0.0; BLOCK];

const LANES: usize = 8;

/// From this many blocks on, blocks are spread over threads.
const PARALLEL_BLOCKS: usize = 128;

/// The `N` figures of every block of a slice, in order.
pub(super) fn blocks<const N: usize, T: Element>(
    values: &[T],
    figures: impl Fn(&[f64]) -> [f64; N] + Sync,
) -> Vec<[f64; N]> {
    let one = |block: &[T]| figures(widen(block, &mut { BUFFER }));
    if values.len() < BLOCK * PARALLEL_BLOCKS {
        values.chunks(BLOCK).map(one).collect()
    } else {
        parallel::numbers(values.len().div_ceil(BLOCK), |at| one(nth(values, at)))
    }
}

/// The `N` figures of every pair of blocks of two slices of one length, in order.
pub(super) fn pair_blocks<const N: usize, A: Element, B: Element>(
    a: &[A],
    b: &[B],
    figures: impl Fn(&[f64], &[f64]) -> [f64; N] + Sync,
) -> Vec<[f64; N]> {
    let one = |(a, b): (&[A], &[B])| figures(widen(a, &mut { BUFFER }), widen(b, &mut BUFFER.clone()));
    if a.len() < BLOCK * PARALLEL_BLOCKS {
        a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(one).collect()
    } else {
        parallel::numbers(a.len().div_ceil(BLOCK), |at| one((nth(a, at), nth(b, at))))
    }
}

/// Block `at`.
fn nth<T>(values: &[T], at: usize) -> &[T] {
    &values[at * BLOCK..values.len().min((at + 1) * BLOCK)]
}

fn widen<'b, T: Element>(block: &[T], buffer: &'b mut [f64; BLOCK]) -> &'b [f64] {
    for (wide, &value) in buffer.iter_mut().zip(block) {
        *wide = value.to_f64();
    }
    &buffer[..block.len()]
}

/// f(x, y) of every pair of elements of two blocks.
#[inline(always)]
pub(super) fn map<'b>(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64, buffer: &'b mut [f64; BLOCK]) -> &'b [f64] {
    for (result, (&x, &y)) in buffer.iter_mut().zip(a.iter().zip(b)) {
        *result = f(x, y);
    }
    &buffer[..a.len().min(BLOCK)]
}

/// The sum of figure `index` over all blocks.
pub(super) fn total<const N: usize>(blocks: &[[f64; N]], index: usize) -> f64 {
    compensated(blocks.iter().map(|figures| figures[index]))
}

/// The largest figure `index` of all blocks; −∞ without blocks.
pub(super) fn peak<const N: usize>(blocks: &[[f64; N]], index: usize) -> f64 {
    blocks.iter().map(|figures| figures[index]).fold(f64::NEG_INFINITY, f64::max)
}

/// Neumaier's sum: what an addition rounds away is kept and added at the end.
pub(super) fn compensated(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    sum + lost
}

/// Σ f(x) over one block.
#[inline(always)]
pub(super) fn sum(block: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    fold(block, 0.0, |sum, x| sum + f(x), |left, right| left + right)
}

/// max f(x) over one block; −∞ of an empty one.
#[inline(always)]
pub(super) fn max(block: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    fold(block, f64::NEG_INFINITY, |best, x| larger(best, f(x)), larger)
}

/// Σ f(x, y) over a pair of blocks.
#[inline(always)]
pub(super) fn pair_sum(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for (lane, (&x, &y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += f(x, y);
        }
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += f(x, y);
    }
    simd::fold(&lanes, |left, right| left + right)
}

/// `f64::max` without its care for NaN, which keeps a loop from becoming one instruction per vector.
#[inline(always)]
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if right > left { right } else { left }
}

#[inline(always)]
fn fold(block: &[f64], start: f64, step: impl Fn(f64, f64) -> f64, join: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; LANES];
    let (chunks, rest) = block.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, x);
    }
    simd::fold(&lanes, join)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "these figures are exact")]

    use super::*;

    #[test]
    fn a_sum_does_not_depend_on_the_number_of_threads() {
        let values: Vec<f64> = (0..BLOCK * PARALLEL_BLOCKS * 2 + 17).map(|i| (i as f64).sin()).collect();
        let sum_on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| total(&blocks(&values, |block| [sum(block, |x| x * x)]), 0))
        };
        assert_eq!(sum_on(1).to_bits(), sum_on(7).to_bits());
    }

    #[test]
    fn every_element_is_summed_once_whatever_the_length() {
        for length in [0_u32, 1, 7, 8, 9, 1023, 1024, 1025, 5000] {
            let values: Vec<u32> = (1..=length).collect();
            let sums = blocks(&values, |block| [sum(block, |x| x), max(block, |x| x)]);
            assert_eq!(total(&sums, 0), f64::from(length) * f64::from(length + 1) / 2.0);
            let pairs = pair_blocks(&values, &values, |a, b| {
                let mut buffer = BUFFER;
                [pair_sum(a, b, |x, y| x - 2.0 * y), max(map(a, b, |x, _| x, &mut buffer), |x| x)]
            });
            assert_eq!(total(&pairs, 0), -total(&sums, 0));
            assert_eq!(peak(&pairs, 1), peak(&sums, 1));
        }
    }

    #[test]
    fn what_a_plain_sum_rounds_away_is_kept() {
        assert_eq!(compensated([1.0, 1e100, 1.0, -1e100]), 2.0);
    }
}
