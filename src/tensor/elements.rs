//! The values of one side of a pair: stored ones as they are, quantised ones times their scales.

use super::{Dequantised, Loaded, Stored, View};
use crate::{
    cache::Cache,
    checkpoint::Dequantiser,
    dtype::Dtype,
    error::Result,
    metric::stream::Source,
    model::Model,
    question::compare::{Half, Scaled},
};

/// The values of a tensor, or of a part of one, read block by block.
#[derive(Debug)]
pub(crate) enum Elements {
    Plain(Stored),
    Scaled { values: Box<Dequantised<Stored>>, stored: Stored },
}

impl Elements {
    /// Opens what `half` means of a tensor of `model`.
    pub(crate) fn open(cache: &Cache, model: &Model, half: &Half) -> Result<Self> {
        let tensor = &model.tensors[half.tensor];
        let open = || Stored::open(cache, model, tensor, &half.view);
        let Some(scaling) = &half.scaling else {
            return Ok(Self::Plain(open()?));
        };
        let dequantiser = dequantiser(cache, model, &tensor.info.dtype, scaling)?;
        Ok(Self::Scaled { values: Box::new(Dequantised::new(open()?, dequantiser)), stored: open()? })
    }

    /// The stored elements.
    pub(crate) fn stored(&self) -> &Stored {
        match self {
            Self::Plain(stored) | Self::Scaled { stored, .. } => stored,
        }
    }

    pub(crate) fn is_scaled(&self) -> bool {
        matches!(self, Self::Scaled { .. })
    }

    /// All values, in memory.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let width = self.dtype().bits().unwrap_or(0) / 8;
        let mut bytes = vec![0; usize::try_from(self.numel() * width).unwrap_or(0)];
        self.read(0, &mut bytes)?;
        let shape = self.stored().shape().to_vec();
        Loaded::decoded(self.dtype(), &bytes, shape, self.stored().is_zero_centred())
    }
}

impl Source for Elements {
    type Error = crate::Error;

    fn dtype(&self) -> &Dtype {
        match self {
            Self::Plain(stored) => stored.dtype(),
            Self::Scaled { values, .. } => values.dtype(),
        }
    }

    fn numel(&self) -> u64 {
        self.stored().numel()
    }

    fn read(&self, start: u64, into: &mut [u8]) -> Result<()> {
        match self {
            Self::Plain(stored) => stored.read(start, into),
            Self::Scaled { values, .. } => values.read(start, into),
        }
    }
}

/// What makes values of a scaled weight, from scales that have been fetched with it, or lie beside it.
fn dequantiser(cache: &Cache, model: &Model, weight: &Dtype, scaled: &Scaled) -> Result<Dequantiser> {
    let held = |at: usize| -> Result<(Dtype, Vec<u8>)> {
        let tensor = &model.tensors[at];
        let stored = Stored::open(cache, model, tensor, &View::Whole)?;
        let mut bytes = vec![0; usize::try_from(tensor.info.range.len()).unwrap_or(0)];
        stored.read(0, &mut bytes)?;
        Ok((tensor.info.dtype.clone(), bytes))
    };
    let (dtype, scales) = held(scaled.scale)?;
    let zero_point = scaled.zero_point.map(held).transpose()?;
    let zero_point = zero_point.as_ref().map(|(dtype, bytes)| (dtype, bytes.as_slice()));
    let grid = scaled.scaling.grid.clone();
    Ok(Dequantiser::new(weight, grid, (&dtype, &scales), zero_point)?)
}
