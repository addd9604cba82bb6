//! Exact quantiles by selection, interpolated as NumPy does by default (type 7).
//!
//! Selection moves each wanted order statistic to its place and nothing more, so several quantiles cost little more than
//! one and far less than a sort.

use super::Undefined;

/// The quantiles of `values` at `probabilities`, in their order. With p a probability and h = p·(n−1), the quantile is
/// x₍⌊h⌋₎ + (h − ⌊h⌋)·(x₍⌊h⌋+1₎ − x₍⌊h⌋₎) of the sorted x. Probabilities outside 0..1 are taken as the nearer end, NaN as 0.
///
/// `values` is left partly sorted. Undefined of an empty slice (`TooFew`) and of one with NaN or infinite elements
/// (`NonFinite`).
pub fn quantiles(values: &mut [f64], probabilities: &[f64]) -> Result<Vec<f64>, Undefined> {
    let non_finite = values.iter().filter(|value| !value.is_finite()).count() as u64;
    if values.is_empty() {
        return Err(Undefined::TooFew);
    }
    if non_finite > 0 {
        return Err(Undefined::NonFinite { count: non_finite });
    }
    let last = values.len() - 1;
    let places: Vec<Place> = probabilities.iter().map(|&probability| Place::of(probability, last)).collect();
    let mut wanted: Vec<usize> = places.iter().flat_map(|place| [place.below, place.above]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    select(values, 0, &wanted);
    Ok(places.iter().map(|place| place.interpolate(values[place.below], values[place.above])).collect())
}

/// The quantile of `values` at one probability, as [`quantiles`].
pub fn quantile(values: &mut [f64], probability: f64) -> Result<f64, Undefined> {
    quantiles(values, &[probability]).map(|quantiles| quantiles[0])
}

/// The median, as [`quantiles`].
pub fn median(values: &mut [f64]) -> Result<f64, Undefined> {
    quantile(values, 0.5)
}

/// Where a quantile lies between two order statistics.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) below: usize,
    pub(super) above: usize,
    fraction: f64,
}

impl Place {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    pub(super) fn of(probability: f64, last: usize) -> Self {
        let probability = if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) };
        let place = probability * last as f64;
        let below = (place.floor() as usize).min(last);
        Self { below, above: (below + 1).min(last), fraction: place - below as f64 }
    }

    /// Among so many elements, which are at least one.
    pub(super) fn all(probabilities: &[f64], numel: u64) -> Vec<Self> {
        let last = usize::try_from(numel.saturating_sub(1)).unwrap_or(usize::MAX);
        probabilities.iter().map(|&probability| Self::of(probability, last)).collect()
    }

    /// From the nearer end, as NumPy, so that a fraction of 1 gives the upper value exactly.
    pub(super) fn interpolate(&self, low: f64, high: f64) -> f64 {
        let gap = high - low;
        if !gap.is_finite() {
            low * (1.0 - self.fraction) + high * self.fraction
        } else if self.fraction < 0.5 {
            low + gap * self.fraction
        } else {
            high - gap * (1.0 - self.fraction)
        }
    }
}

/// Brings the `wanted` order statistics (ascending, of the whole slice) of the part of it that starts at `start` to their
/// places: a middle one first, which halves the work for the others. Its successor, which interpolation wants, is the
/// smallest of what lies above.
fn select(values: &mut [f64], start: usize, wanted: &[usize]) {
    let Some(&middle) = wanted.get(wanted.len().saturating_sub(1) / 2) else {
        return;
    };
    let (before, after) = (&wanted[..(wanted.len() - 1) / 2], &wanted[(wanted.len() - 1) / 2 + 1..]);
    let (low, _, high) = values.select_nth_unstable_by(middle - start, f64::total_cmp);
    select(low, start, before);
    match after.split_first() {
        Some((&next, after)) if next == middle + 1 => {
            let smallest = (0..high.len()).min_by(|&left, &right| high[left].total_cmp(&high[right]));
            high.swap(0, smallest.unwrap_or(0));
            select(&mut high[1..], next + 1, after);
        }
        _ => select(high, middle + 1, after),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "these figures are exact")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_interpolate_between_order_statistics() {
        let mut values = [20.0, 1.0, 0.0, 1.0, 0.0];
        assert_eq!(quantiles(&mut values, &[0.99, 0.5, 0.0, 1.0]).unwrap(), [19.24, 1.0, 0.0, 20.0]);
    }

    #[test]
    fn one_element_is_every_quantile() {
        assert_eq!(quantiles(&mut [7.0], &[0.0, 0.3, 1.0]).unwrap(), [7.0; 3]);
    }

    #[test]
    fn odd_probabilities_are_taken_as_the_nearer_end() {
        assert_eq!(quantiles(&mut [1.0, 2.0], &[-1.0, 2.0, f64::NAN]).unwrap(), [1.0, 2.0, 1.0]);
    }

    #[test]
    fn a_gap_wider_than_f64_does_not_overflow() {
        assert_eq!(median(&mut [f64::MAX, f64::MIN]).unwrap(), 0.0);
    }

    #[test]
    fn nothing_and_nan_have_no_quantile() {
        assert_eq!(median(&mut []), Err(Undefined::TooFew));
        assert_eq!(median(&mut [1.0, f64::NAN, f64::INFINITY]), Err(Undefined::NonFinite { count: 2 }));
    }

    proptest! {
        #[test]
        fn selection_finds_what_sorting_finds(
            mut values in prop::collection::vec(prop_oneof![-9.0..9.0_f64, Just(0.0), Just(1.0)], 1..400),
            probabilities in prop::collection::vec(0.0..=1.0_f64, 0..8),
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let last = sorted.len() - 1;
            for (quantile, &p) in quantiles(&mut values, &probabilities).unwrap().iter().zip(&probabilities) {
                let place = Place::of(p, last);
                let expected = place.interpolate(sorted[place.below], sorted[(place.below + 1).min(last)]);
                prop_assert_eq!(*quantile, expected);
            }
        }
    }
}
