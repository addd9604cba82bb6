//! What two models' spans of equal bytes say of each of their tensors.

use std::collections::{BTreeMap, HashMap};

use super::{
    row::{ChunkTensor, Method, TensorRow, Verdict},
    terms::Span,
};
use crate::{family::Slot, hub::Unexamined, range::ByteRange};

/// A tensor smaller than this proves nothing, whatever it equals.
const TINY: u64 = 16;

/// Bytes of a tensor that are read to decide whether it is the same.
const MOST_UNDECIDED: u64 = 512 << 10;

/// One model as spans see it.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    pub(crate) tensors: &'a [ChunkTensor],
    /// The content of each of its files.
    pub(crate) contents: &'a [u32],
    /// Tensors of each content, by the place where they begin.
    by_content: HashMap<u32, Vec<usize>>,
    by_name: HashMap<&'a str, usize>,
    /// `None` for a slot that several have.
    by_slot: HashMap<Slot, Option<usize>>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(tensors: &'a [ChunkTensor], contents: &'a [u32]) -> Self {
        let mut by_content: HashMap<u32, Vec<usize>> = HashMap::new();
        let (mut by_name, mut by_slot) = (HashMap::new(), HashMap::new());
        for (at, tensor) in tensors.iter().enumerate() {
            if let Some(content) = contents.get(tensor.file) {
                by_content.entry(*content).or_default().push(at);
            }
            by_name.entry(tensor.name.as_str()).or_insert(at);
            if let Some(slot) = tensor.slot {
                by_slot.entry(slot).and_modify(|first| *first = None).or_insert(Some(at));
            }
        }
        for places in by_content.values_mut() {
            places.sort_by_key(|&at| tensors[at].range);
        }
        Self { tensors, contents, by_content, by_name, by_slot }
    }

    pub(crate) fn content(&self, tensor: usize) -> Option<u32> {
        self.contents.get(self.tensors[tensor].file).copied()
    }

    /// Tensors with bytes in a range of a content, with the bytes.
    pub(crate) fn within(&self, content: u32, range: ByteRange) -> impl Iterator<Item = (usize, ByteRange)> {
        let places = self.by_content.get(&content).map_or(&[][..], Vec::as_slice);
        let first = places.partition_point(|&at| self.tensors[at].range.end <= range.start);
        let met = places[first..].iter().take_while(move |&&at| self.tensors[at].range.start < range.end);
        met.map(move |&at| {
            let whole = self.tensors[at].range;
            (at, ByteRange::new(whole.start.max(range.start), whole.end.min(range.end)))
        })
    }

    /// Whether bytes of a span, where its place is known, are of anything but buffers.
    pub(crate) fn has_weights_in(&self, span: &Span) -> bool {
        self.within(span.b.0, span.b.1).any(|(at, _)| !self.tensors[at].is_buffer)
    }

    /// The tensor that begins at a place, if any of its bytes do.
    fn beginning_at(&self, content: u32, start: u64) -> Option<usize> {
        let places = self.by_content.get(&content)?;
        let first = places.partition_point(|&at| self.tensors[at].range.start < start);
        let mut found = places[first..].iter().take_while(|&&at| self.tensors[at].range.start == start);
        found.find(|&&at| !self.tensors[at].range.is_empty()).copied()
    }

    /// The tensor that another model's is compared with unless bytes tell otherwise: that of its name, else of its role and layer.
    pub(crate) fn counterpart(&self, tensor: &ChunkTensor) -> Option<usize> {
        let by_name = self.by_name.get(tensor.name.as_str()).copied();
        by_name.or_else(|| self.by_slot.get(&tensor.slot?).copied().flatten())
    }
}

/// What is shared, tensor by tensor of `b`, in their order. `unexamined` tells of a content why nothing is known of it, `constant` how
/// many bytes of a range are one chunk over and over. Within one model only tensors that something is shown of have a row.
pub(crate) fn rows(
    [a, b]: [&Side<'_>; 2],
    spans: &[Span],
    unexamined: &dyn Fn(u32) -> Option<Unexamined>,
    constant: &dyn Fn(u32, ByteRange) -> u64,
    is_one_model: bool,
) -> Vec<TensorRow> {
    let mut shared: BTreeMap<usize, Shared> = BTreeMap::new();
    for span in spans {
        for (at, bytes) in b.within(span.b.0, span.b.1) {
            let of_tensor = shared.entry(at).or_default();
            of_tensor.anywhere.push(bytes);
            of_tensor.is_by_nodes |= span.chunks.is_none();
            let Some(from) = span.a.1 else { continue };
            // Where the tensor would begin in the first model, if it were there whole.
            let before = i128::from(span.b.1.start) - i128::from(b.tensors[at].range.start);
            let start = u64::try_from(i128::from(from) - before).ok();
            let other = start.and_then(|start| a.beginning_at(span.a.0, start));
            if let Some(other) = other.filter(|&other| a.tensors[other].dtype == b.tensors[at].dtype) {
                of_tensor.in_place.entry(other).or_default().push(bytes);
            }
        }
    }
    let row = |at: usize| {
        let tensor = &b.tensors[at];
        let content = b.content(at)?;
        if !is_one_model && let Some(other) = equal_file(a, content, tensor) {
            return Some(whole(tensor, other, at, constant(content, tensor.range)));
        }
        let none = Shared::default();
        let found = shared.get(&at).unwrap_or(&none);
        let counterpart = if is_one_model { None } else { a.counterpart(tensor) };
        let best = found.best(a, tensor, counterpart);
        let (other, same) = best.map_or((counterpart, 0), |(other, same)| (Some(other), same));
        let moved = covered(&found.anywhere).saturating_sub(same);
        let is_whole = same == tensor.range.len() && other.is_some_and(|other| a.tensors[other].range.len() == same);
        let is_unknown = || {
            let others = match other {
                Some(other) => a.content(other).is_none_or(|content| unexamined(content).is_some()),
                None => a.contents.iter().all(|&content| unexamined(content).is_some()),
            };
            unexamined(content).is_some() || others
        };
        let verdict = match (is_whole && same > 0, same + moved) {
            (true, _) => Verdict::Identical,
            (false, 0) if is_unknown() => Verdict::NotExamined,
            (false, 0) => Verdict::NotShown,
            (false, _) => Verdict::Partly,
        };
        if is_one_model && same + moved == 0 {
            return None;
        }
        let by = if found.is_by_nodes { Method::Fingerprints } else { Method::Chunks };
        let method = (same + moved > 0).then_some(by);
        let trivial = trivial(tensor, constant(content, tensor.range));
        let can_be_read = other.is_some_and(|other| {
            let (one, two) = (&a.tensors[other], tensor);
            (one.range.len(), &one.dtype) == (two.range.len(), &two.dtype) && two.range.len() - same <= MOST_UNDECIDED
        });
        let in_place = other.and_then(|other| found.in_place.get(&other)).map_or(&[][..], Vec::as_slice);
        let undecided = if can_be_read { without(tensor.range, in_place) } else { Vec::new() };
        Some(TensorRow { a: other, b: at, same, moved, verdict, method, trivial, undecided })
    };
    (0..b.tensors.len()).filter_map(row).collect()
}

/// The tensor of `a` that lies at the same place of an equal file.
fn equal_file(a: &Side<'_>, content: u32, tensor: &ChunkTensor) -> Option<usize> {
    let places = a.by_content.get(&content)?;
    let first = places.partition_point(|&at| a.tensors[at].range < tensor.range);
    let mut there = places[first..].iter().take_while(|&&at| a.tensors[at].range == tensor.range);
    there.find(|&&at| a.tensors[at].name == tensor.name).copied()
}

fn whole(tensor: &ChunkTensor, a: usize, b: usize, constant: u64) -> TensorRow {
    TensorRow {
        a: Some(a),
        b,
        same: tensor.range.len(),
        moved: 0,
        verdict: Verdict::Identical,
        method: Some(Method::File),
        trivial: trivial(tensor, constant),
        undecided: Vec::new(),
    }
}

/// Why equal bytes would be no evidence, as far as that is known without them.
fn trivial(tensor: &ChunkTensor, constant: u64) -> Option<&'static str> {
    let numel = tensor.shape.iter().fold(1, |count: u64, &extent| count.saturating_mul(extent));
    if tensor.is_buffer {
        Some("buffer")
    } else if numel < TINY {
        Some("tiny")
    } else if constant > tensor.range.len() / 2 {
        Some("constant")
    } else {
        None
    }
}

/// What is shared of a tensor.
#[derive(Debug, Default)]
struct Shared {
    /// With each tensor that begins where this one would: the bytes in the same place.
    in_place: BTreeMap<usize, Vec<ByteRange>>,
    /// With whatever it is.
    anywhere: Vec<ByteRange>,
    /// Whether nodes tell of any of it.
    is_by_nodes: bool,
}

impl Shared {
    /// The tensor with which most is shared in place, and how much. Among equals its counterpart comes first, then one of its size.
    fn best(&self, a: &Side<'_>, tensor: &ChunkTensor, counterpart: Option<usize>) -> Option<(usize, u64)> {
        let of = |(&other, bytes): (&usize, &Vec<ByteRange>)| {
            let most = a.tensors[other].range.len();
            // What lies behind the other's end is another tensor's.
            let end = tensor.range.start.saturating_add(most);
            let inside: Vec<ByteRange> =
                bytes.iter().map(|bytes| ByteRange::new(bytes.start.min(end), bytes.end.min(end))).collect();
            let is_of_size = most == tensor.range.len();
            // Of other sizes only the counterpart is spoken of.
            let is_spoken_of = is_of_size || counterpart == Some(other);
            is_spoken_of.then(|| (covered(&inside), counterpart == Some(other), std::cmp::Reverse(other)))
        };
        let (same, _, other) = self.in_place.iter().filter_map(of).max()?;
        (same > 0).then_some((other.0, same))
    }
}

/// What of a range no other covers.
fn without(whole: ByteRange, ranges: &[ByteRange]) -> Vec<ByteRange> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let (mut left, mut from) = (Vec::new(), whole.start);
    for range in ranges.into_iter().chain([ByteRange::new(whole.end, whole.end)]) {
        if range.start > from {
            left.push(ByteRange::new(from, range.start));
        }
        from = from.max(range.end);
    }
    left
}

/// Bytes that ranges cover together.
pub(crate) fn covered(ranges: &[ByteRange]) -> u64 {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let (mut bytes, mut end) = (0, 0);
    for range in ranges {
        bytes += range.end.saturating_sub(range.start.max(end));
        end = end.max(range.end);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_and_what_is_left_make_the_whole() {
        let range = ByteRange::new;
        let ranges = [range(40, 50), range(10, 20), range(15, 30)];
        assert_eq!(covered(&ranges), 30);
        assert_eq!(without(range(10, 60), &ranges), [range(30, 40), range(50, 60)]);
        assert_eq!(without(range(5, 50), &ranges), [range(5, 10), range(30, 40)]);
        assert_eq!(without(range(10, 10), &[]), []);
        assert_eq!(without(range(10, 12), &[]), [range(10, 12)]);
    }
}
