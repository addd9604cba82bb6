//! The block test: an exact p-value and a proven bound for a sum over blocks, each of which may be shifted cyclically.
//!
//! The group of independent cyclic shifts is a subgroup of what the null hypothesis permits, so both hold whatever the
//! distribution of the values.

use super::draws::{below, word};

/// Monte-Carlo draws; p is never below 1/(DRAWS + 1).
pub(crate) const DRAWS: u64 = 9_999;

/// For each block the statistic's share at each shift; at shift 0 it is the observed one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tables {
    values: Vec<f64>,
    lengths: Vec<usize>,
}

/// Which side of the null counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    Upper,
    Both,
}

/// What a block test comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Significance {
    /// (1 + #{draws that reach the observed sum})/(`DRAWS` + 1), at both tails doubled.
    pub(crate) p: f64,
    /// log10 of a proven upper bound on p.
    pub(crate) log10_bound: f64,
    /// No data could give a smaller bound than this.
    pub(crate) log10_floor: f64,
}

impl Tables {
    /// Adds the block with the square matrix `products`, row-major: at shift s, Σᵢ `products`[i, (i+s) mod size] / `divisor`.
    pub(super) fn push(&mut self, products: &[f64], size: usize, divisor: f64) {
        self.values.extend((0..size).map(|shift| shifted_trace(products, size, shift) / divisor));
        self.lengths.push(size);
    }

    /// Adds a block with these shares.
    #[cfg(test)]
    pub(super) fn push_shares(&mut self, shares: &[f64]) {
        self.values.extend_from_slice(shares);
        self.lengths.push(shares.len());
    }

    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[f64]> {
        let mut rest = self.values.as_slice();
        self.lengths.iter().map(move |&length| {
            let (block, others) = rest.split_at(length);
            rest = others;
            block
        })
    }

    /// The test with the draws of `key`.
    pub(super) fn test(&self, key: u64, tail: Tail) -> Significance {
        let observed: f64 = self.iter().map(|block| block[0]).sum();
        // Draws that equal the observed sum but for the order of additions count as reaching it.
        let largest = |block: &[f64]| block.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let slack = 1e-12 * self.iter().map(largest).sum::<f64>();
        let sums = self.drawn_sums(key);
        let share = |reached: usize| (1 + reached) as f64 / (DRAWS + 1) as f64;
        let up = share(sums.iter().filter(|&&sum| sum >= observed - slack).count());
        let log10_floor = -self.lengths.iter().map(|&length| (length as f64).log10()).sum::<f64>();
        let (p, log10_bound) = match tail {
            Tail::Upper => (up, self.log10_bound(1.0)),
            Tail::Both => {
                let down = share(sums.iter().filter(|&&sum| sum <= observed + slack).count());
                let bound = self.log10_bound(1.0).min(self.log10_bound(-1.0)) + std::f64::consts::LOG10_2;
                ((2.0 * up.min(down)).min(1.0), bound.min(0.0))
            }
        };
        Significance { p, log10_bound, log10_floor }
    }

    /// One sum a draw: draw t takes the shift of word t·blocks + b in block b.
    fn drawn_sums(&self, key: u64) -> Vec<f64> {
        let mut sums = vec![0.0; usize::try_from(DRAWS).unwrap_or_default()];
        for (b, block) in (0_u64..).zip(self.iter()) {
            for (t, sum) in (0_u64..).zip(&mut sums) {
                *sum += block[below(word(key, t * self.len() as u64 + b), block.len())];
            }
        }
        sums
    }

    /// min over λ ≥ 0 of Π over blocks of the mean over shifts of exp(λ(X[s] − X[0])) (Chernoff). Every λ gives a bound, so an
    /// imprecise minimum is never wrong. `sign` −1 bounds the lower tail.
    fn log10_bound(&self, sign: f64) -> f64 {
        let mut rises = self.clone();
        let mut rest = rises.values.as_mut_slice();
        for &length in &self.lengths {
            let (block, others) = rest.split_at_mut(length);
            let observed = block[0];
            for share in block {
                *share = sign * (*share - observed);
            }
            rest = others;
        }
        let variance = |block: &[f64]| {
            let mean = block.iter().sum::<f64>() / block.len() as f64;
            block.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / block.len() as f64
        };
        let sd = rises.iter().map(variance).sum::<f64>().sqrt();
        if sd == 0.0 || rises.log_moment(0.0).1 >= 0.0 {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, 1.0 / sd);
        while rises.log_moment(high).1 < 0.0 && high < 1e6 / sd {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if rises.log_moment(middle).1 < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        let smallest = rises.log_moment(low).0.min(rises.log_moment(high).0);
        (smallest / std::f64::consts::LN_10).min(0.0)
    }

    /// Σ over blocks of ln mean exp(λx), and its derivative.
    fn log_moment(&self, lambda: f64) -> (f64, f64) {
        let (mut value, mut slope) = (0.0, 0.0);
        for block in self.iter() {
            let top = block.iter().fold(f64::NEG_INFINITY, |top, x| top.max(lambda * x));
            let (mut sum, mut weighted) = (0.0, 0.0);
            for &x in block {
                let e = (lambda * x - top).exp();
                sum += e;
                weighted += e * x;
            }
            value += top + (sum / block.len() as f64).ln();
            slope += weighted / sum;
        }
        (value, slope)
    }
}

/// Σᵢ `products`[i, (i+shift) mod size].
pub(super) fn shifted_trace(products: &[f64], size: usize, shift: usize) -> f64 {
    (0..size).map(|i| products[i * size + (i + shift) % size]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::{
        draws::draw_key,
        goldens::{bell, check_significance, goldens, integers},
    };

    #[test]
    fn p_and_bounds_are_those_of_the_reference() {
        for case in goldens()["block_tests"].as_array().unwrap() {
            let (key, lift) = (case["key"].as_u64().unwrap(), case["lift"].as_f64().unwrap());
            let (mut tables, mut at) = (Tables::default(), 0);
            for size in integers(&case["sizes"]) {
                let mut shares: Vec<f64> = (at..at + size as u64).map(|n| bell(key, n)).collect();
                shares[0] += lift;
                tables.push_shares(&shares);
                at += size as u64;
            }
            let tail = if case["two_sided"].as_bool().unwrap() { Tail::Both } else { Tail::Upper };
            let test = tables.test(draw_key(case["seed"].as_u64().unwrap(), "tables"), tail);
            check_significance(test, case);
        }
    }

    #[test]
    fn a_bound_is_never_below_the_exact_probability() {
        // Three blocks of four: 64 elements of the group, all of which can be counted.
        for key in 0..200 {
            let mut tables = Tables::default();
            let blocks: Vec<[f64; 4]> = (0..3).map(|b| [0, 1, 2, 3].map(|s| bell(key, 4 * b + s))).collect();
            for block in &blocks {
                tables.push_shares(block);
            }
            let observed = blocks[0][0] + blocks[1][0] + blocks[2][0];
            let sums = (0..64).map(|g| blocks[0][g % 4] + blocks[1][g / 4 % 4] + blocks[2][g / 16]);
            let exact = sums.filter(|sum| *sum >= observed - 1e-12).count() as f64 / 64.0;
            let test = tables.test(draw_key(key, "exact"), Tail::Upper);
            assert!(test.log10_bound >= exact.log10() - 1e-9, "{key}: {test:?} {exact}");
            assert!((test.p - exact).abs() < 0.025, "{key}: {test:?} {exact}");
        }
    }

    #[test]
    fn a_table_that_does_not_vary_bounds_nothing() {
        let mut tables = Tables::default();
        tables.push_shares(&[0.25; 8]);
        let test = tables.test(1, Tail::Upper);
        assert_eq!((test.p, test.log10_bound), (1.0, 0.0));
    }
}
