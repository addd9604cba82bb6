//! Residuals of weight matrices after the freedom of their basis is taken off.
//!
//! Two layers may hold the same map in different coordinates: heads rotated, units renumbered. Each alignment finds the best
//! member of one family of such changes of basis, and says what is left. What is left of unrelated matrices is smaller
//! than √2, the more so the larger the family, so each has a null of its own ([`null`]); without it, every alignment would
//! seem to find something.

mod assignment;
mod attention;
mod blocks;
mod costs;
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

use std::{fmt, str::FromStr};

pub use attention::{AttentionGauge, attention};
pub use heads::heads;
pub use layout::{HeadLayout, Projections};
pub use permutation::permutation;
pub use rotation::rotation;
pub use units::UnitPair;

/// A family of changes of basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gauge {
    /// One rotation per query head, shared by q, k, v and o: larger than what leaves an attention as it is.
    Heads,
    /// What leaves an attention as it is: rotations of q and k, and of v and o, one per group of heads.
    Attention,
    /// One rotation of all MLP units, shared by gate, up and down: far larger than what leaves an MLP as it is.
    MlpRotation,
    /// What leaves a gated MLP as it is: a permutation of its units, with positive scaling between up and down.
    MlpPermutation,
}

impl Gauge {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Heads, Self::Attention, Self::MlpRotation, Self::MlpPermutation];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heads => "heads",
            Self::Attention => "attention",
            Self::MlpRotation => "mlp-rotation",
            Self::MlpPermutation => "mlp-permutation",
        }
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Gauge {
    type Err = UnknownGauge;

    fn from_str(name: &str) -> Result<Self, UnknownGauge> {
        Self::ALL.into_iter().find(|gauge| gauge.name() == name).ok_or_else(|| UnknownGauge { name: name.to_owned() })
    }
}

/// A family of changes of basis that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an alignment")]
pub struct UnknownGauge {
    /// What was written.
    pub name: String,
}

impl crate::hint::Hint for UnknownGauge {
    fn hint(&self) -> Option<String> {
        Some("write heads, attention, mlp-rotation or mlp-permutation".to_owned())
    }
}

/// A residual before and after alignment, and what the latter is for unrelated Gaussian matrices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// ‖â − b̂‖ as stored.
    pub raw: f64,
    /// The smallest found over the family of changes of basis.
    pub aligned: f64,
    /// What `aligned` is on average for unrelated Gaussian matrices of these shapes.
    pub null: f64,
}

impl Residual {
    /// From overlaps, each the mean cosine of the matrices concerned.
    fn of(raw: f64, aligned: f64, null: f64) -> Self {
        Self {
            raw: super::overlap::residual(raw),
            aligned: super::overlap::residual(aligned),
            null: super::overlap::residual(null),
        }
    }
}

/// What an alignment finds of a pair of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// All matrices that share the change of basis, each divided by its norm, as one.
    pub joint: Residual,
    /// Each matrix under the shared change of basis, in the order in which they were given; empty where only the joint
    /// residual is worked out. One matrix alone may end further off than it began: the change of basis is the best for all.
    pub each: Vec<Residual>,
}
