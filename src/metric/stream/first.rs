//! What the first pass over a pair finds: counts, and sums that need no mean.

use super::{
    codes::Codes,
    column::{CODES, Column},
    pass::{Streams, totals},
    scratch::Scratch,
    source::Source,
};
use crate::{
    checkpoint::Dtype,
    metric::{PairMetrics, Undefined, moments::FirstPass, pair::Differences},
};

/// Of one stripe, with counters `C` of 32 bits; or of the whole pair, with counts of 64.
#[derive(Debug)]
pub(super) struct First<C> {
    /// Figures of the blocks of each side; empty where elements are codes, whose counts say the same.
    pub(super) sides: [Vec<[f64; 6]>; 2],
    /// Figures of the pairs of blocks.
    pub(super) pairs: Vec<[f64; 8]>,
    /// How many elements of each side have each code, or each upper half of a key; empty where they are not counted.
    pub(super) classes: [C; 2],
}

impl First<Scratch<u32>> {
    pub(super) fn new(is_counted: [bool; 2]) -> Self {
        let classes = is_counted.map(|is_counted| Scratch::zeros(if is_counted { CODES } else { 0 }));
        Self { sides: [Vec::new(), Vec::new()], pairs: Vec::new(), classes }
    }

    /// Counts the stored elements of one side.
    pub(super) fn count(&mut self, side: usize, column: &Column, stored: &[u8]) {
        column.count(stored, &mut self.classes[side]);
    }
}

impl First<Vec<u64>> {
    pub(super) fn joined<'f>(stripes: impl Iterator<Item = &'f First<Scratch<u32>>> + Clone) -> Self {
        let side = |side: usize| stripes.clone().flat_map(|stripe| &stripe.sides[side]).copied().collect();
        Self {
            sides: [side(0), side(1)],
            pairs: stripes.clone().flat_map(|stripe| &stripe.pairs).copied().collect(),
            classes: [0, 1].map(|side| totals(stripes.clone().map(|stripe| &stripe.classes[side]))),
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
