//! Products of the units of every layer of one model with those of every layer of another.

use super::{
    products::row_products,
    units::{Moments, UnitRows},
    untested::{Untested, positive},
};
use crate::parallel;

/// Layers that are normalised at a time: of all of them at once a model of gigabytes would take hundreds of megabytes.
const LAYERS_AT_ONCE: usize = 12;

/// Layers of one model, and how the rows of some of them are had.
#[derive(Clone, Copy)]
pub(crate) struct Layers<'p> {
    pub(crate) numbers: &'p [usize],
    pub(crate) prepare: &'p (dyn Fn(&[usize]) -> UnitRows + Sync),
}

/// Products of the units of all layers of two models: rows are layers of the first, columns of the second.
pub(super) struct Cells {
    /// Layers that have rows of units, on each side.
    pub(super) layers: [Vec<usize>; 2],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) sizes: Vec<usize>,
    pub(super) width: usize,
    /// For each cell its products by block.
    pub(super) products: Vec<Vec<Vec<f64>>>,
    /// For each cell the moments of its blocks.
    pub(super) moments: Vec<Vec<Moments>>,
}

impl Cells {
    pub(super) fn of(a: Layers<'_>, b: Layers<'_>) -> Result<Self, Untested> {
        let none = [a, b].map(|side| (side.prepare)(&[]));
        none[0].meets(&none[1])?;
        let runs: Vec<&[usize]> = a.numbers.chunks(LAYERS_AT_ONCE).collect();
        let bands = parallel::map(&runs, |rows| Band::of(&(a.prepare)(rows), b));
        let columns = bands.first().map_or_else(Vec::new, |band| band.columns.clone());
        let (rows, products): (Vec<Vec<usize>>, Vec<_>) = bands.into_iter().map(|band| (band.rows, band.cells)).unzip();
        let products: Vec<Vec<Vec<f64>>> = products.into_iter().flatten().collect();
        let sizes = none[0].sizes.clone();
        let moments: Vec<Vec<Moments>> = parallel::map(&products, |cell| {
            cell.iter().zip(&sizes).map(|(block, &size)| Moments::of(block, size)).collect()
        });
        let layers = [rows.concat(), columns];
        let [rows, columns] = layers.each_ref().map(Vec::len);
        Ok(Self { layers, rows, columns, sizes, width: none[0].width(), products, moments })
    }

    /// z of every cell over the blocks that `used` picks; `Constant` where a cell does not vary.
    pub(super) fn z(&self, used: impl Fn(usize) -> bool) -> Result<Vec<f64>, Untested> {
        let of_cell = |moments: &Vec<Moments>| {
            let picked = || moments.iter().enumerate().filter(|(k, _)| used(*k)).map(|(_, moments)| moments);
            let variance = positive(picked().map(|moments| moments.variance).sum())?;
            let risen: f64 = picked().map(|moments| moments.trace - moments.expected).sum();
            Ok(risen / variance.sqrt())
        };
        self.moments.iter().map(of_cell).collect()
    }

    /// The row with the largest z in a column; the first of equals.
    pub(super) fn best_row(&self, z: &[f64], column: usize) -> usize {
        (1..self.rows).fold(0, |best, row| {
            if z[row * self.columns + column] > z[best * self.columns + column] { row } else { best }
        })
    }

    /// Standard deviation of each cell's trace.
    pub(super) fn sds(&self) -> Vec<f64> {
        self.moments.iter().map(|cell| cell.iter().map(|moments| moments.variance).sum::<f64>().sqrt()).collect()
    }
}

/// Some rows of the cells.
struct Band {
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// Row by row: the products of each cell by block.
    cells: Vec<Vec<Vec<f64>>>,
}

impl Band {
    fn of(rows: &UnitRows, others: Layers<'_>) -> Self {
        let mut band = Self { rows: rows.layers.clone(), columns: Vec::new(), cells: Vec::new() };
        let mut by_row = vec![Vec::new(); band.rows.len()];
        for numbers in others.numbers.chunks(LAYERS_AT_ONCE) {
            let columns = (others.prepare)(numbers);
            let count = columns.layers.len();
            let mut cells = vec![Vec::with_capacity(rows.sizes.len()); band.rows.len() * count];
            for (k, &size) in rows.sizes.iter().enumerate() {
                let all = row_products(rows.block(k), columns.block(k), rows.width());
                let stride = count * size;
                for (cell, blocks) in cells.iter_mut().enumerate() {
                    let (first_row, first_column) = (cell / count * size, cell % count * size);
                    let row = |i: usize| &all[(first_row + i) * stride + first_column..][..size];
                    blocks.push((0..size).flat_map(row).copied().collect::<Vec<f64>>());
                }
            }
            let mut cells = cells.into_iter();
            for row in &mut by_row {
                row.extend(cells.by_ref().take(count));
            }
            band.columns.extend(&columns.layers);
        }
        band.cells = by_row.into_iter().flatten().collect();
        band
    }
}
