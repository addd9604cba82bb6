//! Whether values lie on a grid, as quantising and reading back leaves them.

use crate::metric::{Element, median};

/// Values of so many steps tell a grid from none: smaller ones are near a multiple of everything, larger ones are rounded.
const STEPS: std::ops::RangeInclusive<f64> = 0.5..=32.0;

/// The grid of `rows`, or none; `other` has the same rows of the other side, which lie on none.
pub(super) fn grid<T: Element>(rows: &[&[T]], other: &[&[T]]) -> Option<&'static str> {
    let width = rows.first().map_or(0, |row| row.len());
    if width < 64 {
        return None;
    }
    if distinct(rows, 1, 32)? <= 16.0 && distinct(other, 1, 32)? > 24.0 {
        return Some("4-bit: at most 16 values in a run of 32");
    }
    let linear = [
        (16, 32.0, "6-bit: one step for a run of 16"),
        (32, 127.0, "8-bit: one step for a run of 32"),
        (128, 127.0, "8-bit: one step for a run of 128"),
        (width, 127.0, "8-bit: one step a row"),
    ];
    // A run that is most of a row mostly has the row's step. Where several runs of a row have nearly one step, more than one grid fits: the
    // one that fits best is told.
    let is_whole_or_several = |run: usize| run == width || 2 * run <= width;
    let fits = linear.into_iter().filter(|(run, ..)| is_whole_or_several(*run)).filter_map(|(run, steps, text)| {
        let off = off_grid(rows, run, steps).filter(|off| *off < 0.06)?;
        off_grid(other, run, steps).is_some_and(|off| off > 0.15).then_some((off, text))
    });
    if let Some((_, text)) = fits.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
        return Some(text);
    }
    let tile = distinct(rows, 8, 128)?;
    let is_float = tile <= 254.0 && tile <= 0.5 * distinct(other, 8, 128)?;
    is_float.then_some("8-bit float: at most 254 values in a tile of 8 x 128")
}

/// The median number of different values in tiles of `height` rows and `width` columns; `None` without a whole tile.
fn distinct<T: Element>(rows: &[&[T]], height: usize, width: usize) -> Option<f64> {
    let mut counts = vec![];
    let mut tile = Vec::with_capacity(height * width);
    // Groups of units may have rows of their own width.
    let alike = rows.chunk_by(|a, b| a.len() == b.len());
    for rows in alike.flat_map(|rows| rows.chunks_exact(height)) {
        for first in (0..rows[0].len() / width).map(|k| k * width) {
            tile.clear();
            // Adding 0.0 makes 0.0 of −0.0.
            tile.extend(rows.iter().flat_map(|row| &row[first..first + width]).map(|x| (x.to_f64() + 0.0).to_bits()));
            tile.sort_unstable();
            tile.dedup();
            counts.push(tile.len() as f64);
        }
    }
    median(&mut counts).ok()
}

/// The mean distance to the nearest multiple of a run's largest |x| / `steps`, in steps: about .25 for values on no grid.
fn off_grid<T: Element>(rows: &[&[T]], run: usize, steps: f64) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for run in rows.iter().flat_map(|row| row.chunks_exact(run)) {
        let step = run.iter().fold(0.0_f64, |largest, x| largest.max(x.to_f64().abs())) / steps;
        if step == 0.0 {
            continue;
        }
        for x in run {
            let u = x.to_f64() / step;
            if u.abs() > *STEPS.start() && u.abs() <= *STEPS.end() {
                sum += (u - u.round_ties_even()).abs();
                count += 1;
            }
        }
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values on no grid, the same for the same seed.
    fn values(seed: u64, count: u64) -> Vec<f64> {
        let value = |at: u64| {
            let mixed = (seed * 1_000_003 + at).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            f64::from(u32::try_from(mixed >> 40).unwrap()) / f64::from(1 << 24) - 0.5
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn rows_of_several_widths_have_one_grid() {
        let plain: Vec<Vec<f64>> = (0..20).map(|seed| values(seed, if seed < 11 { 128 } else { 64 })).collect();
        let rounded: Vec<Vec<f64>> =
            plain.iter().map(|row| row.iter().map(|x| (x * 15.0).round() / 15.0).collect()).collect();
        let [plain, rounded] = [&plain, &rounded].map(|rows| rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(grid(&rounded, &plain), Some("4-bit: at most 16 values in a run of 32"));
        assert_eq!(grid(&plain, &rounded), None);
    }

    #[test]
    fn of_several_grids_that_fit_the_best_is_told() {
        for (width, text) in [
            (96, "8-bit: one step a row"),
            (128, "8-bit: one step for a run of 128"),
            (192, "8-bit: one step a row"),
            (320, "8-bit: one step a row"),
        ] {
            let plain: Vec<Vec<f64>> = (0..32).map(|seed| values(seed, width)).collect();
            let rounded = plain.iter().map(|row| {
                let step = row.iter().fold(0.0_f64, |most, x| most.max(x.abs())) / 127.0;
                row.iter().map(|x| (x / step).round() * step).collect()
            });
            let rounded: Vec<Vec<f64>> = rounded.collect();
            let [plain, rounded] = [&plain, &rounded].map(|rows| rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!(grid(&rounded, &plain), Some(text), "{width}");
            assert_eq!(grid(&plain, &rounded), None, "{width}");
        }
    }
}
