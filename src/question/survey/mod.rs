//! Models against models.

mod answer;
mod averages;
mod baselines;
mod components;
pub mod page;

pub use answer::{Survey, SurveyOptions, survey};
pub use averages::{PairAverage, RoleAverages};
pub use baselines::{Baseline, Baselines, Simulation};
pub use components::{RoleComponents, VectorAt};
