//! Content that is the same by the Merkle nodes of files, wherever and by whomever it was stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    tensors::covered,
    terms::{MOST, MOST_MEETINGS, Span, Spans, by_content, rows_of},
};
use crate::{digest::xet::XetHash, hub::ContentNode, range::ByteRange};

/// Bytes from the end of a tensor to the position that is marked in the second request, so that nodes of raw chunks lie across what the
/// first one marks; and bytes of a tensor below which that is not worth it.
const BEFORE_END: u64 = 450_000;
const WORTH_IT: u64 = 1 << 20;

/// Bytes that are marked in a file whose tensors have these ranges, a list a request: the borders of tensors, then places before them.
pub(crate) fn borders(tensors: &[ByteRange]) -> [Vec<ByteRange>; 2] {
    let tensors = tensors.iter().filter(|range| !range.is_empty());
    let borders = tensors.clone().flat_map(|range| [range.start, range.end - 1]);
    let before = tensors.filter(|range| range.len() >= WORTH_IT).map(|range| range.end - BEFORE_END);
    [borders.collect(), before.collect()].map(|positions: BTreeSet<u64>| {
        positions.into_iter().map(|position| ByteRange::new(position, position + 1)).collect()
    })
}

/// For each tensor that is worth it all of a file but the tensor, largest first.
pub(crate) fn complements(tensors: &[ByteRange], size: u64) -> Vec<Vec<ByteRange>> {
    let mut large: Vec<&ByteRange> = tensors.iter().filter(|range| range.len() >= WORTH_IT).collect();
    large.sort_by_key(|range| std::cmp::Reverse(range.len()));
    let but = |range: &ByteRange| [ByteRange::new(0, range.start), ByteRange::new(range.end, size)];
    large.into_iter().map(|range| but(range).into_iter().filter(|range| !range.is_empty()).collect()).collect()
}

/// A node of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    hash: XetHash,
    size: u64,
    content: u32,
    at: u64,
}

/// Nodes of many contents, by what they name.
#[derive(Debug, Default)]
pub(crate) struct NodeIndex {
    rows: Vec<Row>,
    /// Places of the rows of each content.
    by_content: HashMap<u32, Vec<u32>>,
}

impl NodeIndex {
    /// Of the nodes of each content. A node that comes again at once is of constant content, and evidence of nothing.
    pub(crate) fn new<'a>(contents: impl IntoIterator<Item = &'a [ContentNode]>) -> Self {
        let mut rows = Vec::new();
        for (content, nodes) in (0..).zip(contents) {
            let is_same = |a: &ContentNode, b: &ContentNode| a.hash == b.hash && a.range.end == b.range.start;
            for (place, node) in nodes.iter().enumerate() {
                let before = place.checked_sub(1).and_then(|before| nodes.get(before));
                let is_constant = before.is_some_and(|before| is_same(before, node))
                    || nodes.get(place + 1).is_some_and(|next| is_same(node, next));
                if !is_constant {
                    rows.push(Row { hash: node.hash, size: node.range.len(), content, at: node.range.start });
                }
            }
        }
        rows.sort_unstable();
        // Both requests tell of the large ones.
        rows.dedup();
        let by_content = by_content(rows.iter().map(|row| row.content));
        Self { rows, by_content }
    }

    fn groups(&self) -> impl Iterator<Item = &[Row]> {
        self.rows.chunk_by(|a, b| (a.hash, a.size) == (b.hash, b.size))
    }

    /// What contents of a first model have in common with those of a second, as [`TermIndex::spans`](super::terms::TermIndex::spans).
    pub(crate) fn spans(&self, a: &[u32], b: &[u32], is_one_model: bool) -> Spans {
        let [of_a, of_b] = [a, b].map(|contents| rows_of(&self.rows, &self.by_content, contents));
        let mut found = Spans::default();
        let mut meetings = 0_u64;
        for y in of_b {
            let alike = &of_a[of_a.partition_point(|x| (x.hash, x.size) < (y.hash, y.size))..];
            for x in alike.iter().take_while(|x| (x.hash, x.size) == (y.hash, y.size)) {
                meetings += 1;
                if meetings > MOST_MEETINGS {
                    found.is_cut = true;
                    return found;
                }
                let is_met = is_one_model && (x.content, x.at) >= (y.content, y.at);
                if !is_met && (x.content, x.at) != (y.content, y.at) {
                    let b = (y.content, ByteRange::new(y.at, y.at + y.size));
                    found.spans.push(Span { b, a: (x.content, Some(x.at)), chunks: None });
                }
            }
        }
        found.spans.sort_unstable();
        found
    }

    /// How many chunks at least the nodes hold that spans of which `counts` are found by.
    pub(crate) fn chunks(spans: &[Span], counts: impl Fn(&Span) -> bool) -> u64 {
        let by_nodes = spans.iter().filter(|span| span.chunks.is_none() && counts(span));
        let places: Vec<(u32, ByteRange)> = by_nodes.map(|span| span.b).collect();
        let bytes: u64 = places
            .chunk_by(|a, b| a.0 == b.0)
            .map(|places| {
                let ranges: Vec<ByteRange> = places.iter().map(|place| place.1).collect();
                covered(&ranges)
            })
            .sum();
        bytes / MOST
    }

    /// For each model and each model before it how many chunks at least of it are first found there, as
    /// [`TermIndex::first_holders`](super::terms::TermIndex::first_holders).
    pub(crate) fn first_holders(&self, models: &[u32]) -> BTreeMap<(u32, u32), u32> {
        let model = |row: &Row| models.get(row.content as usize).copied().unwrap_or(u32::MAX);
        let mut bytes: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for rows in self.groups() {
            let mut holders: Vec<u32> = rows.iter().map(model).collect();
            holders.sort_unstable();
            holders.dedup();
            for &holder in holders.iter().skip(1) {
                *bytes.entry((holders[0], holder)).or_default() += rows[0].size;
            }
        }
        bytes.into_iter().map(|(pair, bytes)| (pair, u32::try_from(bytes / MOST).unwrap_or(u32::MAX))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(sizes: &[(u8, u64)]) -> Vec<ContentNode> {
        let mut at = 0;
        let node = |&(name, size): &(u8, u64)| {
            let hash = XetHash::parse(&format!("{name:02x}").repeat(32)).unwrap();
            at += size;
            ContentNode { hash, range: ByteRange::new(at - size, at) }
        };
        sizes.iter().map(node).collect()
    }

    #[test]
    fn equal_nodes_are_equal_content_and_constant_ones_are_none() {
        let contents =
            [nodes(&[(1, 100), (2, 50), (2, 50), (3, 70)]), nodes(&[(9, 10), (3, 70), (1, 100), (2, 50), (1, 99)])];
        let index = NodeIndex::new(contents.iter().map(Vec::as_slice));
        let spans = index.spans(&[0], &[1], false).spans;
        let places: Vec<_> = spans.iter().map(|span| (span.a.1, span.b.1.start, span.b.1.len())).collect();
        assert_eq!(places, [(Some(200), 10, 70), (Some(0), 80, 100)]);
    }

    #[test]
    fn borders_are_marked_and_places_before_the_ends_of_large_tensors() {
        let ranges = [ByteRange::new(8, 100), ByteRange::new(100, 100), ByteRange::new(100, 2_000_100)];
        let [borders, before] = borders(&ranges).map(|marks| marks.iter().map(|mark| mark.start).collect::<Vec<_>>());
        assert_eq!((borders, before), (vec![8, 99, 100, 2_000_099], vec![1_550_100]));
        let all = ByteRange::new(0, 100);
        assert_eq!(complements(&ranges, 2_000_100), [vec![all]]);
        assert_eq!(complements(&ranges, 2_000_101), [vec![all, ByteRange::new(2_000_100, 2_000_101)]]);
    }
}
