//! The pairs in groups: what a `describe` says of each metric, the mean in each layer, and how many are how close.

use std::collections::BTreeMap;

use super::Meeting;
use crate::{
    family::LayerIndex,
    metric::{Metric, quantile},
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

    pub(crate) fn holds(&self, meeting: &Meeting) -> bool {
        match self {
            Self::NormsAndBiases => meeting.is_norm_or_bias(),
            Self::Embeddings => meeting.is_embedding(),
            Self::Rest => !meeting.is_norm_or_bias() && !meeting.is_embedding(),
            Self::Role(role) => meeting.role_name() == *role,
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
        let mut sorted = values.to_vec();
        let mut at = |probability: f64| quantile(&mut sorted, probability).ok();
        let quartiles = [at(0.0)?, at(0.25)?, at(0.5)?, at(0.75)?, at(1.0)?];
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
    /// Mean and count of each metric, by layer.
    pub layers: BTreeMap<LayerIndex, Vec<(Metric, f64, usize)>>,
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
    fn of<'m>(meetings: impl Iterator<Item = &'m Meeting>) -> Self {
        let mut closeness = Self::default();
        for meeting in meetings {
            if let Ok(cosine) = meeting.metrics.get(Metric::CosSim) {
                closeness.with_cosine += 1;
                for (count, bound) in closeness.at_least.iter_mut().zip(CLOSE) {
                    *count += usize::from(*cosine >= bound);
                }
            }
            if let Some(equal) = meeting.equal {
                closeness.with_bytes += 1;
                closeness.equal_bytes += usize::from(equal);
            }
        }
        closeness
    }
}

/// The figures of all pairs in groups: norms and biases, embeddings, the rest, then each role.
pub(crate) fn groups(meetings: &[Meeting]) -> Vec<GroupFigures> {
    let compared: Vec<&Meeting> = meetings.iter().filter(|meeting| meeting.is_evidence()).collect();
    let mut groups = vec![Group::NormsAndBiases, Group::Embeddings, Group::Rest];
    // What no family knows is in the first three: a group of its own would mix vectors with matrices.
    for meeting in compared.iter().filter(|meeting| meeting.slot.is_some()) {
        let group = Group::Role(meeting.role_name());
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
        .into_iter()
        .map(|group| {
            let held: Vec<&Meeting> = compared.iter().copied().filter(|meeting| group.holds(meeting)).collect();
            figures(group, &held)
        })
        .filter(|figures| figures.pairs > 0)
        .collect()
}

fn figures(group: Group, meetings: &[&Meeting]) -> GroupFigures {
    let value = |meeting: &Meeting, metric: Metric| meeting.metrics.get(metric).as_ref().ok().copied();
    let metrics = Metric::ALL
        .iter()
        .filter_map(|&metric| {
            let values: Vec<f64> = meetings.iter().filter_map(|meeting| value(meeting, metric)).collect();
            Describe::of(&values).map(|described| (metric, described))
        })
        .collect();
    let mut by_layer: BTreeMap<LayerIndex, Vec<&Meeting>> = BTreeMap::new();
    for meeting in meetings {
        if let Some(layer) = meeting.a.layer {
            by_layer.entry(layer).or_default().push(meeting);
        }
    }
    let means = |meetings: Vec<&Meeting>| {
        Metric::ALL
            .iter()
            .filter_map(|&metric| {
                let values: Vec<f64> = meetings.iter().filter_map(|meeting| value(meeting, metric)).collect();
                let count = values.len();
                (count > 0).then(|| (metric, values.iter().sum::<f64>() / count as f64, count))
            })
            .collect()
    };
    GroupFigures {
        group,
        pairs: meetings.len(),
        metrics,
        layers: by_layer.into_iter().map(|(layer, held)| (layer, means(held))).collect(),
        closeness: Closeness::of(meetings.iter().copied()),
    }
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
