//! Are these models related? Exact tests of sampled rows, distances with intervals, which layers match, and what kind of relation it
//! looks like: from about 16 MiB a model.
//!
//! Rows are chosen before any weight is seen ([`Choice`]); all pairs are tested on them ([`Lineage`]); pairs that are unclear read
//! more. It is never said who took from whom.

mod answer;
mod ask;
mod beside;
mod choose;
mod coordinates;
mod disguised;
mod group;
mod group_answer;
mod map;
mod merges;
pub mod page;
mod pair;
mod rows;
mod self_check;
mod sites;
mod testable;

pub use answer::{Condition, Lineage};
pub use ask::LineageAsk;
pub use beside::{bring_beside, pinned};
pub use choose::{Choice, More};
pub use group::{Group, Groups};
pub(crate) use self_check::SelfCheck;
pub use testable::{detectable_at_best, testable};
