//! The passes over a pair whose elements `f32` holds: every type of 16 bits or fewer, and F32.

use super::{
    brackets::{Brackets, Inside, Sample},
    codes::CODES,
    column::Column,
    cross::{Cross, Ranked},
    lanes::pair_figures,
    pass::{StreamError, Streams, totals},
    simd::{Kernel, Path},
    source::Source,
};
use crate::metric::{
    moments::FirstPass,
    pair::About,
    sums::{self, BLOCK, BUFFER},
};

/// Elements whose figures are summed together: as stored, those of both sides fit a first-level cache.
const STRETCH: usize = 4 * BLOCK;

/// Magnitudes whose quantiles are asked for: those of a−b, of a, of b.
pub(super) const MAGNITUDES: usize = 3;

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

struct FirstStripe {
    sides: [Vec<[f64; 6]>; 2],
    pairs: Vec<[f64; 8]>,
    classes: [Vec<u32>; 2],
    samples: [Vec<u32>; MAGNITUDES],
    widened: [Vec<f32>; 2],
}

struct SecondStripe {
    cross: Option<Cross>,
    inside: [Inside; MAGNITUDES],
    sides: [Vec<[f64; 2]>; 2],
    widened: [Vec<f32>; 2],
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
            classes: [vec![0; CODES], vec![0; if self.is_crossed() { 0 } else { CODES }]],
            samples: [true, !is_codes[0], !is_codes[1]].map(Sample::counts),
            widened: [Vec::new(), Vec::new()],
        };
        let counted: &[usize] = if self.is_crossed() { &[0] } else { &[0, 1] };
        let stripes = self.streams.pass(start, |stripe, from, stored| {
            let columns = &self.streams.columns;
            let stretches = columns.each_ref().map(|column| column.width() * STRETCH);
            for (index, (a, b)) in stored[0]
                .chunks(stretches[0])
                .zip(stored[1].chunks(stretches[1]))
                .enumerate()
            {
                let from = from + (index * STRETCH) as u64;
                for &side in counted {
                    // Not compiled for AVX-512, whose gathers are slower than loads.
                    count_classes(&columns[side], [a, b][side], &mut stripe.classes[side]);
                }
                self.path.kernel(FirstKernel {
                    columns,
                    sample: self.sample,
                    from,
                    stored: [a, b],
                    stripe,
                });
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
        let stripes = self.streams.pass(
            || vec![0; CODES],
            |classes, _, [_, b]| count_classes(&self.streams.columns[1], b, classes),
        )?;
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
                self.path.kernel(SecondKernel {
                    columns,
                    wanted,
                    stored: [a, b],
                    stripe,
                });
            }
            for inside in &mut stripe.inside {
                Brackets::limit(inside, self.streams.stripes());
            }
        })?;
        let mut second = Second {
            crosses: Vec::new(),
            inside: [const { Vec::new() }; MAGNITUDES],
            sides: [Vec::new(), Vec::new()],
        };
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
    pub(super) fn centred(&self, about: About) -> Result<Vec<[f64; 3]>, StreamError<A::Error, B::Error>> {
        let start = || (Vec::new(), [Vec::new(), Vec::new()]);
        let stripes = self.streams.pass(start, |(blocks, widened), _, stored| {
            self.path.kernel(CentredKernel {
                streams: &self.streams,
                about,
                stored,
                blocks,
                widened,
            });
        })?;
        Ok(stripes.into_iter().flat_map(|(blocks, _)| blocks).collect())
    }
}

/// A piece of the pass over sums about the means.
struct CentredKernel<'k, 's, A, B> {
    streams: &'k Streams<'s, A, B>,
    about: About,
    stored: [&'k [u8]; 2],
    blocks: &'k mut Vec<[f64; 3]>,
    widened: &'k mut [Vec<f32>; 2],
}

impl<A: Source, B: Source> Kernel for CentredKernel<'_, '_, A, B> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let [wide_a, wide_b] = self.widened;
        for (a, b) in self.streams.blocks(self.stored) {
            self.streams.columns[0].narrow(a, wide_a);
            self.streams.columns[1].narrow(b, wide_b);
            let (mut buffer_a, mut buffer_b) = (BUFFER, BUFFER);
            let (a, b) = (widen(wide_a, &mut buffer_a), widen(wide_b, &mut buffer_b));
            self.blocks.push(self.about.figures(a, b));
        }
    }
}

/// The vectorised part of the first pass over one stretch.
struct FirstKernel<'k> {
    columns: &'k [Column; 2],
    sample: Sample,
    from: u64,
    stored: [&'k [u8]; 2],
    stripe: &'k mut FirstStripe,
}

impl Kernel for FirstKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            columns,
            stored,
            stripe,
            ..
        } = self;
        if let [Column::Bf16(_), Column::Bf16(_)] = columns {
            let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
            stripe.pairs.push(pair_figures::<FUSED, _>(a, b, bf16));
            sample_gaps(self.sample, self.from, [a, b], &mut stripe.samples[0], bf16);
            return;
        }
        let FirstStripe {
            sides,
            pairs,
            samples,
            widened,
            ..
        } = stripe;
        let [wide_a, wide_b] = widened;
        columns[0].narrow(stored[0], wide_a);
        columns[1].narrow(stored[1], wide_b);
        pairs.push(pair_figures::<FUSED, _>(wide_a, wide_b, same));
        sample_gaps(self.sample, self.from, [wide_a, wide_b], &mut samples[0], same);
        for (side, wide) in [wide_a, wide_b].into_iter().enumerate() {
            if columns[side].codes().is_some() {
                continue;
            }
            let blocks = wide.chunks(BLOCK).enumerate();
            for (index, block) in blocks {
                let part = self.sample.part(self.from + (index * BLOCK) as u64, block.len());
                Sample::count(&mut samples[1 + side], block[part].iter().map(|x| x.abs()));
                sides[side].push(FirstPass::figures(widen(block, &mut { BUFFER })));
            }
        }
    }
}

/// The vectorised part of the second pass over one stretch.
struct SecondKernel<'k> {
    columns: &'k [Column; 2],
    wanted: &'k Wanted<'k>,
    stored: [&'k [u8]; 2],
    stripe: &'k mut SecondStripe,
}

impl Kernel for SecondKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            columns,
            wanted,
            stored,
            stripe,
        } = self;
        if let [Column::Bf16(_), Column::Bf16(_)] = columns {
            let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
            gather_gaps(wanted.brackets[0], [a, b], &mut stripe.inside[0], bf16);
            return;
        }
        let SecondStripe {
            inside, sides, widened, ..
        } = stripe;
        let [wide_a, wide_b] = widened;
        columns[0].narrow(stored[0], wide_a);
        columns[1].narrow(stored[1], wide_b);
        gather_gaps(wanted.brackets[0], [wide_a, wide_b], &mut inside[0], same);
        for (side, wide) in [wide_a, wide_b].into_iter().enumerate() {
            if columns[side].codes().is_some() {
                continue;
            }
            for block in wide.chunks(BLOCK) {
                if let Some(brackets) = wanted.brackets[1 + side] {
                    let mut magnitudes = [0.0; BLOCK];
                    for (magnitude, x) in magnitudes.iter_mut().zip(block) {
                        *magnitude = x.abs();
                    }
                    let magnitudes = &magnitudes[..block.len()];
                    brackets.gather(&mut inside[1 + side], magnitudes, |at| f64::from(magnitudes[at]));
                }
                let centre = wanted.centres[side];
                let mut buffer = BUFFER;
                let block = widen(block, &mut buffer);
                sides[side].push([
                    sums::sum(block, |x| x - centre),
                    sums::sum(block, |x| (x - centre) * (x - centre)),
                ]);
            }
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn sample_gaps<E: Copy>(sample: Sample, from: u64, [a, b]: [&[E]; 2], counts: &mut [u32], read: impl Fn(E) -> f32) {
    for (index, (a, b)) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate() {
        let part = sample.part(from + (index * BLOCK) as u64, a.len());
        let pairs = a[part.clone()].iter().zip(&b[part]);
        Sample::count(counts, pairs.map(|(&x, &y)| (read(x) - read(y)).abs()));
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn gather_gaps<E: Copy>(
    brackets: Option<&Brackets>,
    [a, b]: [&[E]; 2],
    inside: &mut Inside,
    read: impl Fn(E) -> f32 + Copy,
) {
    let Some(brackets) = brackets else { return };
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let mut gaps = [0.0; BLOCK];
        for (gap, (&x, &y)) in gaps.iter_mut().zip(a.iter().zip(b)) {
            *gap = (read(x) - read(y)).abs();
        }
        let exact = |at: usize| (f64::from(read(a[at])) - f64::from(read(b[at]))).abs();
        brackets.gather(inside, &gaps[..a.len()], exact);
    }
}

/// How many elements have each code, or each upper half of a key.
fn count_classes(column: &Column, stored: &[u8], classes: &mut [u32]) {
    if let Ok(classes) = <&mut [u32; CODES]>::try_from(classes) {
        column.classes(stored, |class| classes[usize::from(class)] += 1);
    }
}

/// The upper half of an `f32`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn bf16(stored: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(stored)) << 16)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn same(value: f32) -> f32 {
    value
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
fn widen<'b>(block: &[f32], buffer: &'b mut [f64; BLOCK]) -> &'b [f64] {
    for (wide, &value) in buffer.iter_mut().zip(block) {
        *wide = f64::from(value);
    }
    &buffer[..block.len().min(BLOCK)]
}
