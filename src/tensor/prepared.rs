//! A loaded tensor with all that does not depend on what it is compared with, so that it is worked out once and not once a
//! pair.

use super::{Floats, Loaded, loaded::other_order};
use crate::{
    family::FusedLayout,
    metric::{Moments, PairMetrics, Side, Undefined},
};

/// A tensor, ready to meet many others.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    shape: &'a [u64],
    fused: Option<FusedLayout>,
    side: Result<Elements<'a>, &'a Undefined>,
}

#[derive(Debug)]
enum Elements<'a> {
    F32(Side<'a, f32>),
    F64(Side<'a, f64>),
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(loaded: &'a Loaded) -> Self {
        let side = loaded.floats.as_ref().map(|floats| match floats {
            Floats::F32(values) => Elements::F32(Side::new(values)),
            Floats::F64(values) => Elements::F64(Side::new(values)),
        });
        Self { shape: &loaded.shape, fused: loaded.fused, side }
    }

    /// All metrics of the pair (`self`, `other`), or the one reason why there are none.
    pub(crate) fn compare(&self, other: &Self) -> PairMetrics {
        use Elements::{F32, F64};
        if self.shape != other.shape {
            return PairMetrics::undefined(&Undefined::Shape);
        }
        if self.fused != other.fused {
            return PairMetrics::undefined(&other_order());
        }
        match (&self.side, &other.side) {
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(reason),
            (Ok(F32(a)), Ok(F32(b))) => PairMetrics::of(a, b),
            (Ok(F64(a)), Ok(F64(b))) => PairMetrics::of(a, b),
            (Ok(F32(a)), Ok(F64(b))) => PairMetrics::of(a, b),
            (Ok(F64(a)), Ok(F32(b))) => PairMetrics::of(a, b),
        }
    }

    /// Whether more than half of its elements are equal.
    pub(crate) fn is_mostly_tied(&self) -> bool {
        match &self.side {
            Ok(Elements::F32(side)) => side.is_mostly_tied(),
            Ok(Elements::F64(side)) => side.is_mostly_tied(),
            Err(_) => false,
        }
    }

    /// Mean, spread and extrema of its elements.
    pub(crate) fn moments(&self) -> Result<&Moments, Undefined> {
        match &self.side {
            Ok(Elements::F32(side)) => Ok(&side.moments),
            Ok(Elements::F64(side)) => Ok(&side.moments),
            Err(reason) => Err((*reason).clone()),
        }
    }
}

impl Loaded {
    /// All metrics of the pair (`self`, `other`), or the one reason why there are none.
    pub fn compare(&self, other: &Self) -> PairMetrics {
        let (a, b) = rayon::join(|| Prepared::new(self), || Prepared::new(other));
        a.compare(&b)
    }
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
