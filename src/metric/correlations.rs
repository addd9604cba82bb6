//! Pearson's r of every vector with every other, and nothing else.
//!
//! Averages over layers ask how the layers of one model resemble each other: a thousand correlations of which no other
//! metric is wanted. Each vector is centred and scaled once; a correlation is then one sum of products.

use super::{Element, Moments, Undefined, sums};
use crate::parallel;

/// The correlations within one list of vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlations {
    /// Row by row, left of the diagonal and on it.
    cells: Vec<Result<f64, Undefined>>,
}

impl Correlations {
    /// Correlates all `vectors`; one that is absent keeps its place, with the reason.
    ///
    /// A cell is undefined where a vector is absent, constant or not finite, and where lengths differ (`Shape`).
    pub fn of<T: Element>(vectors: &[Result<&[T], Undefined>]) -> Self {
        let units: Vec<Result<Vec<f64>, Undefined>> = parallel::map(vectors, |vector| vector.clone().and_then(unit));
        let row = |row: usize| units[..=row].iter().map(|column| correlate(&units[row], column)).collect::<Vec<_>>();
        Self { cells: parallel::numbers(units.len(), row).into_iter().flatten().collect() }
    }

    /// r of the vectors at `i` and `j`; `TooFew` beyond the list.
    pub fn get(&self, i: usize, j: usize) -> Result<f64, Undefined> {
        let (row, column) = (i.max(j), i.min(j));
        let place = row * (row + 1) / 2 + column;
        self.cells.get(place).cloned().unwrap_or(Err(Undefined::TooFew))
    }
}

/// The vector less its mean, with length 1.
fn unit<T: Element>(vector: &[T]) -> Result<Vec<f64>, Undefined> {
    let summary = Moments::of(vector).summary?;
    if summary.is_constant() {
        return Err(Undefined::Constant);
    }
    let length = summary.centred_squares.sqrt();
    Ok(vector.iter().map(|x| (x.to_f64() - summary.mean - summary.mean_rest) / length).collect())
}

fn correlate(a: &Result<Vec<f64>, Undefined>, b: &Result<Vec<f64>, Undefined>) -> Result<f64, Undefined> {
    let (a, b) = (a.as_ref().map_err(Clone::clone)?, b.as_ref().map_err(Clone::clone)?);
    if a.len() != b.len() {
        return Err(Undefined::Shape);
    }
    let products = sums::pair_blocks(a, b, |a, b| [sums::pair_sum(a, b, |x, y| x * y)]);
    Ok(sums::total(&products, 0).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Metric, PairMetrics};
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_correlated_keeps_its_place_with_the_reason() {
        let vectors: [Result<&[f64], Undefined>; 4] =
            [Ok(&[1.0, 2.0, 4.0]), Err(Undefined::TooFew), Ok(&[5.0, 5.0, 5.0]), Ok(&[1.0, 2.0])];
        let r = Correlations::of(&vectors);
        assert!((r.get(0, 0).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(r.get(0, 1), Err(Undefined::TooFew));
        assert_eq!(r.get(2, 0), Err(Undefined::Constant));
        assert_eq!(r.get(3, 0), Err(Undefined::Shape));
        assert_eq!(r.get(0, 9), Err(Undefined::TooFew));
    }

    proptest! {
        #[test]
        fn a_correlation_is_that_of_the_full_comparison(
            rows in prop::collection::vec(prop::collection::vec(-5.0..5.0_f64, 40), 2..6),
        ) {
            let vectors: Vec<Result<&[f64], Undefined>> = rows.iter().map(|row| Ok(row.as_slice())).collect();
            let r = Correlations::of(&vectors);
            for i in 0..rows.len() {
                for j in 0..rows.len() {
                    let full = PairMetrics::compute(&rows[i], &rows[j]).get(Metric::Pearson).clone().unwrap();
                    prop_assert!((r.get(i, j).unwrap() - full).abs() < 1e-13);
                }
            }
        }
    }
}
