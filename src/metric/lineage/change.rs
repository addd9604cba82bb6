//! What a change looks like: facts about D = b − a over sampled rows of one tensor.

use super::{
    distance::PairedRows,
    products::{column_rms, dot, energies},
};
use crate::metric::{Element, median, quantiles};

/// Fewer rows have no flatness.
const FEWEST_ROWS: usize = 8;

/// A binade counts if it holds so many elements, and a twentieth of all.
const FEWEST_IN_BINADE: f64 = 400.0;

/// Significant bits of BF16, in whose steps small changes are counted.
const BF16_BITS: u32 = 8;

/// Facts about D, or medians of such facts over tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    /// Share of elements that did not change.
    pub(crate) zero_share: f64,
    /// ‖D‖/‖a‖.
    pub(crate) relative: f64,
    /// Robust coefficient of variation of the rms of rows, in units of what Gaussian noise of one size shows;
    /// `None` where most are zero.
    pub(crate) uneven_rows: Option<f64>,
    /// The same of columns.
    pub(crate) uneven_columns: Option<f64>,
    /// Largest singular value of D with rows of rms 1, over √m + √k; 1 for noise.
    pub(crate) flatness: Option<f64>,
    /// Of D with rows of rms 1; 3 for Gaussian noise.
    pub(crate) kurtosis: f64,
    /// 5 % quantile of |D| where not zero, over its median.
    pub(crate) tail: f64,
    /// How much the share of unchanged elements varies over binades of |a|: rounding hides changes of large weights first.
    pub(crate) zero_spread: Option<f64>,
    /// Share of elements that changed by one BF16 step at most.
    pub(crate) below_step: f64,
}

impl Change {
    /// `None` where nothing changed.
    pub(crate) fn of<T: Element>(rows: &PairedRows<'_, T>) -> Option<Self> {
        let width = rows.width;
        let (mut normed, mut rms, mut relative_rms) = (vec![], vec![], vec![]);
        let (mut squares, mut squares_a) = (0.0, 0.0);
        for row in rows.rows() {
            let change: Vec<f64> = row.pairs().map(|(a, b)| b - a).collect();
            let of_a: f64 = row.a.iter().map(|a| a.to_f64() * a.to_f64()).sum();
            let of_change = dot(&change, &change);
            squares += of_change;
            squares_a += of_a;
            if of_change > 0.0 {
                let [size, size_a] = [of_change, of_a].map(|squares| (squares / width as f64).sqrt());
                normed.extend(change.iter().map(|d| d / size));
                rms.push(size);
                relative_rms.push(if size_a == 0.0 { size } else { size / size_a });
            }
        }
        if rms.is_empty() {
            return None;
        }
        let live = rms.len() as f64;
        let columns = column_rms(&normed, width, live);
        let scale = live.sqrt() + (width as f64).sqrt();
        let flatness = (rms.len() >= FEWEST_ROWS)
            .then(|| energies(&normed, width))
            .flatten()
            .and_then(|energies| energies.first().map(|largest| largest.max(0.0).sqrt() / scale));
        let moment = |power| normed.iter().map(|x| x.powi(power)).sum::<f64>() / normed.len() as f64;
        let mut sizes: Vec<f64> = normed.iter().filter(|x| **x != 0.0).map(|x| x.abs()).collect();
        let sizes = quantiles(&mut sizes, &[0.05, 0.5]).ok()?;
        let (zero_share, zero_spread, below_step) = zeros(rows);
        let uneven_rows = [spread(rms), spread(relative_rms)].into_iter().flatten().reduce(f64::min);
        Some(Self {
            zero_share,
            relative: (squares / squares_a).sqrt(),
            uneven_rows: uneven_rows.map(|spread| spread * (2.0 * width as f64).sqrt()),
            uneven_columns: spread(columns).map(|spread| spread * (2.0 * live).sqrt()),
            flatness,
            kurtosis: moment(4) / moment(2).powi(2),
            tail: sizes[0] / sizes[1],
            zero_spread,
            below_step,
        })
    }

    /// The median of each fact; `None` of none.
    pub(super) fn medians(changes: &[Self]) -> Option<Self> {
        let of = |fact: fn(&Self) -> Option<f64>| {
            let mut facts: Vec<f64> = changes.iter().filter_map(fact).collect();
            median(&mut facts).ok()
        };
        Some(Self {
            zero_share: of(|change| Some(change.zero_share))?,
            relative: of(|change| Some(change.relative))?,
            uneven_rows: of(|change| change.uneven_rows),
            uneven_columns: of(|change| change.uneven_columns),
            flatness: of(|change| change.flatness),
            kurtosis: of(|change| Some(change.kurtosis))?,
            tail: of(|change| Some(change.tail))?,
            zero_spread: of(|change| change.zero_spread),
            below_step: of(|change| Some(change.below_step))?,
        })
    }
}

/// Which elements did not change, or hardly: the share of those that did not, its range over the exponents that many have, and
/// the share of those that moved by no more than a step of BF16.
fn zeros<T: Element>(rows: &PairedRows<'_, T>) -> (f64, Option<f64>, f64) {
    // For each exponent of a: elements, and those unchanged.
    let mut binades = vec![(0_u64, 0_u64); 2048];
    let mut small = 0_u64;
    for (a, b) in rows.pairs() {
        let binade = &mut binades[exponent(a)];
        binade.0 += 1;
        let change = b - a;
        binade.1 += u64::from(change == 0.0);
        small += u64::from(change.abs() <= 1.01 * step(a, BF16_BITS));
    }
    let count = rows.a.len() as f64;
    let fewest = FEWEST_IN_BINADE.max(0.05 * count);
    let full = binades.iter().filter(|(elements, _)| *elements as f64 >= fewest);
    let shares: Vec<f64> = full.map(|(elements, zeros)| *zeros as f64 / *elements as f64).collect();
    let spread =
        shares.iter().fold(0.0_f64, |most, x| most.max(*x)) - shares.iter().fold(1.0_f64, |least, x| least.min(*x));
    let share = binades.iter().map(|(_, zeros)| zeros).sum::<u64>() as f64 / count;
    (share, (shares.len() >= 2).then_some(spread), small as f64 / count)
}

/// The biased exponent; zero has that of a number too small to matter.
fn exponent(x: f64) -> usize {
    let x = if x == 0.0 { 1e-30 } else { x };
    (x.to_bits() >> 52 & 0x7FF) as usize
}

/// The spacing at x of numbers with so many significant bits.
pub(super) fn step(x: f64, bits: u32) -> f64 {
    f64::from_bits((exponent(x) as u64) << 52) / f64::from(1_u32 << (bits - 1))
}

/// (Q.75 − Q.25)/1.349/median: the coefficient of variation of a bell, whatever its tails.
fn spread(mut values: Vec<f64>) -> Option<f64> {
    let quartiles = quantiles(&mut values, &[0.25, 0.5, 0.75]).ok()?;
    (quartiles[1] > 0.0).then(|| (quartiles[2] - quartiles[0]) / 1.349 / quartiles[1])
}
