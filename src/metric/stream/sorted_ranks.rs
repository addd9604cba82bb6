//! Spearman's ρ of a pair with elements of 32 bits: pairs are sorted by a, which gives each its rank there, then by b.
//!
//! A pair is one integer, the key that is sorted by in its upper half. Where a tensor is too large, one part of it after the other is
//! sorted, and a reading of each side counts what lies between a part's keys. Ranks and their sums are whole numbers.

use std::ops::Range;

use super::{
    codes::CodeRanks,
    counted_ranks::CountedRanks,
    pass::{PIECE, Streams},
    source::Source,
};
use crate::metric::{Undefined, rank::rho};

/// The most pairs that are sorted at once: eight bytes each.
const WHOLE: u64 = 1 << 24;

/// Pairs of a part of more than that: eight bytes each, and eight to count what lies between.
const PART: u64 = 8 << 20;

/// Doubled ranks have 32 bits.
const MOST: u64 = (1 << 31) - 1;

/// From this length on the halves are sorted on two threads.
const WORTH_A_THREAD: usize = 1 << 16;

/// ρ over all elements. `codes` has the ranks of a side whose elements are codes; `at_once` is how many pairs make a part, if not
/// as many as there is room for.
pub(super) fn sorted_spearman<S: Source>(
    streams: &Streams<'_, S>,
    codes: [Option<&CodeRanks>; 2],
    at_once: Option<u64>,
) -> Result<Result<f64, Undefined>, S::Error> {
    let numel = streams.numel;
    if numel > MOST {
        let reason = format!("more than {MOST} elements of 32 bits to rank");
        return Ok(Err(Undefined::NotComparable(reason)));
    }
    let is_whole = at_once.is_none() && numel <= WHOLE;
    let pieces = numel.div_ceil(PIECE);
    let per_part = if is_whole { pieces } else { at_once.unwrap_or(PART).div_ceil(PIECE) };
    let (mut squares, mut products) = ([0, 0], 0);
    for first in (0..pieces).step_by(usize::try_from(per_part.max(1)).unwrap_or(usize::MAX)) {
        let mut pairs = collect(streams, first..pieces.min(first + per_part), codes)?;
        for side in 0..2 {
            sort(&mut pairs, rayon::current_num_threads());
            let mut ranks = match codes[side] {
                Some(_) => Ranks::Keys,
                None if is_whole => Ranks::Places { smaller: 0 },
                None => Ranks::Counted(CountedRanks::of(streams, side, &pairs)?),
            };
            for tied in pairs.chunk_by_mut(|left, right| left >> 32 == right >> 32) {
                let rank = ranks.next(tied);
                squares[side] += tied.len() as u128 * (u128::from(rank) * u128::from(rank));
                if side == 0 {
                    for pair in tied {
                        *pair = *pair << 32 | rank;
                    }
                } else {
                    let of_a: u64 = tied.iter().map(|&pair| pair & u64::from(u32::MAX)).sum();
                    products += u128::from(of_a) * u128::from(rank);
                }
            }
        }
    }
    // Doubled midranks have the mean n + 1; the sums stay below 2^96.
    let means = u128::from(numel) * u128::from(numel + 1).pow(2);
    let centred = |sum: u128| (sum.cast_signed() - means.cast_signed()) as f64;
    Ok(rho(centred(products), squares.map(centred)))
}

/// The pairs of some pieces, by a.
fn collect<S: Source>(
    streams: &Streams<'_, S>,
    pieces: Range<u64>,
    codes: [Option<&CodeRanks>; 2],
) -> Result<Vec<u64>, S::Error> {
    let room = usize::try_from((pieces.end - pieces.start) * PIECE).unwrap_or(0);
    let start = || (Vec::new(), [Vec::new(), Vec::new()]);
    let step = |(pairs, keys): &mut (Vec<u64>, [Vec<u32>; 2]), _, stored: [&[u8]; 2]| {
        for (side, keys) in keys.iter_mut().enumerate() {
            keys.clear();
            let column = &streams.columns[side];
            match codes[side] {
                // Ranks are as good as keys.
                Some(ranks) => column.classes(stored[side], |code| {
                    keys.push(u32::try_from(ranks.doubled[usize::from(code)]).unwrap_or(u32::MAX));
                }),
                None => column.keys(stored[side], |key| keys.push(key)),
            }
        }
        let [a, b] = &*keys;
        pairs.extend(a.iter().zip(b).map(|(&a, &b)| u64::from(a) << 32 | u64::from(b)));
    };
    let mut pairs: Vec<u64> = Vec::with_capacity(room);
    for (part, _) in streams.pass_over(pieces, start, step)? {
        pairs.extend(part);
    }
    Ok(pairs)
}

/// Sorts on some threads: halves that are apart, each on its own.
fn sort(pairs: &mut [u64], threads: usize) {
    if threads < 2 || pairs.len() < WORTH_A_THREAD {
        pairs.sort_unstable();
        return;
    }
    let middle = pairs.len() / 2;
    let (low, _, high) = pairs.select_nth_unstable(middle);
    rayon::join(|| sort(low, threads / 2), || sort(high, threads / 2));
}

/// Doubled midranks of pairs that tie, of one tie after the other.
enum Ranks {
    /// The pairs are all there are.
    Places { smaller: u64 },
    /// They are sorted by their ranks.
    Keys,
    /// The pairs are a part.
    Counted(CountedRanks),
}

impl Ranks {
    fn next(&mut self, tied: &[u64]) -> u64 {
        match self {
            Self::Places { smaller } => {
                let count = tied.len() as u64;
                *smaller += count;
                2 * (*smaller - count) + count + 1
            }
            Self::Keys => tied[0] >> 32,
            Self::Counted(ranks) => ranks.next(tied.len()),
        }
    }
}
