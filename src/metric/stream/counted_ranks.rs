//! Midranks of some of a side's keys among all of them, from one reading that counts what lies between.
//!
//! The keys are divided among threads, and each thread reads the side, sorts what falls into its range, and walks along both. To
//! look each element up would take ten times as long: every lookup would wait for memory.

use rayon::prelude::*;

use super::{pass::Streams, source::Source};

/// Elements that are sorted at once, by all threads together: four bytes each.
const AT_ONCE: usize = 4 << 20;

/// The doubled midranks of sorted keys, to be asked for from the least on.
#[derive(Debug)]
pub(super) struct CountedRanks {
    /// At the first of each tie: how many elements of the side lie between it and the key before, and how many equal it.
    counts: Vec<[u32; 2]>,
    smaller: u64,
    next: usize,
}

impl CountedRanks {
    /// Of the upper halves of sorted pairs, which are some keys of `side`; below 2³¹ elements.
    pub(super) fn of<S: Source>(streams: &Streams<'_, S>, side: usize, pairs: &[u64]) -> Result<Self, S::Error> {
        let mut counts = vec![[0; 2]; pairs.len()];
        let of_a_thread = pairs.len().div_ceil(rayon::current_num_threads()).max(1);
        let column = &streams.columns[side];
        counts.par_chunks_mut(of_a_thread).enumerate().try_for_each(|(thread, counts)| {
            let (before, from) = pairs.split_at(thread * of_a_thread);
            let pairs = &from[..counts.len()];
            // All after the last key of the thread before. What lies beyond the very last is below no key.
            let first = before.last().map_or(0, |pair| key_of(*pair) + 1);
            let range = first..=pairs.last().map_or(0, |pair| key_of(*pair));
            let at_once = AT_ONCE / rayon::current_num_threads();
            let mut inside = Vec::new();
            streams.each_piece(side, |stored| {
                column.keys(stored, |key| {
                    if range.contains(&u64::from(key)) {
                        inside.push(key);
                    }
                });
                if inside.len() >= at_once {
                    count(&mut inside, pairs, counts);
                }
            })?;
            count(&mut inside, pairs, counts);
            Ok(())
        })?;
        Ok(Self { counts, smaller: 0, next: 0 })
    }

    /// The doubled midrank of the next `tied` keys, which are equal.
    pub(super) fn next(&mut self, tied: usize) -> u64 {
        let [between, equal] = self.counts[self.next].map(u64::from);
        let smaller = self.smaller + between;
        self.smaller = smaller + equal;
        self.next += tied;
        2 * smaller + equal + 1
    }
}

/// Counts elements that are not above the last key, and forgets them.
fn count(elements: &mut Vec<u32>, pairs: &[u64], counts: &mut [[u32; 2]]) {
    elements.sort_unstable();
    let mut at = 0;
    for element in elements.drain(..).map(u64::from) {
        while key_of(pairs[at]) < element {
            at += 1;
        }
        counts[at][usize::from(key_of(pairs[at]) == element)] += 1;
    }
}

/// What a pair is sorted by.
fn key_of(pair: u64) -> u64 {
    pair >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dtype::Dtype,
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
        let side = Memory { dtype: Dtype::U32, numel: all.len() as u64, bytes: &bytes };
        let columns = [0; 2].map(|_| Column::new(&Dtype::U32).unwrap());
        let streams = Streams { sides: [&side; 2], columns, numel: all.len() as u64 };
        let mut sorted = all.clone();
        sorted.sort_unstable();
        for (from, to) in [(0, 10), (50_000, 90_000), (0, all.len())] {
            let mut pairs: Vec<u64> = all[from..to].iter().map(|&key| u64::from(key) << 32 | 5).collect();
            pairs.sort_unstable();
            // Seven threads cut ties apart.
            for (side, threads) in [(0, 1), (1, 7)] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut ranks = pool.install(|| CountedRanks::of(&streams, side, &pairs).unwrap());
                for tied in pairs.chunk_by(|left, right| left == right) {
                    let key = key_of(tied[0]);
                    let below = sorted.partition_point(|&other| u64::from(other) < key);
                    let through = sorted.partition_point(|&other| u64::from(other) <= key);
                    assert_eq!(ranks.next(tied.len()), (below + through + 1) as u64, "{key}");
                }
            }
        }
    }
}
