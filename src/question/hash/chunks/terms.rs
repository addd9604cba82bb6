//! Runs of stored chunks that stand in several files, and where in them: all that terms prove of equal bytes.
//!
//! Two files that have a chunk of a stored block have its bytes in common. Where the chunk begins in each follows from the lengths of
//! terms that begin and end around it; where it does not follow, only bounds are known.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::positions::Positions;
use crate::{
    digest::xet::XetHash,
    hub::{MOST_CHUNKS, Term},
    range::ByteRange,
};

/// Bytes of a chunk: at least, but of the last of a file, and at most.
const LEAST: u64 = 8 << 10;
pub(crate) const MOST: u64 = 128 << 10;

/// Meetings of two runs for one pair of models: far more than stores make, so that no answer costs an hour.
pub(crate) const MOST_MEETINGS: u64 = 50_000_000;

/// A run of chunks in a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) block: u32,
    pub(crate) first: u16,
    pub(crate) end: u16,
    pub(crate) content: u32,
    pub(crate) len: u32,
    pub(crate) at: u64,
}

/// Bytes that are the same in two contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Place in the second content. Where it is not known, the bytes that are shared in any case; there may be none.
    pub(crate) b: (u32, ByteRange),
    /// Place in the first, where that is known too.
    pub(crate) a: (u32, Option<u64>),
    /// Which chunks of which block; `None` where content is the same, wherever it is stored.
    pub(crate) chunks: Option<(u32, u16, u16)>,
}

/// The spans of two models.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    pub(crate) spans: Vec<Span>,
    /// Whether there are more than could be looked at.
    pub(crate) is_cut: bool,
}

/// Places of rows by the content that each is of.
pub(crate) fn by_content(contents: impl Iterator<Item = u32>) -> HashMap<u32, Vec<u32>> {
    let mut places: HashMap<u32, Vec<u32>> = HashMap::new();
    for (place, content) in (0..).zip(contents) {
        places.entry(content).or_default().push(place);
    }
    places
}

/// The rows of some contents, in the order of all.
pub(crate) fn rows_of<'r, R>(rows: &'r [R], by_content: &HashMap<u32, Vec<u32>>, contents: &[u32]) -> Vec<&'r R> {
    let places = contents.iter().filter_map(|content| by_content.get(content));
    let places: BTreeSet<u32> = places.flatten().copied().collect();
    places.into_iter().map(|place| &rows[place as usize]).collect()
}

/// Terms of many contents, found by their blocks.
#[derive(Debug, Default)]
pub(crate) struct TermIndex {
    /// By block, then chunk. Blocks that stand in one place alone have none.
    rows: Vec<Row>,
    /// Places of the rows of each content.
    by_content: HashMap<u32, Vec<u32>>,
    positions: Positions,
    /// Of each content the bytes that are one chunk over and over, as zeros are.
    constant: HashMap<u32, Vec<ByteRange>>,
    /// Contents whose terms contradict others: nothing is made of them.
    inconsistent: BTreeSet<u32>,
}

impl TermIndex {
    /// Of the terms of each content, in the order of the content, and of runs whose length is known beside them.
    pub(crate) fn new<'a>(contents: impl IntoIterator<Item = &'a [Term]>, lengths: &[Term]) -> Self {
        let mut index = Self::default();
        let mut blocks: HashMap<XetHash, u32> = HashMap::new();
        let mut trivial: BTreeSet<(u32, u16)> = BTreeSet::new();
        for (content, terms) in (0..).zip(contents) {
            let from = index.rows.len();
            let mut at = 0;
            for term in terms {
                let next = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
                let block = *blocks.entry(term.block).or_insert(next);
                let borders = [term.chunks.start, term.chunks.end].map(u16::try_from);
                // The client lets no other pass.
                let can_be = !term.chunks.is_empty() && term.chunks.end <= MOST_CHUNKS;
                if let (true, [Ok(first), Ok(end)], Ok(len)) = (can_be, borders, u32::try_from(term.len)) {
                    index.rows.push(Row { block, first, end, content, len, at });
                }
                at = at.saturating_add(term.len);
            }
            for pair in index.rows[from..].windows(2) {
                let [one, next] = [pair[0], pair[1]];
                let is_one = one.end - one.first == 1 && u64::from(one.len) == MOST;
                if is_one && (one.block, one.first) == (next.block, next.first) {
                    trivial.insert((one.block, one.first));
                    let range = ByteRange::new(one.at, one.at + MOST);
                    index.constant.entry(content).or_default().push(range);
                }
            }
        }
        index.rows.sort_unstable();
        index.forget_single_rows();
        let known = lengths.iter().filter_map(|run| Some((*blocks.get(&run.block)?, run)));
        index.find_positions(
            &known.map(|(block, run)| (block, [run.chunks.start, run.chunks.end], run.len)).collect::<Vec<_>>(),
        );
        index.cut_out(&trivial);
        index.by_content = by_content(index.rows.iter().map(|row| row.content));
        index
    }

    /// Contents whose terms contradict others.
    pub(crate) fn inconsistent(&self) -> &BTreeSet<u32> {
        &self.inconsistent
    }

    /// Bytes of a range of a content that are known to be one chunk over and over.
    pub(crate) fn constant_bytes(&self, content: u32, range: ByteRange) -> u64 {
        let ranges = self.constant.get(&content).into_iter().flatten();
        ranges.map(|constant| constant.end.min(range.end).saturating_sub(constant.start.max(range.start))).sum()
    }

    /// What stands in one place alone is shared with nothing.
    fn forget_single_rows(&mut self) {
        let mut kept = Vec::new();
        for rows in self.rows.chunk_by(|a, b| a.block == b.block).filter(|rows| rows.len() > 1) {
            kept.extend_from_slice(rows);
        }
        self.rows = kept;
    }

    /// Joins what terms say, and `lengths` of runs of blocks. Contents with a term in a block of which two things are said are left
    /// out: nothing tells which is true.
    fn find_positions(&mut self, lengths: &[(u32, [u32; 2], u64)]) {
        let rows = || self.rows.iter().map(|row| (row.block, [row.first, row.end].map(u32::from), u64::from(row.len)));
        let mut positions = Positions::default();
        let mut add = |(block, ends, len): (u32, [u32; 2], u64)| (!positions.add(block, ends, len)).then_some(block);
        let wrong: BTreeSet<u32> = rows().chain(lengths.iter().copied()).filter_map(&mut add).collect();
        if !wrong.is_empty() {
            let of_wrong = self.rows.iter().filter(|row| wrong.contains(&row.block));
            self.inconsistent = of_wrong.map(|row| row.content).collect();
            self.rows.retain(|row| !self.inconsistent.contains(&row.content));
            positions = Positions::default();
            let rows = self.rows.iter().map(|row| (row.block, [row.first, row.end].map(u32::from), u64::from(row.len)));
            let lengths = lengths.iter().copied().filter(|(block, ..)| !wrong.contains(block));
            for (block, ends, len) in rows.chain(lengths) {
                positions.add(block, ends, len);
            }
        }
        self.positions = positions;
    }

    /// Takes chunks out of all rows that are evidence of nothing.
    fn cut_out(&mut self, trivial: &BTreeSet<(u32, u16)>) {
        if trivial.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let cuts = trivial.range((row.block, row.first)..(row.block, row.end)).map(|&(_, chunk)| chunk);
            let mut first = row.first;
            for cut in cuts.chain([row.end]) {
                kept.extend(self.part(row, first, cut));
                first = cut.saturating_add(1);
            }
        }
        kept.sort_unstable();
        self.rows = kept;
    }

    /// Some chunks of a row, where it is known where they are.
    fn part(&self, row: &Row, first: u16, end: u16) -> Option<Row> {
        if first >= end {
            return None;
        }
        let before = self.between(row.block, row.first, first)?;
        let len = u32::try_from(self.between(row.block, first, end)?).ok()?;
        let is_inside = before + u64::from(len) <= row.len.into();
        is_inside.then_some(Row { first, end, len, at: row.at + before, ..*row })
    }

    /// Bytes between the beginnings of two chunks of a block, where they are known.
    pub(crate) fn between(&self, block: u32, from: u16, to: u16) -> Option<u64> {
        self.positions.between(block, from.into(), to.into())
    }

    /// What contents of a first model have in common with those of a second. Where both are one, each pair of places is met once,
    /// the earlier one first, and no place meets itself.
    pub(crate) fn spans(&self, a: &[u32], b: &[u32], is_one_model: bool) -> Spans {
        let mut found = Spans::default();
        found.is_cut = self.meet([a, b], is_one_model, |x, y| found.spans.push(self.span(x, y)));
        found.spans.sort_unstable();
        found
    }

    /// Runs of both that have chunks in common of which it is known where they begin in the second alone; most chunks first.
    pub(crate) fn unplaced(&self, a: &[u32], b: &[u32], is_one_model: bool) -> Vec<(Row, Row)> {
        let mut found: Vec<(u16, Row, Row)> = Vec::new();
        self.meet([a, b], is_one_model, |x, y| {
            let (lo, hi) = (x.first.max(y.first), x.end.min(y.end));
            let is_known = |from: u16, to: u16| self.between(x.block, from, to).is_some();
            if !is_known(x.first, lo) && is_known(y.first, lo) && is_known(lo, hi) {
                found.push((hi - lo, *x, *y));
            }
        });
        found.sort_by_key(|(chunks, ..)| std::cmp::Reverse(*chunks));
        found.into_iter().map(|(_, x, y)| (x, y)).collect()
    }

    /// Takes in a length that was not known; `false` where it contradicts others.
    pub(crate) fn learn(&mut self, block: u32, ends: [u16; 2], len: u64) -> bool {
        self.positions.add(block, ends.map(u32::from), len)
    }

    /// Hands over each two rows of both that have chunks in common. Whether there are more than are looked at.
    fn meet(&self, [a, b]: [&[u32]; 2], is_one_model: bool, mut found: impl FnMut(&Row, &Row)) -> bool {
        let [of_a, of_b] = [a, b].map(|contents| rows_of(&self.rows, &self.by_content, contents));
        let mut meetings = 0_u64;
        for y in of_b {
            let of_block = &of_a[of_a.partition_point(|x| x.block < y.block)..];
            for x in of_block.iter().take_while(|x| x.block == y.block && x.first < y.end) {
                meetings += 1;
                if meetings > MOST_MEETINGS {
                    return true;
                }
                if x.end > y.first && !(is_one_model && (x.content, x.at) >= (y.content, y.at)) {
                    found(x, y);
                }
            }
        }
        false
    }

    /// What two rows that meet have in common.
    fn span(&self, x: &Row, y: &Row) -> Span {
        let (lo, hi) = (x.first.max(y.first), x.end.min(y.end));
        let len = self.between(x.block, lo, hi);
        let place = |row: &Row| {
            let start = row.at + self.between(row.block, row.first, lo)?;
            // A length that chunks cannot have is no length.
            let len =
                len.filter(|len| *len <= MOST * u64::from(hi - lo) && start + len <= row.at + u64::from(row.len))?;
            Some(ByteRange::new(start, start + len))
        };
        let chunks = Some((x.block, lo, hi));
        match place(y) {
            Some(b) => Span { b: (y.content, b), a: (x.content, place(x).map(|a| a.start)), chunks },
            None => Span { b: (y.content, surely(y, lo, hi)), a: (x.content, None), chunks },
        }
    }

    /// How many distinct chunks spans hold of which `counts`.
    pub(crate) fn distinct_chunks(spans: &[Span], counts: impl Fn(&Span) -> bool) -> u64 {
        let mut runs: Vec<(u32, u16, u16)> =
            spans.iter().filter(|span| counts(span)).filter_map(|span| span.chunks).collect();
        runs.sort_unstable();
        let (mut count, mut seen) = (0, (0, 0));
        for (block, first, end) in runs {
            let first = if seen.0 == block { first.max(seen.1) } else { first };
            if end > first {
                count += u64::from(end - first);
                seen = (block, end);
            }
        }
        count
    }

    /// For each model and each model before it how many chunks of it are first found there. `models` is the first model of each content.
    pub(crate) fn first_holders(&self, models: &[u32]) -> BTreeMap<(u32, u32), u32> {
        let mut counts = BTreeMap::new();
        let model = |row: &Row| models.get(row.content as usize).copied().unwrap_or(u32::MAX);
        for rows in self.rows.chunk_by(|a, b| a.block == b.block) {
            if rows.iter().all(|row| model(row) == model(&rows[0])) {
                continue;
            }
            let mut rows: Vec<&Row> = rows.iter().collect();
            rows.sort_by_key(|row| model(row));
            // Who had each chunk first, and who had it last.
            let end = rows.iter().map(|row| row.end).max().unwrap_or_default();
            let mut holders: Vec<Option<(u32, u32)>> = vec![None; end.into()];
            for row in rows {
                let model = model(row);
                // Neighbours mostly have the same.
                let chunks = &mut holders[usize::from(row.first)..usize::from(row.end)];
                for alike in chunks.chunk_by_mut(|a, b| a == b) {
                    let (first, last) = alike[0].unwrap_or((model, model));
                    if last != model {
                        *counts.entry((first, model)).or_insert(0) += u32::try_from(alike.len()).unwrap_or(u32::MAX);
                    }
                    alike.fill(Some((first, model)));
                }
            }
        }
        counts
    }
}

/// The bytes that chunks of a row cover, wherever in it exactly they are.
fn surely(row: &Row, lo: u16, hi: u16) -> ByteRange {
    let count = |from: u16, to: u16| u64::from(to - from);
    let least = |chunks: u64| LEAST * chunks.saturating_sub(1);
    let end_of_row = row.at + u64::from(row.len);
    let latest_start =
        (row.at + MOST * count(row.first, lo)).min(end_of_row - least(count(lo, row.end)).min(row.len.into()));
    let earliest_end =
        (row.at + least(count(row.first, hi))).max(end_of_row.saturating_sub(MOST * count(hi, row.end)).max(row.at));
    ByteRange::new(latest_start, earliest_end)
}
