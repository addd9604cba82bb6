//! All metrics of a tensor pair of any size, in bounded memory, from sources that give blocks of stored bytes.
//!
//! A pair is read in fixed blocks spread over threads, twice where `f32` holds its elements: counts, sums, extrema and a
//! sample of the differences; then ranks, and the differences that the sample says quantiles are among. A third reading
//! makes sums about the means where digits would cancel. Elements that `f32` does not hold take more. Nothing stays
//! sampled, and nothing as long as the tensor is kept. Every figure equals that of
//! [`PairMetrics::compute`](super::PairMetrics::compute) within 1e-12, is the same to the bit for any number of threads, and
//! within 1e-12 on every instruction set.

mod brackets;
mod buckets;
mod codes;
mod column;
mod compare;
mod conclude;
mod cross;
mod first;
mod kernels;
mod lanes;
mod narrow;
mod pass;
mod scratch;
mod selector;
mod sorted_ranks;
mod source;
mod walk;

pub use compare::compare;
pub use source::{Memory, Source};
