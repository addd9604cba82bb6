//! How far apart: cosine, Pearson and relative L2 over sampled rows, with intervals.
//!
//! Ratio estimators over all strata, their errors by linearisation between blocks: rows of one head are alike, and rows as
//! units promise too much. An interval says how well the sample knows the tensors, not whether they are linked.

use super::{products::mean, student::t_95, untested::Untested};
use crate::metric::{Element, RowPair};

/// Rows of two tensors that correspond, row-major.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairedRows<'a, T> {
    pub(crate) a: &'a [T],
    pub(crate) b: &'a [T],
    pub(crate) width: usize,
}

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Distances of one group of tensors, or of one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Distances {
    pub(crate) rows: usize,
    pub(crate) blocks: usize,
    pub(crate) cosine: Interval,
    pub(crate) pearson: Interval,
    /// √((Σa²+Σb²−2Σab)/Σa²).
    pub(crate) relative_l2: Interval,
}

/// What norm gains come to, which are read whole: means over rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormDistances {
    pub(crate) cosine: f64,
    /// The cosine that the means of the rows alone make.
    pub(crate) cosine_from_means: f64,
    /// Over the rows that vary; `None` where none does.
    pub(crate) pearson: Option<f64>,
}

impl<'a, T: Element> PairedRows<'a, T> {
    pub(super) fn len(&self) -> usize {
        self.a.len() / self.width
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.a.iter().zip(self.b).map(|(a, b)| (a.to_f64(), b.to_f64()))
    }

    /// The rows, one pair at a time.
    pub(super) fn rows(&self) -> impl Iterator<Item = Self> + 'a {
        let width = self.width;
        self.a.chunks_exact(width).zip(self.b.chunks_exact(width)).map(move |(a, b)| Self { a, b, width })
    }

    pub(super) fn equal(&self) -> bool {
        self.a == self.b
    }
}

/// The share of elements that are equal: the mean over strata; `None` where no row was read.
pub(crate) fn equal_share<T: Element>(strata: &[PairedRows<'_, T>]) -> Option<f64> {
    let share = |rows: &PairedRows<'_, T>| {
        rows.a.iter().zip(rows.b).filter(|(a, b)| a == b).count() as f64 / rows.a.len() as f64
    };
    let strata = strata.iter().filter(|rows| !rows.a.is_empty());
    let shares: Vec<f64> = strata.map(share).collect();
    (!shares.is_empty()).then(|| mean(&shares))
}

/// n, Σa, Σb, Σa², Σb², Σab.
type Sums = [f64; 6];

fn sums<T: Element>(rows: PairedRows<'_, T>) -> Sums {
    let mut sums = [0.0; 6];
    for (a, b) in rows.pairs() {
        for (sum, term) in sums.iter_mut().zip([1.0, a, b, a * a, b * b, a * b]) {
            *sum += term;
        }
    }
    sums
}

fn add(mut total: Sums, other: &Sums) -> Sums {
    total.iter_mut().zip(other).for_each(|(sum, term)| *sum += term);
    total
}

/// Cosine, Pearson's r and squared relative L2 of total sums, each with its gradient by these sums.
fn estimates([n, a, b, aa, bb, ab]: Sums) -> [(f64, Sums); 3] {
    let cosine = ab / (aa * bb).sqrt();
    let by_cosine = [0.0, 0.0, 0.0, -cosine / (2.0 * aa), -cosine / (2.0 * bb), 1.0 / (aa * bb).sqrt()];
    let (caa, cbb, cab) = (aa - a * a / n, bb - b * b / n, ab - a * b / n);
    let scale = 1.0 / (caa * cbb).sqrt();
    let pearson = cab * scale;
    let (by_caa, by_cbb) = (-pearson / (2.0 * caa), -pearson / (2.0 * cbb));
    let by_pearson = [
        (by_caa * a * a + by_cbb * b * b + scale * a * b) / (n * n),
        by_caa * -2.0 * a / n + scale * -b / n,
        by_cbb * -2.0 * b / n + scale * -a / n,
        by_caa,
        by_cbb,
        scale,
    ];
    let squared = (aa + bb - 2.0 * ab).max(0.0) / aa;
    let by_squared = [0.0, 0.0, 0.0, (1.0 - squared) / aa, 1.0 / aa, -2.0 / aa];
    [(cosine, by_cosine), (pearson, by_pearson), (squared, by_squared)]
}

/// Sums of one stratum, which is one tensor, by block.
#[derive(Debug, Clone)]
pub(crate) struct BlockSums {
    rows: usize,
    blocks: Vec<Sums>,
}

impl BlockSums {
    /// Of rows that lie in blocks of `sizes` rows.
    pub(crate) fn of<T: Element>(stratum: &PairedRows<'_, T>, sizes: &[usize]) -> Self {
        let mut rows = stratum.rows().map(sums);
        let block = |&size: &usize| rows.by_ref().take(size).fold([0.0; 6], |total, row| add(total, &row));
        Self { rows: stratum.len(), blocks: sizes.iter().map(block).collect() }
    }
}

/// Distances over all strata. `TooFew` where no stratum has two blocks, `Constant` where a side is all zeros or does not vary.
pub(crate) fn distances(strata: &[BlockSums]) -> Result<Distances, Untested> {
    let total = strata.iter().flat_map(|stratum| &stratum.blocks).fold([0.0; 6], add);
    let [n, a, b, aa, bb, _] = total;
    let varies = |sum: f64, squares: f64| squares - sum * sum / n > 4.0 * f64::EPSILON * squares;
    if !(varies(a, aa) && varies(b, bb)) {
        return Err(Untested::Constant);
    }
    if strata.iter().all(|stratum| stratum.blocks.len() < 2) {
        return Err(Untested::TooFew);
    }
    let [cosine, pearson, squared] = estimates(total).map(|(value, gradient)| (value, half_width(strata, &gradient)));
    Ok(Distances {
        rows: strata.iter().map(|stratum| stratum.rows).sum(),
        blocks: strata.iter().map(|stratum| stratum.blocks.len()).sum(),
        cosine: on_atanh(cosine),
        pearson: on_atanh(pearson),
        relative_l2: on_log(squared),
    })
}

/// t times the standard error: the variance of linearised block sums within strata, its degrees of freedom by Satterthwaite.
fn half_width(strata: &[BlockSums], gradient: &Sums) -> f64 {
    let (mut variance, mut quartic) = (0.0, 0.0);
    for blocks in strata.iter().map(|stratum| &stratum.blocks).filter(|blocks| blocks.len() > 1) {
        let m = blocks.len() as f64;
        let linear: Vec<f64> =
            blocks.iter().map(|sums| sums.iter().zip(gradient).map(|(sum, by)| sum * by).sum()).collect();
        let mean = mean(&linear);
        let v = m * linear.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / (m - 1.0);
        variance += v;
        quartic += v * v / (m - 1.0);
    }
    let freedom: f64 = if quartic > 0.0 { variance * variance / quartic } else { 1.0 };
    t_95(freedom.max(1.0)) * variance.sqrt()
}

fn on_atanh((value, half): (f64, f64)) -> Interval {
    let inside = value.clamp(-1.0 + 1e-16, 1.0 - 1e-16);
    let (middle, half) = (inside.atanh(), half / (1.0 - inside * inside));
    Interval { value, low: (middle - half).tanh(), high: (middle + half).tanh() }
}

/// Of the square root, on its logarithm.
fn on_log((squared, half): (f64, f64)) -> Interval {
    let value = squared.sqrt();
    let factor = if squared > 0.0 { (half / squared / 2.0).exp() } else { 1.0 };
    Interval { value, low: value / factor, high: value * factor }
}

/// Means over rows of norm gains. `Constant` where a row is all zeros, `NonFinite` as everywhere.
pub(crate) fn norm_distances<T: Element>(rows: &PairedRows<'_, T>) -> Result<NormDistances, Untested> {
    let (mut cosine, mut from_means, mut r) = (0.0, 0.0, vec![]);
    for row in rows.rows() {
        let pair = RowPair::compute(row.a, row.b);
        cosine += pair.cos_sim.map_err(|_| Untested::Constant)?;
        from_means += pair.cos_null.map_err(|_| Untested::Constant)?;
        r.extend(pair.pearson.ok());
    }
    let n = rows.len() as f64;
    let pearson = (!r.is_empty()).then(|| mean(&r));
    Ok(NormDistances { cosine: cosine / n, cosine_from_means: from_means / n, pearson })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::metric::lineage::goldens::{Arrays, goldens, integers, near, text};

    fn check(interval: Interval, golden: &Value) {
        near(interval.value, &golden["value"]);
        near(interval.low, &golden["low"]);
        near(interval.high, &golden["high"]);
    }

    fn check_all<T: Element>(strata: &[PairedRows<'_, T>], sizes: &[usize], golden: &Value) {
        let sums: Vec<BlockSums> = strata.iter().map(|stratum| BlockSums::of(stratum, sizes)).collect();
        let distances = distances(&sums).unwrap();
        assert_eq!([distances.rows, distances.blocks], ["rows", "blocks"].map(|name| integers(&golden[name])[0]));
        near(equal_share(strata).unwrap(), &golden["equal"]);
        check(distances.cosine, &golden["cosine"]);
        check(distances.pearson, &golden["pearson"]);
        check(distances.relative_l2, &golden["rel_l2"]);
    }

    #[test]
    fn distances_and_intervals_are_those_of_the_reference() {
        let arrays = Arrays::of("unit.");
        for case in goldens()["unit_tests"].as_array().unwrap() {
            let names = |side: &str| case[side].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
            let strata: Vec<_> = names("a").into_iter().zip(names("b")).map(|(a, b)| arrays.pair(a, b)).collect();
            check_all(&strata, &integers(&case["sizes"]), &case["distance"]);
        }
        let arrays = Arrays::of("basis.");
        for case in goldens()["basis_tests"].as_array().unwrap() {
            let rows = arrays.pair(text(&case["a"]), text(&case["b"]));
            check_all(&[rows], &vec![1; rows.len()], &case["distance"]);
            if let golden @ Value::Object(_) = &case["exact"] {
                let norms = norm_distances(&rows).unwrap();
                near(norms.cosine, &golden["cosine"]);
                near(norms.cosine_from_means, &golden["cosine_from_means"]);
                near(norms.pearson.unwrap(), &golden["pearson"]);
                near(equal_share(&[rows]).unwrap(), &golden["equal"]);
            }
        }
    }

    #[test]
    fn what_has_no_distance_has_its_reason() {
        let (zero, one) =
            ([0.0_f32; 16], [1.0_f32, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        let of = |a: &[f32; 16], b: &[f32; 16], sizes: &[usize]| {
            distances(&[BlockSums::of(&PairedRows { a, b, width: 4 }, sizes)])
        };
        assert_eq!(of(&zero, &one, &[2, 2]), Err(Untested::Constant));
        assert_eq!(of(&one, &one, &[4]), Err(Untested::TooFew));
        assert!(of(&one, &one, &[2, 2]).unwrap().relative_l2.high <= 0.0);
    }
}
