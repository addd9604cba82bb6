//! Rows of a tensor: what of a large table a question needs, planned, fetched, kept and read like whole tensors are.
//!
//! Rows near each other share a request; what is kept is not asked for again; a folder's rows are read where they lie. Where most of
//! a table is wanted it comes whole, in pieces.

mod fetch;
mod plan;
mod reader;

pub use fetch::fetch_rows;
pub use plan::{RowPlan, plan_rows, row_width};
pub use reader::RowReader;
