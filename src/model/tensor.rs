//! A tensor that a question wants, or why it is not in the answer.

use crate::{
    checkpoint::{Packing, Scaling, TensorInfo},
    family::{LayerIndex, Slot},
};

/// A wanted tensor, found in a shard.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// What it is, where a family knows.
    pub slot: Option<Slot>,
    /// Its layer.
    pub layer: Option<LayerIndex>,
    /// The shard that holds it.
    pub shard: String,
    /// Name, element type, shape and place in the shard.
    pub info: TensorInfo,
    /// Whether the gain is stored zero-centred, so that 1 + w is what acts.
    pub zero_centred: bool,
    /// How its values are made of its elements, where these are not the values themselves.
    pub scaled: Option<Scaled>,
    /// How rows of its values are made, where several share a stored element.
    pub packed: Option<Packed>,
    /// Whether its layer is past the last that the configuration states, and nothing says that it predicts further tokens.
    pub is_past: bool,
}

/// How values are made of a quantised tensor, and which of the model's companions that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaled {
    /// How it is scaled.
    pub scaling: Scaling,
    /// Place of the scales among [`Model::companions`].
    pub scale: usize,
    /// Place of the zero points, where there are any.
    pub zero_point: Option<usize>,
}

/// How rows of values are made of a packed matrix, and which of the model's companions that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// How its codes lie.
    pub packing: Packing,
    /// Places among [`Model::companions`] of what the packing names beside the codes.
    pub beside: Vec<usize>,
}

/// A tensor that is not in the answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// Name of the tensor.
    pub tensor: String,
    /// Why it is left out.
    pub reason: String,
    /// Whether it was asked for and cannot be read: the answer lacks it.
    pub is_fault: bool,
    /// What it would be, where it was asked for.
    pub slot: Option<Slot>,
    /// Its layer, likewise.
    pub layer: Option<LayerIndex>,
}

impl Exclusion {
    /// A sentence of a tensor that cannot be read.
    pub(crate) fn told(&self) -> String {
        format!("`{}` cannot be read: {}", self.tensor.escape_debug(), self.reason)
    }
}
