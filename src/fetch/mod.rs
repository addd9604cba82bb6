//! What an opened model needs is planned as a value, then brought: whole tensors and rows into the cache, digests past it. Requests run
//! in parallel, bytes in flight are bounded, decoding and hashing run off the reactor.

mod digests;
mod gather;
mod plan;
mod row_plan;
mod rows;
mod tensors;

pub use digests::{Digests, plan_hash};
pub use gather::{Corpus, Cost, Gathered, Limits, Request, Work, each};
pub use plan::{COALESCE_GAP, ModelPlan, PIECE, SPAN_LIMIT, Span};
pub use row_plan::{RowPlan, plan_rows, row_width};
pub(crate) use tensors::plan_companions;
pub use tensors::{BYTES_IN_FLIGHT, Failures, plan, plan_copies};
