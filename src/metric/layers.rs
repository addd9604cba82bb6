//! The mean correlation over layers, and how unusual it is.
//!
//! Layers of one model resemble each other, so L of them are far fewer than L independent tests. If one permutation of
//! channels is applied to all layers, the variance of the mean r̄ is Σ ρA(l,l')·ρB(l,l') / (L²(n−1)) over all pairs of
//! layers, ρA and ρB being the Pearson correlations between the layers within each model. The naive figure, which
//! pretends that layers are independent, is kept for contrast.

use super::{Undefined, sums::compensated};

/// The mean of Pearson's r over layers.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerAverage {
    /// Mean r̄ over the layers where r is defined.
    pub mean_r: f64,
    /// r̄/√Var under one permutation of channels for all layers; undefined with the reason why a correlation within a
    /// model is, and `Constant` where the variance vanishes.
    pub z: Result<f64, Undefined>,
    /// r̄·√(L(n−1)): what z would be if layers were independent.
    pub naive_z: f64,
    /// Layers averaged, by their place in the list that was given.
    pub layers: Vec<usize>,
    /// Layers left out because r is undefined there, with the reason.
    pub left_out: Vec<(usize, Undefined)>,
}

impl LayerAverage {
    /// Averages `pearson`, r by layer over `n` channels, with `within_a(l, l')` and `within_b(l, l')` the correlations
    /// between layers of each model; their diagonals are taken as 1. `TooFew` where no r is defined, or n < 2.
    pub fn of(
        pearson: &[Result<f64, Undefined>],
        n: u64,
        within_a: impl Fn(usize, usize) -> Result<f64, Undefined>,
        within_b: impl Fn(usize, usize) -> Result<f64, Undefined>,
    ) -> Result<Self, Undefined> {
        let (mut layers, mut values, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (layer, r) in pearson.iter().enumerate() {
            match r {
                Ok(r) => {
                    layers.push(layer);
                    values.push(*r);
                }
                Err(reason) => left_out.push((layer, reason.clone())),
            }
        }
        if layers.is_empty() || n < 2 {
            return Err(Undefined::TooFew);
        }
        let (count, free) = (layers.len() as f64, (n - 1) as f64);
        let mean_r = compensated(values) / count;
        let shared = |l: usize, m: usize| {
            if l == m { Ok(1.0) } else { Ok(within_a(l, m)? * within_b(l, m)?) }
        };
        let z = layers
            .iter()
            .flat_map(|&l| layers.iter().map(move |&m| (l, m)))
            .map(|(l, m)| shared(l, m))
            .collect::<Result<Vec<f64>, Undefined>>()
            .and_then(|products| {
                let variance = compensated(products) / (count * count * free);
                if variance > 0.0 { Ok(mean_r / variance.sqrt()) } else { Err(Undefined::Constant) }
            });
        Ok(Self { mean_r, z, naive_z: mean_r * (count * free).sqrt(), layers, left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_layers_give_the_naive_figure() {
        let r = vec![Ok(0.01), Ok(0.03), Ok(0.02)];
        let average = LayerAverage::of(&r, 4096, |_, _| Ok(0.0), |_, _| Ok(0.7)).unwrap();
        assert!((average.mean_r - 0.02).abs() < 1e-15);
        assert!((average.naive_z - 0.02 * (3.0 * 4095_f64).sqrt()).abs() < 1e-12);
        assert!((average.z.unwrap() - average.naive_z).abs() < 1e-12);
    }

    #[test]
    fn layers_that_are_copies_count_once() {
        let average = LayerAverage::of(&vec![Ok(0.05); 46], 4096, |_, _| Ok(1.0), |_, _| Ok(1.0)).unwrap();
        assert!((average.z.unwrap() - 0.05 * 4095_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn forty_six_correlated_layers_turn_five_sigma_into_one() {
        let average = LayerAverage::of(&vec![Ok(0.0126); 46], 4096, |_, _| Ok(0.6), |_, _| Ok(0.6)).unwrap();
        assert!((average.naive_z - 5.47).abs() < 0.01);
        assert!((average.z.unwrap() - 1.32).abs() < 0.01);
    }

    #[test]
    fn a_layer_without_r_is_left_out_and_named() {
        let r = [Ok(0.1), Err(Undefined::Constant), Ok(0.3)];
        let within = |l: usize, m: usize| {
            if l == 1 || m == 1 { Err(Undefined::Constant) } else { Ok(0.5) }
        };
        let average = LayerAverage::of(&r, 101, within, within).unwrap();
        assert_eq!(average.layers, [0, 2]);
        assert_eq!(average.left_out, [(1, Undefined::Constant)]);
        assert!((average.z.unwrap() - 0.2 / (2.5 / 400.0_f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn no_layer_and_no_variance_are_said() {
        assert_eq!(LayerAverage::of(&[], 9, |_, _| Ok(0.0), |_, _| Ok(0.0)), Err(Undefined::TooFew));
        let opposed = LayerAverage::of(&[Ok(0.1), Ok(0.1)], 9, |_, _| Ok(1.0), |_, _| Ok(-1.0)).unwrap();
        assert_eq!(opposed.z, Err(Undefined::Constant));
    }
}
