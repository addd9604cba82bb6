//! One reading of a pair, spread over threads in stripes whose results come back in order.

use rayon::prelude::*;

use super::{column::Column, source::Source};
use crate::metric::sums::BLOCK;

/// Blocks read at once: a piece of both sides fits a second-level cache.
const BLOCKS_PER_PIECE: u64 = 64;

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
    /// Reads the pair once. Every stripe begins with a fresh `start()`, and `step` adds the blocks of a piece to it: pairs of
    /// stored bytes of at most [`BLOCK`] elements. The stripes come back in order.
    pub(super) fn pass<T: Send>(
        &self,
        start: impl Fn() -> T + Sync,
        step: impl Fn(&mut T, &[u8], &[u8]) + Sync,
    ) -> Result<Vec<T>, StreamError<A::Error, B::Error>> {
        let piece = BLOCKS_PER_PIECE * BLOCK as u64;
        let pieces = self.numel.div_ceil(piece);
        // Counters of a stripe have 32 bits.
        let most_in_a_stripe = u64::from(u32::MAX / 2) / piece;
        let per_stripe = pieces
            .div_ceil(2 * rayon::current_num_threads() as u64)
            .clamp(1, most_in_a_stripe);
        let stripe = |first: u64| {
            let mut result = start();
            let widths = self.columns.each_ref().map(Column::width);
            let mut buffers = widths.map(|_| Vec::new());
            for piece_number in first..(first + per_stripe).min(pieces) {
                let from = piece_number * piece;
                let length = usize::try_from(piece.min(self.numel - from)).unwrap_or(0);
                for (buffer, width) in buffers.iter_mut().zip(widths) {
                    buffer.resize(length * width, 0);
                }
                let at = widths.map(|width| from * width as u64);
                self.a.read(at[0], &mut buffers[0]).map_err(StreamError::A)?;
                self.b.read(at[1], &mut buffers[1]).map_err(StreamError::B)?;
                step(&mut result, &buffers[0], &buffers[1]);
            }
            Ok(result)
        };
        let firsts: Vec<u64> = (0..pieces)
            .step_by(usize::try_from(per_stripe).unwrap_or(usize::MAX))
            .collect();
        firsts.into_par_iter().map(stripe).collect()
    }

    /// The blocks of a piece.
    pub(super) fn blocks<'p>(
        &self,
        a: &'p [u8],
        b: &'p [u8],
    ) -> impl Iterator<Item = (&'p [u8], &'p [u8])> + use<'p, A, B> {
        let [of_a, of_b] = self.columns.each_ref().map(|column| column.width() * BLOCK);
        a.chunks(of_a).zip(b.chunks(of_b))
    }
}

/// The sum of counters, one list a stripe.
pub(super) fn totals<'c>(lists: impl IntoIterator<Item = &'c Vec<u32>>) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for list in lists {
        sums.resize(sums.len().max(list.len()), 0);
        for (sum, &count) in sums.iter_mut().zip(list) {
            *sum += u64::from(count);
        }
    }
    sums
}
