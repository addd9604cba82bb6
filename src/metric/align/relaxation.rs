//! Passes over one row of costs and all columns, compiled for each instruction set: nearly all of an assignment's time.
//! What a loop needs is moved into its closure: a number that is read through a reference keeps it from being vectorised.

use crate::metric::simd::Path;

/// Both parts of a unit's costs.
pub(super) type Row<'r> = (&'r [u32], &'r [u8]);

/// Columns that are looked through to their end, which takes less time than to ask at each one whether to go on.
const BLOCK: usize = 128;

/// Twice the cost: the lowest bit is left for whether a column is taken.
#[inline(always)]
pub(super) fn doubled(high: u32, low: u8) -> i64 {
    (i64::from(high) << 9) | (i64::from(low) << 1)
}

/// Lowers prices to a unit's costs.
pub(super) fn lower(row: Row<'_>, unit: i64, prices: &mut [i64], cheapest: &mut [i64]) {
    Path::best().run(
        #[inline(always)]
        move || {
            let columns = prices.iter_mut().zip(cheapest.iter_mut());
            for ((&high, &low), (price, cheapest)) in row.0.iter().zip(row.1).zip(columns) {
                let (cost, lowest, held) = (doubled(high, low), *price, *cheapest);
                *cheapest = if cost < lowest { unit } else { held };
                *price = cost.min(lowest);
            }
        },
    );
}

/// Costs less prices.
pub(super) fn weigh(row: Row<'_>, prices: &[i64], above: &mut [i64]) {
    Path::best().run(
        #[inline(always)]
        move || {
            for ((above, (&high, &low)), price) in above.iter_mut().zip(row.0.iter().zip(row.1)).zip(prices) {
                *above = doubled(high, low) - price;
            }
        },
    );
}

/// Paths to all columns. A column that is barred is nearer than any path that is yet to come: it stays as it is.
pub(super) struct Paths {
    pub(super) lengths: Vec<i64>,
    pub(super) before: Vec<i64>,
    /// `i64::MAX` where the column is barred, else 1 where it has a partner.
    pub(super) barred: Vec<i64>,
}

impl Paths {
    /// Shortens paths by way of a unit, whose costs exceed the lengths by `base`; gives the least length of a column that is
    /// not barred, with the lowest bit set where the column is taken: of columns that are as near, one without a partner
    /// comes first.
    pub(super) fn relax(&mut self, row: Row<'_>, unit: i64, base: i64, prices: &[i64]) -> i64 {
        let Self { lengths, before, barred } = self;
        Path::best().run(
            #[inline(always)]
            move || {
                let paths = lengths.iter_mut().zip(before.iter_mut()).zip(barred.iter());
                let mut least = i64::MAX;
                for (((&high, &low), price), ((length, before), barred)) in
                    row.0.iter().zip(row.1).zip(prices).zip(paths)
                {
                    let (by_way, straight, held) = (doubled(high, low) - price - base, *length, *before);
                    let shorter = by_way.min(straight);
                    *before = if by_way < straight { unit } else { held };
                    *length = shorter;
                    least = least.min(shorter | barred);
                }
                least
            },
        )
    }

    /// The first column that is not barred and has the least length.
    pub(super) fn find(&self, least: i64) -> usize {
        let Self { lengths, barred, .. } = self;
        Path::best().run(
            #[inline(always)]
            move || {
                for (number, (lengths, barred)) in lengths.chunks(BLOCK).zip(barred.chunks(BLOCK)).enumerate() {
                    let mut found = 0;
                    for (length, barred) in lengths.iter().zip(barred) {
                        found |= i64::from(length | barred == least);
                    }
                    if found != 0 {
                        let is_least = |(length, barred): (&i64, &i64)| length | barred == least;
                        return number * BLOCK + lengths.iter().zip(barred).position(is_least).unwrap_or(0);
                    }
                }
                0
            },
        )
    }
}
