//! The nine-model study of norm weights: is one model's norm more like another's than chance makes it? Its six experiments
//! as data and code apart, what the study lacked, and its published figures beside the measured ones.

mod answer;
mod bench;
mod chance;
mod check;
mod depth;
mod experiments;
mod groups;
pub mod page;
#[cfg(test)]
pub(crate) mod planted;
mod published;
mod study;

pub use answer::{Critique, RoleAnswer, critique};
pub(crate) use bench::pairs_at;
pub use bench::{Bench, Comparison, Place, Vectors};
pub use chance::{BESIDE_CHANCE, UnitTrials, closed_form};
pub use check::{Checked, Measured, Outcome, check};
pub use depth::{ByLayer, SameDepth};
pub use experiments::{AtLayer, Chance, ChanceExperiment, ChanceLine, Experiments, Square, StudyChance, Within};
pub use groups::{Average, GROUP_METRICS, GroupFigure};
pub(crate) use groups::{group_figures, verdicts};
pub use published::{Layers, Record};
pub use study::{ExperimentPlan, Member, RandomVectors, Study, SummaryOf, same_depth};
