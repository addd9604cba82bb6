//! Midranks of some of a side's keys among all of them, from one reading that counts what lies between.
//!
//! The keys are divided among threads, and each thread reads the side, sorts what falls into its range, and walks along both. To
//! look each element up would take ten times as long: every lookup would wait for memory.

use rayon::prelude::*;

use super::{
    pass::{StreamError, Streams},
    source::Source,
};

/// Elements that are sorted at once, by all threads together: four bytes each.
const AT_ONCE: usize = 4 << 20;

/// A key, and how many elements of the side lie between it and the key before, and how many equal it.
#[derive(Debug)]
struct Counted {
    key: u32,
    between: u32,
    equal: u32,
}

/// The doubled midranks of sorted keys, to be asked for from the least on.
#[derive(Debug)]
pub(super) struct CountedRanks {
    keys: std::vec::IntoIter<Counted>,
    smaller: u64,
}

impl CountedRanks {
    /// Of the upper halves of sorted pairs, which are some keys of `side`; below 2³¹ elements.
    pub(super) fn of<A: Source, B: Source>(
        streams: &Streams<'_, A, B>,
        side: usize,
        pairs: &[u64],
    ) -> Result<Self, StreamError<A::Error, B::Error>> {
        let distinct = || pairs.chunk_by(|left, right| left >> 32 == right >> 32);
        let mut keys: Vec<Counted> = Vec::with_capacity(distinct().count());
        keys.extend(distinct().map(|tied| Counted {
            key: upper_half(tied[0]),
            between: 0,
            equal: 0,
        }));
        let of_a_thread = keys.len().div_ceil(rayon::current_num_threads()).max(1);
        let lasts: Vec<u32> = keys
            .chunks(of_a_thread)
            .filter_map(<[_]>::last)
            .map(|counted| counted.key)
            .collect();
        let column = &streams.columns[side];
        keys.par_chunks_mut(of_a_thread)
            .enumerate()
            .try_for_each(|(thread, keys)| {
                // All after the last key of the thread before. What lies beyond the very last is below no key.
                let first = thread.checked_sub(1).map_or(0, |before| lasts[before] + 1);
                let range = first..=lasts[thread];
                let at_once = AT_ONCE / rayon::current_num_threads();
                let mut inside = Vec::new();
                streams.each_piece(side, |stored| {
                    column.keys(stored, |key| {
                        if range.contains(&key) {
                            inside.push(key);
                        }
                    });
                    if inside.len() >= at_once {
                        count(&mut inside, keys);
                    }
                })?;
                count(&mut inside, keys);
                Ok(())
            })?;
        Ok(Self {
            keys: keys.into_iter(),
            smaller: 0,
        })
    }
}

impl Iterator for CountedRanks {
    type Item = u64;

    /// The doubled midrank of the next key that differs from the one before.
    fn next(&mut self) -> Option<u64> {
        let Counted { between, equal, .. } = self.keys.next()?;
        let smaller = self.smaller + u64::from(between);
        self.smaller = smaller + u64::from(equal);
        Some(2 * smaller + u64::from(equal) + 1)
    }
}

/// Counts elements that are not above the last key, and forgets them.
fn count(elements: &mut Vec<u32>, keys: &mut [Counted]) {
    elements.sort_unstable();
    let mut at = 0;
    for element in elements.drain(..) {
        while keys[at].key < element {
            at += 1;
        }
        let is_equal = keys[at].key == element;
        keys[at].equal += u32::from(is_equal);
        keys[at].between += u32::from(!is_equal);
    }
}

fn upper_half(pair: u64) -> u32 {
    let [.., a, b, c, d] = pair.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
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
                    let key = upper_half(tied[0]);
                    let below = sorted.partition_point(|&other| other < key);
                    let through = sorted.partition_point(|&other| other <= key);
                    assert_eq!(ranks.next(), Some((below + through + 1) as u64), "{key}");
                }
                assert_eq!(ranks.next(), None);
            }
        }
    }
}
