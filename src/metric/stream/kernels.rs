//! What the passes over a narrow pair do with a stretch of it, compiled for each instruction set.

use super::{
    brackets::{Brackets, Inside, Sample},
    codes::CODES,
    column::Column,
    lanes::pair_figures,
    narrow::{FirstStripe, SecondStripe, Wanted},
    pass::Streams,
    source::Source,
};
use crate::metric::{
    moments::FirstPass,
    pair::About,
    simd::Kernel,
    sums::{self, BLOCK, BUFFER},
};

/// A piece of the pass over sums about the means.
pub(super) struct CentredKernel<'k, 's, A, B> {
    pub(super) streams: &'k Streams<'s, A, B>,
    pub(super) about: About,
    pub(super) stored: [&'k [u8]; 2],
    pub(super) blocks: &'k mut Vec<[f64; 3]>,
    pub(super) widened: &'k mut [Vec<f32>; 2],
}

impl<A: Source, B: Source> Kernel for CentredKernel<'_, '_, A, B> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
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
pub(super) struct FirstKernel<'k> {
    pub(super) columns: &'k [Column; 2],
    pub(super) sample: Sample,
    pub(super) from: u64,
    pub(super) stored: [&'k [u8]; 2],
    pub(super) stripe: &'k mut FirstStripe,
}

impl Kernel for FirstKernel<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn run<const FUSED: bool>(self) {
        let Self { columns, stored, stripe, .. } = self;
        if let [Column::Bf16(_), Column::Bf16(_)] = columns {
            let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
            stripe.pairs.push(pair_figures::<FUSED, _>(a, b, bf16));
            sample_gaps(self.sample, self.from, [a, b], &mut stripe.samples[0], bf16);
            return;
        }
        let FirstStripe { sides, pairs, samples, widened, .. } = stripe;
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
pub(super) struct SecondKernel<'k> {
    pub(super) columns: &'k [Column; 2],
    pub(super) wanted: &'k Wanted<'k>,
    pub(super) stored: [&'k [u8]; 2],
    pub(super) stripe: &'k mut SecondStripe,
}

impl Kernel for SecondKernel<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled anew for each instruction set")]
    fn run<const FUSED: bool>(self) {
        let Self { columns, wanted, stored, stripe } = self;
        if let [Column::Bf16(_), Column::Bf16(_)] = columns {
            let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
            gather_gaps(wanted.brackets[0], [a, b], &mut stripe.inside[0], bf16);
            return;
        }
        let SecondStripe { inside, sides, widened, .. } = stripe;
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
                sides[side].push([sums::sum(block, |x| x - centre), sums::sum(block, |x| (x - centre) * (x - centre))]);
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
pub(super) fn count_classes(column: &Column, stored: &[u8], classes: &mut [u32]) {
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
