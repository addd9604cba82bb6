//! Residuals of weight matrices after the freedom of their basis is taken off.
//!
//! Two layers may hold the same map in different coordinates: heads rotated, units renumbered. Each alignment finds the best
//! member of one family of such changes of basis, and says what is left. What is left of unrelated matrices is smaller
//! than √2, the more so the larger the family, so each has a null of its own ([`null`]); without it, every alignment would
//! seem to find something.

mod aligned;
mod assignment;
mod attention;
mod blocks;
mod costs;
mod gauge;
mod heads;
mod layout;
pub mod null;
mod permutation;
#[cfg(test)]
mod planted;
mod procrustes;
mod relaxation;
mod rotation;
mod units;

pub use aligned::{Aligned, Residual};
pub use attention::{AttentionGauge, attention};
pub use gauge::{Gauge, UnknownGauge};
pub use heads::heads;
pub use layout::{HeadLayout, Projections};
pub use permutation::permutation;
pub(crate) use procrustes::PRECISE_TO;
pub use rotation::rotation;
pub use units::UnitPair;
