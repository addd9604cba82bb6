//! Sets of rows of a tensor: what is wanted of an embedding table, and what of it is kept.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::range::ByteRange;

/// A set of row numbers, as runs: sorted, apart from each other, none empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[u64; 2]>", into = "Vec<[u64; 2]>")]
pub struct RowSet {
    runs: Vec<Range<u64>>,
}

impl RowSet {
    /// The rows of `run`.
    pub fn run(run: Range<u64>) -> Self {
        Self { runs: if run.is_empty() { Vec::new() } else { vec![run] } }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, ascending.
    pub fn runs(&self) -> &[Range<u64>] {
        &self.runs
    }

    /// One past the last row; 0 of none.
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().cloned().flatten()
    }

    /// Whether every row of `other` is in this set.
    pub fn contains(&self, other: &Self) -> bool {
        other.difference(self).is_empty()
    }

    /// Rows in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all: Vec<Range<u64>> = self.runs.iter().chain(&other.runs).cloned().collect();
        all.sort_by_key(|run| run.start);
        let mut runs: Vec<Range<u64>> = Vec::with_capacity(all.len());
        for run in all {
            match runs.last_mut() {
                Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
                _ => runs.push(run),
            }
        }
        Self { runs }
    }

    /// Rows of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        for run in &self.runs {
            let mut start = run.start;
            let first = other.runs.partition_point(|taken| taken.end <= run.start);
            for taken in &other.runs[first..] {
                if taken.start >= run.end {
                    break;
                }
                if taken.start > start {
                    runs.push(start..taken.start);
                }
                start = start.max(taken.end);
            }
            if start < run.end {
                runs.push(start..run.end);
            }
        }
        Self { runs }
    }

    /// Rows of this set in `within`.
    #[must_use]
    pub fn within(&self, within: &Range<u64>) -> Self {
        let cut = |run: &Range<u64>| run.start.max(within.start)..run.end.min(within.end);
        Self { runs: self.runs.iter().map(cut).filter(|run| !run.is_empty()).collect() }
    }

    /// The bytes of each run in a tensor of rows of `width` bytes that begins at `start`, those longer than `limit` cut between
    /// rows. `None` where a place is beyond what a file can have.
    pub fn byte_ranges(&self, start: u64, width: u64, limit: u64) -> Option<Vec<ByteRange>> {
        let at = |row: u64| row.checked_mul(width)?.checked_add(start);
        let rows_at_once = limit.checked_div(width)?.max(1);
        let mut ranges = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let mut first = run.start;
            while first < run.end {
                let next = run.end.min(first.saturating_add(rows_at_once));
                ranges.push(ByteRange::new(at(first)?, at(next)?));
                first = next;
            }
        }
        Some(ranges)
    }
}

impl FromIterator<u64> for RowSet {
    /// Rows in any order; some may stand twice.
    fn from_iter<I: IntoIterator<Item = u64>>(rows: I) -> Self {
        // The last number there is has none after it, and no tensor has that many rows.
        let mut rows: Vec<u64> = rows.into_iter().filter(|&row| row < u64::MAX).collect();
        rows.sort_unstable();
        let mut runs: Vec<Range<u64>> = Vec::new();
        for row in rows {
            match runs.last_mut() {
                Some(last) if row < last.end => {}
                Some(last) if row == last.end => last.end += 1,
                _ => runs.push(row..row + 1),
            }
        }
        Self { runs }
    }
}

impl From<RowSet> for Vec<[u64; 2]> {
    fn from(rows: RowSet) -> Self {
        rows.runs.into_iter().map(|run| [run.start, run.end]).collect()
    }
}

impl TryFrom<Vec<[u64; 2]>> for RowSet {
    type Error = &'static str;

    fn try_from(runs: Vec<[u64; 2]>) -> Result<Self, Self::Error> {
        let runs: Vec<Range<u64>> = runs.into_iter().map(|[start, end]| start..end).collect();
        let apart = runs.windows(2).all(|pair| pair[0].end < pair[1].start);
        if apart && !runs.iter().any(Range::is_empty) {
            Ok(Self { runs })
        } else {
            Err("runs of rows are not in order")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(rows: &BTreeSet<u64>) -> RowSet {
        rows.iter().copied().collect()
    }

    #[test]
    fn rows_become_runs() {
        let rows: RowSet = [5, 3, 4, 4, 9].into_iter().collect();
        assert_eq!(rows.runs(), [3..6, 9..10]);
        assert_eq!((rows.len(), rows.end()), (4, 10));
        assert_eq!(serde_json::to_string(&rows).unwrap(), "[[3,6],[9,10]]");
        for wrong in ["[[3,3]]", "[[3,6],[6,7]]", "[[9,10],[3,6]]", "[[4,3]]"] {
            assert!(serde_json::from_str::<RowSet>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_of_rows_are_cut_between_rows() {
        let rows: RowSet = [0, 1, 2, 3, 7].into_iter().collect();
        let ranges = rows.byte_ranges(100, 10, 25).unwrap();
        let expected = [(100, 120), (120, 140), (170, 180)];
        assert_eq!(ranges, expected.map(|(start, end)| ByteRange::new(start, end)));
        assert_eq!(rows.byte_ranges(100, 10, 5).unwrap().len(), 5);
        assert_eq!(rows.byte_ranges(0, 0, 5), None);
        assert_eq!(RowSet::run(0..u64::MAX).byte_ranges(1, u64::MAX, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets(a in prop::collection::btree_set(0_u64..40, 0..30), b in prop::collection::btree_set(0_u64..40, 0..30)) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.union(&y), of(&a.union(&b).copied().collect()));
            prop_assert_eq!(x.difference(&y), of(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.within(&(7..21)), of(&a.range(7..21).copied().collect()));
            prop_assert_eq!(x.contains(&y), b.is_subset(&a));
            prop_assert_eq!(x.iter().collect::<BTreeSet<_>>(), a.clone());
            prop_assert_eq!(x.len(), a.len() as u64);
            let again: RowSet = serde_json::from_str(&serde_json::to_string(&x).unwrap()).unwrap();
            prop_assert_eq!(again, x);
        }
    }
}
