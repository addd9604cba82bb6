//! Midranks, and the rank correlation made of them.
//!
//! BF16 norms have about a hundred distinct values in 4096 elements, so ties are the rule: equal elements share the mean of
//! the ranks they cover. Ranks are kept doubled, which makes them whole numbers. A tensor's ranks are computed once
//! and serve every pair that it is part of.

use rayon::slice::ParallelSliceMut;

use super::{Element, Undefined, sums};

/// Values are counted rather than sorted while there are at most this many slots for each.
const SLOTS_PER_ELEMENT: usize = 4;

/// From this length on sorting is spread over threads.
const WORTH_THREADS: usize = 1 << 16;

/// The midranks of one slice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranks {
    doubled: Vec<u32>,
    centred_squares: f64,
}

impl Ranks {
    /// The midranks of `values`; −0.0 ties with 0.0. Undefined of an empty slice (`TooFew`), with NaN or infinite elements
    /// (`NonFinite`), and beyond 2³¹−1 elements (`NotComparable`).
    pub(super) fn of<T: Element>(values: &[T]) -> Result<Self, Undefined> {
        let non_finite = values.iter().filter(|value| !value.to_f64().is_finite()).count() as u64;
        if values.is_empty() {
            return Err(Undefined::TooFew);
        }
        if non_finite > 0 {
            return Err(Undefined::NonFinite { count: non_finite });
        }
        if i32::try_from(values.len()).is_err() {
            return Err(Undefined::NotComparable("more than 2^31-1 elements to rank".to_owned()));
        }
        let doubled =
            if values.iter().all(|value| fits_f32(value.to_f64())) { rank_narrow(values) } else { rank_wide(values) };
        let centre = (doubled.len() + 1) as f64;
        let squares = sums::blocks(&doubled, |block| [sums::sum(block, |x| (x - centre) * (x - centre))]);
        Ok(Self { centred_squares: sums::total(&squares, 0), doubled })
    }

    /// The midranks, from 1.
    pub(super) fn iter(&self) -> impl Iterator<Item = f64> {
        self.doubled.iter().map(|&doubled| f64::from(doubled) / 2.0)
    }

    /// Spearman's ρ: Pearson's r of the ranks. Undefined where lengths differ (`Shape`) or all elements of a side tie
    /// (`Constant`).
    pub(super) fn spearman(&self, other: &Self) -> Result<f64, Undefined> {
        if self.doubled.len() != other.doubled.len() {
            return Err(Undefined::Shape);
        }
        let centre = (self.doubled.len() + 1) as f64;
        let products = sums::pair_blocks(&self.doubled, &other.doubled, |a, b| {
            [sums::pair_sum(a, b, |x, y| (x - centre) * (y - centre))]
        });
        rho(sums::total(&products, 0), [self.centred_squares, other.centred_squares])
    }
}

/// ρ from Σ of the products of the centred ranks of both sides and of their squares; `Constant` where all elements of a side tie.
pub(super) fn rho(products: f64, [of_a, of_b]: [f64; 2]) -> Result<f64, Undefined> {
    if of_a == 0.0 || of_b == 0.0 {
        return Err(Undefined::Constant);
    }
    Ok((products / (of_a * of_b).sqrt()).clamp(-1.0, 1.0))
}

#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "asks whether the cast is exact")]
fn fits_f32(value: f64) -> bool {
    f64::from(value as f32) == value
}

/// Ranks of elements that `f32` holds: counted where the values lie close together, as widened BF16 does, else sorted.
#[expect(clippy::cast_possible_truncation, reason = "the values fit f32, the indices u32")]
fn rank_narrow<T: Element>(values: &[T]) -> Vec<u32> {
    let keys: Vec<u32> = values.iter().map(|value| key_of_bits((value.to_f64() as f32).to_bits())).collect();
    let first = keys.first().copied().unwrap_or_default();
    let (low, high, varying) = keys
        .iter()
        .fold((first, first, 0), |(low, high, varying), &key| (low.min(key), high.max(key), varying | (key ^ first)));
    // Low bits that all keys share, zeros of the widening mostly, tell nothing apart.
    let shift = varying.trailing_zeros().min(31);
    let width = ((high - low) >> shift) as usize + 1;
    if width <= keys.len().saturating_mul(SLOTS_PER_ELEMENT) {
        return rank_counted(&keys, width, |key| ((key - low) >> shift) as usize);
    }
    // Key and index share one integer.
    let mut entries: Vec<u64> = keys.iter().zip(0..).map(|(&key, index)| u64::from(key) << 32 | index).collect();
    sort(&mut entries);
    midranks(&entries, |entry| entry >> 32, |entry| *entry as u32)
}

/// Ranks of any elements.
fn rank_wide<T: Element>(values: &[T]) -> Vec<u32> {
    // Adding 0.0 makes 0.0 of −0.0.
    let bits = values.iter().map(|value| (value.to_f64() + 0.0).to_bits());
    let keys = bits.map(|bits| if bits >> 63 == 0 { bits | 1 << 63 } else { !bits });
    let mut entries: Vec<(u64, u32)> = keys.zip(0..).collect();
    sort(&mut entries);
    midranks(&entries, |entry| entry.0, |entry| entry.1)
}

/// An integer in the order of the `f32` with these bits: its magnitude above or below the middle. Zeros of either sign
/// are one, and low zero bits stay zero.
pub(super) fn key_of_bits(bits: u32) -> u32 {
    let magnitude = bits & (u32::MAX >> 1);
    (1_u32 << 31).wrapping_add(if bits >> 31 == 0 { magnitude } else { 0_u32.wrapping_sub(magnitude) })
}

/// Doubled midranks by counting how often each of `width` slots occurs: c elements after s smaller ones share the ranks
/// s+1 to s+c.
fn rank_counted(keys: &[u32], width: usize, slot: impl Fn(u32) -> usize) -> Vec<u32> {
    let mut slots = vec![0_u32; width];
    for &key in keys {
        slots[slot(key)] += 1;
    }
    let mut smaller = 0;
    for ranks in &mut slots {
        let count = *ranks;
        *ranks = 2 * smaller + count + 1;
        smaller += count;
    }
    keys.iter().map(|&key| slots[slot(key)]).collect()
}

/// Entries are all different, so there is one order for any number of threads.
fn sort<E: Ord + Send>(entries: &mut [E]) {
    if entries.len() < WORTH_THREADS {
        entries.sort_unstable();
    } else {
        entries.par_sort_unstable();
    }
}

/// Doubled midranks in element order, from sorted entries: a run of ties from place i to j−1 gets (i+1) + j.
#[expect(clippy::cast_possible_truncation, reason = "2n < 2^32 was checked")]
fn midranks<E>(sorted: &[E], key: impl Fn(&E) -> u64, index: impl Fn(&E) -> u32) -> Vec<u32> {
    let mut doubled = vec![0; sorted.len()];
    let mut start = 0;
    for run in sorted.chunk_by(|left, right| key(left) == key(right)) {
        let end = start + run.len();
        for entry in run {
            doubled[index(entry) as usize] = (start + 1 + end) as u32;
        }
        start = end;
    }
    doubled
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "these figures are exact")]

    use super::*;
    use proptest::prelude::*;

    fn ranks<T: Element>(values: &[T]) -> Vec<f64> {
        Ranks::of(values).unwrap().doubled.iter().map(|&doubled| f64::from(doubled) / 2.0).collect()
    }

    fn spearman<A: Element, B: Element>(a: &[A], b: &[B]) -> Result<f64, Undefined> {
        Ranks::of(a)?.spearman(&Ranks::of(b)?)
    }

    /// Midrank by its definition: elements below, plus half of those that tie, plus one half.
    fn counted(values: &[f64]) -> Vec<f64> {
        let share = |x: f64, y: f64| {
            if y < x {
                1.0
            } else if y == x {
                0.5
            } else {
                0.0
            }
        };
        values.iter().map(|&x| values.iter().map(|&y| share(x, y)).sum::<f64>() + 0.5).collect()
    }

    #[test]
    fn ties_share_the_mean_of_the_ranks_they_cover() {
        assert_eq!(ranks(&[10_i16, -3, 10, 7, 10]), [4.0, 1.0, 4.0, 2.0, 4.0]);
        assert_eq!(ranks(&[0.0_f32, -0.0, -1.0]), [2.5, 2.5, 1.0]);
        assert_eq!(ranks(&[true, false]), [2.0, 1.0]);
    }

    #[test]
    fn counting_and_sorting_rank_alike() {
        let few = |i: u32| f32::from(i16::try_from(i * 7919 % 101).unwrap() - 50);
        let many = |i: u32| few(i) * 1.37e-3_f32.powi(i32::try_from(i % 7).unwrap());
        for values in [(0..5000).map(few).collect::<Vec<f32>>(), (0..5000).map(many).collect()] {
            let wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
            assert_eq!(rank_narrow(&values), rank_wide(&wide));
            assert_eq!(ranks(&values), counted(&wide));
        }
    }

    #[test]
    fn order_reversed_is_minus_one_and_constants_have_no_rank_correlation() {
        assert_eq!(spearman(&[1, 2, 3, 4], &[9.0, 4.0, 1.0, 0.0]), Ok(-1.0));
        assert_eq!(spearman(&[1, 1, 1], &[1, 2, 3]), Err(Undefined::Constant));
        assert_eq!(spearman(&[1, 2], &[1, 2, 3]), Err(Undefined::Shape));
        assert_eq!(spearman::<f32, f32>(&[], &[]), Err(Undefined::TooFew));
        assert_eq!(spearman(&[1.0, f32::NAN], &[1, 2]), Err(Undefined::NonFinite { count: 1 }));
    }

    proptest! {
        #[test]
        fn ranks_are_those_that_counting_gives(
            values in prop::collection::vec(prop_oneof![-9.0..9.0_f64, (-3..3).prop_map(f64::from)], 1..700),
        ) {
            prop_assert_eq!(ranks(&values), counted(&values));
        }

        #[test]
        fn increasing_maps_leave_the_rank_correlation_as_it_is(
            pairs in prop::collection::vec((-9_i32..9, -9_i32..9), 2..200),
        ) {
            let (a, b): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
            let cubes: Vec<i32> = a.iter().map(|x| x * x * x + 5).collect();
            prop_assert_eq!(spearman(&a, &b), spearman(&cubes, &b));
            prop_assert_eq!(spearman(&a, &b), spearman(&b, &a));
        }
    }
}
