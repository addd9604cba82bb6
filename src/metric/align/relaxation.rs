//! Passes over one row of costs and all columns, compiled for each instruction set: nearly all of an assignment's time.

use crate::metric::simd::Kernel;

/// Twice the cost: the lowest bit is left for whether a column is taken.
#[inline(always)]
pub(super) fn doubled(high: u32, low: u8) -> i64 {
    (i64::from(high) << 9) | (i64::from(low) << 1)
}

/// Lowers prices to a unit's costs.
pub(super) struct Lower<'r> {
    pub(super) row: (&'r [u32], &'r [u8]),
    pub(super) unit: i64,
    pub(super) prices: &'r mut [i64],
    pub(super) cheapest: &'r mut [i64],
}

impl Kernel for Lower<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let unit = self.unit;
        let row = self.row.0.iter().zip(self.row.1);
        let columns = self.prices.iter_mut().zip(self.cheapest.iter_mut());
        for ((&high, &low), (price, cheapest)) in row.zip(columns) {
            let (cost, lowest, held) = (doubled(high, low), *price, *cheapest);
            *cheapest = if cost < lowest { unit } else { held };
            *price = cost.min(lowest);
        }
    }
}

/// Costs less prices.
pub(super) struct Weigh<'r> {
    pub(super) row: (&'r [u32], &'r [u8]),
    pub(super) prices: &'r [i64],
    pub(super) above: &'r mut [i64],
}

impl Kernel for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let row = self.row.0.iter().zip(self.row.1);
        for ((above, (&high, &low)), price) in self.above.iter_mut().zip(row).zip(self.prices) {
            *above = doubled(high, low) - price;
        }
    }
}

/// Shortens paths to all columns by way of a unit; gives the least length of a column that is not barred, with the lowest bit
/// set where the column is taken: of columns that are as near, one without a partner comes first.
pub(super) struct Relax<'r> {
    pub(super) row: (&'r [u32], &'r [u8]),
    pub(super) unit: i64,
    /// What the costs of this row exceed the lengths by.
    pub(super) base: i64,
    pub(super) prices: &'r [i64],
    pub(super) barred: &'r [i64],
    pub(super) lengths: &'r mut [i64],
    pub(super) before: &'r mut [i64],
}

impl Kernel for Relax<'_> {
    type Output = i64;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> i64 {
        let (unit, base) = (self.unit, self.base);
        let row = self.row.0.iter().zip(self.row.1).zip(self.prices);
        let paths = self.lengths.iter_mut().zip(self.before.iter_mut()).zip(self.barred);
        let mut least = i64::MAX;
        // A column that is barred is nearer than any path that is yet to come: it stays as it is.
        for (((&high, &low), price), ((length, before), barred)) in row.zip(paths) {
            let (by_way, straight, held) = (doubled(high, low) - price - base, *length, *before);
            let shorter = by_way.min(straight);
            *before = if by_way < straight { unit } else { held };
            *length = shorter;
            least = least.min(shorter | barred);
        }
        least
    }
}

/// Columns that are looked through to their end, which takes less time than to ask at each one whether to go on.
const BLOCK: usize = 128;

/// The first column that is not barred and has the least length.
pub(super) struct Find<'r> {
    pub(super) least: i64,
    pub(super) lengths: &'r [i64],
    pub(super) barred: &'r [i64],
}

impl Kernel for Find<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> usize {
        let blocks = self.lengths.chunks(BLOCK).zip(self.barred.chunks(BLOCK));
        for (number, (lengths, barred)) in blocks.enumerate() {
            let mut found = 0;
            for (length, barred) in lengths.iter().zip(barred) {
                found |= i64::from(length | barred == self.least);
            }
            if found != 0 {
                let is_least = |(length, barred): (&i64, &i64)| length | barred == self.least;
                return number * BLOCK + lengths.iter().zip(barred).position(is_least).unwrap_or(0);
            }
        }
        0
    }
}
