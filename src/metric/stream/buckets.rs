//! Pairs too many to be sorted in memory, laid out on disk by ranges of their keys: each range is sorted on its own afterwards.
//!
//! The files have no name and vanish with the program, whatever ends it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
};

/// Bytes of a pair: its key in the upper half of an integer, what goes with it in the lower.
const WIDTH: usize = 8;

/// Files at most: twice as many are open at once.
const MOST: u64 = 64;

/// The pairs whose keys lie in one range.
#[derive(Debug)]
pub(super) struct Bucket {
    /// First key beyond it.
    end: u64,
    /// Whether it has room for one key only.
    pub(super) is_tie: bool,
    /// Pairs in it.
    pub(super) count: u64,
    file: BufWriter<File>,
}

impl Bucket {
    /// One range of keys after the other, which hold about `at_once` of `numel` pairs each, judged by a sample of the keys. A key that fills more than a range
    /// has one of its own.
    pub(super) fn ranges(mut sample: Vec<u64>, numel: u64, at_once: u64) -> io::Result<Vec<Self>> {
        sample.sort_unstable();
        let ranges = usize::try_from(numel.div_ceil(at_once.max(1)).clamp(1, MOST)).unwrap_or(1);
        let mut ends = BTreeSet::from([1 << 32]);
        let mut before = None;
        for range in 1..ranges {
            let Some(&key) = sample.get(range * sample.len() / ranges) else { break };
            ends.insert(key);
            if before.replace(key) == Some(key) {
                ends.insert(key + 1);
            }
        }
        let mut start = 0;
        let bucket = |end: u64| {
            let is_tie = end - start <= 1;
            start = end;
            Ok(Self { end, is_tie, count: 0, file: BufWriter::with_capacity(1 << 16, tempfile::tempfile()?) })
        };
        ends.into_iter().map(bucket).collect()
    }

    /// Adds pairs that are sorted, each to its range.
    pub(super) fn add(ranges: &mut [Self], mut sorted: &[u64]) -> io::Result<()> {
        for bucket in ranges {
            let (inside, beyond) = sorted.split_at(sorted.partition_point(|pair| pair >> 32 < bucket.end));
            for pair in inside {
                bucket.file.write_all(&pair.to_le_bytes())?;
            }
            bucket.count += inside.len() as u64;
            sorted = beyond;
        }
        Ok(())
    }

    /// Its pairs as they were added, `at_once` at a time.
    pub(super) fn read(self, at_once: u64, mut each: impl FnMut(&mut [u64]) -> io::Result<()>) -> io::Result<()> {
        let mut file = self.file.into_inner()?;
        file.rewind()?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut left = self.count;
        let mut pairs = Vec::new();
        while left > 0 {
            pairs.clear();
            for _ in 0..left.min(at_once) {
                let mut stored = [0; WIDTH];
                reader.read_exact(&mut stored)?;
                pairs.push(u64::from_le_bytes(stored));
            }
            left -= pairs.len() as u64;
            each(&mut pairs)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_all_pairs_in_order_and_a_frequent_key_has_one_of_its_own() {
        let keys: Vec<u64> = (0..1000).map(|i| if i % 2 == 0 { 500 } else { i }).collect();
        let mut buckets = Bucket::ranges(keys.clone(), 1000, 100).unwrap();
        let mut pairs: Vec<u64> = keys.iter().zip(0..).map(|(&key, place)| key << 32 | place).collect();
        for part in pairs.chunks_mut(300) {
            part.sort_unstable();
            Bucket::add(&mut buckets, part).unwrap();
        }
        let (mut found, mut ties) = (Vec::new(), Vec::new());
        for bucket in buckets.into_iter().filter(|bucket| bucket.count > 0) {
            let (is_tie, from) = (bucket.is_tie, found.len());
            bucket
                .read(7, |pairs| {
                    assert!(pairs.len() <= 7);
                    found.extend_from_slice(pairs);
                    Ok(())
                })
                .unwrap();
            found[from..].sort_unstable();
            ties.extend(is_tie.then(|| (found[from] >> 32, found.len() - from)));
        }
        pairs.sort_unstable();
        assert_eq!(found, pairs);
        assert_eq!(ties, [(500, 500)]);
    }
}
