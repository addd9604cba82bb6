//! Rows of a tensor: what of a large table a question needs, planned, fetched, kept and read like whole tensors are.
//!
//! Rows near each other share a request; what is kept is not asked for again; a folder's rows are read where they lie.

mod fetch;
mod loaded;
mod plan;

pub use fetch::fetch_rows;
pub use loaded::LoadedRows;
pub use plan::{RowPlan, plan_rows, row_width};
