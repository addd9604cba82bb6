//! How a model lays out what a tensor holds: as a Linear does, turned, or several parts in one tensor.

use crate::{
    family::{FusedLayout, Part, Role, Slot},
    model::{Model, Tensor},
};

/// How the elements of a tensor are laid out. Two tensors of one role, shape and layout have their elements in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `[in, out]` where a Linear has `[out, in]`.
    pub(crate) turned: bool,
    /// The parts of a fused tensor.
    pub(crate) fused: Option<FusedLayout>,
}

/// How `model` lays out one of its tensors.
pub(crate) fn layout(model: &Model, tensor: &Tensor) -> Layout {
    let plain = Layout { turned: false, fused: None };
    let (Some(family), Some(slot)) = (model.family.family, tensor.slot) else {
        return plain;
    };
    Layout { turned: slot.part == Part::Weight && family.is_transposed(slot.role), fused: family.fused(slot.role) }
}

/// The places that the parts of a fused tensor fill, each with its own runs.
pub(crate) fn parts(
    model: &Model,
    tensor: &Tensor,
    layout: Layout,
) -> Result<Vec<(Slot, crate::tensor::View)>, String> {
    let (Some(fused), Some(slot)) = (layout.fused, tensor.slot) else {
        return Ok(Vec::new());
    };
    let axes = if slot.part == Part::Bias { 1 } else { 2 };
    if tensor.info.shape.len() > axes {
        return Err("experts that are packed in one tensor are compared with experts packed alike only".to_owned());
    }
    let split = fused.split(slot.part, &tensor.info.shape, &model.config).map_err(|error| error.to_string())?;
    let transposed = split.axis == 1;
    let place = |role: Role| Slot { role, ..slot };
    Ok(split.blocks.iter().map(|block| (place(block.role), crate::tensor::View::of_block(block, transposed))).collect())
}
