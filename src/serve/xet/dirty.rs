//! The bytes of a file that a client says are about to change, and the chunks that they may change.

use std::ops::Range;

use super::options::Fingerprints;
use crate::{digest::xet::Node, range::ByteRange};

/// Sizes between which a cut is neither held back nor forced.
const STEADY: Range<u64> = 16 << 10..120 << 10;

/// The ranges of an `X-Range-Dirty` header, in order and without overlaps, as far as a file of `size` bytes has them. `None` where
/// there are none, or the header cannot be understood.
pub(super) fn ranges(header: &str, size: u64) -> Option<Vec<ByteRange>> {
    let range = |text: &str| {
        let (first, last) = text.trim().split_once('-')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let (first, last): (u64, u64) = (number(first)?, number(last)?);
        (first <= last).then(|| ByteRange::new(first.min(size), last.saturating_add(1).min(size)))
    };
    let mut ranges = header.strip_prefix("bytes=")?.split(',').map(range).collect::<Option<Vec<_>>>()?;
    ranges.retain(|range| !range.is_empty());
    ranges.sort();
    ranges.dedup_by(|later, earlier| {
        let touches = later.start <= earlier.end;
        if touches {
            earlier.end = earlier.end.max(later.end);
        }
        touches
    });
    (!ranges.is_empty()).then_some(ranges)
}

/// Runs of chunks that hold dirty bytes, and those behind them whose ends these may move: up to two neighbours of steady size.
pub(super) fn windows(chunks: &[Node], dirty: &[ByteRange], mode: Fingerprints) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    let (mut dirty, mut end) = (dirty, 0);
    let mut open = false;
    let mut was_steady = false;
    for (index, chunk) in chunks.iter().enumerate() {
        let start = end;
        end += chunk.size;
        while let [first, rest @ ..] = dirty
            && first.end <= start
        {
            dirty = rest;
        }
        let is_dirty = dirty.first().is_some_and(|range| range.start < end);
        if is_dirty && !open {
            windows.push(index..index);
        }
        open = is_dirty || (open && mode != Fingerprints::Short);
        let Some(window) = windows.last_mut().filter(|_| open) else { continue };
        window.end = index + 1;
        let is_steady = !is_dirty && STEADY.contains(&chunk.size);
        open = !(was_steady && is_steady);
        was_steady = is_steady && open;
    }
    windows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::xet::XetHash;

    fn chunks(sizes: &[u64]) -> Vec<Node> {
        sizes.iter().map(|&size| Node { hash: XetHash::EMPTY, size }).collect()
    }

    #[test]
    fn ranges_are_put_in_order_and_merged() {
        let found = ranges("bytes=30-39, 0-4,5-9,35-50,90-120,200-300", 100).unwrap();
        let expected = [ByteRange::new(0, 10), ByteRange::new(30, 51), ByteRange::new(90, 100)];
        assert_eq!(found, expected);
        for header in
            ["", "bytes=", "bytes=5", "bytes=5-", "bytes=-5", "bytes=9-5", "bytes=a-b", "bytes=1-1,", "bytes=100-101"]
        {
            assert_eq!(ranges(header, 100), None, "{header}");
        }
    }

    #[test]
    fn a_window_ends_with_two_neighbours_of_steady_size() {
        let k = 1024;
        let chunks = chunks(&[64 * k, 64 * k, 131_072, 64 * k, 8 * k, 64 * k, 64 * k, 64 * k, 64 * k]);
        let dirty = |at: u64| ByteRange::new(at, at + 1);
        let found = |dirty: &[ByteRange], mode| {
            windows(&chunks, dirty, mode).into_iter().map(|window| (window.start, window.end)).collect::<Vec<_>>()
        };
        assert_eq!(found(&[dirty(70 * k)], Fingerprints::On), [(1, 7)]);
        assert_eq!(found(&[dirty(70 * k)], Fingerprints::Short), [(1, 2)]);
        assert_eq!(found(&[dirty(0)], Fingerprints::On), [(0, 7)]);
        assert_eq!(found(&[dirty(0), dirty(70 * k)], Fingerprints::Short), [(0, 2)]);
        let end = chunks.iter().map(|chunk| chunk.size).sum::<u64>() - 1;
        assert_eq!(found(&[dirty(0), dirty(end)], Fingerprints::On), [(0, 7), (8, 9)]);
        // What is dirty right behind a window is a window of its own.
        let next = end - 100 * k;
        assert_eq!(found(&[dirty(0), dirty(next)], Fingerprints::On), [(0, 7), (7, 9)]);
    }

    proptest! {
        #[test]
        fn every_dirty_byte_is_in_a_window(
            sizes in prop::collection::vec(1_u64..40, 1..40),
            dirty in prop::collection::vec((0_u64..900, 1_u64..60), 1..8),
        ) {
            let chunks = chunks(&sizes);
            let size = sizes.iter().sum();
            let header: Vec<String> = dirty.iter().map(|(at, len)| format!("{at}-{}", at + len)).collect();
            let Some(ranges) = ranges(&format!("bytes={}", header.join(",")), size) else { return Ok(()) };
            let starts = |index: usize| sizes[..index].iter().sum::<u64>();
            for mode in [Fingerprints::On, Fingerprints::Short] {
                let windows = windows(&chunks, &ranges, mode);
                prop_assert!(windows.windows(2).all(|pair| pair[0].end <= pair[1].start));
                for range in &ranges {
                    let bytes = |window: &Range<usize>| ByteRange::new(starts(window.start), starts(window.end));
                    prop_assert!(windows.iter().any(|window| bytes(window).contains(range)));
                }
            }
        }
    }
}
