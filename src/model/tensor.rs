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
    pub scaled: Option<Scaling>,
    /// How rows of its values are made, where several share a stored element.
    pub packed: Option<Packing>,
    /// Places among [`Model::companions`](super::Model::companions) of what that takes: scales and zero points, or what the packing names.
    pub beside: Vec<usize>,
    /// Whether its layer is past the last that the configuration states, and nothing says that it predicts further tokens.
    pub is_past: bool,
}

/// A tensor that is not in the answer, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// Name of the tensor.
    pub tensor: String,
    /// Why it is left out.
    pub reason: String,
    /// Whether it was asked for and cannot be read: the answer lacks it.
    pub is_fault: bool,
    /// Whether `skip` leaves it out.
    pub is_skipped: bool,
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
