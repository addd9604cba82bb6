//! Exact order statistics by counting: the leading bits of every key first, then the next bits of those that matter.
//!
//! Keys are magnitudes: the bits of a non-negative `f64` compare as the number does. The first reading settles 16 bits of
//! each wanted order statistic, a later one 13, so that what it counts stays in a second-level cache. One is done as soon
//! as all keys that share its bits are equal.

use crate::metric::{quantile::Place, sums::BLOCK};

/// Bits settled by the first 0, 1, … readings. The sign is not among them.
const SETTLED: [u32; 6] = [0, 16, 29, 42, 55, 63];

/// How many values the first 16 bits have.
const LEADS: usize = 1 << 16;

/// The first 16 bits of a key.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the sign is off, 16 bits are left")]
fn lead_of(key: u64) -> u16 {
    (key >> 47) as u16
}

/// At most 16 bits, as an index.
fn index(bits: u64) -> usize {
    usize::try_from(bits).unwrap_or(usize::MAX)
}

/// What a reading counts of keys that share the bits settled so far, by their next bits.
#[derive(Debug, Clone, Copy)]
struct Bin {
    count: u32,
    least: u64,
    most: u64,
}

const EMPTY: Bin = Bin { count: 0, least: u64::MAX, most: 0 };

/// Finds order statistics among keys that are read again and again in the same number.
#[derive(Debug)]
pub(super) struct Selector {
    places: Vec<Place>,
    targets: Vec<Target>,
    level: usize,
    /// Prefixes of unsettled targets, sorted, and which leading 16 bits they have.
    prefixes: Vec<u64>,
    leads: Vec<bool>,
}

/// One wanted order statistic.
#[derive(Debug)]
struct Target {
    /// Its place in the sorted order.
    place: u64,
    /// How many keys with its settled bits are smaller.
    within: u64,
    /// Its settled bits.
    prefix: u64,
    key: Option<u64>,
}

/// The counts of one stripe.
#[derive(Debug)]
pub(super) struct Counts {
    first: Vec<u32>,
    bins: Vec<Vec<Bin>>,
}

impl Selector {
    /// For quantiles at `probabilities` of `n` keys, which must not be 0.
    pub(super) fn new(probabilities: &[f64], n: u64) -> Self {
        let places = Place::all(probabilities, n);
        let mut wanted: Vec<u64> = places.iter().flat_map(|place| [place.below as u64, place.above as u64]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let target = |place| Target { place, within: place, prefix: 0, key: None };
        Self {
            places,
            targets: wanted.into_iter().map(target).collect(),
            level: 0,
            prefixes: vec![0],
            leads: Vec::new(),
        }
    }

    /// Whether another reading is needed.
    pub(super) fn is_open(&self) -> bool {
        self.targets.iter().any(|target| target.key.is_none())
    }

    /// Empty counts for a stripe of the next reading.
    pub(super) fn counts(&self) -> Counts {
        let is_first = self.level == 0;
        Counts {
            first: vec![0; if is_first && self.is_open() { LEADS } else { 0 }],
            bins: if is_first || !self.is_open() {
                Vec::new()
            } else {
                self.prefixes.iter().map(|_| vec![EMPTY; self.width()]).collect()
            },
        }
    }

    fn width(&self) -> usize {
        1 << (SETTLED[self.level + 1] - SETTLED[self.level])
    }

    /// Counts magnitudes: at most [`BLOCK`] of them.
    #[inline(always)]
    pub(super) fn count(&self, counts: &mut Counts, magnitudes: &[f64]) {
        if !self.is_open() {
            return;
        }
        let mut leads = [0_u16; BLOCK];
        for (lead, magnitude) in leads.iter_mut().zip(magnitudes) {
            *lead = lead_of(magnitude.to_bits());
        }
        let leads = &leads[..magnitudes.len().min(BLOCK)];
        if let Ok(first) = <&mut [u32; LEADS]>::try_from(counts.first.as_mut_slice()) {
            for &lead in leads {
                first[usize::from(lead)] += 1;
            }
        } else if let Ok(wanted) = <&[bool; LEADS]>::try_from(self.leads.as_slice()) {
            for (lead, magnitude) in leads.iter().zip(magnitudes) {
                if wanted[usize::from(*lead)] {
                    self.count_within(&mut counts.bins, magnitude.to_bits());
                }
            }
        }
    }

    fn count_within(&self, bins: &mut [Vec<Bin>], key: u64) {
        let (settled, next) = (SETTLED[self.level], SETTLED[self.level + 1]);
        let prefix = key >> (63 - settled);
        let Ok(slot) = self.prefixes.binary_search(&prefix) else {
            return;
        };
        let digit = (key >> (63 - next)) & ((1 << (next - settled)) - 1);
        if let Some(bin) = bins.get_mut(slot).and_then(|bins| bins.get_mut(index(digit))) {
            bin.count += 1;
            bin.least = bin.least.min(key);
            bin.most = bin.most.max(key);
        }
    }

    /// Takes in what a reading has counted, stripe by stripe.
    pub(super) fn settle(&mut self, stripes: &[&Counts]) {
        if !self.is_open() || self.level + 1 >= SETTLED.len() {
            return;
        }
        let bits = SETTLED[self.level + 1] - SETTLED[self.level];
        for slot in 0..self.prefixes.len() {
            let mut sums = vec![(0_u64, u64::MAX, 0_u64); self.width()];
            for counts in stripes {
                for (sum, &count) in sums.iter_mut().zip(&counts.first) {
                    sum.0 += u64::from(count);
                }
                for (sum, bin) in sums.iter_mut().zip(counts.bins.get(slot).into_iter().flatten()) {
                    *sum = (sum.0 + u64::from(bin.count), sum.1.min(bin.least), sum.2.max(bin.most));
                }
            }
            let prefix = self.prefixes[slot];
            for target in self.targets.iter_mut().filter(|target| target.key.is_none() && target.prefix == prefix) {
                let mut within = target.within;
                for (digit, &(count, least, most)) in (0_u64..).zip(&sums) {
                    if within < count {
                        target.within = within;
                        target.prefix = prefix << bits | digit;
                        target.key = (self.level > 0 && least == most).then_some(least);
                        break;
                    }
                    within -= count;
                }
            }
        }
        self.level += 1;
        let settled = SETTLED[self.level];
        for target in &mut self.targets {
            if settled == 63 && target.key.is_none() {
                target.key = Some(target.prefix);
            }
        }
        self.prefixes = self.targets.iter().filter(|target| target.key.is_none()).map(|target| target.prefix).collect();
        self.prefixes.sort_unstable();
        self.prefixes.dedup();
        self.leads = vec![false; LEADS];
        for prefix in &self.prefixes {
            if let Some(lead) = self.leads.get_mut(index(prefix >> (settled - 16))) {
                *lead = true;
            }
        }
    }

    /// The quantiles, in the order of their probabilities, once nothing is open.
    pub(super) fn quantiles(&self) -> Vec<f64> {
        let statistic = |place: u64| {
            let target = self.targets.iter().find(|target| target.place == place);
            f64::from_bits(target.and_then(|target| target.key).unwrap_or_default())
        };
        let quantile = |place: &Place| place.interpolate(statistic(place.below as u64), statistic(place.above as u64));
        self.places.iter().map(quantile).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::quantiles;

    proptest! {
        #[test]
        fn counting_finds_what_selection_finds(
            mut values in prop::collection::vec(prop_oneof![0.0..9.0_f64, Just(0.0), Just(1.0), any::<u32>().prop_map(|bits| {
                f64::from(f32::from_bits(bits & 0x7f7f_ffff))
            })], 1..400),
            probabilities in prop::collection::vec(0.0..=1.0_f64, 1..8),
        ) {
            let mut selector = Selector::new(&probabilities, values.len() as u64);
            let mut readings = 0;
            while selector.is_open() {
                let mut stripes = Vec::new();
                for stripe in values.chunks(100) {
                    let mut counts = selector.counts();
                    selector.count(&mut counts, stripe);
                    stripes.push(counts);
                }
                selector.settle(&stripes.iter().collect::<Vec<_>>());
                readings += 1;
                prop_assert!(readings <= 5);
            }
            prop_assert_eq!(selector.quantiles(), quantiles(&mut values, &probabilities).unwrap());
        }
    }
}
