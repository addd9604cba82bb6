//! Units: MLP units, value dimensions within a head, experts. Each layer has its own order of units, so layers are
//! independent tests.

use std::ops::Range;

use super::{
    block_test::{Tables, Tail},
    draws::draw_key,
    evidence::{Evidence, detectable},
    products::{column_sums, mean, row_products, to_unit_length},
    untested::{Untested, positive},
};
use crate::{metric::Element, parallel};

/// The same blocks of rows of layers of one model, normalised.
#[derive(Debug, Clone)]
pub(crate) struct UnitRows {
    width: usize,
    pub(super) sizes: Vec<usize>,
    /// Layers whose rows are here.
    pub(super) layers: Vec<usize>,
    left_out: Vec<(usize, Untested)>,
    /// For each block its rows of all layers, one layer after the other.
    blocks: Vec<Vec<f64>>,
}

/// Products of the rows of two layers within one block, and what a permutation of rows makes of their trace.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Σ of products of corresponding rows.
    pub(super) trace: f64,
    /// Its mean over all permutations of rows.
    pub(super) expected: f64,
    /// Its variance (Hoeffding 1951).
    pub(super) variance: f64,
}

/// The units of one pair.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnitTest {
    pub(crate) evidence: Evidence,
    pub(crate) layers: Vec<LayerEvidence>,
    pub(crate) left_out: Vec<(usize, Untested)>,
}

/// One layer of a [`UnitTest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LayerEvidence {
    pub(crate) layer: usize,
    pub(crate) z: f64,
    pub(crate) rho: f64,
}

impl UnitRows {
    /// No layer yet, of rows of `width` elements in these blocks.
    pub(crate) fn new(width: usize, blocks: &[Range<usize>]) -> Self {
        let sizes = blocks.iter().map(Range::len).collect();
        Self { width, sizes, layers: vec![], left_out: vec![], blocks: vec![vec![]; blocks.len()] }
    }

    /// Takes the memory of so many layers at once: growing as they come takes up to twice as much.
    pub(crate) fn reserve(&mut self, layers: usize) {
        for (block, size) in self.blocks.iter_mut().zip(&self.sizes) {
            block.reserve_exact(layers * size * self.width);
        }
    }

    /// Adds a layer's rows, block after block. A layer that is undefined is left out with its reason: `NonFinite`, or `Constant`
    /// where over half of its rows have no length.
    pub(crate) fn push<T: Element>(&mut self, layer: usize, rows: &[T]) {
        let count: usize = self.sizes.iter().sum();
        if rows.len() != count * self.width {
            return self.leave_out(layer, Untested::Units);
        }
        let non_finite = rows.iter().filter(|x| !x.to_f64().is_finite()).count() as u64;
        if non_finite > 0 {
            return self.leave_out(layer, Untested::NonFinite { count: non_finite });
        }
        let mut rows: Vec<f64> = rows.iter().map(|x| x.to_f64()).collect();
        let with_length = normalise(&mut rows, self.width, &self.sizes);
        if 2 * with_length < count {
            return self.leave_out(layer, Untested::Constant);
        }
        let mut rest = rows.as_slice();
        for (block, size) in self.blocks.iter_mut().zip(&self.sizes) {
            let (rows, others) = rest.split_at(size * self.width);
            block.extend_from_slice(rows);
            rest = others;
        }
        self.layers.push(layer);
    }

    /// Names a layer that could not be read.
    pub(crate) fn leave_out(&mut self, layer: usize, reason: Untested) {
        self.left_out.push((layer, reason));
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A block's rows of all layers.
    pub(super) fn block(&self, block: usize) -> &[f64] {
        &self.blocks[block]
    }

    /// Whether the rows of both can be compared.
    pub(super) fn meets(&self, other: &Self) -> Result<(), Untested> {
        if self.width != other.width {
            Err(Untested::Width)
        } else if self.sizes != other.sizes {
            Err(Untested::Units)
        } else {
            Ok(())
        }
    }
}

/// Takes the column means off within each block, divides each column by its rms over all rows, then each row by its length;
/// says how many rows have one. Every step commutes with permutations of rows inside blocks.
fn normalise(rows: &mut [f64], width: usize, sizes: &[usize]) -> usize {
    let mut rest = &mut *rows;
    let mut squares = vec![0.0; width];
    for size in sizes {
        let (block, others) = rest.split_at_mut(size * width);
        let means = column_sums(block, width, |x| x).into_iter().map(|sum| sum / *size as f64).collect::<Vec<f64>>();
        for row in block.chunks_exact_mut(width) {
            for ((x, mean), square) in row.iter_mut().zip(&means).zip(&mut squares) {
                *x -= mean;
                *square += *x * *x;
            }
        }
        rest = others;
    }
    let count = rows.len() / width;
    let rms: Vec<f64> = squares.iter().map(|square| (square / count as f64).sqrt()).collect();
    let mut with_length = 0;
    for row in rows.chunks_exact_mut(width) {
        row.iter_mut().zip(&rms).filter(|(_, rms)| **rms != 0.0).for_each(|(x, rms)| *x /= rms);
        with_length += usize::from(to_unit_length(row));
    }
    with_length
}

impl Moments {
    /// Of a square matrix of products.
    pub(super) fn of(products: &[f64], size: usize) -> Self {
        let grand = mean(products);
        let row_means: Vec<f64> = products.chunks_exact(size).map(mean).collect();
        let column_mean = |j: usize| products.iter().skip(j).step_by(size).sum::<f64>() / size as f64;
        let column_means: Vec<f64> = (0..size).map(column_mean).collect();
        let mut squares = 0.0;
        for (row, row_mean) in products.chunks_exact(size).zip(&row_means) {
            for (x, column_mean) in row.iter().zip(&column_means) {
                let d = x - row_mean - column_mean + grand;
                squares += d * d;
            }
        }
        Self {
            trace: products.iter().step_by(size + 1).sum(),
            expected: size as f64 * grand,
            variance: squares / (size - 1) as f64,
        }
    }
}

/// A layer's products by block, and Σ of trace, mean and variance over them.
struct Layer {
    sizes: Vec<usize>,
    width: usize,
    products: Vec<Vec<f64>>,
    total: Moments,
}

impl Layer {
    /// Of two sides that hold this layer alone.
    fn of([a, b]: [UnitRows; 2]) -> Result<Self, Untested> {
        a.meets(&b)?;
        for side in [&a, &b] {
            if let (true, reason) = (side.layers.is_empty(), side.left_out.first()) {
                return Err(reason.map_or(Untested::NoTensor, |(_, reason)| *reason));
            }
        }
        let mut total = Moments { trace: 0.0, expected: 0.0, variance: 0.0 };
        let mut products = Vec::with_capacity(a.sizes.len());
        for ((of_a, of_b), &size) in a.blocks.iter().zip(&b.blocks).zip(&a.sizes) {
            let block = row_products(of_a, of_b, a.width);
            let moments = Moments::of(&block, size);
            total.trace += moments.trace;
            total.expected += moments.expected;
            total.variance += moments.variance;
            products.push(block);
        }
        positive(total.variance)?;
        Ok(Self { sizes: a.sizes, width: a.width, products, total })
    }

    fn rows(&self) -> usize {
        self.sizes.iter().sum()
    }
}

/// Tests layers of equal number; `prepare` gives a layer's rows of both sides, which are let go once they have met. z = Σ z of
/// layers/√layers, one-sided; p and bound over all blocks of all layers. Undefined where no layer is left: the first layer's reason.
pub(crate) fn unit_test(
    layers: &[usize],
    prepare: impl Fn(usize) -> [UnitRows; 2] + Sync,
    name: &str,
    seed: u64,
) -> Result<UnitTest, Untested> {
    let is_there =
        |sides: &[UnitRows; 2]| sides.iter().any(|side| !(side.layers.is_empty() && side.left_out.is_empty()));
    let met: Vec<(usize, Result<Layer, Untested>)> =
        parallel::map(layers, |&layer| Some(prepare(layer)).filter(is_there).map(|sides| (layer, Layer::of(sides))))
            .into_iter()
            .flatten()
            .collect();
    let (mut tables, mut tested, mut left_out) = (Tables::default(), vec![], vec![]);
    let (mut rows, mut width, mut rows_per_sd) = (0, 0, 0.0);
    for (layer, met) in met {
        match met {
            Ok(met) => {
                let (total, count, sd) = (&met.total, met.rows() as f64, met.total.variance.sqrt());
                for (block, &size) in met.products.iter().zip(&met.sizes) {
                    tables.push(block, size, sd);
                }
                (rows, width) = (rows + met.rows(), met.width);
                rows_per_sd += count / sd;
                tested.push(LayerEvidence { layer, z: (total.trace - total.expected) / sd, rho: total.trace / count });
            }
            Err(reason) => left_out.push((layer, reason)),
        }
    }
    if tested.is_empty() {
        return Err(left_out.first().map_or(Untested::NoTensor, |(_, reason)| *reason));
    }
    let root = (tested.len() as f64).sqrt();
    let rho_sd = root / rows_per_sd;
    let evidence = Evidence {
        z: tested.iter().map(|layer| layer.z).sum::<f64>() / root,
        significance: tables.test(draw_key(seed, name), Tail::Upper),
        tail: Tail::Upper,
        exact: true,
        rows,
        width,
        blocks: tables.len(),
        rho: Some(tested.iter().map(|layer| layer.rho).sum::<f64>() / tested.len() as f64),
        rho_sd: Some(rho_sd),
        rho_detectable: detectable(rho_sd),
        n_eff: None,
    };
    Ok(UnitTest { evidence, layers: tested, left_out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::goldens::{Arrays, as_blocks, check_evidence, goldens, integers, near, text};

    fn rows<T: Element>(layer: usize, values: &[T], width: usize, sizes: &[usize]) -> UnitRows {
        let mut rows = UnitRows::new(width, &as_blocks(sizes));
        rows.push(layer, values);
        rows
    }

    fn names(side: &serde_json::Value) -> Vec<&str> {
        side.as_array().unwrap().iter().map(text).collect()
    }

    #[test]
    fn units_are_tested_as_the_reference_does() {
        let arrays = Arrays::of("unit.");
        for case in goldens()["unit_tests"].as_array().unwrap() {
            let sizes = integers(&case["sizes"]);
            let sides = ["a", "b"].map(|side| names(&case[side]));
            let of = |layer: usize| {
                sides.each_ref().map(|names| {
                    let array = arrays.get(names[layer]);
                    rows(layer, &array.values, array.columns, &sizes)
                })
            };
            let layers: Vec<usize> = (0..sides[0].len()).collect();
            let test = unit_test(&layers, of, "mlp", case["seed"].as_u64().unwrap()).unwrap();
            let golden = &case["test"];
            check_evidence(&test.evidence, golden);
            assert_eq!(test.layers.len(), golden["by_layer"].as_object().unwrap().len());
            for layer in &test.layers {
                near(layer.z, &golden["by_layer"][layer.layer.to_string()]);
            }
            let left_out: Vec<_> =
                test.left_out.iter().map(|(layer, reason)| serde_json::json!([layer, reason.to_string()])).collect();
            assert_eq!(&left_out, golden["skipped"].as_array().unwrap());
        }
    }

    #[test]
    fn relabelling_units_inside_blocks_on_both_sides_changes_nothing() {
        let arrays = Arrays::of("unit.");
        let [a, b] = ["unit.a.0", "unit.child.0"].map(|name| arrays.get(name));
        let relabelled = |array: &crate::metric::lineage::goldens::Array| {
            let order: Vec<usize> = (0..3).flat_map(|k| (0..8).rev().map(move |i| 8 * k + i)).chain(24..29).collect();
            array.rows(order)
        };
        let sizes = [8, 8, 8, 5];
        let test = |of_a: &[f64], of_b: &[f64]| {
            let sides = |layer| [of_a, of_b].map(|values| rows(layer, values, a.columns, &sizes));
            unit_test(&[0], sides, "mlp", 0).unwrap().evidence.z
        };
        let (plain, moved) = (test(&a.values, &b.values), test(&relabelled(a), &relabelled(b)));
        assert!((plain - moved).abs() < 1e-9, "{plain} {moved}");
        assert!(test(&a.values, &relabelled(b)) < 4.0);
    }

    #[test]
    fn what_cannot_be_compared_has_its_reason() {
        let flat = |layer| rows(layer, &[1.0_f32; 16], 2, &[8]);
        assert_eq!(flat(0).left_out, [(0, Untested::Constant)]);
        assert_eq!(rows(1, &[f32::NAN; 16], 2, &[8]).left_out, [(1, Untested::NonFinite { count: 16 })]);
        let against = |other: UnitRows| unit_test(&[0], |layer| [flat(layer), other.clone()], "mlp", 0);
        assert_eq!(against(flat(0)), Err(Untested::Constant));
        assert_eq!(against(UnitRows::new(3, &as_blocks(&[8]))), Err(Untested::Width));
        assert_eq!(against(UnitRows::new(2, &as_blocks(&[7]))), Err(Untested::Units));
        let none = |_| ["a", "b"].map(|_| UnitRows::new(2, &as_blocks(&[8])));
        assert_eq!(unit_test(&[0], none, "mlp", 0), Err(Untested::NoTensor));
    }
}
