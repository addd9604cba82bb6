//! Whether one model lies on the line between two others, and how much of each of several changes it holds.

use faer::{Mat, Side, prelude::Solve};

use super::untested::{Untested, positive};
use crate::metric::Element;

/// A weight that is told from none.
pub(crate) const LEAST_WEIGHT: f64 = 0.02;

/// Least squares of C − B on A − B: C = wA + (1−w)B.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Merge {
    pub(crate) weight: f64,
    /// 95 %, by jackknife over blocks.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Share of the squared distance to the nearer of A and B that the line explains; `None` where C is one of them.
    pub(crate) explained: Option<f64>,
    /// What is left, over ‖A − B‖.
    pub(crate) left: f64,
}

impl Merge {
    /// Of C between A and B, over `strata` of the same rows of A, B and C, in blocks of `sizes` rows of `width` elements.
    /// `Constant` where A and B are equal in all of them.
    pub(crate) fn of<T: Element>(strata: &[[&[T]; 3]], width: usize, sizes: &[usize]) -> Result<Self, Untested> {
        let (mut products, mut squares, mut to_b, mut to_a) = (vec![], vec![], 0.0, 0.0);
        for [a, b, c] in strata {
            let mut first = 0;
            for size in sizes {
                let block = first..first + size * width;
                let [mut product, mut square] = [0.0; 2];
                for ((a, b), c) in a[block.clone()].iter().zip(&b[block.clone()]).zip(&c[block]) {
                    let [a, b, c] = [a, b, c].map(|x| x.to_f64());
                    product += (a - b) * (c - b);
                    square += (a - b) * (a - b);
                    to_b += (c - b) * (c - b);
                    to_a += (c - a) * (c - a);
                }
                products.push(product);
                squares.push(square);
                first += size * width;
            }
        }
        let [product, square] = [&products, &squares].map(|sums| sums.iter().sum::<f64>());
        let weight = product / positive(square)?;
        let without: Vec<f64> =
            products.iter().zip(&squares).map(|(of_block, size)| (product - of_block) / (square - size)).collect();
        let n = without.len() as f64;
        let mean = without.iter().sum::<f64>() / n;
        let se = ((n - 1.0) / n * without.iter().map(|w| (w - mean) * (w - mean)).sum::<f64>()).sqrt();
        let left = to_b - weight * product;
        let nearest = to_b.min(to_a);
        Ok(Self {
            weight,
            low: weight - 1.96 * se,
            high: weight + 1.96 * se,
            explained: (nearest > 0.0).then(|| 1.0 - left / nearest),
            left: (left.max(0.0) / square).sqrt(),
        })
    }

    /// Whether it may be printed: a third sibling and the common base have weights as well.
    pub(crate) fn holds(&self) -> bool {
        self.explained.is_some_and(|share| share >= 0.8)
            && self.weight > LEAST_WEIGHT
            && self.weight < 1.0 - LEAST_WEIGHT
            && self.left <= 0.25
    }
}

/// Share of a squared change that must be its own: below it a sum of the others, apart from rounding.
const LEAST_OWN: f64 = 1e-10;

/// How much of the changes of others from a base is in the change of one model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskWeights {
    /// One for each other.
    pub(crate) weights: Vec<f64>,
    /// Share of the squared change that they explain; `None` where the model is the base.
    pub(crate) explained: Option<f64>,
}

impl TaskWeights {
    /// wᵢ of C − base = Σ wᵢ(childᵢ − base) by least squares over the same rows of all. `Constant` where the changes of the children
    /// are not independent.
    pub(crate) fn of<T: Element>(base: &[T], children: &[&[T]], of: &[T]) -> Result<Self, Untested> {
        let n = children.len();
        let mut gram = Mat::<f64>::zeros(n, n);
        let mut products = Mat::<f64>::zeros(n, 1);
        let mut square = 0.0;
        for (at, (base, of)) in base.iter().zip(of).enumerate() {
            let (base, of) = (base.to_f64(), of.to_f64());
            square += (of - base) * (of - base);
            for i in 0..n {
                let change = children[i][at].to_f64() - base;
                products[(i, 0)] += change * (of - base);
                for j in 0..=i {
                    gram[(i, j)] += change * (children[j][at].to_f64() - base);
                }
            }
        }
        let factors = gram.llt(Side::Lower).map_err(|_| Untested::Constant)?;
        let own = |i: usize| factors.L()[(i, i)] * factors.L()[(i, i)];
        if (0..n).any(|i| own(i) <= LEAST_OWN * gram[(i, i)]) {
            return Err(Untested::Constant);
        }
        let weights: Vec<f64> = factors.solve(&products).col(0).iter().copied().collect();
        let told: f64 = weights.iter().zip(products.col(0).iter()).map(|(weight, product)| weight * product).sum();
        Ok(Self { weights, explained: (square > 0.0).then(|| told / square) })
    }

    /// Whether they may be said: of two others at least, none taken away, and nearly the whole change. Changes that are not in it have
    /// weights near 0, and of a merge's own parts some are below.
    pub(crate) fn holds(&self) -> bool {
        self.explained.is_some_and(|share| share >= 0.8)
            && self.weights.iter().all(|weight| *weight > -LEAST_WEIGHT)
            && self.weights.iter().filter(|weight| **weight > LEAST_WEIGHT).count() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::goldens::{Arrays, goldens, near, text};

    #[test]
    fn weights_are_those_of_the_reference() {
        let arrays = Arrays::of("merge.");
        let values = |name: &str| arrays.get(name).values.as_slice();
        let (one, two) = (values("merge.1"), values("merge.2"));
        for case in goldens()["merges"]["cases"].as_array().unwrap() {
            let child = values(text(&case["child"]));
            let halves = [0, 1].map(|half| [one, two, child].map(|x| &x[half * x.len() / 2..][..x.len() / 2]));
            let merge = Merge::of(&halves, 96, &[8; 4]).unwrap();
            near(merge.weight, &case["weight"]);
            near(merge.low, &case["low"]);
            near(merge.high, &case["high"]);
            near(merge.left, &case["left"]);
            near(merge.explained.unwrap(), &case["explained"]);
            assert_eq!(merge.holds(), case["printed"].as_bool().unwrap());
            if let Some(golden) = case["task"]["weights"].as_array() {
                let of_tasks = TaskWeights::of(values("merge.base"), &[one, two], child).unwrap();
                of_tasks.weights.iter().zip(golden).for_each(|(weight, golden)| near(*weight, golden));
                assert_eq!(of_tasks.weights.len(), golden.len());
                near(of_tasks.explained.unwrap(), &case["task"]["r2"]);
                assert_eq!(of_tasks.holds(), ["merge.linear", "merge.task"].contains(&text(&case["child"])));
                // What is a sum of three: of each of the two the other is taken away.
                assert!(!TaskWeights::of(values("merge.base"), &[child, two], one).unwrap().holds());
            }
        }
        assert_eq!(Merge::of(&[[one, one, two]], 96, &[8; 8]), Err(Untested::Constant));
        assert_eq!(TaskWeights::of(two, &[two], one), Err(Untested::Constant));
        assert_eq!(TaskWeights::of(values("merge.base"), &[one, one], two), Err(Untested::Constant));
        assert_eq!(TaskWeights::of(two, &[one], two).unwrap().explained, None);
    }
}
