//! What the passes over a narrow pair do with a stretch of it, compiled for each instruction set.

use super::{
    brackets::{Brackets, Inside, MAGNITUDES, count, sampled},
    column::Column,
    cross::{Cross, Ranked},
    first::First,
    lanes::pair_figures,
    scratch::Scratch,
};
use crate::metric::{
    moments::FirstPass,
    simd::Kernel,
    sums::{self, BLOCK, BUFFER},
};

/// What a stripe of the first pass holds.
pub(super) struct FirstStripe {
    pub(super) first: First<Scratch<u32>>,
    pub(super) widened: [Vec<f32>; 2],
}

/// What is asked of the second pass.
pub(super) struct Wanted<'w> {
    /// The ranks of a's codes.
    pub(super) ranked: Option<&'w Ranked>,
    pub(super) brackets: [Option<&'w Brackets>; MAGNITUDES],
    /// Where the moments of a side are summed about.
    pub(super) centres: [f64; 2],
}

/// What a stripe of the second pass holds.
pub(super) struct SecondStripe {
    pub(super) cross: Option<Cross>,
    pub(super) inside: [Inside; MAGNITUDES],
    /// Σ(x−c) and Σ(x−c)² of the blocks of each side whose elements are not codes.
    pub(super) sides: [Vec<[f64; 2]>; 2],
    pub(super) widened: [Vec<f32>; 2],
}

/// The vectorised part of the first pass over one stretch.
pub(super) struct FirstKernel<'k> {
    pub(super) columns: &'k [Column; 2],
    /// Whether all magnitudes are counted, or a sample.
    pub(super) is_all: bool,
    pub(super) from: u64,
    pub(super) stored: [&'k [u8]; 2],
    pub(super) stripe: &'k mut FirstStripe,
}

impl Kernel for FirstKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self { columns, stored, stripe: FirstStripe { first, widened }, .. } = self;
        let First { sides, pairs, samples, .. } = first;
        if let [Column::Bf16(_), Column::Bf16(_)] = columns {
            let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
            pairs.push(pair_figures::<FUSED, _>(a, b, bf16));
            sample_gaps(self.is_all, self.from, [a, b], &mut samples[0], bf16);
            return;
        }
        let [a, b] = narrow(columns, stored, widened);
        pairs.push(pair_figures::<FUSED, _>(a, b, same));
        sample_gaps(self.is_all, self.from, [a, b], &mut samples[0], same);
        for (side, narrow) in [a, b].into_iter().enumerate() {
            if columns[side].codes().is_some() {
                continue;
            }
            for (index, block) in narrow.chunks(BLOCK).enumerate() {
                let part = sampled(self.is_all, self.from + (index * BLOCK) as u64, block.len());
                count(&mut samples[1 + side], block[part].iter().map(|x| x.abs()));
                sides[side].push(FirstPass::figures(widen(block, &mut { BUFFER })));
            }
        }
    }
}

/// The vectorised part of the second pass over one stretch.
#[inline(always)]
pub(super) fn second(columns: &[Column; 2], wanted: &Wanted<'_>, stored: [&[u8]; 2], stripe: &mut SecondStripe) {
    let SecondStripe { inside, sides, widened, .. } = stripe;
    if let [Column::Bf16(_), Column::Bf16(_)] = columns {
        let [a, b] = stored.map(|stored| stored.as_chunks::<2>().0);
        gather_gaps(wanted.brackets[0], [a, b], &mut inside[0], bf16);
        return;
    }
    let [a, b] = narrow(columns, stored, widened);
    gather_gaps(wanted.brackets[0], [a, b], &mut inside[0], same);
    for (side, narrow) in [a, b].into_iter().enumerate() {
        if columns[side].codes().is_some() {
            continue;
        }
        for block in narrow.chunks(BLOCK) {
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

/// Both sides as `f32`, in place of what `into` holds.
#[inline(always)]
fn narrow<'w>(columns: &[Column; 2], stored: [&[u8]; 2], [a, b]: &'w mut [Vec<f32>; 2]) -> [&'w [f32]; 2] {
    columns[0].narrow(stored[0], a);
    columns[1].narrow(stored[1], b);
    [a, b]
}

#[inline(always)]
fn sample_gaps<E: Copy>(is_all: bool, from: u64, [a, b]: [&[E]; 2], counts: &mut [u32], read: impl Fn(E) -> f32) {
    for (index, (a, b)) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate() {
        let part = sampled(is_all, from + (index * BLOCK) as u64, a.len());
        let pairs = a[part.clone()].iter().zip(&b[part]);
        count(counts, pairs.map(|(&x, &y)| (read(x) - read(y)).abs()));
    }
}

#[inline(always)]
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

/// The upper half of an `f32`.
#[inline(always)]
fn bf16(stored: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(stored)) << 16)
}

#[inline(always)]
fn same(value: f32) -> f32 {
    value
}

#[inline(always)]
fn widen<'b>(block: &[f32], buffer: &'b mut [f64; BLOCK]) -> &'b [f64] {
    for (wide, &value) in buffer.iter_mut().zip(block) {
        *wide = f64::from(value);
    }
    &buffer[..block.len().min(BLOCK)]
}
