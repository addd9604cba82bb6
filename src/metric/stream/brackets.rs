//! Exact quantiles of magnitudes from two readings: one that samples where they are, one that takes out what lies there.
//!
//! The first reading counts the leading 15 bits of some magnitudes; that brackets every wanted order statistic. The second
//! counts what lies below each bracket and collects what lies inside, where the order statistic is selected. A bracket that
//! turns out not to hold its order statistic, or to hold too much, gives nothing, and [`Selector`](super::selector::Selector)
//! does it by counting alone.

use std::ops::Range;

use super::scratch::Scratch;
use crate::metric::{quantile::Place, sums::BLOCK};

/// Magnitudes whose quantiles are asked for: those of a−b, of a, of b.
pub(super) const MAGNITUDES: usize = 3;

/// Leading bits of magnitudes in `f32`: the sign is off, 7 bits of the fraction are left.
const KEYS: usize = 1 << 15;

/// Elements sampled together, at a place of each block that differs from block to block.
const PART: usize = 64;

/// How far the sample may be off, in standard deviations.
const DEVIATIONS: f64 = 4.5;

/// Brackets: at most one for each of five quantiles.
const MOST: usize = 5;

/// How many magnitudes may be collected by all stripes together.
const MOST_COLLECTED: usize = 1 << 23;

/// The leading bits. Rounding to `f32` keeps the order.
#[inline(always)]
fn key(magnitude: f32) -> i16 {
    (magnitude.to_bits() >> 16) as i16
}

/// A key as an index; there are no negative ones.
fn index(key: i16) -> usize {
    usize::try_from(key).unwrap_or(0)
}

/// Empty counts for a stripe of the first reading; none at all unless they are wanted.
pub(super) fn counts(is_wanted: bool) -> Scratch<u32> {
    Scratch::zeros(if is_wanted { KEYS } else { 0 })
}

/// The part of a block that the first reading counts, given the place of its first element: all, or else some.
pub(super) fn sampled(is_all: bool, from: u64, length: usize) -> Range<usize> {
    if is_all {
        return 0..length;
    }
    // Fibonacci hashing: blocks often begin at the same few columns of a matrix.
    let hash = (from / BLOCK as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    let start = usize::try_from(hash).unwrap_or(0) * PART;
    start.min(length)..(start + PART).min(length)
}

pub(super) fn count(counts: &mut [u32], magnitudes: impl Iterator<Item = f32>) {
    if let Ok(counts) = <&mut [u32; KEYS]>::try_from(counts) {
        for magnitude in magnitudes {
            counts[index(key(magnitude)) & (KEYS - 1)] += 1;
        }
    }
}

/// Where the wanted order statistics are expected.
#[derive(Debug)]
pub(super) struct Brackets {
    places: Vec<Place>,
    /// The order statistics below this one are 0.
    zeros: u64,
    /// First and last key of each, in order and apart; empty ones at the end.
    ranges: [(i16, i16); MOST],
}

/// What the second reading finds for one stripe.
#[derive(Debug)]
pub(super) struct Inside {
    below: [u64; MOST],
    values: [Vec<f64>; MOST],
    /// How many magnitudes are exactly the least one of their key.
    least: Scratch<u32>,
    is_too_much: bool,
}

/// The places of the flags that are 1. A function of its own: AVX-512 multiplies slower than one number at a time.
#[inline(never)]
fn places<'b>(flags: &[u8; BLOCK], buffer: &'b mut [usize; BLOCK]) -> &'b [usize] {
    let mut held = 0;
    for (group, flags) in flags.as_chunks::<64>().0.iter().enumerate() {
        let mut bits = 0;
        for (eighth, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
            // The product gathers the lowest bit of each byte in its highest one.
            bits |= u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56 << (8 * eighth);
        }
        while bits != 0 {
            if let Some(place) = buffer.get_mut(held) {
                *place = 64 * group + bits.trailing_zeros() as usize;
            }
            held += 1;
            bits &= bits - 1;
        }
    }
    &buffer[..held.min(BLOCK)]
}

const NO_RANGE: (i16, i16) = (i16::MAX, -1);

impl Brackets {
    /// For quantiles at up to five `probabilities` of `numel` magnitudes of which `zeros` are 0, from what the first reading counted, of
    /// all or of some.
    pub(super) fn new(probabilities: &[f64], is_all: bool, counts: &[u64], numel: u64, zeros: u64) -> Self {
        let places = Place::all(probabilities, numel);
        let counted: u64 = counts.iter().sum();
        let key_at = |rank: f64| {
            let mut below = 0;
            let keys = counts.iter().zip(0..=i16::MAX);
            let mut held = keys.filter(|&(&count, _)| {
                below += count;
                count > 0 && below as f64 > rank
            });
            held.next().map_or(i16::MAX, |(_, key)| key)
        };
        let mut ranges = Vec::new();
        for place in &places {
            let (first, second) = (place.below as u64, place.above as u64);
            if second < zeros {
                continue;
            }
            let first = first.max(zeros) as f64;
            let range = if is_all {
                (key_at(first), key_at(second as f64))
            } else {
                let share = second as f64 / numel as f64;
                let spread = DEVIATIONS * (counted as f64 * share * (1.0 - share)).sqrt() + 8.0;
                let scale = counted as f64 / numel as f64;
                let (low, high) = (first * scale - spread, second as f64 * scale + spread);
                (if low < 0.0 { 0 } else { key_at(low) }, key_at(high))
            };
            ranges.push(range);
        }
        ranges.sort_unstable();
        let mut apart: Vec<(i16, i16)> = Vec::new();
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        Self { places, zeros, ranges: std::array::from_fn(|index| apart.get(index).copied().unwrap_or(NO_RANGE)) }
    }

    /// Nothing found yet, for a stripe; `is_wanted`: and something to be found.
    pub(super) fn inside(is_wanted: bool) -> Inside {
        Inside {
            below: [0; MOST],
            values: [const { Vec::new() }; MOST],
            least: Scratch::zeros(if is_wanted { KEYS } else { 0 }),
            is_too_much: false,
        }
    }

    /// Takes in up to [`BLOCK`] magnitudes, rounded to `f32`; `exact` gives one as it is.
    #[inline(always)]
    #[expect(clippy::needless_bitwise_bool, reason = "a branch would keep the loop from being vectorised")]
    pub(super) fn gather(&self, inside: &mut Inside, magnitudes: &[f32], exact: impl Fn(usize) -> f64) {
        let mut keys = [0_i16; BLOCK];
        for (key_of, &magnitude) in keys.iter_mut().zip(magnitudes) {
            *key_of = key(magnitude);
        }
        let keys = &keys[..magnitudes.len().min(BLOCK)];
        let mut is_inside = [0_u8; BLOCK];
        let mut below = [0_i16; MOST];
        for (is_inside, &key) in is_inside.iter_mut().zip(keys) {
            let mut any = false;
            for (below, &(first, last)) in below.iter_mut().zip(&self.ranges) {
                *below += i16::from(key < first);
                any |= (key >= first) & (key <= last);
            }
            *is_inside = u8::from(any);
        }
        for (all, below) in inside.below.iter_mut().zip(below) {
            *all += u64::from(below.unsigned_abs());
        }
        let mut buffer = [0; BLOCK];
        for &at in places(&is_inside, &mut buffer) {
            if let (Some(&magnitude), Some(&key)) = (magnitudes.get(at), keys.get(at)) {
                self.take(inside, magnitude, key, exact(at));
            }
        }
    }

    #[inline]
    #[expect(clippy::float_cmp, reason = "asks whether nothing was rounded")]
    fn take(&self, inside: &mut Inside, magnitude: f32, key: i16, exact: f64) {
        if magnitude.to_bits().trailing_zeros() >= 16 && f64::from(magnitude) == exact {
            if let Some(count) = inside.least.get_mut(index(key)) {
                *count += 1;
            }
            return;
        }
        let range = self.ranges.iter().position(|&(_, last)| key <= last);
        if let Some(values) = range.and_then(|range| inside.values.get_mut(range)) {
            values.push(exact);
        }
    }

    /// Whether a stripe, one of `stripes`, has collected too much; then it is emptied, and collects no more to speak of.
    pub(super) fn limit(inside: &mut Inside, stripes: usize) {
        let held: usize = inside.values.iter().map(Vec::len).sum();
        if held > MOST_COLLECTED / stripes.max(1) {
            inside.is_too_much = true;
            inside.values = [const { Vec::new() }; MOST];
        }
    }

    /// The quantiles, in the order of their probabilities; `None` where a bracket was wrong or held too much.
    pub(super) fn quantiles(&self, stripes: &mut [&mut Inside]) -> Option<Vec<f64>> {
        if stripes.iter().any(|stripe| stripe.is_too_much) {
            return None;
        }
        let mut parts: Vec<Part> = (0..MOST).map(|range| Part::new(self.ranges[range], range, stripes)).collect();
        let mut statistic = |place: u64| {
            if place < self.zeros {
                return Some(0.0);
            }
            parts.iter_mut().rev().find_map(|part| {
                let within = place.checked_sub(part.below)?;
                part.statistic(within)
            })
        };
        let mut quantile =
            |place: &Place| Some(place.interpolate(statistic(place.below as u64)?, statistic(place.above as u64)?));
        self.places.iter().map(&mut quantile).collect()
    }
}

/// All that lies in one bracket.
struct Part {
    below: u64,
    first: i16,
    /// By key.
    values: Vec<Vec<f64>>,
    least: Vec<u64>,
}

impl Part {
    fn new((first, last): (i16, i16), range: usize, stripes: &mut [&mut Inside]) -> Self {
        let keys = if first <= last { index(first)..index(last) + 1 } else { 0..0 };
        let mut values = vec![Vec::new(); keys.len()];
        let mut least = vec![0; keys.len()];
        for stripe in stripes.iter_mut() {
            for value in std::mem::take(&mut stripe.values[range]) {
                #[expect(clippy::cast_possible_truncation, reason = "rounds, and keeps the order")]
                let at = index(key(value as f32).clamp(first, last)) - keys.start;
                values[at].push(value);
            }
            for (sum, &count) in least.iter_mut().zip(&stripe.least[keys.clone()]) {
                *sum += u64::from(count);
            }
        }
        Self { below: stripes.iter().map(|stripe| stripe.below[range]).sum(), first, values, least }
    }

    /// The order statistic at this place of what lies here.
    fn statistic(&mut self, mut within: u64) -> Option<f64> {
        let keys = (self.first..=i16::MAX).map(|key| f32::from_bits(u32::from(key.unsigned_abs()) << 16));
        for ((key, values), &least) in keys.zip(&mut self.values).zip(&self.least) {
            let key = f64::from(key);
            let held = values.len() as u64 + least;
            if within >= held {
                within -= held;
                continue;
            }
            // Values that are rounded up to the key's least one lie before it.
            let before = if least > 0 { values.iter().filter(|&&value| value < key).count() as u64 } else { 0 };
            if least > 0 && (before..before + least).contains(&within) {
                return Some(key);
            }
            let at = if within < before { within } else { within - least };
            let at = usize::try_from(at).ok().filter(|&at| at < values.len())?;
            return Some(*values.select_nth_unstable_by(at, f64::total_cmp).1);
        }
        None
    }
}
