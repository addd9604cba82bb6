//! The few directions in which many vectors differ most.
//!
//! With k vectors of n elements and k far below n, all there is to know stands in the k × k matrix of their products:
//! its eigenvectors are the scores, and loadings follow from them. Without its scale a set of norms shows differences of
//! pattern; with it, the first direction is usually nothing but size.

use super::{Element, Moments, Undefined, eigen, lanczos, sums};
use crate::parallel;

/// What is done to each vector before the mean vector is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Nothing.
    Kept,
    /// It is divided by its norm.
    Removed,
}

/// Principal components of a set of vectors, the strongest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// The components.
    pub components: Vec<Component>,
    /// Σ of all squared singular values: what shares are shares of.
    pub total: f64,
}

/// The products of every two of a set of vectors, gathered run by run, so that none of them need be held whole.
#[derive(Debug, Clone)]
pub struct Gram {
    products: Vec<Vec<f64>>,
    non_finite: u64,
}

/// One principal component: with X the centred vectors as rows and X = U S Vᵀ, its column of U·S and of V.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Share of the variance that it explains, s²/Σs².
    pub share: f64,
    /// Singular value s.
    pub singular_value: f64,
    /// Coordinate of each vector, s·u; one per vector.
    pub scores: Vec<f64>,
    /// Weight of each element, v; unit length, one per element. Its entry of largest magnitude, the first of equals, is positive.
    /// Empty where only products of the vectors are known: then that of the scores is.
    pub loadings: Vec<f64>,
}

impl Pca {
    /// The first `count` components of `vectors`; fewer where there are fewer. Components whose share is below k·ε, where
    /// products of vectors resolve nothing, are not given.
    ///
    /// Undefined with fewer than two vectors or without elements (`TooFew`), where lengths differ (`Shape`), with NaN or
    /// infinite elements (`NonFinite`), where a vector to be divided by its norm is all zeros (`ZeroNorm`), and where all vectors
    /// are equal (`Constant`).
    pub fn of<T: Element>(vectors: &[&[T]], scale: Scale, count: usize) -> Result<Self, Undefined> {
        let [first, _, ..] = vectors else {
            return Err(Undefined::TooFew);
        };
        if vectors.iter().any(|vector| vector.len() != first.len()) {
            return Err(Undefined::Shape);
        }
        let (rows, size) = centred(vectors, scale)?;
        let gram = gram(&rows);
        let total = sums::compensated((0..rows.len()).map(|row| gram[row][row]));
        // What centring leaves of equal vectors is rounding.
        if total <= size * (4.0 * f64::EPSILON).powi(2) {
            return Err(Undefined::Constant);
        }
        let smallest = rows.len() as f64 * f64::EPSILON * total;
        let components = strongest(gram, count, smallest).map(|eigen| Component::new(eigen, &rows, total)).collect();
        Ok(Self { components, total })
    }
}

/// The first `count` eigenvalues above `smallest`.
fn strongest(gram: Vec<Vec<f64>>, count: usize, smallest: f64) -> impl Iterator<Item = eigen::Eigen> {
    let found = lanczos::leading(&gram, count).unwrap_or_else(|| eigen::symmetric(gram));
    found.into_iter().take(count).take_while(move |eigen| eigen.value > smallest)
}

impl Gram {
    /// Of `count` vectors without elements so far.
    pub fn new(count: usize) -> Self {
        Self { products: vec![vec![0.0; count]; count], non_finite: 0 }
    }

    /// Adds the next elements of every vector: one run a vector, all as long.
    pub fn add(&mut self, runs: &[Vec<f64>]) {
        self.non_finite += runs.iter().flatten().filter(|value| !value.is_finite()).count() as u64;
        for (row, more) in self.products.iter_mut().zip(gram(runs)) {
            row.iter_mut().zip(more).for_each(|(sum, product)| *sum += product);
        }
    }

    /// The first `count` components of the vectors, without loadings.
    ///
    /// The mean vector is taken off the products, and not off the elements: what is below k·ε of Σ‖x‖² is rounding and not given.
    /// Undefined as [`Pca::of`] is.
    pub fn components(mut self, scale: Scale, count: usize) -> Result<Pca, Undefined> {
        let k = self.products.len();
        if k < 2 {
            return Err(Undefined::TooFew);
        }
        if self.non_finite > 0 {
            return Err(Undefined::NonFinite { count: self.non_finite });
        }
        if scale == Scale::Removed {
            let norms: Vec<f64> = (0..k).map(|row| self.products[row][row].sqrt()).collect();
            if norms.contains(&0.0) {
                return Err(Undefined::ZeroNorm);
            }
            for (row, norm) in self.products.iter_mut().zip(&norms) {
                row.iter_mut().zip(&norms).for_each(|(product, other)| *product /= norm * other);
            }
        }
        let size: f64 = (0..k).map(|row| self.products[row][row]).sum();
        let means: Vec<f64> = self.products.iter().map(|row| row.iter().sum::<f64>() / k as f64).collect();
        let mean = means.iter().sum::<f64>() / k as f64;
        for (row, own) in self.products.iter_mut().zip(&means) {
            row.iter_mut().zip(&means).for_each(|(product, other)| *product += mean - own - other);
        }
        let total: f64 = (0..k).map(|row| self.products[row][row]).sum();
        let smallest = k as f64 * f64::EPSILON * size;
        if total <= smallest {
            return Err(Undefined::Constant);
        }
        let component = |eigen: eigen::Eigen| {
            let singular_value = eigen.value.sqrt();
            let factor = sign(&eigen.vector) * singular_value;
            let scores = eigen.vector.into_iter().map(|u| factor * u).collect();
            Component { share: eigen.value / total, singular_value, scores, loadings: Vec::new() }
        };
        Ok(Pca { components: strongest(self.products, count, smallest).map(component).collect(), total })
    }
}

/// The sign of the entry of largest magnitude, the first of equals.
fn sign(vector: &[f64]) -> f64 {
    let largest = vector.iter().fold(0.0_f64, |best, x| if x.abs() > best.abs() { *x } else { best });
    if largest < 0.0 { -1.0 } else { 1.0 }
}

impl Component {
    fn new(eigen: eigen::Eigen, rows: &[Vec<f64>], total: f64) -> Self {
        let singular_value = eigen.value.sqrt();
        let mut loadings = vec![0.0; rows.first().map_or(0, Vec::len)];
        for (row, u) in rows.iter().zip(&eigen.vector) {
            for (loading, x) in loadings.iter_mut().zip(row) {
                *loading += u * x / singular_value;
            }
        }
        let sign = sign(&loadings);
        Self {
            share: eigen.value / total,
            singular_value,
            scores: eigen.vector.into_iter().map(|u| sign * singular_value * u).collect(),
            loadings: loadings.into_iter().map(|x| sign * x).collect(),
        }
    }
}

/// The vectors, scaled as asked, less their mean vector; and Σ of the squares before that.
fn centred<T: Element>(vectors: &[&[T]], scale: Scale) -> Result<(Vec<Vec<f64>>, f64), Undefined> {
    let mut rows = Vec::with_capacity(vectors.len());
    let mut size = 0.0;
    for vector in vectors {
        let norm = Moments::of(vector).summary?.norm;
        let divisor = match scale {
            Scale::Kept => 1.0,
            Scale::Removed if norm == 0.0 => return Err(Undefined::ZeroNorm),
            Scale::Removed => norm,
        };
        size += (norm / divisor).powi(2);
        rows.push(vector.iter().map(|x| x.to_f64() / divisor).collect::<Vec<f64>>());
    }
    let mut mean = vec![0.0; vectors.first().map_or(0, |vector| vector.len())];
    for row in &rows {
        for (mean, x) in mean.iter_mut().zip(row) {
            *mean += x / vectors.len() as f64;
        }
    }
    for row in &mut rows {
        for (x, mean) in row.iter_mut().zip(&mean) {
            *x -= mean;
        }
    }
    Ok((rows, size))
}

/// Products of every row with every row.
fn gram(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let product =
        |x: &[f64], y: &[f64]| sums::total(&sums::pair_blocks(x, y, |x, y| [sums::pair_sum(x, y, |x, y| x * y)]), 0);
    let mut gram: Vec<Vec<f64>> =
        parallel::numbers(rows.len(), |i| rows[..=i].iter().map(|y| product(&rows[i], y)).collect());
    for i in 0..gram.len() {
        for j in i + 1..gram.len() {
            let mirrored = gram[j][i];
            gram[i].push(mirrored);
        }
    }
    gram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_have_one_component() {
        let pca = Pca::of::<i32>(&[&[1, 10], &[3, 9], &[5, 8]], Scale::Kept, 9).unwrap();
        assert_eq!(pca.components.len(), 1);
        let component = &pca.components[0];
        assert!((component.share - 1.0).abs() < 1e-15);
        assert!((component.loadings[0] - 2.0 / 5.0_f64.sqrt()).abs() < 1e-14);
        assert!((component.scores[0] + 5.0_f64.sqrt()).abs() < 1e-14);
        assert!(component.scores[1].abs() < 1e-14);
    }

    #[test]
    fn vectors_that_differ_in_size_alone_are_equal_without_it() {
        let (a, b) = ([1.0_f32, 2.0, 3.0], [1.5_f32, 3.0, 4.5]);
        assert_eq!(Pca::of::<f32>(&[&a, &b], Scale::Kept, 2).unwrap().components.len(), 1);
        assert_eq!(Pca::of::<f32>(&[&a, &b], Scale::Removed, 2), Err(Undefined::Constant));
    }

    #[test]
    fn what_has_no_components_is_said() {
        assert_eq!(Pca::of::<f32>(&[], Scale::Kept, 1), Err(Undefined::TooFew));
        assert_eq!(Pca::of::<f32>(&[&[1.0]], Scale::Kept, 1), Err(Undefined::TooFew));
        assert_eq!(Pca::of::<f32>(&[&[], &[]], Scale::Kept, 1), Err(Undefined::TooFew));
        assert_eq!(Pca::of::<f32>(&[&[1.0], &[1.0, 2.0]], Scale::Kept, 1), Err(Undefined::Shape));
        assert_eq!(Pca::of::<f32>(&[&[1.0], &[f32::NAN]], Scale::Kept, 1), Err(Undefined::NonFinite { count: 1 }));
        assert_eq!(Pca::of::<f32>(&[&[1.0], &[0.0]], Scale::Removed, 1), Err(Undefined::ZeroNorm));
        assert_eq!(Pca::of::<f32>(&[&[0.1], &[0.1], &[0.1]], Scale::Kept, 1), Err(Undefined::Constant));
    }
}
