//! The passes over a pair whose elements `f32` holds: every type of 16 bits or fewer, and F32.

use super::{
    brackets::{Brackets, Inside, Sample},
    codes::CODES,
    cross::{Cross, Ranked},
    kernels::{CentredKernel, FirstKernel, SecondKernel, count_classes},
    pass::{StreamError, Streams, totals},
    scratch::Scratch,
    source::Source,
};
use crate::metric::{pair::About, simd::Path, sums::BLOCK};

/// Elements whose figures are summed together: as stored, those of both sides fit a first-level cache.
const STRETCH: usize = 4 * BLOCK;

/// Magnitudes whose quantiles are asked for: those of a−b, of a, of b.
pub(super) const MAGNITUDES: usize = 3;

/// Figures of blocks, in their order.
type Blocks<const N: usize> = Vec<[f64; N]>;

/// A pair that is read pass by pass.
pub(super) struct Narrow<'s, A, B> {
    pub(super) path: Path,
    pub(super) streams: Streams<'s, A, B>,
    sample: Sample,
}

/// What the first pass finds.
pub(super) struct First {
    /// Figures of the stretches of each side; empty where elements are codes.
    pub(super) sides: [Vec<[f64; 6]>; 2],
    /// Figures of the pairs of stretches.
    pub(super) pairs: Vec<[f64; 8]>,
    /// How many elements of each side have each code, or each upper half of a key; none of b's where ranks will be crossed.
    pub(super) classes: [Vec<u64>; 2],
    /// Sampled magnitudes by their leading bits.
    pub(super) samples: [Vec<u64>; MAGNITUDES],
}

/// What is asked of the second pass.
pub(super) struct Wanted<'w> {
    /// The ranks of a's codes.
    pub(super) ranked: Option<&'w Ranked>,
    pub(super) brackets: [Option<&'w Brackets>; MAGNITUDES],
    /// Where the moments of a side are summed about.
    pub(super) centres: [f64; 2],
}

/// What the second pass finds.
pub(super) struct Second {
    pub(super) crosses: Vec<Cross>,
    pub(super) inside: [Vec<Inside>; MAGNITUDES],
    /// Σ(x−c) and Σ(x−c)² of the blocks of each side whose elements are not codes.
    pub(super) sides: [Vec<[f64; 2]>; 2],
}

/// What a stripe of the first pass holds.
pub(super) struct FirstStripe {
    pub(super) sides: [Vec<[f64; 6]>; 2],
    pub(super) pairs: Vec<[f64; 8]>,
    pub(super) classes: [Scratch<u32>; 2],
    pub(super) samples: [Scratch<u32>; MAGNITUDES],
    pub(super) widened: [Vec<f32>; 2],
}

/// What a stripe of the second pass holds.
pub(super) struct SecondStripe {
    pub(super) cross: Option<Cross>,
    pub(super) inside: [Inside; MAGNITUDES],
    pub(super) sides: [Vec<[f64; 2]>; 2],
    pub(super) widened: [Vec<f32>; 2],
}

impl<'s, A: Source, B: Source> Narrow<'s, A, B> {
    pub(super) fn new(path: Path, streams: Streams<'s, A, B>, counted: u64) -> Self {
        let sample = Sample::of(streams.numel, counted);
        Self { path, streams, sample }
    }

    pub(super) fn sample(&self) -> Sample {
        self.sample
    }

    /// Whether both sides' elements are codes.
    pub(super) fn is_crossed(&self) -> bool {
        self.streams.columns.iter().all(|column| column.codes().is_some())
    }

    /// Sums that need no mean, counts, and a sample of the magnitudes.
    pub(super) fn first(&self) -> Result<First, StreamError<A::Error, B::Error>> {
        let is_codes = self.streams.columns.each_ref().map(|column| column.codes().is_some());
        let start = || FirstStripe {
            sides: [Vec::new(), Vec::new()],
            pairs: Vec::new(),
            classes: [CODES, if self.is_crossed() { 0 } else { CODES }].map(Scratch::zeros),
            samples: [true, !is_codes[0], !is_codes[1]].map(Sample::counts),
            widened: [Vec::new(), Vec::new()],
        };
        let counted: &[usize] = if self.is_crossed() { &[0] } else { &[0, 1] };
        let stripes = self.streams.pass(start, |stripe, from, stored| {
            let columns = &self.streams.columns;
            let stretches = columns.each_ref().map(|column| column.width() * STRETCH);
            for (index, (a, b)) in stored[0].chunks(stretches[0]).zip(stored[1].chunks(stretches[1])).enumerate() {
                let from = from + (index * STRETCH) as u64;
                for &side in counted {
                    // Not compiled for AVX-512, whose gathers are slower than loads.
                    count_classes(&columns[side], [a, b][side], &mut stripe.classes[side]);
                }
                self.path.kernel(FirstKernel { columns, sample: self.sample, from, stored: [a, b], stripe });
            }
        })?;
        Ok(First {
            sides: [0, 1].map(|side: usize| stripes.iter().flat_map(|stripe| &stripe.sides[side]).copied().collect()),
            pairs: stripes.iter().flat_map(|stripe| &stripe.pairs).copied().collect(),
            classes: [0, 1].map(|side: usize| totals(stripes.iter().map(|stripe| &stripe.classes[side]))),
            samples: [0, 1, 2].map(|of: usize| totals(stripes.iter().map(|stripe| &stripe.samples[of]))),
        })
    }

    /// How many elements of b have each code, for a pair that has no ranks to cross.
    pub(super) fn count_b(&self) -> Result<Vec<u64>, StreamError<A::Error, B::Error>> {
        let stripes = self
            .streams
            .pass(|| Scratch::zeros(CODES), |classes, _, [_, b]| count_classes(&self.streams.columns[1], b, classes))?;
        Ok(totals(&stripes))
    }

    /// Crossed ranks, magnitudes inside brackets, and moments about a centre.
    pub(super) fn second(&self, wanted: &Wanted<'_>) -> Result<Second, StreamError<A::Error, B::Error>> {
        let start = || SecondStripe {
            cross: wanted.ranked.map(|_| Cross::new()),
            inside: wanted.brackets.map(|brackets| Brackets::inside(brackets.is_some())),
            sides: [Vec::new(), Vec::new()],
            widened: [Vec::new(), Vec::new()],
        };
        let stripes = self.streams.pass(start, |stripe, _, stored| {
            let columns = &self.streams.columns;
            let stretches = columns.each_ref().map(|column| column.width() * STRETCH);
            for (a, b) in stored[0].chunks(stretches[0]).zip(stored[1].chunks(stretches[1])) {
                if let (Some(cross), Some(ranked)) = (&mut stripe.cross, wanted.ranked) {
                    cross.add(ranked, columns, [a, b]);
                }
                self.path.kernel(SecondKernel { columns, wanted, stored: [a, b], stripe });
            }
            for inside in &mut stripe.inside {
                Brackets::limit(inside, self.streams.stripes());
            }
        })?;
        let mut second =
            Second { crosses: Vec::new(), inside: [const { Vec::new() }; MAGNITUDES], sides: [Vec::new(), Vec::new()] };
        for stripe in stripes {
            second.crosses.extend(stripe.cross);
            for (all, inside) in second.inside.iter_mut().zip(stripe.inside) {
                all.push(inside);
            }
            for (all, blocks) in second.sides.iter_mut().zip(stripe.sides) {
                all.extend(blocks);
            }
        }
        Ok(second)
    }
}

impl<A: Source, B: Source> Narrow<'_, A, B> {
    /// Sums about the means and over the norms, block by block.
    pub(super) fn centred(&self, about: About) -> Result<Blocks<3>, StreamError<A::Error, B::Error>> {
        let start = || (Vec::new(), [Vec::new(), Vec::new()]);
        let stripes = self.streams.pass(start, |(blocks, widened), _, stored| {
            self.path.kernel(CentredKernel { streams: &self.streams, about, stored, blocks, widened });
        })?;
        Ok(stripes.into_iter().flat_map(|(blocks, _)| blocks).collect())
    }
}
