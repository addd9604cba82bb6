//! Overlaps of BF16 matrices that are read a strip at a time.

use super::{
    kernel::{BLOCK, Figures, blocks_after},
    sums::{Overlap, count_non_finite},
};
use crate::metric::Undefined;

/// The sums of a strip of a matrix with the same strip of the one before it in a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    blocks: Vec<Figures>,
    non_finite: [u64; 2],
    numel: usize,
}

impl Strip {
    /// Elements of every strip but the last of a matrix: two of them fit a second-level cache.
    pub const ELEMENTS: usize = 8 * BLOCK;

    /// The strip of the first matrix of a chain, which has none before it.
    pub fn first(elements: &[[u8; 2]]) -> Self {
        let blocks = blocks_after(elements, elements);
        Self::of(&[], 0, blocks, elements)
    }

    /// `elements` of one matrix, and those of the matrix before it, of the same number. Each matrix is summed by itself once, in
    /// its own strip.
    #[must_use]
    pub fn after(&self, before: &[[u8; 2]], elements: &[[u8; 2]]) -> Self {
        debug_assert_eq!(before.len(), elements.len(), "strips of one shape");
        Self::of(&self.blocks, self.non_finite[1], blocks_after(before, elements), elements)
    }

    fn of(before: &[Figures], non_finite_before: u64, mut blocks: Vec<Figures>, elements: &[[u8; 2]]) -> Self {
        for (block, &[_, _, square, _, sum]) in blocks.iter_mut().zip(before) {
            (block[1], block[3]) = (square, sum);
        }
        let is_finite = blocks.iter().all(|block| block[2].is_finite());
        Self {
            non_finite: [non_finite_before, if is_finite { 0 } else { count_non_finite(elements) }],
            numel: elements.len(),
            blocks,
        }
    }
}

impl Overlap {
    /// The overlap of two matrices from the strips of the second, in order: the very number that [`Overlap::of`] gives, and
    /// undefined as it is.
    pub fn of_strips(strips: &[Strip]) -> Result<Self, Undefined> {
        let numel = strips.iter().map(|strip| strip.numel).sum();
        if numel == 0 {
            return Err(Undefined::TooFew);
        }
        let blocks: Vec<Figures> = strips.iter().flat_map(|strip| &strip.blocks).copied().collect();
        Self::total(&blocks, numel, || strips.iter().flat_map(|strip| strip.non_finite).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Weights;

    fn elements(numel: usize, seed: u32) -> Vec<[u8; 2]> {
        let value = |at: usize| ((at as f32) * 0.37 + seed as f32).sin() * 0.05;
        (0..numel).map(|at| half::bf16::from_f32(value(at)).to_le_bytes()).collect()
    }

    /// The overlaps of each matrix with the next, by strips.
    fn chained(matrices: &[Vec<[u8; 2]>]) -> Vec<Result<Overlap, Undefined>> {
        let mut strips = vec![Vec::new(); matrices.len() - 1];
        for first in (0..matrices[0].len()).step_by(Strip::ELEMENTS) {
            let part = |matrix: usize| -> &[[u8; 2]] {
                let end = matrices[matrix].len().min(first + Strip::ELEMENTS);
                &matrices[matrix][first..end]
            };
            let mut last = Strip::first(part(0));
            for (at, strips) in strips.iter_mut().enumerate() {
                last = last.after(part(at), part(at + 1));
                strips.push(last.clone());
            }
        }
        strips.iter().map(|strips| Overlap::of_strips(strips)).collect()
    }

    #[test]
    fn strips_give_the_bits_of_whole_matrices() {
        for numel in [1, 63, BLOCK + 5, Strip::ELEMENTS, 2 * Strip::ELEMENTS + 777] {
            let matrices: Vec<_> = (0..4).map(|seed| elements(numel, seed)).collect();
            for (pair, found) in matrices.windows(2).zip(chained(&matrices)) {
                let of = |at: usize| Weights::bf16(1, numel, pair[at].clone()).unwrap();
                assert_eq!(found, Overlap::of(&of(0), &of(1)));
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_counted_in_each_pair_that_has_it() {
        let mut matrices: Vec<_> = (0..4).map(|seed| elements(Strip::ELEMENTS + 9, seed)).collect();
        let nan = half::bf16::NAN.to_le_bytes();
        matrices[1][3] = nan;
        matrices[1][Strip::ELEMENTS + 2] = nan;
        matrices[2][5] = half::bf16::INFINITY.to_le_bytes();
        let counts: Vec<_> = chained(&matrices).into_iter().map(Result::unwrap_err).collect();
        assert_eq!(counts, [2, 3, 1].map(|count| Undefined::NonFinite { count }));
        assert_eq!(Overlap::of_strips(&[]), Err(Undefined::TooFew));
    }
}
