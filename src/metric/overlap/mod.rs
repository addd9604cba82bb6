//! How far two weight matrices point the same way: one pass over the stored elements, and all that follows from it.
//!
//! A depth-wise test reads hundreds of megabytes a pair and needs five sums of them, so they are taken together, from
//! the stored width, in `f64` lanes that the compiler turns into vectors for the best instruction set of the machine.

mod kernel;
mod strip;
mod sums;

pub use strip::Strip;
pub use sums::{Overlap, frobenius_norm, residual, residual_scaled};
