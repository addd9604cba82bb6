//! All metrics of a tensor pair of any size, in bounded memory, from sources that give blocks of stored bytes.
//!
//! A pair is read several times, in fixed blocks spread over threads: counts, sums and extrema; then what needs the
//! means; then ranks and quantiles, narrowed down by counting until they are exact. Nothing is sampled and nothing as long as
//! the tensor is kept. Blocks are summed by the very code that sums slices in memory, compiled for several instruction
//! sets and chosen at run time, so that every figure equals that of [`PairMetrics::compute`](super::PairMetrics::compute)
//! and depends neither on the machine nor on the number of threads.

mod brackets;
mod codes;
mod column;
mod compare;
mod conclude;
mod cross;
mod lanes;
mod narrow;
mod pass;
mod selector;
mod simd;
mod sorted_ranks;
mod source;
mod walk;
mod wide_ranks;

pub use compare::compare;
pub use pass::StreamError;
pub use source::{Memory, Source};
