//! A role's matrix of one layer in memory, in its stored width.

use super::{Kind, MatrixIndex, Piece, parts};
use crate::{
    cache::Cache,
    checkpoint::{CheckpointError, FolderFile},
    dtype::Dtype,
    error::Result,
    family::{Block, LayerIndex, Role, Slot},
    fetch::Failures,
    metric::{Undefined, Weights},
    model::{Model, Tensor},
    range::ByteRange,
    tensor::{Floats, Loaded},
};

/// A matrix, or the reason why there is none.
pub(crate) type Read = std::result::Result<Weights, Undefined>;

/// Bytes that are read at once: far below a second-level cache, so that they are widened or copied from there.
const READ_AT_ONCE: usize = 256 * 1024;

/// A matrix that lies in a local file, as BF16 and in one run.
pub(crate) struct LocalRange {
    pub(crate) file: FolderFile,
    pub(crate) range: ByteRange,
    /// As it is stored.
    pub(crate) shape: Vec<u64>,
}

/// Where a model's matrices come from.
pub(crate) struct Source<'a> {
    pub(crate) cache: &'a Cache,
    /// Of the model in the list of models.
    pub(crate) number: usize,
    pub(crate) model: &'a Model,
    pub(crate) failures: &'a Failures,
    pub(crate) index: &'a MatrixIndex,
}

impl Source<'_> {
    /// The matrix of a role at a layer, as `[out, in]`; or the reason why there is none.
    pub(crate) fn read(&self, kind: &Kind, layer: u32) -> Read {
        let absent = |reason: String| Undefined::NotComparable(format!("layer {layer}: {reason}"));
        let piece = match self.index.piece(kind, layer) {
            Ok(piece) => piece,
            Err(reason) => {
                return Err(absent(self.unreadable(kind, layer).unwrap_or_else(|| self.reason(kind, reason))));
            }
        };
        let tensor = &self.model.tensors[piece.tensor];
        if let Some(error) = self.failures.get(&tensor.info.name) {
            return Err(absent(format!("the tensor was not read: {}", error.chain())));
        }
        let stored =
            self.stored(tensor).map_err(|error| absent(format!("the tensor was not read: {}", error.chain())))??;
        part(stored, tensor, piece)
    }

    /// Why the tensor of a role at a layer cannot be read, where that is why there is none.
    fn unreadable(&self, kind: &Kind, layer: u32) -> Option<String> {
        self.model.unreadable(|fault| {
            let is_kind = |slot: Slot| (slot.part, slot.stack, slot.expert) == (kind.part, kind.stack, kind.expert);
            let holds = |slot: Slot, role: Role| slot.role == role || parts(slot.role).contains(&role);
            let is_it = |role: Role| fault.slot.is_some_and(|slot| is_kind(slot) && holds(slot, role));
            fault.layer == Some(LayerIndex(layer)) && kind.role.is_none_or(is_it)
        })
    }

    /// Where the matrix of a role at a layer lies, if it is one run of BF16 in a local file.
    pub(crate) fn local_range(&self, kind: &Kind, layer: u32) -> Option<LocalRange> {
        let piece = self.index.piece(kind, layer).ok()?;
        let tensor = &self.model.tensors[piece.tensor];
        if !is_plain_bf16(tensor) || self.failures.contains_key(&tensor.info.name) {
            return None;
        }
        let (range, shape) = run(tensor, piece)?;
        let file = self.model.repository.local_file(&tensor.shard)?.clone();
        Some(LocalRange { file, range, shape })
    }

    /// Why a role is not there: the family's reason where it has one.
    pub(crate) fn reason(&self, kind: &Kind, found: &str) -> String {
        let family = self.model.family.family;
        let known = kind.role.and_then(|role| self.model.absent_reason(role));
        if let Some(reason) = known {
            return reason.to_owned();
        }
        if family.is_none() && kind.role.is_some() {
            return "its family is not known: name its tensors by --tensor".to_owned();
        }
        if let (Some(family), Some(role)) = (family, kind.role)
            && !family.roles().contains(&role)
        {
            return format!("its family `{}` has no `{role}`", family.name());
        }
        match self.model.config.num_hidden_layers {
            Some(0) => "it has no layers".to_owned(),
            _ => found.to_owned(),
        }
    }

    /// A tensor as one row, in its stored width where that is BF16.
    fn stored(&self, tensor: &Tensor) -> Result<Read> {
        let is_bf16 = is_plain_bf16(tensor);
        if let (Some(file), true) = (self.model.repository.local_file(&tensor.shard), is_bf16) {
            let range = tensor.info.range;
            let mut elements = Vec::with_capacity(usize::try_from(range.len() / 2).unwrap_or(0));
            file.read_blocks(range, READ_AT_ONCE, |block| {
                elements.extend_from_slice(block.as_chunks::<2>().0);
                Ok::<(), CheckpointError>(())
            })?;
            return Ok(Weights::bf16(1, elements.len(), elements));
        }
        let loaded = Loaded::as_stored(self.cache, self.model, tensor)?;
        Ok(loaded.floats.and_then(|floats| match floats {
            // What was widened from BF16 narrows without loss, and takes half the room.
            Floats::F32(values) if is_bf16 => {
                let narrow = |value: &f32| {
                    let [_, _, low, high] = value.to_le_bytes();
                    [low, high]
                };
                Weights::bf16(1, values.len(), values.iter().map(narrow).collect())
            }
            Floats::F32(values) => Weights::f32(1, values.len(), values),
            Floats::F64(values) => Weights::f64(1, values.len(), values),
        }))
    }
}

/// Whether the stored elements are the weights, in BF16.
fn is_plain_bf16(tensor: &Tensor) -> bool {
    tensor.info.dtype == Dtype::BF16 && !tensor.zero_centred
}

/// The bytes and the stored shape of a tensor, or of its part where that is one run of rows.
fn run(tensor: &Tensor, piece: &Piece) -> Option<(ByteRange, Vec<u64>)> {
    let (whole, mut shape) = (tensor.info.range, tensor.info.shape.clone());
    let Some((split, role)) = &piece.split else {
        return Some((whole, shape));
    };
    let block = split.block(*role)?;
    let rows = shape.first_mut().filter(|rows| split.axis == 0 && **rows > 0)?;
    let (row, mut runs) = (whole.len() / *rows, block.ranges());
    let range = runs.next().filter(|range| runs.next().is_none() && range.end <= *rows)?;
    *rows = block.len();
    Some((ByteRange::new(whole.start + range.start * row, whole.start + range.end * row), shape))
}

/// The tensor, or its part, as a matrix.
fn part(stored: Weights, tensor: &Tensor, piece: &Piece) -> Read {
    let mut shape: Vec<usize> = tensor
        .info
        .shape
        .iter()
        .map(|&extent| usize::try_from(extent).map_err(|_| Undefined::Shape))
        .collect::<std::result::Result<_, _>>()?;
    let mut weights = stored;
    if let Some((split, role)) = &piece.split {
        let block = split.block(*role).ok_or(Undefined::Shape)?;
        weights = divided(weights, &shape, split.axis, block)?;
        *shape.get_mut(split.axis).ok_or(Undefined::Shape)? =
            usize::try_from(block.len()).map_err(|_| Undefined::Shape)?;
    }
    let columns = shape.last().copied().unwrap_or(1);
    let rows: usize = shape.iter().rev().skip(1).product();
    let weights = weights.reshaped(rows, columns)?;
    Ok(if piece.transposed { weights.transposed() } else { weights })
}

/// The runs of `block` along an axis.
fn divided(weights: Weights, shape: &[usize], axis: usize, block: &Block) -> Read {
    let extent = *shape.get(axis).ok_or(Undefined::Shape)?;
    let outer: usize = shape[..axis].iter().product();
    let inner: usize = shape[axis + 1..].iter().product();
    let within = |at: u64| usize::try_from(at).map_err(|_| Undefined::Shape);
    let mut ranges = Vec::new();
    for first in 0..outer {
        for range in block.ranges() {
            ranges.push(first * extent + within(range.start)?..first * extent + within(range.end)?);
        }
    }
    weights.reshaped(outer * extent, inner)?.take_rows(&ranges)
}
