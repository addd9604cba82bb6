//! Why a test was not made.

use std::fmt;

/// A closed list: a test that cannot be made has one of these in place of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Untested {
    NoTensor,
    /// Hidden sizes differ.
    Width,
    /// Runs of rows differ.
    Units,
    /// Numbers of layers differ: a layer map is asked for instead.
    Depth,
    /// More layers than are mapped.
    TooManyLayers,
    /// One side is stored `[in, out]`.
    Orientation,
    /// Weights that cannot be dequantised by rows.
    Packed,
    NotExchangeable,
    NoTokenizer,
    TooFewTokens,
    /// Blocks or coordinates.
    TooFew,
    /// The statistic does not vary, or over half of the rows have no length.
    Constant,
    NonFinite {
        count: u64,
    },
}

/// A variance that may be divided by; `Constant` where there is none.
pub(super) fn positive(variance: f64) -> Result<f64, Untested> {
    if variance > 0.0 { Ok(variance) } else { Err(Untested::Constant) }
}

impl fmt::Display for Untested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite { count } => write!(f, "NonFinite{{{count}}}"),
            other => write!(f, "{other:?}"),
        }
    }
}
