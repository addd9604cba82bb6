//! What will be fetched, before the first byte of it moves: a value that can be printed, tested and counted.

use std::collections::BTreeSet;

use crate::range::{ByteRange, coalesce};

/// Tensors of one shard that lie at most this far apart share a request: the bytes between cost less than another round trip.
/// Two norms of 8 KiB with small biases between them do; a norm and the next one behind a matrix do not.
pub const COALESCE_GAP: u64 = 16 * 1024;

/// A request grows by coalescing up to this size. A larger tensor has requests of its own.
pub const SPAN_LIMIT: u64 = 8 * 1024 * 1024;

/// A tensor larger than this comes in several requests of this size, so that it need not be held whole.
pub const PIECE: u64 = 32 * 1024 * 1024;

/// One request, covering one or more tensors of a shard; or several, one after the other, of one tensor larger than `piece`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The shard.
    pub shard: String,
    /// The bytes asked for.
    pub range: ByteRange,
    /// Positions, in the list given to [`ModelPlan::new`], of the tensors inside.
    pub tensors: Vec<usize>,
    /// Bytes of a request at most.
    pub(super) piece: u64,
}

/// What one model costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPlan {
    /// Tensors the question needs.
    pub tensors: usize,
    /// Of those, already in the cache.
    pub cached: usize,
    /// Of those, read from a local folder.
    pub local: usize,
    /// Of those, read from the Hugging Face cache.
    pub shared: usize,
    /// The requests for weights.
    pub spans: Vec<Span>,
    /// What of it is copied into the cache, for one who needs it there; it costs no request.
    pub shared_spans: Vec<Span>,
    /// Shards whose address is not known yet: a request each.
    pub unresolved: BTreeSet<String>,
}

impl ModelPlan {
    /// Plans the tensors that are neither cached nor local: `missing` holds (position, shard, range), `is_resolved` tells
    /// whether a shard's address is known.
    pub fn new(
        tensors: usize,
        cached: usize,
        local: usize,
        missing: &[(usize, String, ByteRange)],
        is_resolved: impl Fn(&str) -> bool,
    ) -> Self {
        let spans = spans(missing);
        let shards = spans.iter().filter(|span| !span.range.is_empty()).map(|span| &span.shard);
        let unresolved = shards.filter(|shard| !is_resolved(shard)).cloned().collect();
        Self { tensors, cached, local, spans, unresolved, ..Self::default() }
    }

    /// The same plan with tensors that the Hugging Face cache has: (position, shard, range), to be read and kept.
    #[must_use]
    pub(super) fn with_shared(self, shared: &[(usize, String, ByteRange)]) -> Self {
        Self { shared: shared.len(), shared_spans: spans(shared), ..self }
    }

    /// Leaves out what another plan of the same model brings.
    pub(super) fn drop_what(&mut self, other: &Self) {
        self.spans.retain(|span| !other.spans.contains(span));
        self.shared_spans.retain(|span| !other.shared_spans.contains(span));
        let needed: BTreeSet<&String> = self.spans.iter().map(|span| &span.shard).collect();
        self.unresolved.retain(|shard| needed.contains(shard) && !other.unresolved.contains(shard));
    }

    /// Several plans of one model as one.
    pub fn sum<'p>(plans: impl IntoIterator<Item = &'p Self>) -> Self {
        plans.into_iter().fold(Self::default(), |mut sum, plan| {
            sum.tensors += plan.tensors;
            sum.cached += plan.cached;
            sum.local += plan.local;
            sum.shared += plan.shared;
            sum.unresolved.extend(plan.unresolved.iter().cloned());
            sum.spans.extend(plan.spans.iter().cloned());
            sum.shared_spans.extend(plan.shared_spans.iter().cloned());
            sum
        })
    }

    /// Bytes of weights that will move, gaps between coalesced tensors included.
    pub fn bytes(&self) -> u64 {
        self.spans.iter().map(|span| span.range.len()).fold(0, u64::saturating_add)
    }

    /// Tensors that will move. One that takes several requests is counted once.
    pub fn moving(&self) -> usize {
        let positions: BTreeSet<usize> = self.spans.iter().flat_map(|span| span.tensors.iter().copied()).collect();
        positions.len()
    }

    /// Requests that will be sent if none fails.
    pub fn requests(&self) -> usize {
        self.unresolved.len() + self.spans.iter().map(|span| span.pieces().count()).sum::<usize>()
    }
}

impl Span {
    /// The ranges asked for, in order; none for a tensor without elements.
    pub fn pieces(&self) -> impl Iterator<Item = ByteRange> + use<> {
        let (ByteRange { start, end }, most) = (self.range, self.piece);
        (0..self.range.len().div_ceil(most)).map(move |piece| {
            let from = start + piece * most;
            ByteRange::new(from, end.min(from + most))
        })
    }

    /// Whether it is one tensor that comes in several pieces.
    pub fn is_large(&self) -> bool {
        self.tensors.len() == 1 && self.range.len() > self.piece
    }
}

/// The requests for tensors (position, shard, range), by shard.
fn spans(missing: &[(usize, String, ByteRange)]) -> Vec<Span> {
    let shards: BTreeSet<&str> = missing.iter().map(|(_, shard, _)| shard.as_str()).collect();
    let mut spans = Vec::new();
    for shard in shards {
        let here: Vec<_> = missing.iter().filter(|(_, other, _)| other == shard).collect();
        let ranges: Vec<ByteRange> = here.iter().map(|&&(_, _, range)| range).collect();
        let coalesced = coalesce(&ranges, COALESCE_GAP, SPAN_LIMIT).into_iter();
        spans.extend(coalesced.map(|(range, members)| Span {
            shard: shard.to_owned(),
            range,
            tensors: members.into_iter().map(|member| here[member].0).collect(),
            piece: PIECE,
        }));
        // A tensor without elements needs no request, but it must not be forgotten.
        for &&(position, _, range) in here.iter().filter(|(_, _, range)| range.is_empty()) {
            spans.push(Span { shard: shard.to_owned(), range, tensors: vec![position], piece: PIECE });
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(ranges: &[(&str, u64, u64)]) -> Vec<(usize, String, ByteRange)> {
        ranges
            .iter()
            .enumerate()
            .map(|(i, &(shard, start, len))| (i, shard.to_owned(), ByteRange::new(start, start + len)))
            .collect()
    }

    #[test]
    fn neighbours_share_a_request_and_shards_do_not() {
        let wanted = missing(&[("b", 0, 100), ("a", 8192, 8192), ("a", 0, 8192), ("a", 10_000_000, 10)]);
        let plan = ModelPlan::new(5, 1, 0, &wanted, |shard| shard == "a");
        let seen: Vec<_> = plan
            .spans
            .iter()
            .map(|span| (span.shard.as_str(), span.range.start, span.range.end, span.tensors.clone()))
            .collect();
        assert_eq!(
            seen,
            vec![("a", 0, 16384, vec![2, 1]), ("a", 10_000_000, 10_000_010, vec![3]), ("b", 0, 100, vec![0])]
        );
        assert_eq!((plan.requests(), plan.bytes(), plan.moving()), (4, 16384 + 110, 4));
    }

    #[test]
    fn a_large_tensor_comes_in_pieces_that_cover_it() {
        let plan = ModelPlan::new(1, 0, 0, &missing(&[("a", 7, 2 * PIECE + 5)]), |_| true);
        let pieces: Vec<ByteRange> = plan.spans[0].pieces().collect();
        let ends = [7, 7 + PIECE, 7 + 2 * PIECE, 12 + 2 * PIECE];
        assert!(plan.spans[0].is_large());
        assert_eq!((plan.requests(), plan.bytes(), plan.moving()), (3, 2 * PIECE + 5, 1));
        for (piece, bounds) in pieces.iter().zip(ends.windows(2)) {
            assert_eq!([piece.start, piece.end], bounds);
        }
    }

    #[test]
    fn what_the_hubs_cache_has_costs_nothing() {
        let shared = missing(&[("c", 0, 100), ("c", 100, 100)]);
        let plan = ModelPlan::new(3, 0, 0, &missing(&[("a", 0, 10)]), |_| false).with_shared(&shared);
        assert_eq!((plan.requests(), plan.bytes(), plan.moving(), plan.shared), (2, 10, 1, 2));
        assert_eq!(plan.shared_spans.len(), 1);
    }

    #[test]
    fn an_empty_tensor_costs_no_request_and_is_kept() {
        let plan = ModelPlan::new(1, 0, 0, &missing(&[("a", 5, 0)]), |_| false);
        assert_eq!((plan.requests(), plan.bytes(), plan.spans.len()), (0, 0, 1));
    }
}
