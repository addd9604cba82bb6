//! The pairs in groups: what a `describe` says of each metric, the mean in each layer, and how many are how close.

use std::collections::BTreeMap;

use super::ComparedPair;
use crate::{
    family::LayerIndex,
    metric::{Metric, quantiles},
};

/// Some of the pairs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Norms, biases and other vectors: their cosine is high by construction.
    NormsAndBiases,
    /// Tables of token and position vectors, and the output matrix: what any two models of one vocabulary may share, and no layer.
    Embeddings,
    /// Everything else.
    Rest,
    /// One role.
    Role(String),
}

impl Group {
    /// Its name in files.
    pub fn name(&self) -> &str {
        match self {
            Self::NormsAndBiases => "norms_and_biases",
            Self::Embeddings => "embeddings",
            Self::Rest => "rest",
            Self::Role(role) => role,
        }
    }

    pub(crate) fn holds(&self, pair: &ComparedPair) -> bool {
        match self {
            Self::NormsAndBiases => pair.is_norm_or_bias(),
            Self::Embeddings => pair.is_embedding(),
            Self::Rest => !pair.is_norm_or_bias() && !pair.is_embedding(),
            Self::Role(role) => pair.role_name() == *role,
        }
    }
}

/// What a group's values of one metric look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Describe {
    /// Pairs that have a value.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation with ddof 0.
    pub sd: f64,
    /// Standard deviation with ddof 1, as pandas' `describe` has it; `None` of one value.
    pub sd_sample: Option<f64>,
    /// Smallest value, quartiles with linear interpolation, largest value.
    pub quartiles: [f64; 5],
}

impl Describe {
    /// Of some values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let quartiles = quantiles(&mut values.to_vec(), &[0.0, 0.25, 0.5, 0.75, 1.0]).ok()?.try_into().ok()?;
        Some(Self {
            count: values.len(),
            mean,
            sd: (squares / n).sqrt(),
            sd_sample: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            quartiles,
        })
    }
}

/// A group's figures.
#[derive(Debug, Clone)]
pub struct GroupFigures {
    /// Which pairs.
    pub group: Group,
    /// How many pairs were compared; each metric says how many of them have it.
    pub pairs: usize,
    /// Each metric that any pair has.
    pub metrics: Vec<(Metric, Describe)>,
    /// The same by layer.
    pub layers: BTreeMap<LayerIndex, Vec<(Metric, Describe)>>,
    /// How close they are.
    pub closeness: Closeness,
}

/// Bounds of the cosine that count as close.
pub const CLOSE: [f64; 4] = [0.9, 0.99, 0.999, 0.9999];

/// How many pairs are how close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closeness {
    /// Pairs that have a cosine.
    pub with_cosine: usize,
    /// Of those, with a cosine of at least each of [`CLOSE`].
    pub at_least: [usize; 4],
    /// Pairs whose bytes were compared or are known.
    pub with_bytes: usize,
    /// Of those, with the same bytes.
    pub equal_bytes: usize,
}

impl GroupFigures {
    /// The figures of one metric; `None` where no pair has it.
    pub fn of(&self, metric: Metric) -> Option<&Describe> {
        self.metrics.iter().find(|(known, _)| *known == metric).map(|(_, of)| of)
    }
}

impl Closeness {
    fn of<'m>(pairs: impl Iterator<Item = &'m ComparedPair>) -> Self {
        let mut closeness = Self::default();
        for pair in pairs {
            if let Ok(cosine) = pair.metrics.get(Metric::CosSim) {
                closeness.with_cosine += 1;
                for (count, bound) in closeness.at_least.iter_mut().zip(CLOSE) {
                    *count += usize::from(*cosine >= bound);
                }
            }
            if let Some(equal) = pair.equal {
                closeness.with_bytes += 1;
                closeness.equal_bytes += usize::from(equal);
            }
        }
        closeness
    }
}

/// The figures of all pairs in groups: norms and biases, embeddings, the rest, then each role.
pub(crate) fn groups(pairs: &[ComparedPair]) -> Vec<GroupFigures> {
    let compared: Vec<&ComparedPair> = pairs.iter().filter(|pair| pair.is_evidence()).collect();
    let mut groups = vec![Group::NormsAndBiases, Group::Embeddings, Group::Rest];
    // What no family knows is in the first three: a group of its own would mix vectors with matrices.
    for pair in compared.iter().filter(|pair| pair.slot.is_some()) {
        let group = Group::Role(pair.role_name());
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
        .into_iter()
        .map(|group| {
            let held: Vec<&ComparedPair> = compared.iter().copied().filter(|pair| group.holds(pair)).collect();
            figures(group, &held)
        })
        .filter(|figures| figures.pairs > 0)
        .collect()
}

fn figures(group: Group, pairs: &[&ComparedPair]) -> GroupFigures {
    let mut by_layer: BTreeMap<LayerIndex, Vec<&ComparedPair>> = BTreeMap::new();
    for pair in pairs {
        if let Some(layer) = pair.a.layer {
            by_layer.entry(layer).or_default().push(pair);
        }
    }
    GroupFigures {
        group,
        pairs: pairs.len(),
        metrics: described(pairs),
        layers: by_layer.into_iter().map(|(layer, held)| (layer, described(&held))).collect(),
        closeness: Closeness::of(pairs.iter().copied()),
    }
}

/// Each metric that any of the pairs has.
fn described(pairs: &[&ComparedPair]) -> Vec<(Metric, Describe)> {
    let of = |&metric: &Metric| {
        let values = pairs.iter().filter_map(|pair| pair.metrics.get(metric).as_ref().ok().copied());
        Some((metric, Describe::of(&values.collect::<Vec<f64>>())?))
    };
    Metric::ALL.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_describe_has_the_quartiles_and_both_deviations_of_pandas_and_of_the_published_tables() {
        // pandas.Series([1, 2, 3, 4, 10]).describe() and .std(ddof=0)
        let described = Describe::of(&[10.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(described.quartiles.map(f64::to_bits), [1.0, 2.0, 3.0, 4.0, 10.0].map(f64::to_bits));
        assert!((described.mean - 4.0).abs() < 1e-15);
        assert!((described.sd - 3.162_277_660_168_379_5).abs() < 1e-12);
        assert!((described.sd_sample.unwrap() - 3.535_533_905_932_737_8).abs() < 1e-12);
        assert_eq!(Describe::of(&[2.0]).unwrap().sd_sample, None);
        assert_eq!(Describe::of(&[]), None);
    }
}
