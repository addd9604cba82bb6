//! One test's outcome, whatever it permuted.

use super::block_test::{Significance, Tail};

/// The z of a link, together with a bound.
pub(crate) const Z_LINK: f64 = 8.0;

/// From this z on more rows are read.
pub(crate) const Z_LOOK: f64 = 4.0;

/// A standard normal is above its negative nine times of ten.
pub(crate) const POWER_90: f64 = 1.281_551_565_544_600_4;

/// A statistic beside its null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    /// The statistic in standard deviations of its null, by exact permutation moments.
    pub(crate) z: f64,
    pub(crate) significance: Significance,
    pub(crate) tail: Tail,
    /// Whether nothing that was matched to each other is permuted, so that p and bound are exact.
    pub(crate) exact: bool,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) blocks: usize,
    /// Mean correlation of corresponding rows; a path through a layer map has none.
    pub(crate) rho: Option<f64>,
    /// Standard deviation of ρ under the null.
    pub(crate) rho_sd: Option<f64>,
    /// A correlation of this size is not called consistent with independence nine times of ten.
    pub(crate) rho_detectable: f64,
    /// How many independent rows the rows weigh as, where coordinates are permuted.
    pub(crate) n_eff: Option<f64>,
}

/// The correlation that is not called consistent with independence nine times of ten.
pub(super) fn detectable(rho_sd: f64) -> f64 {
    (Z_LOOK + POWER_90) * rho_sd
}
