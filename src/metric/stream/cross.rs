//! Spearman's ρ of two sides whose elements are codes, in whole numbers.
//!
//! Once the codes of a are counted, every code of a has its rank. One reading then adds, for each code of b, the ranks of the
//! elements of a that meet it, and counts them on the way: Σ rank(a)·rank(b) follows when all is counted and b's codes have
//! their ranks too. Rank and count share one integer while they have room, so an element costs one look-up and one addition.

use super::{
    codes::CodeRanks,
    column::{CODES, Column},
    pass::totals,
    scratch::Scratch,
};
use crate::metric::{Undefined, rank::rho};

/// Sums of doubled ranks stay inside 64 bits for 2²⁸ elements of a stripe while ranks have 36.
const MOST_ELEMENTS: u64 = 1 << 35;

/// The doubled rank of every code of a, each with a one above the bits that the ranks of a period can reach.
#[derive(Debug)]
pub(super) struct Ranked {
    units: Vec<u64>,
    /// Where the count begins.
    shift: u32,
    /// Elements that may be added before counts and sums are taken apart.
    period: usize,
}

impl Ranked {
    /// For `numel` elements; `None` where there are more than there is room for.
    pub(super) fn new(ranks: &CodeRanks, numel: u64) -> Option<Self> {
        if numel > MOST_ELEMENTS {
            return None;
        }
        let rank_bits = u64::BITS - (2 * numel).leading_zeros();
        let period_bits = (63 - rank_bits) / 2;
        let shift = rank_bits + period_bits;
        let units = ranks.doubled.iter().map(|&rank| 1 << shift | rank).collect();
        Some(Self { units, shift, period: 1 << period_bits })
    }
}

/// What one stripe has added up for every code of b.
#[derive(Debug)]
pub(super) struct Cross {
    packed: Scratch<u64>,
    /// How many elements are in `packed`.
    pending: usize,
    counts: Scratch<u32>,
    sums: Scratch<u64>,
}

impl Cross {
    pub(super) fn new() -> Self {
        Self { packed: Scratch::zeros(CODES), pending: 0, counts: Scratch::zeros(CODES), sums: Scratch::zeros(CODES) }
    }

    /// Adds pairs as they are stored.
    pub(super) fn add(&mut self, ranked: &Ranked, columns: &[Column; 2], [a, b]: [&[u8]; 2]) {
        let [wide_a, wide_b] = columns.each_ref().map(|column| column.width() == 2);
        let (bytes_a, bytes_b) = (a.as_chunks::<1>().0, b.as_chunks::<1>().0);
        let (words_a, words_b) = (a.as_chunks::<2>().0, b.as_chunks::<2>().0);
        match (wide_a, wide_b) {
            (true, true) => self.by_period(ranked, words_a, words_b, add_words),
            (true, false) => self.by_period(ranked, words_a, bytes_b, add_each),
            (false, true) => self.by_period(ranked, bytes_a, words_b, add_each),
            (false, false) => self.by_period(ranked, bytes_a, bytes_b, add_each),
        }
    }

    fn by_period<A, B>(&mut self, ranked: &Ranked, a: &[A], b: &[B], add: impl Fn(&Table, &mut Table, &[A], &[B])) {
        let Ok(units) = <&Table>::try_from(ranked.units.as_slice()) else {
            return;
        };
        for (a, b) in a.chunks(ranked.period).zip(b.chunks(ranked.period)) {
            if self.pending + a.len() > ranked.period {
                self.take_apart(ranked);
            }
            if let Ok(packed) = <&mut Table>::try_from(&mut self.packed[..]) {
                add(units, packed, a, b);
            }
            self.pending += a.len();
        }
    }

    fn take_apart(&mut self, ranked: &Ranked) {
        let (packed, _) = self.packed.as_chunks_mut::<8>();
        let (counts, sums) = (self.counts.as_chunks_mut::<8>().0, self.sums.as_chunks_mut::<8>().0);
        for ((packed, counts), sums) in packed.iter_mut().zip(counts).zip(sums) {
            // Most codes do not occur.
            if packed.iter().fold(0, |any, &one| any | one) == 0 {
                continue;
            }
            for ((packed, count), sum) in packed.iter_mut().zip(counts).zip(sums) {
                *count += u32::try_from(*packed >> ranked.shift).unwrap_or(0);
                *sum += *packed & ((1 << ranked.shift) - 1);
                *packed = 0;
            }
        }
        self.pending = 0;
    }
}

type Table = [u64; CODES];

fn add_words(units: &Table, packed: &mut Table, a: &[[u8; 2]], b: &[[u8; 2]]) {
    let ((fours_a, rest_a), (fours_b, rest_b)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in fours_a.iter().zip(fours_b) {
        // One load for four codes.
        let (a, b) = (codes(a), codes(b));
        let ranks = a.map(|code| units[code]);
        for (code, rank) in b.into_iter().zip(ranks) {
            packed[code] += rank;
        }
    }
    add_each(units, packed, rest_a, rest_b);
}

#[inline(always)]
fn codes(four: &[[u8; 2]; 4]) -> [usize; 4] {
    let word = u64::from_le_bytes(four.as_flattened().try_into().unwrap_or_default());
    [0, 16, 32, 48].map(|shift| usize::try_from((word >> shift) & 0xffff).unwrap_or(0))
}

fn add_each<const A: usize, const B: usize>(units: &Table, packed: &mut Table, a: &[[u8; A]], b: &[[u8; B]]) {
    for (a, b) in a.iter().zip(b) {
        packed[code(b)] += units[code(a)];
    }
}

/// A code of one byte or two.
#[inline(always)]
fn code<const N: usize>(stored: &[u8; N]) -> usize {
    let mut word = [0; 2];
    for (to, &from) in word.iter_mut().zip(stored) {
        *to = from;
    }
    usize::from(u16::from_le_bytes(word))
}

/// How many elements of b have each code, and Σ of the doubled ranks that they meet.
pub(super) fn total(mut stripes: Vec<Cross>, ranked: &Ranked) -> (Vec<u64>, Vec<u128>) {
    for stripe in &mut stripes {
        stripe.take_apart(ranked);
    }
    let mut sums = vec![0_u128; CODES];
    for stripe in &stripes {
        for (total, &sum) in sums.iter_mut().zip(&stripe.sums[..]) {
            *total += u128::from(sum);
        }
    }
    (totals(stripes.iter().map(|stripe| &stripe.counts)), sums)
}

/// Spearman's ρ of `numel` pairs, from Σ of the ranks that each code of b meets; undefined where all elements of a side tie (`Constant`).
pub(super) fn spearman(sums: &[u128], a: &CodeRanks, b: &CodeRanks, numel: u64) -> Result<f64, Undefined> {
    // Doubled midranks have the mean n + 1.
    let products: u128 = sums.iter().zip(&b.doubled).map(|(sum, &rank)| sum * u128::from(rank)).sum();
    let mean = u128::from(numel + 1);
    let centred = |sum: u128| (sum.cast_signed() - (u128::from(numel) * mean * mean).cast_signed()) as f64;
    rho(centred(products), [a, b].map(|ranks| centred(ranks.squares)))
}
