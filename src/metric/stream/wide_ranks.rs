//! Midranks of elements of 32 bits where a pair is too large to be sorted, a range of keys at a time: the keys in it are
//! brought together and sorted, and what lies below it has been counted.

use std::ops::Range;

use rayon::slice::ParallelSliceMut;

use super::{
    codes::{CodeRanks, centred_rank},
    column::Column,
    pass::{StreamError, Streams, totals},
    sorted_ranks,
    source::Source,
};
use crate::metric::sums;

/// Keys held at once for a side.
const KEYS: u64 = 1 << 23;

/// A range of keys, by their upper halves.
#[derive(Debug, Clone)]
struct Group {
    upper: Range<usize>,
    below: u64,
    count: u64,
}

/// The ranks of one group of one side, or of all codes.
enum Table<'c> {
    Codes(&'c CodeRanks),
    /// Sorted keys, and the way into them.
    Sorted {
        group: Group,
        keys: Vec<u32>,
        directory: Directory,
    },
    /// Keys with one upper half, too many to hold: how many have a smaller lower half, for each.
    Dense {
        group: Group,
        smaller: Vec<u64>,
    },
}

/// Σ of the products of both sides' centred doubled ranks, and Σ of the squares of each side's.
pub(super) type RankSums = (f64, [f64; 2]);

/// The sums over all elements. `codes` has the ranks of a side whose elements are codes, `classes` the counts of both.
pub(super) fn rank_sums<A: Source, B: Source>(
    streams: &Streams<'_, A, B>,
    classes: &[Vec<u64>; 2],
    codes: [Option<&CodeRanks>; 2],
    keys: Option<u64>,
) -> Result<RankSums, StreamError<A::Error, B::Error>> {
    if keys.is_none() && streams.numel <= sorted_ranks::MOST {
        return sorted_ranks::rank_sums(streams, codes);
    }
    let keys = keys.unwrap_or(KEYS);
    let groups = |side: usize| match codes[side] {
        Some(_) => vec![None],
        None => grouped(&classes[side], keys).into_iter().map(Some).collect(),
    };
    let (mut products, mut squares) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (first, group) in groups(0).into_iter().enumerate() {
        let table_a = table(streams, 0, group, codes[0], &classes[0], keys)?;
        squares[0].push(table_a.squares(streams.numel));
        for group in groups(1) {
            let table_b = table(streams, 1, group, codes[1], &classes[1], keys)?;
            if first == 0 {
                squares[1].push(table_b.squares(streams.numel));
            }
            let stripes = streams.pass(Vec::new, |blocks: &mut Vec<[f64; 1]>, _, stored| {
                let [column_a, column_b] = &streams.columns;
                let mut ranks = [Vec::new(), Vec::new()];
                for (a, b) in streams.blocks(stored) {
                    table_a.ranks(column_a, a, streams.numel, &mut ranks[0]);
                    table_b.ranks(column_b, b, streams.numel, &mut ranks[1]);
                    blocks.push([sums::pair_sum(&ranks[0], &ranks[1], |x, y| x * y)]);
                }
            })?;
            products.push(sums::total(&stripes.concat(), 0));
        }
    }
    Ok((sums::compensated(products), squares.map(sums::compensated)))
}

/// A way into sorted keys: each upper half is cut into about as many slots as it holds keys, so that a slot has about one.
struct Directory {
    /// Of each upper half: its first slot, and how far a lower half is shifted to give one.
    uppers: Vec<(usize, u32)>,
    /// Where each slot's keys begin; one more at the end.
    starts: Vec<u32>,
}

impl Directory {
    /// Of sorted keys of which `classes` have each upper half.
    fn new(keys: &[u32], classes: &[u64]) -> Self {
        let mut uppers = Vec::with_capacity(classes.len());
        let mut starts = Vec::with_capacity(2 * keys.len() + classes.len() + 1);
        let mut from = 0;
        for &count in classes {
            let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
            let shift = 16 - bits.min(16);
            uppers.push((starts.len(), shift));
            let end = from + usize::try_from(count).unwrap_or(0);
            for slot in 0..1_u32 << (16 - shift) {
                starts.push(u32::try_from(from).unwrap_or(u32::MAX));
                while from < end && (keys[from] & 0xffff) >> shift == slot {
                    from += 1;
                }
            }
        }
        starts.push(u32::try_from(from).unwrap_or(u32::MAX));
        Self { uppers, starts }
    }

    /// The keys in the slot of `key`, and how many come before them; `at` is the place of its upper half.
    fn near<'k>(&self, keys: &'k [u32], at: usize, key: u32) -> Option<(usize, &'k [u32])> {
        let &(first, shift) = self.uppers.get(at)?;
        let slot = first + ((key & 0xffff) >> shift) as usize;
        let (start, end) = (*self.starts.get(slot)? as usize, *self.starts.get(slot + 1)? as usize);
        Some((start, keys.get(start..end)?))
    }
}

/// Neighbouring upper halves that hold at most `keys` keys together, or one that holds more.
fn grouped(classes: &[u64], keys: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut below = 0;
    for (upper, &count) in classes.iter().enumerate().filter(|&(_, &count)| count > 0) {
        match groups.last_mut() {
            Some(last) if last.count + count <= keys => {
                last.upper.end = upper + 1;
                last.count += count;
            }
            _ => groups.push(Group {
                upper: upper..upper + 1,
                below,
                count,
            }),
        }
        below += count;
    }
    groups
}

fn table<'c, A: Source, B: Source>(
    streams: &Streams<'_, A, B>,
    side: usize,
    group: Option<Group>,
    codes: Option<&'c CodeRanks>,
    classes: &[u64],
    most: u64,
) -> Result<Table<'c>, StreamError<A::Error, B::Error>> {
    let group = match (codes, group) {
        (Some(codes), _) => return Ok(Table::Codes(codes)),
        (None, group) => group.unwrap_or(Group {
            upper: 0..0,
            below: 0,
            count: 0,
        }),
    };
    let column = &streams.columns[side];
    let is_in = |key: u32| group.upper.contains(&((key >> 16) as usize));
    if group.count > most {
        let stripes = streams.pass(
            || vec![0_u32; 1 << 16],
            |counts, _, stored| {
                column.keys(stored[side], |key| {
                    if is_in(key) {
                        counts[(key & 0xffff) as usize] += 1;
                    }
                });
            },
        )?;
        let mut sum = 0;
        let mut smaller = vec![0];
        smaller.extend(totals(&stripes).into_iter().map(|count| {
            sum += count;
            sum
        }));
        return Ok(Table::Dense { group, smaller });
    }
    let mut parts = streams.pass(Vec::new, |keys, _, stored| {
        column.keys(stored[side], |key| {
            if is_in(key) {
                keys.push(key);
            }
        });
    })?;
    let mut keys: Vec<u32> = Vec::with_capacity(usize::try_from(group.count).unwrap_or(0));
    for part in &mut parts {
        keys.append(part);
    }
    keys.par_sort_unstable();
    let directory = Directory::new(&keys, &classes[group.upper.clone()]);
    Ok(Table::Sorted { group, keys, directory })
}

impl Table<'_> {
    /// The centred ranks of a block's elements; 0 for those of other groups, which adds nothing to a sum of products.
    fn ranks(&self, column: &Column, stored: &[u8], numel: u64, into: &mut Vec<f64>) {
        into.clear();
        match self {
            Self::Codes(codes) => column.classes(stored, |code| into.push(codes.centred[usize::from(code)])),
            Self::Sorted { .. } | Self::Dense { .. } => {
                column.keys(stored, |key| into.push(self.rank(key, numel).unwrap_or(0.0)));
            }
        }
    }

    fn rank(&self, key: u32, numel: u64) -> Option<f64> {
        match self {
            Self::Codes(_) => None,
            Self::Sorted { group, keys, directory } => {
                let upper = (key >> 16) as usize;
                let at = group.upper.contains(&upper).then(|| upper - group.upper.start)?;
                let (start, near) = directory.near(keys, at, key)?;
                let below = near.partition_point(|&other| other < key);
                let tied = near[below..].partition_point(|&other| other == key);
                Some(centred_rank(group.below + (start + below) as u64, tied as u64, numel))
            }
            Self::Dense { group, smaller } => {
                let lower = (key & 0xffff) as usize;
                let is_in = group.upper.contains(&((key >> 16) as usize));
                let tied = smaller[lower + 1] - smaller[lower];
                is_in.then(|| centred_rank(group.below + smaller[lower], tied, numel))
            }
        }
    }

    /// Σ of the squares of the centred ranks of this group's elements.
    fn squares(&self, numel: u64) -> f64 {
        let square = |smaller: u64, count: u64| {
            let rank = centred_rank(smaller, count, numel);
            count as f64 * (rank * rank)
        };
        match self {
            Self::Codes(codes) => codes.squares,
            Self::Sorted { group, keys, .. } => {
                let mut smaller = group.below;
                sums::compensated(keys.chunk_by(|left, right| left == right).map(|tied| {
                    let count = tied.len() as u64;
                    smaller += count;
                    square(smaller - count, count)
                }))
            }
            Self::Dense { group, smaller } => {
                let pairs = smaller
                    .windows(2)
                    .map(|pair| square(group.below + pair[0], pair[1] - pair[0]));
                sums::compensated(pairs)
            }
        }
    }
}
