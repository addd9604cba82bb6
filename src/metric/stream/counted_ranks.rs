//! Midranks of some of a side's keys among all of them, from one reading that counts what lies between.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{
    pass::{PIECE, StreamError, Streams},
    source::Source,
};

/// Keys of a slot, about: they share a line of a cache.
const KEYS_OF_A_SLOT: u64 = 8;

/// The doubled midranks of sorted keys, to be asked for from the least on.
pub(super) struct CountedRanks {
    /// At the first of each tie: how many elements of the side lie between it and the key before, and how many equal it.
    counts: Vec<[AtomicU32; 2]>,
    smaller: u64,
    next: usize,
}

impl CountedRanks {
    /// Of the upper halves of sorted pairs, which are some keys of `side`; below 2³¹ elements.
    pub(super) fn of<A: Source, B: Source>(
        streams: &Streams<'_, A, B>,
        side: usize,
        pairs: &[u64],
    ) -> Result<Self, StreamError<A::Error, B::Error>> {
        let directory = Directory::new(pairs);
        let mut counts: Vec<[AtomicU32; 2]> = Vec::new();
        // Keys above all of them are counted behind the last.
        counts.resize_with(pairs.len() + 1, Default::default);
        let column = &streams.columns[side];
        let step = |(): &mut (), _, stored: [&[u8]; 2]| {
            // Equal neighbours are counted together: two threads that count zeros would wait for each other.
            let (mut last, mut run) = (None, 0);
            let count = |key: Option<u32>, run: u32| {
                if let Some(key) = key {
                    let (at, is_equal) = directory.place(pairs, key);
                    counts[at][usize::from(is_equal)].fetch_add(run, Ordering::Relaxed);
                }
            };
            column.keys(stored[side], |key| {
                if last == Some(key) {
                    run += 1;
                } else {
                    count(last, run);
                    (last, run) = (Some(key), 1);
                }
            });
            count(last, run);
        };
        let pieces = 0..streams.numel.div_ceil(PIECE);
        streams.pass_over(pieces, [side == 0, side == 1], || (), step)?;
        Ok(Self {
            counts,
            smaller: 0,
            next: 0,
        })
    }

    /// The doubled midrank of the next `tied` keys, which are equal.
    pub(super) fn next(&mut self, tied: usize) -> u64 {
        let [between, equal] = self.counts[self.next]
            .each_mut()
            .map(|count| u64::from(*count.get_mut()));
        let smaller = self.smaller + between;
        self.smaller = smaller + equal;
        self.next += tied;
        2 * smaller + equal + 1
    }
}

/// A way into sorted keys: each upper half of a key is cut into slots of a few keys.
struct Directory {
    /// Of each upper half: its first slot, and how far a lower half is shifted to give one.
    uppers: Vec<(u32, u8)>,
    /// Where each slot's keys begin; one more at the end.
    starts: Vec<u32>,
}

impl Directory {
    /// Of fewer than 2³¹ pairs.
    #[expect(clippy::cast_possible_truncation, reason = "places are below 2^31")]
    fn new(pairs: &[u64]) -> Self {
        let mut classes = vec![0_u64; 1 << 16];
        for pair in pairs {
            classes[(pair >> 48) as usize] += 1;
        }
        let (mut uppers, mut starts) = (Vec::with_capacity(classes.len()), Vec::new());
        let mut from = 0;
        for count in classes {
            let bits = (count / KEYS_OF_A_SLOT).checked_ilog2().unwrap_or(0).min(16) as u8;
            let shift = 16 - bits;
            uppers.push((starts.len() as u32, shift));
            let end = from + count as usize;
            for slot in 0..1_u64 << bits {
                starts.push(from as u32);
                from += pairs[from..end].partition_point(|pair| (pair >> 32 & 0xffff) >> shift <= slot);
            }
        }
        starts.push(from as u32);
        Self { uppers, starts }
    }

    /// The first of the keys that is not below `key`, and whether it is equal.
    fn place(&self, pairs: &[u64], key: u32) -> (usize, bool) {
        let (first, shift) = self.uppers[(key >> 16) as usize];
        let slot = first as usize + ((key & 0xffff) >> shift) as usize;
        let (start, end) = (self.starts[slot] as usize, self.starts[slot + 1] as usize);
        let at = start + pairs[start..end].partition_point(|pair| pair >> 32 < u64::from(key));
        (at, at < end && pairs[at] >> 32 == u64::from(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::Dtype,
        metric::stream::{Memory, column::Column},
    };

    #[test]
    fn ranks_of_some_keys_are_those_among_all() {
        // Ties, one upper half with many keys, and keys outside all that are asked for.
        let all: Vec<u32> = (0..200_000_u32)
            .map(|at| match at % 4 {
                0 => at.wrapping_mul(2_654_435_761),
                1 => 0x3f80_0000 | (at % 60_000),
                2 => 7,
                _ => (at % 50) << 20,
            })
            .collect();
        let bytes: Vec<u8> = all.iter().flat_map(|key| key.to_le_bytes()).collect();
        let side = Memory {
            dtype: Dtype::U32,
            numel: all.len() as u64,
            bytes: &bytes,
        };
        let columns = [0; 2].map(|_| Column::new(&Dtype::U32).unwrap());
        let streams = Streams {
            a: &side,
            b: &side,
            columns,
            numel: all.len() as u64,
        };
        let mut sorted = all.clone();
        sorted.sort_unstable();
        for (from, to) in [(0, 10), (50_000, 90_000), (0, all.len())] {
            let mut pairs: Vec<u64> = all[from..to].iter().map(|&key| u64::from(key) << 32 | 5).collect();
            pairs.sort_unstable();
            for side in 0..2 {
                let mut ranks = CountedRanks::of(&streams, side, &pairs).unwrap();
                for tied in pairs.chunk_by(|left, right| left == right) {
                    let key = (tied[0] >> 32) as u32;
                    let below = sorted.partition_point(|&other| other < key);
                    let through = sorted.partition_point(|&other| other <= key);
                    assert_eq!(ranks.next(tied.len()), (below + through + 1) as u64, "{key}");
                }
            }
        }
    }
}
