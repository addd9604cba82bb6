//! A wanted tensor's elements in memory, from the cache, the Hugging Face cache or a folder, and ready to be compared.

use std::borrow::Cow;

use super::{Elements, Layout, View, layout, straight};
use crate::{
    cache::Cache,
    dtype::{Dtype, decode},
    error::Result,
    family::FusedLayout,
    metric::{Moments, PairMetrics, Side, Undefined, stream::Source},
    model::{AuditError, Model, Tensor},
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

    /// All metrics of the pair (`self`, `other`), or the one reason why there are none.
    pub fn compare(&self, other: &Self) -> PairMetrics {
        let (a, b) = rayon::join(|| Prepared::new(self), || Prepared::new(other));
        a.compare(&b)
    }
}

impl Elements {
    /// All values, in memory.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let width = self.dtype().bits().unwrap_or(0) / 8;
        let mut bytes = vec![0; usize::try_from(self.numel() * width).unwrap_or(0)];
        self.read(0, &mut bytes)?;
        Loaded::decoded(self.dtype(), &bytes, self.shape.clone(), self.zero_centred)
    }

    /// A tensor in the order in which [`Loaded::read`] has it, to be read run by run, and the order of its parts where it is fused.
    pub(crate) fn straightened(cache: &Cache, model: &Model, tensor: &Tensor) -> Result<(Self, Option<FusedLayout>)> {
        let layout = layout_of(model, tensor)?;
        readable(model, tensor)?;
        let view = if layout.is_other() { straight(&tensor.info.shape, layout) } else { View::Whole };
        Ok((Self::open(cache, model, tensor, &view)?, layout.fused))
    }
}

/// A tensor, ready to meet many others.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    loaded: &'a Loaded,
    side: Result<(&'a Floats, Side), &'a Undefined>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(loaded: &'a Loaded) -> Self {
        let side = loaded.floats.as_ref().map(|floats| match floats {
            Floats::F32(values) => (floats, Side::new(values)),
            Floats::F64(values) => (floats, Side::new(values)),
        });
        Self { loaded, side }
    }

    /// All metrics of the pair (`self`, `other`), or the one reason why there are none.
    pub(crate) fn compare(&self, other: &Self) -> PairMetrics {
        use Floats::{F32, F64};
        if self.loaded.shape != other.loaded.shape {
            return PairMetrics::undefined(&Undefined::Shape);
        }
        if self.loaded.fused != other.loaded.fused {
            return PairMetrics::undefined(&other_order());
        }
        match (&self.side, &other.side) {
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(reason),
            (Ok((F32(a), of_a)), Ok((F32(b), of_b))) => PairMetrics::of((a, of_a), (b, of_b)),
            (Ok((F64(a), of_a)), Ok((F64(b), of_b))) => PairMetrics::of((a, of_a), (b, of_b)),
            (Ok((F32(a), of_a)), Ok((F64(b), of_b))) => PairMetrics::of((a, of_a), (b, of_b)),
            (Ok((F64(a), of_a)), Ok((F32(b), of_b))) => PairMetrics::of((a, of_a), (b, of_b)),
        }
    }

    /// Whether more than half of its elements are equal.
    pub(crate) fn is_mostly_tied(&self) -> bool {
        self.side.as_ref().is_ok_and(|(_, side)| side.is_mostly_tied())
    }

    /// Mean, spread and extrema of its elements.
    pub(crate) fn moments(&self) -> Result<&Moments, Undefined> {
        self.side.as_ref().map(|(_, side)| &side.moments).map_err(|reason| (*reason).clone())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_pair_has_the_metrics_of_the_plain_one() {
        let a = Loaded::of(vec![1.0, 2.0, 3.0, 4.0]);
        let b = Loaded::of(vec![2.0, 1.0, 4.0, 3.5]);
        let plain = PairMetrics::compute(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.5]);
        assert_eq!(Prepared::new(&a).compare(&Prepared::new(&b)), plain);
        assert_eq!(a.compare(&b), plain);
        assert_eq!(Prepared::new(&a).moments(), a.moments().as_ref().map_err(Clone::clone));
        let short = Loaded::of(vec![1.0]);
        assert_eq!(a.compare(&short), PairMetrics::undefined(&Undefined::Shape));
    }
}
