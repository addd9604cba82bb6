//! Byte ranges: half-open in memory, inclusive only on the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A half-open range of bytes, absolute in its file: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte; never below `start`.
    pub end: u64,
}

impl ByteRange {
    /// The range `start..end`. An `end` below `start` gives the empty range at `start`.
    pub fn new(start: u64, end: u64) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether the range holds no byte. An empty range cannot be asked of a server.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Whether `other` lies wholly inside this range.
    pub fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The value of a `Range` header that asks for exactly these bytes. The one place where an end becomes inclusive.
    pub fn to_header(&self) -> String {
        debug_assert!(!self.is_empty(), "an empty range has no header form");
        format!("bytes={}-{}", self.start, self.end.saturating_sub(1))
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Merges ranges that touch, overlap, or are at most `gap` bytes apart, as long as the merged range stays within `limit`
/// bytes. A single range longer than `limit` is kept whole.
///
/// The result is sorted, covers every input range, and holds the members of each span: `members[i]` are positions in `ranges`.
/// Empty ranges are in no span.
pub fn coalesce(ranges: &[ByteRange], gap: u64, limit: u64) -> Vec<(ByteRange, Vec<usize>)> {
    let mut order: Vec<usize> = (0..ranges.len()).filter(|&index| !ranges[index].is_empty()).collect();
    order.sort_by_key(|&index| (ranges[index], index));
    let mut spans: Vec<(ByteRange, Vec<usize>)> = Vec::new();
    for index in order {
        let range = ranges[index];
        if let Some((span, members)) = spans.last_mut() {
            let end = span.end.max(range.end);
            let near = range.start <= span.end.saturating_add(gap);
            if span.contains(&range) || (near && end - span.start <= limit) {
                span.end = end;
                members.push(index);
                continue;
            }
        }
        spans.push((range, vec![index]));
    }
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wire_form_is_inclusive() {
        assert_eq!(ByteRange::new(0, 1).to_header(), "bytes=0-0");
        assert_eq!(ByteRange::new(8, 100).to_header(), "bytes=8-99");
    }

    #[test]
    fn near_ranges_share_a_request_and_far_ones_do_not() {
        let ranges = [ByteRange::new(100, 200), ByteRange::new(0, 50), ByteRange::new(1000, 1100)];
        let spans = coalesce(&ranges, 50, 10_000);
        assert_eq!(spans, vec![(ByteRange::new(0, 200), vec![1, 0]), (ByteRange::new(1000, 1100), vec![2]),]);
    }

    #[test]
    fn a_span_stops_growing_at_the_limit() {
        let ranges: Vec<_> = (0..4).map(|i| ByteRange::new(i * 10, i * 10 + 10)).collect();
        let spans = coalesce(&ranges, 0, 20);
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[0].0, ByteRange::new(0, 20));
    }

    proptest! {
        #[test]
        fn spans_cover_are_sorted_and_are_minimal(
            raw in prop::collection::vec((0_u64..5_000, 0_u64..300), 0..40),
            gap in 0_u64..200,
            limit in 1_u64..2_000,
        ) {
            let ranges: Vec<_> = raw.iter().map(|&(start, len)| ByteRange::new(start, start + len)).collect();
            let spans = coalesce(&ranges, gap, limit);
            let mut seen = vec![false; ranges.len()];
            for (span, members) in &spans {
                prop_assert!(!members.is_empty());
                prop_assert!(span.len() <= limit || members.iter().any(|&m| ranges[m] == *span));
                prop_assert_eq!(span.start, members.iter().map(|&m| ranges[m].start).min().unwrap());
                prop_assert_eq!(span.end, members.iter().map(|&m| ranges[m].end).max().unwrap());
                for &member in members {
                    prop_assert!(span.contains(&ranges[member]));
                    prop_assert!(!seen[member]);
                    seen[member] = true;
                }
            }
            for (index, range) in ranges.iter().enumerate() {
                prop_assert_eq!(seen[index], !range.is_empty());
            }
            for pair in spans.windows(2) {
                prop_assert!(pair[0].0.start <= pair[1].0.start);
                let near = pair[1].0.start <= pair[0].0.end + gap;
                let fits = pair[1].0.end.max(pair[0].0.end) - pair[0].0.start <= limit;
                let first = ranges[pair[1].1[0]];
                let first_fits = first.end.max(pair[0].0.end) - pair[0].0.start <= limit;
                prop_assert!(!(near && fits && first_fits), "two spans could have been one");
            }
        }
    }
}
