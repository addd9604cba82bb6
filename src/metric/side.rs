//! What one side of a comparison says of itself, whatever the other is.
//!
//! In a layer × layer matrix every tensor meets every other; its moments, ranks and quantiles are worked out once.

use super::{Element, Moments, Undefined, quantile::quantile, rank::Ranks};

/// Of a slice its moments, its midranks, and the 99 % quantile of its magnitudes.
#[derive(Debug, Clone)]
pub struct Side {
    /// Mean, deviation and the like.
    pub moments: Moments,
    pub(super) ranks: Result<Ranks, Undefined>,
    pub(super) abs_q99: Result<f64, Undefined>,
}

impl Side {
    /// Works out what can be said of `values` alone. Takes four bytes per element for the ranks.
    pub fn new<T: Element>(values: &[T]) -> Self {
        let moments = Moments::of(values);
        let ranks = moments.summary.clone().and_then(|_| Ranks::of(values));
        let abs_q99 = moments.summary.clone().and_then(|_| {
            let mut magnitudes: Vec<f64> = values.iter().map(|value| value.to_f64().abs()).collect();
            quantile(&mut magnitudes, 0.99)
        });
        Self { moments, ranks, abs_q99 }
    }

    /// Whether more than half of the elements are equal: too few are left to tell a correlation from chance.
    pub fn is_mostly_tied(&self) -> bool {
        self.ranks.as_ref().is_ok_and(Ranks::is_mostly_tied)
    }
}
