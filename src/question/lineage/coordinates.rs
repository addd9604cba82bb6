//! Hidden coordinates by which units are matched, and others by which the matches are tested.

use std::ops::Range;

use crate::{metric::lineage::disguise::Match, rows::RowSet};

/// Hidden coordinates of both sides, in the order in which they stand for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coordinates {
    /// Those that match units.
    pub(crate) matching: [Vec<u64>; 2],
    /// Those that test the matches.
    pub(crate) testing: [Vec<u64>; 2],
}

impl Coordinates {
    /// Those of blocks, which have the same numbers on both sides.
    pub(crate) fn in_place((matching, testing): (&[Range<usize>], &[Range<usize>])) -> Self {
        let both = |blocks: &[Range<usize>]| {
            let numbers: Vec<u64> = blocks.iter().cloned().flatten().map(|row| row as u64).collect();
            [numbers.clone(), numbers]
        };
        Self { matching: both(matching), testing: both(testing) }
    }

    /// Those that were matched themselves.
    pub(crate) fn matched((matching, testing): (Vec<Match>, Vec<Match>)) -> Self {
        let both = |matches: Vec<Match>| {
            let (a, b) = matches.into_iter().map(|matched| (matched.a as u64, matched.b as u64)).unzip();
            [a, b]
        };
        Self { matching: both(matching), testing: both(testing) }
    }

    /// All of one side.
    pub(crate) fn of_side(&self, side: usize) -> RowSet {
        self.matching[side].iter().chain(&self.testing[side]).copied().collect()
    }
}
