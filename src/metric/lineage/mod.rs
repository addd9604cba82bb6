//! Are two models related? Exact tests of sampled rows, distances with intervals, and what kind of relation it looks like.
//!
//! If two models come from independent random starts, the labels of units within a layer of one, and of the hidden
//! coordinates of one, say nothing of the other: permuting them changes nothing. A statistic is evidence only if it changes under such a
//! relabelling. Rows are chosen before any weight is seen ([`choice`]); [`units`] and [`basis`] permute what may be permuted and
//! hand their tables to the [`block_test`]; [`verdict`] weighs them.

pub(crate) mod basis;
pub(crate) mod block_test;
pub(crate) mod cells;
pub(crate) mod change;
pub(crate) mod choice;
pub(crate) mod disguise;
pub(crate) mod distance;
mod draws;
pub(crate) mod evidence;
#[cfg(test)]
mod goldens;
mod grid;
pub(crate) mod layer_map;
mod low_rank;
pub(crate) mod merge;
pub(crate) mod pattern;
mod products;
pub(crate) mod relation;
mod student;
pub(crate) mod units;
pub(crate) mod untested;
pub(crate) mod verdict;
