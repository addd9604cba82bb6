//! Models against models.

mod answer;
mod averages;
mod baselines;
mod components;
pub mod page;

pub(crate) use answer::{Sources, cell, place};
pub use answer::{Survey, SurveyOptions, pairs_of, survey};
pub use averages::{PairAverage, RoleAverages};
pub use baselines::{Baseline, Baselines, Simulation};
pub use components::{RoleComponents, VectorAt};
