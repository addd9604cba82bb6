//! Spearman's ρ of a pair with elements of 32 bits: pairs are sorted by a, which gives each its rank there, then by b.
//!
//! A pair is one integer, the key that is sorted by in its upper half. Where a tensor is too large, pairs are laid out on disk by
//! ranges of their keys, and each range is sorted on its own. Ranks and their sums are whole numbers.

use std::{io, ops::Range};

use super::{
    buckets::Bucket,
    codes::CodeRanks,
    pass::{PIECE, Streams},
    source::Source,
};
use crate::metric::{Undefined, rank::rho};

/// The most pairs that are sorted at once: eight bytes each.
const WHOLE: u64 = 1 << 24;

/// Pairs of a part of more than that: eight bytes each, and as many when they are read back.
const PART: u64 = 8 << 20;

/// Pieces at most that are looked at to see how keys are spread, and one in how many pairs of each.
const SAMPLED: u64 = 64;
const ONE_IN: usize = 16;

/// Doubled ranks have 32 bits.
const MOST: u64 = (1 << 31) - 1;

/// From this length on the halves are sorted on two threads.
const WORTH_A_THREAD: usize = 1 << 16;

/// ρ over all elements. `codes` has the ranks of a side whose elements are codes; `at_once` is how many pairs are sorted in memory,
/// if not as many as there is room for.
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
    let by_rank = codes.map(|codes| codes.is_some());
    if at_once.is_none() && numel <= WHOLE {
        let mut pairs = collect(streams, 0..numel.div_ceil(PIECE), codes)?;
        return Ok(in_memory(&mut pairs, by_rank).rho(numel));
    }
    Ok(match on_disk(streams, codes, at_once.unwrap_or(PART))? {
        Ok(sums) => sums.rho(numel),
        Err(error) => Err(Undefined::NotComparable(format!(
            "the ranks of {numel} elements need {} MB of temporary files: {error}",
            numel * 16 / 1_000_000
        ))),
    })
}

/// Sums of doubled midranks: whole numbers below 2^96.
#[derive(Default)]
struct Sums {
    squares: [u128; 2],
    products: u128,
}

impl Sums {
    /// Adds sorted pairs to the sums of a side, tie by tie, each with the rank that it is given.
    fn add_ties(&mut self, side: usize, pairs: &mut [u64], rank_of: &mut dyn FnMut(&[u64]) -> u64) {
        for tied in pairs.chunk_by_mut(|left, right| left >> 32 == right >> 32) {
            let rank = rank_of(tied);
            self.add(side, tied, rank);
        }
    }

    /// Adds pairs that tie on `side`, where their rank is `rank`. Those of a then hold that rank for what goes by b, which has the
    /// rank in a in its lower half.
    fn add(&mut self, side: usize, tied: &mut [u64], rank: u64) {
        self.squares[side] += tied.len() as u128 * (u128::from(rank) * u128::from(rank));
        if side == 0 {
            for pair in tied {
                *pair = *pair << 32 | rank;
            }
        } else {
            let of_a: u64 = tied.iter().map(|&pair| pair & u64::from(u32::MAX)).sum();
            self.products += u128::from(of_a) * u128::from(rank);
        }
    }

    fn rho(&self, numel: u64) -> Result<f64, Undefined> {
        // Doubled midranks have the mean n + 1.
        let means = u128::from(numel) * u128::from(numel + 1).pow(2);
        let centred = |sum: u128| (sum.cast_signed() - means.cast_signed()) as f64;
        rho(centred(self.products), self.squares.map(centred))
    }
}

/// Doubled midranks of pairs that tie, of one tie after the other.
struct Ranks {
    /// Whether keys are ranks.
    by_rank: bool,
    smaller: u64,
}

impl Ranks {
    /// Of the next pairs that tie: `count` in all, with this key.
    fn next(&mut self, key: u64, count: u64) -> u64 {
        self.smaller += count;
        if self.by_rank { key } else { 2 * (self.smaller - count) + count + 1 }
    }
}

fn in_memory(pairs: &mut [u64], by_rank: [bool; 2]) -> Sums {
    let mut sums = Sums::default();
    for (side, by_rank) in by_rank.into_iter().enumerate() {
        let mut ranks = Ranks { by_rank, smaller: 0 };
        sort(pairs, rayon::current_num_threads());
        sums.add_ties(side, pairs, &mut |tied| ranks.next(tied[0] >> 32, tied.len() as u64));
    }
    sums
}

/// As [`in_memory`], but for a sample from one reading: pairs go to disk by ranges of a, from there ranked by a to ranges of b.
/// Each is written and read twice whatever their number.
fn on_disk<S: Source>(
    streams: &Streams<'_, S>,
    codes: [Option<&CodeRanks>; 2],
    at_once: u64,
) -> Result<io::Result<Sums>, S::Error> {
    let pieces = streams.numel.div_ceil(PIECE);
    let every = |step: u64| (0..pieces).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for piece in every(pieces.div_ceil(SAMPLED)) {
        let pairs = collect(streams, piece..piece + 1, codes)?;
        let halves = |pair: &u64| [pair >> 32, pair & u64::from(u32::MAX)];
        for [a, b] in pairs.iter().step_by(ONE_IN).map(halves) {
            of_a.push(a);
            of_b.push(b);
        }
    }
    // Half as many as there is room for, since a sample does not say how many exactly.
    let room = at_once.div_ceil(2);
    let (mut by_a, by_b) = match (Bucket::ranges(of_a, streams.numel, room), Bucket::ranges(of_b, streams.numel, room))
    {
        (Ok(by_a), Ok(by_b)) => (by_a, by_b),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let per_part = at_once.div_ceil(PIECE);
    for first in every(per_part) {
        let mut pairs = collect(streams, first..pieces.min(first + per_part), codes)?;
        sort(&mut pairs, rayon::current_num_threads());
        if let Err(error) = Bucket::add(&mut by_a, &pairs) {
            return Ok(Err(error));
        }
    }
    Ok(ranked(by_a, by_b, codes.map(|codes| codes.is_some()), at_once))
}

/// Ranks the ranges of a, each into the ranges of b, and then those.
fn ranked(by_a: Vec<Bucket>, mut by_b: Vec<Bucket>, by_rank: [bool; 2], at_once: u64) -> io::Result<Sums> {
    let mut sums = Sums::default();
    let mut ranks = Ranks { by_rank: by_rank[0], smaller: 0 };
    for bucket in by_a {
        each_rank(bucket, at_once, &mut ranks, |pairs, rank_of| {
            sums.add_ties(0, pairs, rank_of);
            sort(pairs, rayon::current_num_threads());
            Bucket::add(&mut by_b, pairs)
        })?;
    }
    let mut ranks = Ranks { by_rank: by_rank[1], smaller: 0 };
    for bucket in by_b {
        each_rank(bucket, at_once, &mut ranks, |pairs, rank_of| {
            sums.add_ties(1, pairs, rank_of);
            Ok(())
        })?;
    }
    Ok(sums)
}

/// Hands out the sorted pairs of a range with the rank of each tie: all at once, or in parts where all of them tie.
fn each_rank(
    bucket: Bucket,
    at_once: u64,
    ranks: &mut Ranks,
    mut each: impl FnMut(&mut [u64], &mut dyn FnMut(&[u64]) -> u64) -> io::Result<()>,
) -> io::Result<()> {
    let count = bucket.count;
    if count == 0 {
        return Ok(());
    }
    if bucket.is_tie {
        let mut rank = None;
        return bucket.read(at_once, |pairs| {
            let rank = *rank.get_or_insert_with(|| ranks.next(pairs[0] >> 32, count));
            each(pairs, &mut |_| rank)
        });
    }
    bucket.read(count, |pairs| {
        sort(pairs, rayon::current_num_threads());
        each(pairs, &mut |tied| ranks.next(tied[0] >> 32, tied.len() as u64))
    })
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
