//! A survey as a document: the question, the models, the outliers, groups, the matrices with their nulls, what was left out, what it
//! took.

mod baselines;
mod clusters;
mod components;
mod document;
mod files;
mod groups;
mod heatmaps;
mod layer_tables;
mod left_out;
mod not_compared;
mod pairs;
mod relations;
mod strongest;
mod summary;
mod view;

pub use document::survey_report;
pub use files::{matrix_file, survey_tables};
pub(crate) use heatmaps::{colored, is_cosine};
pub(crate) use left_out::{left_out, traffic};
pub use view::View;
pub(crate) use view::{
    MOST_PAIRS, MOST_PICTURED, MOST_SHOWN, comparable, digits, layers, listed, mean, models, names, rest,
};
