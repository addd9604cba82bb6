//! How a model lays out what a tensor holds: as a Linear does, turned, or several parts in one tensor.

use super::View;
use crate::{
    checkpoint::TensorInfo,
    family::{Family, FusedLayout, Part, Role, Slot},
    model::{Model, Tensor},
};

/// How the elements of a tensor are laid out. Two tensors of one role, shape and layout have their elements in one order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `[in, out]` where a Linear has `[out, in]`.
    pub(crate) turned: bool,
    /// The parts of a fused tensor.
    pub(crate) fused: Option<FusedLayout>,
    /// Whether it holds the matrices, or the biases, of all experts.
    pub(crate) packed: bool,
    /// The experts whose matrices stand below one another in one matrix.
    pub(crate) stacked: Option<u64>,
    /// The rows of a head that stand as rotary embeddings of neighbours need them.
    pub(crate) interleaved: Option<u64>,
}

impl Layout {
    /// Whether it is to be read in another order than it is stored.
    pub(crate) fn is_other(self) -> bool {
        self.turned || self.interleaved.is_some() || self.stacked.is_some()
    }

    /// How many experts a tensor of this shape holds; `None` where it is not of all experts.
    pub(crate) fn experts(self, shape: &[u64]) -> Option<u64> {
        self.stacked.or_else(|| shape.first().copied().filter(|_| self.packed))
    }
}

/// How `model` lays out a tensor; the reason where two layouts are possible and neither shape nor name tells which it is.
pub(crate) fn layout(model: &Model, slot: Option<Slot>, info: &TensorInfo) -> Result<Layout, String> {
    let (Some(family), Some(slot)) = (model.family.family, slot) else {
        return Ok(Layout::default());
    };
    let fused = family.fused(slot.role);
    let axes = if slot.part == Part::Bias { 2 } else { 3 };
    if is_of_experts(slot.role) {
        return match (slot.expert, info.shape.as_slice()) {
            (None, shape) if shape.len() == axes => packed(model, family, slot, info),
            (None, &[rows, _]) if slot.part == Part::Weight => Ok(stacked(model, family, slot, rows)),
            _ => Ok(Layout { fused, ..Layout::default() }),
        };
    }
    if slot.part == Part::Weight && is_kernel(slot.role, info) && model.is_saved_by_mlx() {
        // MLX keeps the channels of a kernel last: [out, width, in] for [out, in, width].
        return Ok(Layout { turned: true, ..Layout::default() });
    }
    let is_other_way = slot.part == Part::Weight && family.is_transposed(slot.role);
    let turned = is_other_way && !is_saved_as_linear(model, family);
    let fused = match fused {
        Some(FusedLayout::QkvColumns) if is_other_way && !turned => Some(FusedLayout::QkvThirds),
        fused => fused,
    };
    let interleaved = if family.is_interleaved(slot.role) { Some(rows_of_head(model, info)?) } else { None };
    Ok(Layout { turned, fused, interleaved, ..Layout::default() })
}

/// As [`layout`]; as stored where that is not known.
pub(crate) fn layout_or_plain(model: &Model, tensor: &Tensor) -> Layout {
    layout(model, tensor.slot, &tensor.info).unwrap_or_default()
}

fn is_kernel(role: Role, info: &TensorInfo) -> bool {
    matches!(role, Role::MixerOther | Role::EmbedPatches) && info.shape.len() == 3
}

/// Whether a model of a family that stores [in, out] was saved as Linears are: by MLX, or as the shape of its first wider matrix
/// tells, since not every shape does.
fn is_saved_as_linear(model: &Model, family: &Family) -> bool {
    let Some(width) = model.config.hidden_size else { return model.is_saved_by_mlx() };
    let is_wider = |role: Role| matches!(role, Role::QkvProj | Role::UpProj) && family.is_transposed(role);
    let told = model.counted().find_map(|(_, info)| {
        let slot = model.slot_of(&info.name).filter(|slot| slot.part == Part::Weight && is_wider(slot.role))?;
        match info.shape.as_slice() {
            &[rows, columns] if slot.expert.is_none() && rows != columns => Some(rows != width && columns == width),
            _ => None,
        }
    });
    told.unwrap_or_else(|| model.is_saved_by_mlx())
}

/// The matrices of a layer's experts below one another. Where their number is not known it is read as it is stored.
fn stacked(model: &Model, family: &Family, slot: Slot, rows: u64) -> Layout {
    let experts = model.config.num_experts.filter(|&experts| experts > 0 && rows.is_multiple_of(experts));
    Layout { turned: experts.is_some() && family.is_transposed(slot.role), stacked: experts, ..Layout::default() }
}

/// The layout of experts in one tensor. The width of the model, where it is one of two unequal extents, tells which axis is the
/// input; else a name with `.weight` is that of a module, which MLX writes as a Linear; else the family says.
fn packed(model: &Model, family: &Family, slot: Slot, info: &TensorInfo) -> Result<Layout, String> {
    let fused = family.fused(slot.role);
    let by_name = family.is_transposed(slot.role) && !info.name.ends_with(".weight") && !model.is_saved_by_mlx();
    let turned = match (info.shape.as_slice(), model.config.hidden_size) {
        _ if slot.part == Part::Bias => by_name,
        (&[_, rows, columns], Some(width)) if (rows == width) != (columns == width) => {
            (rows == width) != (slot.role == Role::ExpertDownProj)
        }
        _ if by_name && family.is_either_way(slot.role) => {
            return Err(format!(
                "experts packed as {:?}: models of the family `{}` are saved as [expert, in, out] and as \
                 [expert, out, in], and equal extents do not tell which this is",
                info.shape,
                family.name()
            ));
        }
        _ => by_name,
    };
    let fused = match (fused, turned) {
        (Some(FusedLayout::GateUpRows), true) if slot.part == Part::Weight => Some(FusedLayout::GateUpColumns),
        (Some(FusedLayout::GateUpColumns), false) => Some(FusedLayout::GateUpRows),
        (fused, _) => fused,
    };
    Ok(Layout { turned: turned && slot.part == Part::Weight, fused, packed: true, ..Layout::default() })
}

fn rows_of_head(model: &Model, info: &TensorInfo) -> Result<u64, String> {
    let rows = info.shape.first().copied().unwrap_or(0);
    match model.config.width_of_head() {
        Some(width) if width > 0 && width % 2 == 0 && rows > 0 && rows % width == 0 && rows <= MOST_ROWS => Ok(width),
        _ => Err(
            "its rows are ordered for rotary embeddings that turn neighbours, and the configuration does not say how \
                  many rows a head has"
                .to_owned(),
        ),
    }
}

/// More rows than the heads of any model have.
const MOST_ROWS: u64 = 1 << 20;

/// The rows of each head as Transformers orders them: first the even ones, then the odd ones.
fn halves(rows: u64, head: u64) -> View {
    let of_head = |first: u64| (0..2).flat_map(move |odd| (0..head / 2).map(move |pair| first + 2 * pair + odd));
    let order = (0..rows / head).flat_map(|number| of_head(number * head));
    View::Rows(order.map(|row| (row, row + 1)).collect())
}

fn is_of_experts(role: Role) -> bool {
    matches!(role, Role::ExpertGateProj | Role::ExpertUpProj | Role::ExpertGateUpProj | Role::ExpertDownProj)
}

/// The places that the parts of a fused tensor fill, each with its own runs.
pub(crate) fn parts(model: &Model, tensor: &Tensor, layout: Layout) -> Result<Vec<(Slot, View)>, String> {
    let (Some(fused), Some(slot)) = (layout.fused, tensor.slot) else {
        return Ok(Vec::new());
    };
    if layout.packed && fused == FusedLayout::GateUpInterleaved && !layout.turned && slot.part == Part::Weight {
        return Err("how gate and up stand in it is known for [expert, in, out] only".to_owned());
    }
    let split = fused.split(slot.part, &tensor.info.shape, &model.config)?;
    let transposed = slot.part == Part::Weight && split.axis == tensor.info.shape.len() - 1;
    let view = |block| {
        let part = View::of_block(block, transposed);
        if layout.packed { View::Experts(Box::new(part)) } else { part }
    };
    Ok(split.blocks.iter().map(|block| (Slot { role: block.role, ..slot }, view(block))).collect())
}

/// The whole tensor in the order `[out, in]`.
pub(crate) fn straight(shape: &[u64], layout: Layout) -> View {
    match (layout.stacked, layout.interleaved, shape) {
        (Some(experts), _, &[rows, columns]) => {
            let shape = vec![experts, rows / experts, columns];
            let matrices = if layout.turned { View::turned(&shape) } else { View::Whole };
            View::Shaped(shape, Box::new(matrices))
        }
        (_, Some(head), &[rows, ..]) => halves(rows, head),
        _ if layout.turned => View::turned(shape),
        _ => View::Whole,
    }
}

/// That of one expert, where the view shows those of all.
pub(crate) fn of_expert(view: &View, expert: u64) -> View {
    match view {
        View::Experts(part) => View::Expert(expert, part.clone()),
        View::Shaped(shape, part) => View::Shaped(shape.clone(), Box::new(of_expert(part, expert))),
        other => View::Expert(expert, Box::new(other.clone())),
    }
}
