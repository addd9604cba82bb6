//! What an opened model needs is planned as a value, then brought: whole tensors and rows into the cache, digests past it. Requests run in
//! parallel, bytes in flight are bounded, decoding and hashing run off the reactor.

mod digests;
mod plan;
mod row_plan;
mod rows;
mod tensors;

pub use digests::{HashPlan, hash_remote, plan_hash};
pub use plan::{COALESCE_GAP, ModelPlan, PIECE, SPAN_LIMIT, Span};
pub(crate) use row_plan::row_meta;
pub use row_plan::{RowPlan, plan_rows, row_width};
pub use rows::fetch_rows;
pub(crate) use tensors::is_kept;
pub use tensors::{BYTES_IN_FLIGHT, Failures, fetch, plan, plan_where};
