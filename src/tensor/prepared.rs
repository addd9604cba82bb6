//! A loaded tensor with all that does not depend on what it is compared with, so that it is worked out once and not once a
//! pair.

use super::{Floats, Loaded, loaded::other_order};
use crate::metric::{Moments, PairMetrics, Side, Undefined};

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
