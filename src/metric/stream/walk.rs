//! A pair walked over pass by pass: the figures of every block, and quantiles settled further each time.

use super::{
    codes::CodeRanks,
    column::{CODES, Column},
    first::First,
    pass::Streams,
    scratch::Scratch,
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
pub(super) struct Walk<'s, S> {
    path: Path,
    pub(super) streams: &'s Streams<'s, S>,
    selectors: [Selector; 3],
}

impl<'s, S: Source> Walk<'s, S> {
    pub(super) fn new(path: Path, streams: &'s Streams<'s, S>) -> Self {
        // What a side of few codes decides alone comes from their counts.
        let of_side =
            |column: &Column| Selector::new(if column.codes().is_some() { &[] } else { &[0.99] }, streams.numel);
        let [a, b] = &streams.columns;
        Self { path, streams, selectors: [Selector::new(&QUANTILES, streams.numel), of_side(a), of_side(b)] }
    }

    /// The quantiles of |a−b|, and the 99 % quantile of the magnitudes of a side whose codes are not counted; with as many
    /// more passes as they need.
    pub(super) fn quantiles(&mut self) -> Result<[Vec<f64>; 3], S::Error> {
        while self.selectors.iter().any(Selector::is_open) {
            self.later(|_, _| [])?;
        }
        Ok(self.selectors.each_ref().map(Selector::quantiles))
    }

    /// The first pass: counts, and sums that need no mean.
    pub(super) fn first(&mut self) -> Result<First<Vec<u64>>, S::Error> {
        let (streams, selectors, path) = (self.streams, &self.selectors, self.path);
        let start = || (First::new([true; 2]), selectors.each_ref().map(Selector::counts));
        let stripes = streams.pass(start, |(first, counts): &mut (First<Scratch<u32>>, _), _, stored| {
            path.run(
                #[inline(always)]
                || {
                    streams.each_block(
                        stored,
                        #[inline(always)]
                        |stored, values| {
                            for (side, column) in streams.columns.iter().enumerate() {
                                if column.codes().is_none() {
                                    first.sides[side].push(FirstPass::figures(values[side]));
                                }
                                first.count(side, column, stored[side]);
                            }
                            first.pairs.push(Differences::figures(values[0], values[1]));
                            select(selectors, counts, values);
                        },
                    );
                },
            );
        })?;
        settle(&mut self.selectors, stripes.iter().map(|(_, counts)| counts));
        Ok(First::joined(stripes.iter().map(|(first, _)| first)))
    }

    /// A later pass: the figures that `figures` makes of the stored bytes and the values of every pair of blocks, in order.
    pub(super) fn later<const N: usize>(
        &mut self,
        figures: impl Fn([&[u8]; 2], [&[f64]; 2]) -> [f64; N] + Sync,
    ) -> Result<Vec<[f64; N]>, S::Error> {
        let (streams, selectors, path) = (self.streams, &self.selectors, self.path);
        let start = || (Vec::new(), selectors.each_ref().map(Selector::counts));
        let stripes = streams.pass(start, |(blocks, counts), _, stored| {
            path.run(
                #[inline(always)]
                || {
                    streams.each_block(
                        stored,
                        #[inline(always)]
                        |stored, values| {
                            blocks.push(figures(stored, values));
                            select(selectors, counts, values);
                        },
                    );
                },
            );
        })?;
        settle(&mut self.selectors, stripes.iter().map(|(_, counts)| counts));
        Ok(stripes.into_iter().flat_map(|(blocks, _)| blocks).collect())
    }
}

fn settle<'c>(selectors: &mut [Selector; 3], stripes: impl Iterator<Item = &'c [Counts; 3]> + Clone) {
    for (index, selector) in selectors.iter_mut().enumerate() {
        let counts: Vec<&Counts> = stripes.clone().map(|counts| &counts[index]).collect();
        selector.settle(&counts);
    }
}

/// Σ of the products of the centred ranks of one block of pairs.
#[inline(always)]
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
fn select(selectors: &[Selector; 3], [of_gaps, of_a, of_b]: &mut [Counts; 3], [a, b]: [&[f64]; 2]) {
    let mut buffer = BUFFER;
    selectors[0].count(of_gaps, sums::map(a, b, |x, y| (x - y).abs(), &mut buffer));
    selectors[1].count(of_a, sums::map(a, a, |x, _| x.abs(), &mut buffer));
    selectors[2].count(of_b, sums::map(b, b, |y, _| y.abs(), &mut buffer));
}
