//! A wanted tensor, read whole.

use super::{Elements, Layout, Loaded, View, layout, straight};
use crate::{
    cache::Cache,
    dtype::decode,
    error::Result,
    family::FusedLayout,
    model::{AuditError, Model, Tensor},
};

impl Loaded {
    /// Reads a tensor in the order `[out, in]`, whichever it is stored in. A zero-centred gain becomes the effective gain
    /// 1 + w, a quantised weight what its codes and scales stand for.
    pub fn read(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<Self> {
        let layout = layout_of(model, tensor)?;
        let mut loaded = if layout.is_other() {
            readable(model, tensor)?;
            Elements::open(cache, model, tensor, &straight(&tensor.info.shape, layout))?.load()?
        } else {
            Self::as_stored(cache, model, tensor)?
        };
        loaded.fused = layout.fused;
        Ok(loaded)
    }

    /// As [`Loaded::read`], in the order in which it is stored.
    pub(crate) fn as_stored(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<Self> {
        readable(model, tensor)?;
        if tensor.scaled.is_some() {
            return Elements::open(cache, model, tensor, &View::Whole)?.load();
        }
        let values = if let Some(file) = model.repository.local_file(&tensor.shard) {
            decode(&tensor.info.dtype, &file.read_at(tensor.info.range)?)?
        } else {
            let kept = model.key(tensor).map(|key| cache.get(&key)).transpose()?;
            kept.flatten().ok_or_else(|| model.vanished(tensor))?.values
        };
        Ok(Self::of_values(values, tensor.info.shape.clone(), tensor.zero_centred))
    }
}

impl Elements {
    /// A tensor in the order in which [`Loaded::read`] has it, to be read run by run, and the order of its parts where it is fused.
    pub(crate) fn straightened(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<(Self, Option<FusedLayout>)> {
        let layout = layout_of(model, tensor)?;
        readable(model, tensor)?;
        let view = if layout.is_other() { straight(&tensor.info.shape, layout) } else { View::Whole };
        Ok((Self::open(cache, model, tensor, &view)?, layout.fused))
    }
}

fn layout_of(model: &Model, tensor: &Tensor) -> Result<Layout> {
    Ok(layout(model, tensor.slot, &tensor.info).map_err(|reason| quantised(model, tensor, reason))?)
}

fn quantised(model: &Model, tensor: &Tensor, how: String) -> AuditError {
    AuditError::Quantised { model: model.repository.place(), tensor: tensor.info.name.clone(), how }
}

/// Whether the elements of a tensor can be made values at all.
pub(crate) fn readable(model: &Model, tensor: &Tensor) -> Result<()> {
    // A type that is not decoded was not fetched either: that is the reason, not its absence from the cache.
    decode(&tensor.info.dtype, &[])?;
    match model.quantisation().storage(&tensor.info.name).why_not() {
        None => Ok(()),
        Some(how) => Err(quantised(model, tensor, how).into()),
    }
}
