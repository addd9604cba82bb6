//! A survey as a document: the question, the models, the pairs that stand apart, groups, the matrices with their nulls, what
//! was left out, what it took.

mod baselines;
mod clusters;
mod components;
mod crossing;
mod document;
mod files;
mod groups;
mod heatmaps;
mod left_out;
mod models;
mod pairs;
mod relations;
mod view;

pub use document::survey_report;
pub use files::{matrix_file, survey_csv};
pub(super) use models::models;
pub use view::View;
