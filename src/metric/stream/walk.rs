//! A pair walked over pass by pass: the figures of every block, and quantiles settled further each time.

use super::{
    column::Column,
    first::First,
    pass::Streams,
    selector::{Counts, Selector},
    source::Source,
};
use crate::metric::{
    formulas::QUANTILES,
    moments::FirstPass,
    pair_sums::Differences,
    sums::{self, BUFFER},
};

/// A pair, and what of its quantiles is settled: those of |a−b|, and where a side's codes are not counted, of |a| and |b|.
pub(super) struct Walk<'s, S> {
    pub(super) streams: &'s Streams<'s, S>,
    selectors: [Selector; 3],
}

impl<'s, S: Source> Walk<'s, S> {
    pub(super) fn new(streams: &'s Streams<'s, S>) -> Self {
        // What a side of few codes decides alone comes from their counts.
        let of_side =
            |column: &Column| Selector::new(if column.codes().is_some() { &[] } else { &[0.99] }, streams.numel);
        let [a, b] = &streams.columns;
        Self { streams, selectors: [Selector::new(&QUANTILES, streams.numel), of_side(a), of_side(b)] }
    }

    /// The quantiles of |a−b|, and the 99 % quantile of the magnitudes of a side whose codes are not counted; with as many
    /// more passes as they need.
    pub(super) fn quantiles(&mut self) -> Result<[Vec<f64>; 3], S::Error> {
        while self.selectors.iter().any(Selector::is_open) {
            self.later(|_| [])?;
        }
        Ok(self.selectors.each_ref().map(Selector::quantiles))
    }

    /// The first pass: counts, and sums that need no mean.
    pub(super) fn first(&mut self) -> Result<First<Vec<u64>>, S::Error> {
        let columns = &self.streams.columns;
        let stripes = self.pass(
            || First::new([true; 2], [false; 3]),
            #[inline(always)]
            |first, stored, values| {
                for (side, column) in columns.iter().enumerate() {
                    if column.codes().is_none() {
                        first.sides[side].push(FirstPass::figures(values[side]));
                    }
                    first.count(side, column, stored[side]);
                }
                first.pairs.push(Differences::figures(values[0], values[1]));
            },
        )?;
        Ok(First::joined(&stripes.iter().collect::<Vec<_>>()))
    }

    /// A later pass: the figures that `figures` makes of the values of every pair of blocks, in order.
    pub(super) fn later<const N: usize>(
        &mut self,
        figures: impl Fn([&[f64]; 2]) -> [f64; N] + Sync,
    ) -> Result<Vec<[f64; N]>, S::Error> {
        let stripes = self.pass(
            Vec::new,
            #[inline(always)]
            |blocks, _, values| blocks.push(figures(values)),
        )?;
        Ok(stripes.concat())
    }

    /// A pass that visits the stored bytes and the values of every pair of blocks, and settles the quantiles further.
    fn pass<T: Send>(
        &mut self,
        start: impl Fn() -> T + Sync,
        visit: impl Fn(&mut T, [&[u8]; 2], [&[f64]; 2]) + Sync,
    ) -> Result<Vec<T>, S::Error> {
        let (streams, selectors) = (self.streams, &self.selectors);
        let start = || (start(), selectors.each_ref().map(Selector::counts));
        let stripes = streams.pass(start, |(found, counts), _, stored| {
            streams.path.run(
                #[inline(always)]
                || {
                    streams.each_block(
                        stored,
                        #[inline(always)]
                        |stored, values| {
                            visit(found, stored, values);
                            select(selectors, counts, values);
                        },
                    );
                },
            );
        })?;
        for (index, selector) in self.selectors.iter_mut().enumerate() {
            selector.settle(&stripes.iter().map(|(_, counts)| &counts[index]).collect::<Vec<_>>());
        }
        Ok(stripes.into_iter().map(|(found, _)| found).collect())
    }
}

#[inline(always)]
fn select(selectors: &[Selector; 3], [of_gaps, of_a, of_b]: &mut [Counts; 3], [a, b]: [&[f64]; 2]) {
    let mut buffer = BUFFER;
    selectors[0].count(of_gaps, sums::map(a, b, |x, y| (x - y).abs(), &mut buffer));
    selectors[1].count(of_a, sums::map(a, a, |x, _| x.abs(), &mut buffer));
    selectors[2].count(of_b, sums::map(b, b, |y, _| y.abs(), &mut buffer));
}
