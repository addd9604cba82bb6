//! Means over pairs of models, within a group and between two, with and without the pairs set apart as related.

use super::{Comparison, Study};
use crate::metric::{Correlation, Criterion, MeanSd, Metric, RelatedVerdict, Undefined, related};

/// The metrics of which groups have means.
pub const GROUP_METRICS: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// Mean and deviation (ddof 0) over the pairs that have a value. Those without one are counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Average {
    /// Pairs with a value.
    pub n: usize,
    /// Pairs without one.
    pub missing: usize,
    /// Mean and deviation; `NotComparable` ("no comparable tensors") where no pair has a value.
    pub values: Result<MeanSd, Undefined>,
}

impl Average {
    /// Averages `metric`.
    pub fn of<'a>(metric: Metric, comparisons: impl IntoIterator<Item = &'a Comparison>) -> Self {
        Self::of_values(comparisons.into_iter().map(|comparison| comparison.metrics.get(metric)))
    }

    /// Averages figures of any kind.
    pub fn of_values<'a>(figures: impl IntoIterator<Item = &'a Result<f64, Undefined>>) -> Self {
        let (mut values, mut missing) = (Vec::new(), 0);
        for figure in figures {
            match figure {
                Ok(value) => values.push(*value),
                Err(_) => missing += 1,
            }
        }
        Self { n: values.len(), missing, values: MeanSd::of(&values).ok_or_else(nothing) }
    }
}

/// Why an empty group has no mean.
fn nothing() -> Undefined {
    Undefined::NotComparable("no comparable tensors".to_owned())
}

/// One metric over the pairs of one group, or of two.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupFigure {
    /// The first group.
    pub a: String,
    /// The second; the same for pairs within a group.
    pub b: String,
    /// The metric.
    pub metric: Metric,
    /// All pairs.
    pub all: Average,
    /// Without the pairs set apart as related.
    pub unrelated: Average,
}

/// Pairs within each group and between each two groups, in the study's order of groups. `related` says which pairs of
/// models are set apart.
pub(crate) fn group_figures(
    study: &Study,
    comparisons: &[Comparison],
    related: impl Fn(&Comparison) -> bool,
) -> Vec<GroupFigure> {
    let groups = study.groups();
    let of = |model: usize| study.members.get(model).map_or("", |member| member.group.as_str());
    let mut figures = Vec::new();
    for (first, &a) in groups.iter().enumerate() {
        for &b in &groups[first..] {
            let inside: Vec<&Comparison> = comparisons
                .iter()
                .filter(|pair| {
                    let (x, y) = (of(pair.a.model), of(pair.b.model));
                    (x == a && y == b) || (x == b && y == a)
                })
                .collect();
            // A group of one model has no pair within it: that is no gap in what was asked.
            if inside.is_empty() {
                continue;
            }
            figures.extend(GROUP_METRICS.iter().map(|&metric| GroupFigure {
                a: a.to_owned(),
                b: b.to_owned(),
                metric,
                all: Average::of(metric, inside.iter().copied()),
                unrelated: Average::of(metric, inside.iter().copied().filter(|pair| !related(pair))),
            }));
        }
    }
    figures
}

/// Where each pair stands among all, by Pearson's r; `channels` is the length of the pair's vectors.
pub(crate) fn verdicts(
    comparisons: &[Comparison],
    channels: impl Fn(&Comparison) -> u64,
) -> Vec<Result<RelatedVerdict, Undefined>> {
    let population: Vec<Correlation> = comparisons
        .iter()
        .map(|pair| Correlation { pearson: pair.metrics.get(Metric::Pearson).clone(), n: channels(pair) })
        .collect();
    related(&population, Criterion::default())
}
