//! Spearman's ρ of a pair that is small enough to be sorted: by a, which gives every pair its rank there, then by b.
//!
//! A pair is one integer, the key that is sorted by in its upper half. Ranks and their sums are whole numbers.

use super::{
    codes::CodeRanks,
    pass::{StreamError, Streams},
    source::Source,
    wide_ranks::RankSums,
};

/// The most pairs that are sorted: eight bytes each.
pub(super) const MOST: u64 = 1 << 24;

/// From this length on the halves are sorted on two threads.
const WORTH_A_THREAD: usize = 1 << 16;

/// The sums over all elements, of which there are at most [`MOST`]. `codes` has the ranks of a side whose elements are codes.
pub(super) fn rank_sums<A: Source, B: Source>(
    streams: &Streams<'_, A, B>,
    codes: [Option<&CodeRanks>; 2],
) -> Result<RankSums, StreamError<A::Error, B::Error>> {
    let start = || (Vec::new(), [Vec::new(), Vec::new()]);
    let parts = streams.pass(start, |(pairs, keys): &mut (Vec<u64>, [Vec<u32>; 2]), _, stored| {
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
    })?;
    let mut pairs: Vec<u64> = Vec::with_capacity(usize::try_from(streams.numel).unwrap_or(0));
    for (part, _) in parts {
        pairs.extend(part);
    }
    sort(&mut pairs, rayon::current_num_threads());
    let mut squares = [0, 0];
    for_ties(&mut pairs, |rank, tied| {
        squares[0] += tied.len() as u128 * (u128::from(rank) * u128::from(rank));
        for pair in tied {
            *pair = *pair << 32 | rank;
        }
    });
    sort(&mut pairs, rayon::current_num_threads());
    let mut products = 0;
    for_ties(&mut pairs, |rank, tied| {
        squares[1] += tied.len() as u128 * (u128::from(rank) * u128::from(rank));
        let ranks: u64 = tied.iter().map(|&pair| pair & u64::from(u32::MAX)).sum();
        products += u128::from(ranks) * u128::from(rank);
    });
    // Doubled midranks have the mean n + 1; the sums stay below 2^80.
    let means = u128::from(streams.numel) * u128::from(streams.numel + 1).pow(2);
    let centred = |sum: u128| (sum.cast_signed() - means.cast_signed()) as f64;
    Ok((centred(products), squares.map(centred)))
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

/// Visits the pairs that tie in their upper halves, with their doubled midrank.
fn for_ties(pairs: &mut [u64], mut visit: impl FnMut(u64, &mut [u64])) {
    let mut smaller = 0;
    for tied in pairs.chunk_by_mut(|left, right| left >> 32 == right >> 32) {
        let count = tied.len() as u64;
        visit(2 * smaller + count + 1, tied);
        smaller += count;
    }
}
