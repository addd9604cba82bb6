//! What the first pass over a pair finds: counts, and sums that need no mean.

use super::{
    brackets::{self, MAGNITUDES},
    codes::Codes,
    column::{CODES, Column},
    pass::{Streams, totals},
    scratch::Scratch,
    source::Source,
};
use crate::{
    dtype::Dtype,
    metric::{PairMetrics, Undefined, moments::FirstPass, pair_sums::Differences},
};

/// Of one stripe, with counters `C` of 32 bits; or of the whole pair, with counts of 64.
#[derive(Debug)]
pub(super) struct First<C> {
    /// Figures of the blocks of each side; empty where elements are codes, whose counts say the same.
    pub(super) sides: [Vec<[f64; 6]>; 2],
    /// Figures of the pairs of blocks.
    pub(super) pairs: Vec<[f64; 9]>,
    /// How many elements of each side have each code, or each upper half of a key; empty where they are not counted.
    pub(super) classes: [C; 2],
    /// Sampled magnitudes of a−b, of a, of b, by their leading bits; empty where none are sampled.
    pub(super) samples: [C; MAGNITUDES],
}

impl First<Scratch<u32>> {
    pub(super) fn new(is_counted: [bool; 2], is_sampled: [bool; MAGNITUDES]) -> Self {
        let classes = is_counted.map(|is_counted| Scratch::zeros(if is_counted { CODES } else { 0 }));
        let samples = is_sampled.map(brackets::counts);
        Self { sides: [Vec::new(), Vec::new()], pairs: Vec::new(), classes, samples }
    }

    /// Counts the stored elements of one side.
    pub(super) fn count(&mut self, side: usize, column: &Column, stored: &[u8]) {
        column.count(stored, &mut self.classes[side]);
    }
}

impl First<Vec<u64>> {
    pub(super) fn joined(stripes: &[&First<Scratch<u32>>]) -> Self {
        let side = |side: usize| stripes.iter().flat_map(|stripe| &stripe.sides[side]).copied().collect();
        Self {
            sides: [side(0), side(1)],
            pairs: stripes.iter().flat_map(|stripe| &stripe.pairs).copied().collect(),
            classes: [0, 1].map(|side: usize| totals(stripes.iter().map(|stripe| &stripe.classes[side]))),
            samples: [0, 1, 2].map(|of: usize| totals(stripes.iter().map(|stripe| &stripe.samples[of]))),
        }
    }

    /// What the counts of the sides say whose elements are codes.
    pub(super) fn codes(&self, columns: &[Column; 2]) -> [Option<Codes>; 2] {
        [0, 1].map(|side: usize| Some(Codes::new(columns[side].codes()?, &self.classes[side])))
    }

    /// What one side alone says, by its codes or by its sums.
    pub(super) fn side(&self, side: usize, codes: Option<&Codes>, numel: u64) -> FirstPass {
        codes.map_or_else(|| FirstPass::of(numel, &self.sides[side]), Codes::first_pass)
    }

    /// What is left of a pair with elements that are NaN or infinite, or no values of their type.
    pub(super) fn without_sums<S: Source>(&self, streams: &Streams<'_, S>, differences: &Differences) -> PairMetrics {
        let codes = self.codes(&streams.columns);
        for (source, codes) in streams.sides.iter().zip(&codes) {
            let dtype = source.dtype();
            // Booleans of 2: the tensor is not what it says.
            if *dtype == Dtype::BOOL && codes.as_ref().is_some_and(Codes::has_nan) {
                let reason = format!("a {dtype} tensor holds bytes that are neither 0 nor 1");
                return PairMetrics::undefined(&Undefined::NotComparable(reason));
            }
        }
        let moments = [0, 1].map(|side| self.side(side, codes[side].as_ref(), streams.numel).without_summary());
        PairMetrics::counts_only(moments.each_ref(), differences)
    }
}
