//! The values of a tensor, or of a part of one: stored ones as they are, quantised ones times their scales.

use super::{Dequantised, Loaded, Stored, View};
use crate::{
    cache::Cache,
    checkpoint::Dequantiser,
    dtype::Dtype,
    error::Result,
    metric::stream::Source,
    model::{Model, Scaled, Tensor},
};

/// The values that a view shows of a tensor, read block by block.
#[derive(Debug)]
pub(crate) enum Elements {
    Plain(Stored),
    Scaled {
        /// Of the whole tensor.
        values: Box<Dequantised<Stored>>,
        whole: Vec<u64>,
        view: View,
        /// What is seen of the stored elements.
        stored: Stored,
    },
}

impl Elements {
    /// Opens what `view` shows of a tensor of `model`.
    pub(crate) fn open(cache: &Cache, model: &Model, tensor: &Tensor, view: &View) -> Result<Self> {
        let stored = Stored::open(cache, model, tensor, view)?;
        let Some(scaled) = &tensor.scaled else {
            return Ok(Self::Plain(stored));
        };
        let dequantiser = dequantiser(cache, model, &tensor.info.dtype, scaled)?;
        let whole = Stored::open(cache, model, tensor, &View::Whole)?;
        Ok(Self::Scaled {
            values: Box::new(Dequantised::new(whole, dequantiser)),
            whole: tensor.info.shape.clone(),
            view: view.clone(),
            stored,
        })
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
        Loaded::decoded(self.dtype(), &bytes, shape, self.stored().zero_centred)
    }
}

/// Bytes of a value that was made of a code and a scale: F32.
const VALUE: u64 = 4;

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
            Self::Scaled { values, whole, view, .. } => {
                view.read(whole, 4, start / VALUE, into, |first, into| values.read(first * VALUE, into))
            }
        }
    }
}

/// What makes values of a scaled weight, from scales that have been fetched with it, or lie beside it.
pub(super) fn dequantiser(cache: &Cache, model: &Model, weight: &Dtype, scaled: &Scaled) -> Result<Dequantiser> {
    let held = |place: usize| companion(cache, model, place);
    let (dtype, scales) = held(scaled.scale)?;
    let zero_point = scaled.zero_point.map(held).transpose()?;
    let zero_point = zero_point.as_ref().map(|(dtype, bytes)| (dtype, bytes.as_slice()));
    let scaling = &scaled.scaling;
    Ok(Dequantiser::new(weight, scaling.grid.clone(), (&dtype, &scales), zero_point, scaling.divisor)?)
}

/// Type and stored bytes of one of a model's companions.
pub(super) fn companion(cache: &Cache, model: &Model, place: usize) -> Result<(Dtype, Vec<u8>)> {
    let tensor = &model.companions[place];
    let stored = Stored::open(cache, model, tensor, &View::Whole)?;
    let mut bytes = vec![0; usize::try_from(tensor.info.range.len()).unwrap_or(0)];
    stored.read(0, &mut bytes)?;
    Ok((tensor.info.dtype.clone(), bytes))
}
