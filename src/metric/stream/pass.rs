//! One reading of a pair, spread over threads in stripes whose results come back in order.

use std::ops::Range;

use super::{column::Column, source::Source};
use crate::{
    metric::{
        simd::Path,
        sums::{BLOCK, BUFFER},
    },
    parallel,
};

/// Elements read at once: a piece of both sides fits a second-level cache.
pub(super) const PIECE: u64 = 64 * BLOCK as u64;

/// Pieces of a stripe at least: it has tables of its own to fill.
const WORTH_A_STRIPE: u64 = 4;

/// Elements of a stripe at most: its counters have 32 bits, its sums of ranks 64.
const STRIPE: u64 = 1 << 28;

/// A pair of sources of one length.
#[derive(Debug)]
pub(super) struct Streams<'s, S> {
    pub(super) sides: [&'s S; 2],
    pub(super) columns: [Column; 2],
    pub(super) numel: u64,
    pub(super) path: Path,
}

impl<S: Source> Streams<'_, S> {
    /// In how many stripes the pair is read.
    pub(super) fn stripes(&self) -> usize {
        let pieces = self.numel.div_ceil(PIECE);
        usize::try_from(pieces.div_ceil(pieces_of_a_stripe(pieces))).unwrap_or(usize::MAX)
    }

    /// Whether both sides' elements are codes.
    pub(super) fn are_codes(&self) -> bool {
        self.columns.iter().all(|column| column.codes().is_some())
    }

    /// Reads the pair once. Every stripe begins with a fresh `start()`, and `step` adds a piece to it: the place of its first
    /// element, always a multiple of [`BLOCK`], and its stored bytes. The stripes come back in order.
    pub(super) fn pass<T: Send>(
        &self,
        start: impl Fn() -> T + Sync,
        step: impl Fn(&mut T, u64, [&[u8]; 2]) + Sync,
    ) -> Result<Vec<T>, S::Error> {
        self.pass_over(0..self.numel.div_ceil(PIECE), start, step)
    }

    /// The same for some pieces of [`PIECE`] elements.
    pub(super) fn pass_over<T: Send>(
        &self,
        pieces: Range<u64>,
        start: impl Fn() -> T + Sync,
        step: impl Fn(&mut T, u64, [&[u8]; 2]) + Sync,
    ) -> Result<Vec<T>, S::Error> {
        let per_stripe = pieces_of_a_stripe(pieces.end - pieces.start);
        let stripe = |first: u64| {
            let mut result = start();
            let [mut buffer_a, mut buffer_b] = [Vec::new(), Vec::new()];
            for number in first..(first + per_stripe).min(pieces.end) {
                let (a, b) = (self.piece(0, number, &mut buffer_a)?, self.piece(1, number, &mut buffer_b)?);
                step(&mut result, number * PIECE, [a, b]);
            }
            Ok(result)
        };
        let firsts: Vec<u64> = pieces.clone().step_by(usize::try_from(per_stripe).unwrap_or(usize::MAX)).collect();
        parallel::map(&firsts, |&first| stripe(first)).into_iter().collect()
    }

    /// The stored bytes of a piece of one side: as they lie in memory, else read into `buffer`.
    fn piece<'b>(&'b self, side: usize, number: u64, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], S::Error> {
        let (source, width) = (self.sides[side], self.columns[side].width());
        let start = number * PIECE * width as u64;
        let length = usize::try_from(PIECE.min(self.numel - number * PIECE)).unwrap_or(0) * width;
        if let Some(held) = source.held(start, length) {
            return Ok(held);
        }
        buffer.resize(length, 0);
        source.read(start, buffer)?;
        Ok(buffer)
    }

    /// The parts of a piece, of so many elements each.
    pub(super) fn parts<'p>(
        &self,
        elements: usize,
        [a, b]: [&'p [u8]; 2],
    ) -> impl Iterator<Item = [&'p [u8]; 2]> + use<'p, S> {
        let [of_a, of_b] = self.columns.each_ref().map(|column| column.width() * elements);
        a.chunks(of_a).zip(b.chunks(of_b)).map(|(a, b)| [a, b])
    }

    /// Visits the stored bytes and the numbers of every pair of blocks of a piece.
    #[inline(always)]
    pub(super) fn each_block(&self, stored: [&[u8]; 2], mut visit: impl FnMut([&[u8]; 2], [&[f64]; 2])) {
        let (mut buffer_a, mut buffer_b) = (BUFFER, BUFFER);
        let [column_a, column_b] = &self.columns;
        for [a, b] in self.parts(BLOCK, stored) {
            visit([a, b], [column_a.widen(a, &mut buffer_a), column_b.widen(b, &mut buffer_b)]);
        }
    }
}

fn pieces_of_a_stripe(pieces: u64) -> u64 {
    let even = pieces.div_ceil(2 * rayon::current_num_threads() as u64);
    even.clamp(WORTH_A_STRIPE, STRIPE / PIECE)
}

/// The sum of counters, one list a stripe.
pub(super) fn totals(lists: impl IntoIterator<Item: AsRef<[u32]>>) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for list in lists {
        let list = list.as_ref();
        sums.resize(sums.len().max(list.len()), 0);
        for (sum, &count) in sums.iter_mut().zip(list) {
            *sum += u64::from(count);
        }
    }
    sums
}
