//! One reading of a pair, spread over threads in stripes whose results come back in order.

use std::ops::Range;

use rayon::prelude::*;

use super::{column::Column, source::Source};
use crate::metric::sums::BLOCK;

/// Elements read at once: a piece of both sides fits a second-level cache.
pub(super) const PIECE: u64 = 64 * BLOCK as u64;

/// Pieces of a stripe at least: it has tables of its own to fill.
const WORTH_A_STRIPE: u64 = 4;

/// Elements of a stripe at most: its counters have 32 bits, its sums of ranks 64.
const STRIPE: u64 = 1 << 28;

/// A pair of sources of one length.
#[derive(Debug)]
pub(super) struct Streams<'s, A, B> {
    pub(super) a: &'s A,
    pub(super) b: &'s B,
    pub(super) columns: [Column; 2],
    pub(super) numel: u64,
}

/// Why a pass ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamError<A, B> {
    /// The first source failed.
    A(A),
    /// The second source failed.
    B(B),
}

impl<A: Source, B: Source> Streams<'_, A, B> {
    /// In how many stripes the pair is read.
    pub(super) fn stripes(&self) -> usize {
        let pieces = self.numel.div_ceil(PIECE);
        usize::try_from(pieces.div_ceil(pieces_of_a_stripe(pieces))).unwrap_or(usize::MAX)
    }

    /// Reads the pair once. Every stripe begins with a fresh `start()`, and `step` adds a piece to it: the place of its first
    /// element, always a multiple of [`BLOCK`], and its stored bytes. The stripes come back in order.
    pub(super) fn pass<T: Send>(
        &self,
        start: impl Fn() -> T + Sync,
        step: impl Fn(&mut T, u64, [&[u8]; 2]) + Sync,
    ) -> Result<Vec<T>, StreamError<A::Error, B::Error>> {
        self.pass_over(0..self.numel.div_ceil(PIECE), start, step)
    }

    /// The same for some pieces of [`PIECE`] elements.
    pub(super) fn pass_over<T: Send>(
        &self,
        pieces: Range<u64>,
        start: impl Fn() -> T + Sync,
        step: impl Fn(&mut T, u64, [&[u8]; 2]) + Sync,
    ) -> Result<Vec<T>, StreamError<A::Error, B::Error>> {
        let per_stripe = pieces_of_a_stripe(pieces.end - pieces.start);
        let stripe = |first: u64| {
            let mut result = start();
            let widths = self.columns.each_ref().map(Column::width);
            let mut buffers = widths.map(|_| Vec::new());
            for piece_number in first..(first + per_stripe).min(pieces.end) {
                let from = piece_number * PIECE;
                let length = usize::try_from(PIECE.min(self.numel - from)).unwrap_or(0);
                let [at_a, at_b] = widths.map(|width| from * width as u64);
                let [length_a, length_b] = widths.map(|width| length * width);
                let [buffer_a, buffer_b] = &mut buffers;
                let stored_a = bytes(self.a, at_a, length_a, buffer_a).map_err(StreamError::A)?;
                let stored_b = bytes(self.b, at_b, length_b, buffer_b).map_err(StreamError::B)?;
                step(&mut result, from, [stored_a, stored_b]);
            }
            Ok(result)
        };
        let firsts: Vec<u64> = pieces.clone().step_by(usize::try_from(per_stripe).unwrap_or(usize::MAX)).collect();
        firsts.into_par_iter().map(stripe).collect()
    }

    /// Reads one side on this thread.
    pub(super) fn each_piece(
        &self,
        side: usize,
        mut step: impl FnMut(&[u8]),
    ) -> Result<(), StreamError<A::Error, B::Error>> {
        let width = self.columns[side].width();
        let mut buffer = Vec::new();
        for piece_number in 0..self.numel.div_ceil(PIECE) {
            let from = piece_number * PIECE;
            let length = usize::try_from(PIECE.min(self.numel - from)).unwrap_or(0) * width;
            let start = from * width as u64;
            step(if side == 0 {
                bytes(self.a, start, length, &mut buffer).map_err(StreamError::A)?
            } else {
                bytes(self.b, start, length, &mut buffer).map_err(StreamError::B)?
            });
        }
        Ok(())
    }

    /// The blocks of a piece.
    pub(super) fn blocks<'p>(
        &self,
        [a, b]: [&'p [u8]; 2],
    ) -> impl Iterator<Item = (&'p [u8], &'p [u8])> + use<'p, A, B> {
        let [of_a, of_b] = self.columns.each_ref().map(|column| column.width() * BLOCK);
        a.chunks(of_a).zip(b.chunks(of_b))
    }
}

fn pieces_of_a_stripe(pieces: u64) -> u64 {
    let even = pieces.div_ceil(2 * rayon::current_num_threads() as u64);
    even.clamp(WORTH_A_STRIPE, STRIPE / PIECE)
}

/// Bytes as they lie in memory, else read into `buffer`.
fn bytes<'b, S: Source>(
    source: &'b S,
    start: u64,
    length: usize,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8], S::Error> {
    if let Some(held) = source.held(start, length) {
        return Ok(held);
    }
    buffer.resize(length, 0);
    source.read(start, buffer)?;
    Ok(buffer)
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
