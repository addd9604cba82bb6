//! What one tensor of a checkpoint is: a weight as it stands, a weight that needs its scales, a packed one, or something that only
//! describes another.

use std::fmt;

use super::{PackedFormat, Packing, ScaleGrid, TensorInfo, packed::Named};
use crate::{escaped::Escaped, family::ModelConfig};

/// How a weight is scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// Name of the tensor of scales.
    pub scale: String,
    /// Name of the tensor of zero points, where there is one; it is as long as that of the scales.
    pub zero_point: Option<String>,
    /// Which scale belongs to which element.
    pub grid: ScaleGrid,
    /// What each scale is divided by: 127 where it is the largest magnitude of its elements, else 1.
    pub divisor: u8,
}

/// What a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Its elements are its values.
    Plain,
    /// Its values are its elements times scales: a [`Dequantiser`](super::Dequantiser) makes them.
    Scaled(Scaling),
    /// Its elements hold several weights each.
    Packed {
        /// In which format.
        format: PackedFormat,
        /// How many weights it holds, where that is known.
        weights: Option<u64>,
        /// How its rows are read, or why they are not.
        rows: Result<Packing, String>,
    },
    /// It is quantised, and what stands beside it does not say how.
    #[expect(missing_docs, reason = "the comment above says what is not said")]
    Unclear { reason: String },
    /// It describes the weight `of`, and holds none.
    #[expect(missing_docs, reason = "named above")]
    Auxiliary { of: String },
}

impl Storage {
    /// What a tensor of a packed format is.
    pub(super) fn packed(format: PackedFormat, tensor: &TensorInfo, all: &Named<'_>, config: &ModelConfig) -> Self {
        let (weights, rows) = (format.weights(tensor, all, config), Packing::of(format, tensor, all, config));
        Self::Packed { format, weights, rows }
    }

    /// Why its elements are not compared as weights; `None` for those that are, as they stand or dequantised.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Plain | Self::Scaled(_) => None,
            Self::Packed { format, .. } => {
                let (name, reason) = format.describe();
                Some(format!("{name}: {reason}"))
            }
            Self::Unclear { reason } => Some(reason.clone()),
            Self::Auxiliary { of } => Some(format!("it describes the quantisation of `{}`", Escaped(of))),
        }
    }
}

impl fmt::Display for Storage {
    /// `plain`, `scaled, one scale a row`, `GPTQ`, `unclear`, `auxiliary`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Scaled(scaling) => write!(f, "scaled, {}", scaling.grid.describe()),
            Self::Packed { format, .. } => f.write_str(format.describe().0),
            Self::Unclear { .. } => f.write_str("unclear"),
            Self::Auxiliary { .. } => f.write_str("auxiliary"),
        }
    }
}
