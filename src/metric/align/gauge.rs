//! The families of changes of basis that can be asked for.

use std::str::FromStr;

use crate::named::named;

named! {
    /// A family of changes of basis.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Gauge {
        /// One rotation per query head, shared by q, k, v and o: larger than what leaves an attention as it is.
        Heads = "heads",
        /// What leaves an attention as it is: rotations of q and k, and of v and o, one per group of heads.
        Attention = "attention",
        /// One rotation of all MLP units, shared by gate, up and down: far larger than what leaves an MLP as it is.
        MlpRotation = "mlp-rotation",
        /// What leaves a gated MLP as it is: a permutation of its units, with positive scaling between up and down.
        MlpPermutation = "mlp-permutation",
    }
}

impl FromStr for Gauge {
    type Err = UnknownGauge;

    fn from_str(name: &str) -> Result<Self, UnknownGauge> {
        Self::named(name).ok_or_else(|| UnknownGauge { name: name.to_owned() })
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
