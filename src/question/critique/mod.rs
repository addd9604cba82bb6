//! The nine-model study of norm weights: is one model's norm more like another's than chance makes it? Its six experiments
//! as data and code apart, what the study lacked, and its published figures beside the measured ones.

mod answer;
mod basis;
mod chance;
mod check;
mod checked;
mod lists;
pub mod page;
#[cfg(test)]
pub(crate) mod planted;
mod published;
mod study;

pub use answer::{Critique, GROUP_METRICS, RoleAnswer, critique};
pub(crate) use basis::Basis;
pub use chance::{BESIDE_CHANCE, ChanceExperiment, Expected, UnitTrials, closed_form};
pub use check::drop_unpublished;
pub use checked::{Checked, Outcome};
pub(crate) use lists::Rows;
pub use lists::{AtLayer, Lists, Pair};
pub use published::{Layers, Record};
pub use study::{ExperimentPlan, Member, RandomVectors, Reads, Study, SummaryOf};
