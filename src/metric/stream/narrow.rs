//! The passes over a pair whose elements `f32` holds: every type of 16 bits or fewer, and F32.

use super::{
    brackets::Brackets,
    column::CODES,
    cross::Cross,
    first::First,
    kernels::{self, FirstKernel, FirstStripe, SecondStripe, Wanted},
    pass::{Streams, totals},
    scratch::Scratch,
    source::Source,
};
use crate::metric::{pair_sums::About, sums::BLOCK};

/// Elements whose figures are summed together: as stored, those of both sides fit a first-level cache.
const STRETCH: usize = 4 * BLOCK;

impl<S: Source> Streams<'_, S> {
    /// Sums that need no mean, counts, and a sample of the magnitudes or all. The codes of b are not counted
    /// where those of a are: that is left to the pass that crosses their ranks.
    pub(super) fn first(&self, is_all: bool) -> Result<First<Vec<u64>>, S::Error> {
        let columns = &self.columns;
        let is_codes = columns.each_ref().map(|column| column.codes().is_some());
        let is_counted = [true, !self.are_codes()];
        let start = || FirstStripe {
            first: First::new(is_counted, [true, !is_codes[0], !is_codes[1]]),
            widened: [Vec::new(), Vec::new()],
        };
        let stripes = self.pass(start, |stripe, from, stored| {
            for (index, stored) in self.parts(STRETCH, stored).enumerate() {
                let from = from + (index * STRETCH) as u64;
                for side in (0..2).filter(|&side| is_counted[side]) {
                    // Not compiled for AVX-512, whose gathers are slower than loads.
                    stripe.first.count(side, &columns[side], stored[side]);
                }
                self.path.kernel(FirstKernel { columns, is_all, from, stored, stripe });
            }
        })?;
        Ok(First::joined(&stripes.iter().map(|stripe| &stripe.first).collect::<Vec<_>>()))
    }

    /// How many elements of b have each code, for a pair that has no ranks to cross.
    pub(super) fn count_b(&self) -> Result<Vec<u64>, S::Error> {
        let column = &self.columns[1];
        let stripes = self.pass(|| Scratch::zeros(CODES), |counts, _, [_, b]| column.count(b, counts))?;
        Ok(totals(&stripes))
    }

    /// Crossed ranks, magnitudes inside brackets, and moments about a centre.
    pub(super) fn second(&self, wanted: &Wanted<'_>) -> Result<Vec<SecondStripe>, S::Error> {
        let columns = &self.columns;
        let start = || SecondStripe {
            cross: wanted.ranked.map(|_| Cross::new()),
            inside: wanted.brackets.map(|brackets| Brackets::inside(brackets.is_some())),
            sides: [Vec::new(), Vec::new()],
            widened: [Vec::new(), Vec::new()],
        };
        self.pass(start, |stripe, _, stored| {
            for stored in self.parts(STRETCH, stored) {
                if let (Some(cross), Some(ranked)) = (&mut stripe.cross, wanted.ranked) {
                    cross.add(ranked, columns, stored);
                }
                self.path.run(
                    #[inline(always)]
                    || kernels::second(columns, wanted, stored, stripe),
                );
            }
            for inside in &mut stripe.inside {
                Brackets::limit(inside, self.stripes());
            }
        })
    }

    /// Sums about the means and over the norms, block by block.
    pub(super) fn centred(&self, about: About) -> Result<Vec<[f64; 3]>, S::Error> {
        let stripes = self.pass(Vec::new, |blocks, _, stored| {
            self.path.run(
                #[inline(always)]
                || {
                    self.each_block(
                        stored,
                        #[inline(always)]
                        |_, [a, b]| blocks.push(about.figures(a, b)),
                    );
                },
            );
        })?;
        Ok(stripes.concat())
    }
}
