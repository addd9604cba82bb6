//! A wanted tensor's elements in memory, from the cache, the Hugging Face cache or a folder, ready to be compared.

use std::borrow::Cow;

use crate::{
    dtype::{Dtype, decode},
    error::Result,
    family::FusedLayout,
    metric::{Moments, Undefined},
    values::Values,
};

/// Elements of one tensor, widened exactly: f32 where that holds them, else f64.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Extent of each axis.
    pub shape: Vec<u64>,
    pub(crate) floats: Result<Floats, Undefined>,
    /// The order of the parts of a fused tensor.
    pub(crate) fused: Option<FusedLayout>,
}

#[derive(Debug, Clone)]
pub(crate) enum Floats {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Loaded {
    /// Decodes stored bytes of a shape. A zero-centred gain becomes the effective gain 1 + w.
    pub(crate) fn decoded(dtype: &Dtype, stored: &[u8], shape: Vec<u64>, zero_centred: bool) -> Result<Self> {
        Ok(Self::of_values(decode(dtype, stored)?, shape, zero_centred))
    }

    pub(super) fn of_values(values: Values, shape: Vec<u64>, zero_centred: bool) -> Self {
        let floats =
            if zero_centred { values.plus_one().map_or_else(|| Err(integer_gain()), floats) } else { floats(values) };
        Self { shape, floats, fused: None }
    }

    /// A vector, without a file to read it from.
    #[cfg(test)]
    pub(crate) fn of(values: Vec<f64>) -> Self {
        Self { shape: vec![values.len() as u64], floats: Ok(Floats::F64(values)), fused: None }
    }

    /// Number of elements.
    pub fn numel(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Mean, spread and extrema of the elements.
    pub fn moments(&self) -> Result<Moments, Undefined> {
        match &self.floats {
            Ok(Floats::F32(values)) => Ok(Moments::of(values)),
            Ok(Floats::F64(values)) => Ok(Moments::of(values)),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// The elements as f64.
    pub fn as_f64(&self) -> Result<Cow<'_, [f64]>, Undefined> {
        match &self.floats {
            Ok(Floats::F32(values)) => Ok(values.iter().map(|&value| f64::from(value)).collect()),
            Ok(Floats::F64(values)) => Ok(Cow::Borrowed(values)),
            Err(reason) => Err(reason.clone()),
        }
    }
}

pub(crate) fn other_order() -> Undefined {
    Undefined::NotComparable(
        "its parts stand in another order than those of the other; `compare` compares them one by one".to_owned(),
    )
}

fn integer_gain() -> Undefined {
    Undefined::NotComparable("a zero-centred gain that is stored as integers has no known meaning".to_owned())
}

/// Widens to floating point, exactly. A 64-bit integer beyond 2⁵³ has no exact f64: it is not compared.
pub(crate) fn floats(values: Values) -> Result<Floats, Undefined> {
    const EXACT: u64 = 1 << 53;
    let too_large =
        || Undefined::NotComparable("64-bit integers beyond 2^53 have no exact floating-point value".to_owned());
    Ok(match values {
        Values::F32(values) => Floats::F32(values),
        Values::F64(values) => Floats::F64(values),
        Values::I8(values) => Floats::F32(values.into_iter().map(f32::from).collect()),
        Values::U8(values) => Floats::F32(values.into_iter().map(f32::from).collect()),
        Values::I16(values) => Floats::F32(values.into_iter().map(f32::from).collect()),
        Values::U16(values) => Floats::F32(values.into_iter().map(f32::from).collect()),
        Values::I32(values) => Floats::F64(values.into_iter().map(f64::from).collect()),
        Values::U32(values) => Floats::F64(values.into_iter().map(f64::from).collect()),
        Values::Bool(values) => Floats::F32(values.into_iter().map(|value| f32::from(u8::from(value))).collect()),
        Values::I64(values) => {
            if values.iter().any(|value| value.unsigned_abs() > EXACT) {
                return Err(too_large());
            }
            Floats::F64(values.into_iter().map(|value| value as f64).collect())
        }
        Values::U64(values) => {
            if values.iter().any(|&value| value > EXACT) {
                return Err(too_large());
            }
            Floats::F64(values.into_iter().map(|value| value as f64).collect())
        }
    })
}
