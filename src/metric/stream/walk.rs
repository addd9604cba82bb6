//! A pair walked over pass by pass: the figures of every block, and quantiles settled further each time.

use super::{
    codes::{CODES, CodeRanks},
    column::Column,
    kernels::count_classes,
    pass::{StreamError, Streams, totals},
    selector::{Counts, Selector},
    source::Source,
};
use crate::metric::{
    moments::FirstPass,
    pair::{Differences, QUANTILES},
    simd::Path,
    sums::{self, BUFFER},
};

/// A pair, and what of its quantiles is settled: those of |a−b|, and where a side's codes are not counted, of |a| and |b|.
pub(super) struct Walk<'s, A, B> {
    path: Path,
    pub(super) streams: Streams<'s, A, B>,
    selectors: [Selector; 3],
}

/// What the first pass finds.
pub(super) struct First {
    /// Figures of the blocks of each side; empty where codes are counted.
    pub(super) sides: [Vec<[f64; 6]>; 2],
    /// Figures of the pairs of blocks.
    pub(super) pairs: Vec<[f64; 8]>,
    /// How many elements of each side have each code, or each upper half of a key.
    pub(super) classes: [Vec<u64>; 2],
}

/// Figures of blocks, in their order.
type Blocks<const N: usize> = Vec<[f64; N]>;

/// The counts that [`Selector`]s make of one stripe.
type Selected = [Counts; 3];

/// What a stripe of the first pass holds.
struct FirstStripe {
    sides: [Vec<[f64; 6]>; 2],
    pairs: Vec<[f64; 8]>,
    classes: [Vec<u32>; 2],
    selected: Selected,
}

impl<'s, A: Source, B: Source> Walk<'s, A, B> {
    pub(super) fn new(path: Path, streams: Streams<'s, A, B>) -> Self {
        // What a side of few codes decides alone comes from their counts.
        let of_side =
            |column: &Column| Selector::new(if column.codes().is_some() { &[] } else { &[0.99] }, streams.numel);
        let selectors =
            [Selector::new(&QUANTILES, streams.numel), of_side(&streams.columns[0]), of_side(&streams.columns[1])];
        Self { path, streams, selectors }
    }

    /// Whether quantiles need another pass.
    pub(super) fn is_open(&self) -> bool {
        self.selectors.iter().any(Selector::is_open)
    }

    /// The quantiles of |a−b|.
    pub(super) fn quantiles(&self) -> Vec<f64> {
        self.selectors[0].quantiles()
    }

    /// The 99 % quantile of the magnitudes of a side whose codes are not counted.
    pub(super) fn abs_q99(&self, side: usize) -> Option<f64> {
        self.selectors[1 + side].quantiles().first().copied()
    }

    /// The first pass: counts, and sums that need no mean.
    pub(super) fn first(&mut self) -> Result<First, StreamError<A::Error, B::Error>> {
        let (streams, selectors, path) = (&self.streams, &self.selectors, self.path);
        let start = || FirstStripe {
            sides: [Vec::new(), Vec::new()],
            pairs: Vec::new(),
            classes: [vec![0; CODES], vec![0; CODES]],
            selected: selectors.each_ref().map(Selector::counts),
        };
        let stripes = streams.pass(start, |stripe, _, stored| {
            path.run(
                #[inline(always)]
                || {
                    each_block(
                        streams,
                        stored,
                        #[inline(always)]
                        |stored, [a, b]| {
                            for (side, values) in [a, b].into_iter().enumerate() {
                                let column = &streams.columns[side];
                                if column.codes().is_none() {
                                    stripe.sides[side].push(FirstPass::figures(values));
                                }
                                count_classes(column, stored[side], &mut stripe.classes[side]);
                            }
                            stripe.pairs.push(Differences::figures(a, b));
                            select(selectors, &mut stripe.selected, a, b);
                        },
                    );
                },
            );
        })?;
        let selected: Vec<&Selected> = stripes.iter().map(|stripe| &stripe.selected).collect();
        settle(&mut self.selectors, &selected);
        let side = |side: usize| stripes.iter().flat_map(|stripe| &stripe.sides[side]).copied().collect();
        Ok(First {
            sides: [side(0), side(1)],
            pairs: stripes.iter().flat_map(|stripe| &stripe.pairs).copied().collect(),
            classes: [0, 1].map(|side| totals(stripes.iter().map(|stripe| &stripe.classes[side]))),
        })
    }

    /// A later pass: the figures that `figures` makes of the stored bytes and the values of every pair of blocks.
    pub(super) fn later<const N: usize>(
        &mut self,
        figures: impl Fn(&[Column; 2], [&[u8]; 2], [&[f64]; 2]) -> [f64; N] + Sync,
    ) -> Result<Blocks<N>, StreamError<A::Error, B::Error>> {
        let (streams, selectors, path) = (&self.streams, &self.selectors, self.path);
        let start = || (Vec::new(), selectors.each_ref().map(Selector::counts));
        let stripes = streams.pass(start, |(blocks, selected), _, stored| {
            path.run(
                #[inline(always)]
                || {
                    each_block(
                        streams,
                        stored,
                        #[inline(always)]
                        |stored, [a, b]| {
                            blocks.push(figures(&streams.columns, stored, [a, b]));
                            select(selectors, selected, a, b);
                        },
                    );
                },
            );
        })?;
        let selected: Vec<&Selected> = stripes.iter().map(|(_, selected)| selected).collect();
        settle(&mut self.selectors, &selected);
        Ok(stripes.into_iter().flat_map(|(blocks, _)| blocks).collect())
    }
}

/// Visits the stored bytes and the values of every pair of blocks of a piece.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn each_block<A: Source, B: Source>(
    streams: &Streams<'_, A, B>,
    stored: [&[u8]; 2],
    mut visit: impl FnMut([&[u8]; 2], [&[f64]; 2]),
) {
    let (mut buffer_a, mut buffer_b) = (BUFFER, BUFFER);
    let [column_a, column_b] = &streams.columns;
    for (stored_a, stored_b) in streams.blocks(stored) {
        let a = column_a.widen(stored_a, &mut buffer_a);
        let b = column_b.widen(stored_b, &mut buffer_b);
        visit([stored_a, stored_b], [a, b]);
    }
}

fn settle(selectors: &mut [Selector; 3], stripes: &[&Selected]) {
    for (index, selector) in selectors.iter_mut().enumerate() {
        let counts: Vec<&Counts> = stripes.iter().map(|selected| &selected[index]).collect();
        selector.settle(&counts);
    }
}

/// Σ of the products of the centred ranks of one block of pairs.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
pub(super) fn code_rank_products(columns: &[Column; 2], stored: [&[u8]; 2], ranks: [&CodeRanks; 2]) -> f64 {
    let mut buffers = [BUFFER, BUFFER];
    let mut held = 0;
    for (side, buffer) in buffers.iter_mut().enumerate() {
        let Ok(centred) = <&[f64; CODES]>::try_from(ranks[side].centred.as_slice()) else {
            return 0.0;
        };
        let mut slots = buffer.iter_mut();
        columns[side].classes(stored[side], |code| {
            if let Some(slot) = slots.next() {
                *slot = centred[usize::from(code)];
            }
        });
        held = sums::BLOCK - slots.len();
    }
    let [a, b] = &buffers;
    sums::pair_sum(&a[..held], &b[..held], |x, y| x * y)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn select(selectors: &[Selector; 3], selected: &mut Selected, a: &[f64], b: &[f64]) {
    let [of_gaps, of_a, of_b] = selected;
    let mut buffer = BUFFER;
    selectors[0].count(of_gaps, sums::map(a, b, |x, y| (x - y).abs(), &mut buffer));
    selectors[1].count(of_a, sums::map(a, a, |x, _| x.abs(), &mut buffer));
    selectors[2].count(of_b, sums::map(b, b, |y, _| y.abs(), &mut buffer));
}
