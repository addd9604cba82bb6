//! Which layers of two models match: units of every layer against units of every other.
//!
//! The map has a p for every cell by step-down max-T; the path through it is tested exactly, on blocks that did not choose it.

use std::collections::BTreeMap;

use super::{
    block_test::{Tables, Tail, shifted_trace},
    cells::{Cells, Layers},
    choice::BLOCK,
    draws::{below, draw_key, word},
    evidence::{Evidence, POWER_90},
    units::Moments,
    untested::{Untested, positive},
};
use crate::{
    metric::{components, median},
    parallel,
};

/// Monte-Carlo draws of a map.
const DRAWS: u64 = 1_999;

/// The adjusted p of a match.
pub(crate) const ALPHA: f64 = 0.01;

/// Layers of one model at this z among themselves are repeated.
const Z_REPEAT: f64 = 6.0;

/// Blocks that share words are drawn one after the other in parts of so many draws, whatever the number of threads.
const DRAWS_PER_PART: u64 = 125;

/// Bytes that a map of so many layers holds, and terms of the sums that its draws add up: of each cell and block the products of
/// eight units with eight, their traces at eight shifts, and a trace a draw.
pub(crate) fn cost(layers: [usize; 2], blocks: usize) -> (usize, u64) {
    let tables = layers[0] * layers[1] * blocks;
    (tables * (BLOCK * BLOCK + BLOCK) * size_of::<f64>(), tables as u64 * DRAWS)
}

/// Layers of one model that share units, found on its even blocks alone, so that the odd ones stay untouched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Repeats {
    /// Two layers and their z.
    pub(crate) pairs: Vec<(usize, usize, f64)>,
    /// For each layer the first that it repeats, itself where it repeats none.
    clusters: BTreeMap<usize, usize>,
}

impl Repeats {
    /// `even`: every other block of what the map reads, normalised by themselves.
    pub(crate) fn of(even: Layers<'_>) -> Result<Self, Untested> {
        let cells = Cells::of(even, even)?;
        let z = cells.z(|_| true)?;
        let layers = &cells.layers[0];
        let count = layers.len();
        let both = (0..count).flat_map(|i| (i + 1..count).map(move |j| [i, j]));
        let links: Vec<[usize; 2]> = both.filter(|[i, j]| z[i * count + j] >= Z_REPEAT).collect();
        let pairs = links.iter().map(|&[i, j]| (layers[i], layers[j], z[i * count + j])).collect();
        let group = components(count, links);
        Ok(Self { pairs, clusters: layers.iter().zip(group).map(|(&layer, first)| (layer, layers[first])).collect() })
    }
}

/// A layer × layer map; rows are layers of the shallower model, columns of the deeper.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerMap {
    pub(crate) rows: Vec<usize>,
    pub(crate) columns: Vec<usize>,
    /// Row-major.
    pub(crate) z: Vec<f64>,
    /// Adjusted for all cells of the map.
    pub(crate) p: Vec<f64>,
    /// The z that a map without any match passes in one of a hundred.
    pub(crate) threshold: f64,
    /// Matches: layer of the deeper model, layer of the shallower.
    pub(crate) matches: Vec<(usize, usize)>,
    /// Exact test that some path exists.
    pub(crate) path: Evidence,
}

impl LayerMap {
    /// The map of `role` with rows `shallower` and columns `deeper`, whose even blocks choose the path and whose odd blocks test it.
    /// Layers of the shallower that repeat move together. `TooFew` without a layer on each side and two blocks.
    pub(crate) fn of(
        shallower: Layers<'_>,
        deeper: Layers<'_>,
        repeats: &Repeats,
        role: &str,
        seed: u64,
    ) -> Result<Self, Untested> {
        let cells = Cells::of(shallower, deeper)?;
        if cells.rows == 0 || cells.columns == 0 || cells.sizes.len() < 2 {
            return Err(Untested::TooFew);
        }
        let z = cells.z(|_| true)?;
        let (p, threshold) = step_down(&cells, &z, draw_key(seed, &format!("map {role}")));
        let [rows, columns] = &cells.layers;
        let matches = (0..cells.columns)
            .map(|column| (column, cells.best_row(&z, column)))
            .filter(|(column, row)| p[row * cells.columns + column] <= ALPHA)
            .map(|(column, row)| (columns[column], rows[row]))
            .collect();
        let (tables, path_z) = path(&cells, rows, repeats)?;
        let units = cells.sizes.iter().sum::<usize>();
        let mut sds = cells.sds();
        let median = median(&mut sds).map_err(|_| Untested::TooFew)?;
        let path = Evidence {
            z: path_z,
            significance: tables.test(draw_key(seed, &format!("path {role}")), Tail::Upper),
            tail: Tail::Upper,
            exact: true,
            rows: units,
            width: cells.width,
            blocks: tables.len(),
            rho: None,
            rho_sd: None,
            rho_detectable: (threshold + POWER_90) * median / units as f64,
            n_eff: None,
        };
        let [rows, columns] = cells.layers;
        Ok(Self { rows, columns, z, p, threshold, matches, path })
    }
}

/// The tables of a path on the odd blocks, and its z. The path takes the best row of each column on the even blocks; products of
/// columns that chose one row, or rows that repeat each other, are summed, since one shift moves all of them.
fn path(cells: &Cells, rows: &[usize], repeats: &Repeats) -> Result<(Tables, f64), Untested> {
    let even = cells.z(|k| k % 2 == 0)?;
    let mut summed: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for column in 0..cells.columns {
        let row = cells.best_row(&even, column);
        let cell = row * cells.columns + column;
        let odd = || (1..cells.sizes.len()).step_by(2);
        let variance = positive(odd().map(|k| cells.moments[cell][k].variance).sum())?;
        let cluster = repeats.clusters.get(&rows[row]).copied().unwrap_or(rows[row]);
        for k in odd() {
            let products = &cells.products[cell][k];
            let sum = summed.entry((cluster, k)).or_insert_with(|| vec![0.0; products.len()]);
            sum.iter_mut().zip(products).for_each(|(sum, x)| *sum += x / variance.sqrt());
        }
    }
    let mut tables = Tables::default();
    let (mut risen, mut variance) = (0.0, 0.0);
    for ((_, k), products) in &summed {
        let moments = Moments::of(products, cells.sizes[*k]);
        risen += moments.trace - moments.expected;
        variance += moments.variance;
        tables.push(products, cells.sizes[*k], 1.0);
    }
    Ok((tables, risen / variance.sqrt()))
}

/// Westfall and Young's step-down max-T. A draw shifts the units of each row's layer within their blocks, by one shift a block and
/// layer for all columns at once; p of the cell with the k-th largest z is the share of draws whose maximum over it and all with
/// smaller z reaches it, made monotone. Beside p, the z that one in a hundred of the draws' largest cells passes.
fn step_down(cells: &Cells, z: &[f64], key: u64) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|&i, &j| z[i].total_cmp(&z[j]));
    let shifted = Shifted::of(cells);
    let firsts: Vec<u64> = (0..DRAWS.div_ceil(DRAWS_PER_PART)).map(|part| part * DRAWS_PER_PART).collect();
    let parts: Vec<(Vec<u32>, Vec<f64>)> = parallel::map(&firsts, |&first| {
        let (mut reached, mut largest) = (vec![0_u32; z.len()], vec![]);
        let mut drawn = vec![0.0; z.len()];
        for t in first..(first + DRAWS_PER_PART).min(DRAWS) {
            shifted.draw(key, t, &mut drawn);
            let mut running = f64::NEG_INFINITY;
            for &cell in &order {
                running = running.max(drawn[cell]);
                reached[cell] += u32::from(running >= z[cell] - 1e-9);
            }
            largest.push(running);
        }
        (reached, largest)
    });
    let draws = DRAWS as f64;
    let share =
        |cell: usize| f64::from(1 + parts.iter().map(|(reached, _)| reached[cell]).sum::<u32>()) / (draws + 1.0);
    let mut p: Vec<f64> = (0..z.len()).map(share).collect();
    let mut smallest = 0.0_f64;
    for &cell in order.iter().rev() {
        smallest = smallest.max(p[cell]);
        p[cell] = smallest;
    }
    let mut largest: Vec<f64> = parts.into_iter().flat_map(|(_, largest)| largest).collect();
    largest.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let beyond = (ALPHA * (draws + 1.0)) as usize;
    (p, largest[largest.len() - beyond.max(1)])
}

/// Traces of all cells at all shifts, laid out so that a draw adds up whole lines.
struct Shifted<'c> {
    cells: &'c Cells,
    /// For each row, block and shift: the traces of all columns.
    lines: Vec<Vec<f64>>,
    /// For each cell its expected trace and its standard deviation.
    expected: Vec<f64>,
    sds: Vec<f64>,
}

impl<'c> Shifted<'c> {
    fn of(cells: &'c Cells) -> Self {
        let line = |row: usize, k: usize| -> Vec<f64> {
            let size = cells.sizes[k];
            let products = |column: usize| &cells.products[row * cells.columns + column][k];
            let places = (0..size).flat_map(|shift| (0..cells.columns).map(move |column| (shift, column)));
            places.map(|(shift, column)| shifted_trace(products(column), size, shift)).collect()
        };
        let places = (0..cells.rows).flat_map(|row| (0..cells.sizes.len()).map(move |k| (row, k)));
        let expected = cells.moments.iter().map(|cell| cell.iter().map(|moments| moments.expected).sum()).collect();
        Self { cells, lines: places.map(|(row, k)| line(row, k)).collect(), expected, sds: cells.sds() }
    }

    /// z of every cell under draw `t`.
    fn draw(&self, key: u64, t: u64, drawn: &mut [f64]) {
        let (columns, sizes) = (self.cells.columns, &self.cells.sizes);
        drawn.fill(0.0);
        let first = t * self.lines.len() as u64;
        for (place, line) in self.lines.iter().enumerate() {
            let (row, k) = (place / sizes.len(), place % sizes.len());
            let shift = below(word(key, first + place as u64), sizes[k]);
            let traces = &line[shift * columns..][..columns];
            drawn[row * columns..][..columns].iter_mut().zip(traces).for_each(|(sum, trace)| *sum += trace);
        }
        for ((x, expected), sd) in drawn.iter_mut().zip(&self.expected).zip(&self.sds) {
            *x = (*x - expected) / sd;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metric::lineage::{
        choice,
        goldens::{Arrays, as_blocks, check_significance, goldens, near, text},
        pattern::pattern,
        units::UnitRows,
    };

    fn rows(arrays: &Arrays, names: &[&str], layers: &[usize], blocks: &[std::ops::Range<usize>]) -> UnitRows {
        let mut rows = UnitRows::new(arrays.get(names[0]).columns, blocks);
        for &layer in layers {
            rows.push(layer, &arrays.get(names[layer]).rows(blocks.iter().cloned().flatten()));
        }
        rows
    }

    #[test]
    fn maps_and_paths_are_those_of_the_reference() {
        let arrays = Arrays::of("map.");
        for case in goldens()["maps"].as_array().unwrap() {
            let mut names = ["a", "b"].map(|side| case[side].as_array().unwrap().iter().map(text).collect::<Vec<_>>());
            if case["swapped"] == json!(true) {
                names.reverse();
            }
            let [shallow, deep] = names.each_ref().map(Vec::len);
            let seed = case["seed"].as_u64().unwrap();
            let most = names.each_ref().map(|names| choice::blocks_per_layer(names.len(), 0));
            let chosen = choice::blocks("mlp", &as_blocks(&[64]), most[0].max(most[1]).max(4), seed).unwrap();
            let even: Vec<_> = chosen.iter().step_by(2).cloned().collect();
            let numbers = names.each_ref().map(|names| (0..names.len()).collect::<Vec<usize>>());
            let repeats = [0, 1].map(|side| {
                let prepare = |layers: &[usize]| rows(&arrays, &names[side], layers, &even);
                Repeats::of(Layers { numbers: &numbers[side], prepare: &prepare }).unwrap()
            });
            let prepare = [0, 1].map(|side| {
                let (arrays, names, chosen) = (&arrays, &names[side], &chosen);
                move |layers: &[usize]| rows(arrays, names, layers, chosen)
            });
            let [a, b] = [0, 1].map(|side| Layers { numbers: &numbers[side], prepare: &prepare[side] });
            let map = LayerMap::of(a, b, &repeats[0], "mlp", seed).unwrap();

            let flat = |name: &str| {
                let rows = case[name].as_array().unwrap().iter();
                rows.flat_map(|row| row.as_array().unwrap()).collect::<Vec<_>>()
            };
            assert_eq!(map.z.len(), shallow * deep);
            map.z.iter().zip(flat("z")).for_each(|(z, golden)| near(*z, golden));
            assert_eq!(
                map.p.iter().map(|p| json!(p)).collect::<Vec<_>>(),
                flat("p").into_iter().cloned().collect::<Vec<_>>()
            );
            near(map.threshold, &case["threshold"]);
            assert_eq!(json!(map.matches), case["best"]);
            assert_eq!(pattern(&map.matches, shallow, deep), case["pattern"]);
            for (repeats, name) in repeats.iter().zip(["repeats_a", "repeats_b"]) {
                let golden = case[name].as_array().unwrap();
                assert_eq!(repeats.pairs.len(), golden.len());
                for (pair, golden) in repeats.pairs.iter().zip(golden) {
                    assert_eq!(json!([pair.0, pair.1]), json!([golden[0], golden[1]]));
                    near(pair.2, &golden[2]);
                }
            }
            near(map.path.z, &case["path"]["z"]);
            near(map.path.rho_detectable, &case["path"]["rho_detectable"]);
            assert_eq!(json!(map.path.blocks), case["path"]["blocks"]);
            check_significance(map.path.significance, &case["path"]);
        }
    }

    #[test]
    fn a_map_needs_layers() {
        let prepare = |_: &[usize]| UnitRows::new(8, &[0..8, 8..16]);
        let empty = Layers { numbers: &[], prepare: &prepare };
        let repeats = Repeats::of(empty).unwrap();
        assert_eq!(LayerMap::of(empty, empty, &repeats, "mlp", 0), Err(Untested::TooFew));
    }
}
