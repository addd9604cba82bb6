//! A tensor with what does not depend on its partner, worked out once: in a layer × layer matrix each meets every other.

use super::{Loaded, loaded::Floats};
use crate::metric::{Moments, PairMetrics, Side, Undefined};

/// A [`Loaded`] tensor, ready to be compared many times.
#[derive(Debug)]
pub struct Prepared<'a> {
    shape: &'a [u64],
    side: Result<Elements<'a>, Undefined>,
}

#[derive(Debug)]
enum Elements<'a> {
    F32(Side<'a, f32>),
    F64(Side<'a, f64>),
}

impl<'a> Prepared<'a> {
    /// Works out what can be said of `loaded` alone.
    pub fn new(loaded: &'a Loaded) -> Self {
        Self {
            shape: &loaded.shape,
            side: match &loaded.floats {
                Ok(Floats::F32(values)) => Ok(Elements::F32(Side::new(values))),
                Ok(Floats::F64(values)) => Ok(Elements::F64(Side::new(values))),
                Err(reason) => Err(reason.clone()),
            },
        }
    }

    /// All metrics of the pair (`self`, `other`), or the one reason why there are none; equal to [`Loaded::compare`].
    pub fn compare(&self, other: &Prepared<'_>) -> PairMetrics {
        if self.shape != other.shape {
            return PairMetrics::undefined(&Undefined::Shape);
        }
        match (&self.side, &other.side) {
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(reason),
            (Ok(Elements::F32(a)), Ok(Elements::F32(b))) => PairMetrics::of(a, b),
            (Ok(Elements::F64(a)), Ok(Elements::F64(b))) => PairMetrics::of(a, b),
            (Ok(Elements::F32(a)), Ok(Elements::F64(b))) => PairMetrics::of(a, b),
            (Ok(Elements::F64(a)), Ok(Elements::F32(b))) => PairMetrics::of(a, b),
        }
    }

    /// Mean, spread and extrema of the elements.
    pub fn moments(&self) -> Result<&Moments, Undefined> {
        match &self.side {
            Ok(Elements::F32(side)) => Ok(side.moments()),
            Ok(Elements::F64(side)) => Ok(side.moments()),
            Err(reason) => Err(reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_pair_has_the_metrics_of_the_plain_one() {
        let a = Loaded::of(vec![1.0, 2.0, 3.0, 4.0]);
        let b = Loaded::of(vec![2.0, 1.0, 4.0, 3.5]);
        assert_eq!(Prepared::new(&a).compare(&Prepared::new(&b)), a.compare(&b));
        assert_eq!(Prepared::new(&a).moments(), a.moments().as_ref().map_err(Clone::clone));
        let short = Loaded::of(vec![1.0]);
        assert_eq!(Prepared::new(&a).compare(&Prepared::new(&short)), a.compare(&short));
    }
}
