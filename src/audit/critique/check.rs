//! Published figures beside measured ones. A figure is checked where the run measured everything that it rests on; where it
//! did not, that is said with the reason, and nothing is filled in.

use super::{
    Bench, Place, Study,
    published::{Layers, Record},
};
use crate::{
    audit::ModelSummary,
    metric::{MeanSd, Metric},
};

/// How a published figure fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What was published.
    pub record: Record,
    /// The figure as measured, or the reason why it was not.
    pub value: Result<f64, String>,
}

/// Whether a published figure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Within the tolerance.
    Match,
    /// Beyond it.
    Mismatch,
    /// Not measured by the run.
    NotChecked,
}

impl Outcome {
    /// As `published.csv` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::NotChecked => "not checked",
        }
    }
}

impl Checked {
    /// Measured less published.
    pub fn difference(&self) -> Option<f64> {
        self.value.as_ref().ok().map(|value| value - self.record.value)
    }

    /// Whether it stands.
    pub fn outcome(&self) -> Outcome {
        match self.difference() {
            None => Outcome::NotChecked,
            Some(difference) if difference.abs() <= self.record.tolerance => Outcome::Match,
            Some(_) => Outcome::Mismatch,
        }
    }
}

/// What the run measured, to be looked up.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The study that the figures are of: its groups and short names.
    pub study: &'a Study,
    /// The models that were read.
    pub models: &'a [ModelSummary],
    /// The vectors of each role, by its name.
    pub roles: Vec<(String, &'a Bench<'a>)>,
}

/// Checks every record. Figures of synthetic models are compared with nothing.
pub fn check(records: Vec<Record>, measured: &Measured<'_>) -> Vec<Checked> {
    let synthetic = measured.models.iter().any(|model| model.synthetic);
    let value = |record: &Record| {
        if synthetic {
            return Err("the models are a synthetic replica, not the real weights".to_owned());
        }
        measured.value(record, &records)
    };
    let values: Vec<Result<f64, String>> = records.iter().map(value).collect();
    let checked = records.into_iter().zip(values);
    checked.map(|(record, value)| Checked { record, value }).collect()
}

/// Two places of a record.
type Pair = (Place, Place);

impl Measured<'_> {
    fn value(&self, record: &Record, records: &[Record]) -> Result<f64, String> {
        if record.kind == "summary" {
            return self.summary(&record.metric, records);
        }
        let role = record.role().ok_or("it is about no tensor")?;
        let known = self.roles.iter().find(|(name, _)| name == role);
        let (_, bench) = known.ok_or_else(|| format!("the run did not read {role}"))?;
        match (record.kind.as_str(), &record.layers) {
            ("within" | "cross", Layers::List(layers)) => self.of_pair(record, bench, layers),
            ("within-mean", Layers::Pairs(layers)) => {
                let model = self.model(record.repos.first())?;
                let places = layers.iter().map(|&[a, b]| (Place::new(model, a), Place::new(model, b)));
                statistic(record, bench, &[places.collect()])
            }
            ("cross-mean" | "cross-std" | "cross-min" | "cross-max", Layers::List(layers)) => {
                let (a, b) = (self.model(record.repos.first())?, self.model(record.repos.get(1))?);
                let places = layers.iter().map(|&layer| (Place::new(a, layer), Place::new(b, layer)));
                statistic(record, bench, &[places.collect()])
            }
            ("group", Layers::List(layers)) => statistic(record, bench, &self.group(record, layers)?),
            ("stat", Layers::List(layers)) if record.metric == "l2_norm" => {
                let place = self.place(record.repos.first(), layers.first())?;
                bench.summary(place).map(|summary| summary.norm).map_err(|reason| reason.to_string())
            }
            (_, Layers::Words(_)) => Err(
                "its layers include a multi-token-prediction block, which is kept apart, or are not stated".to_owned(),
            ),
            (kind, _) => Err(format!("figures of kind `{kind}` are not measured")),
        }
    }

    /// A figure of one pair, or of one of its sides.
    fn of_pair(&self, record: &Record, bench: &Bench<'_>, layers: &[u32]) -> Result<f64, String> {
        let a = self.place(record.repos.first(), layers.first())?;
        let b = self.place(record.repos.get(1), layers.get(1))?;
        if let Some((figure, label)) = record.metric.trim_end_matches(']').split_once('[') {
            let member = self.study.members.iter().find(|member| member.label == label);
            let first = member.is_some_and(|member| Some(&member.repo) == record.repos.first());
            let side = bench.mean_sd(if first { a } else { b }).map_err(|reason| reason.to_string())?;
            return match figure {
                "mean" => Ok(side.mean),
                "std_ddof0" => Ok(side.sd),
                other => Err(format!("`{other}` is not measured")),
            };
        }
        let (metric, factor) = named(&record.metric)?;
        let value = bench.compare(a, b).metrics.get(metric).clone();
        value.map(|value| value * factor).map_err(|reason| reason.to_string())
    }

    /// The pairs of a group, one list a layer.
    fn group(&self, record: &Record, layers: &[u32]) -> Result<Vec<Vec<Pair>>, String> {
        let models: Vec<usize> = record
            .repos
            .iter()
            .map(|repo| self.model(Some(repo)))
            .collect::<Result<_, _>>()?;
        let group = |repo: &str| self.study.members.iter().find(|member| member.repo == repo).map(|m| &m.group);
        let at = |&layer: &u32| {
            let mut pairs = Vec::new();
            for (first, &a) in models.iter().enumerate() {
                for (second, &b) in models.iter().enumerate().skip(first + 1) {
                    let between = group(&record.repos[first]) != group(&record.repos[second]);
                    if between || !record.is_between_groups() {
                        pairs.push((Place::new(a, layer), Place::new(b, layer)));
                    }
                }
            }
            pairs
        };
        Ok(layers.iter().map(at).collect())
    }

    /// A summary figure: the mean of what other records measure.
    fn summary(&self, name: &str, records: &[Record]) -> Result<f64, String> {
        let of = self.study.summary.get(name).ok_or("what it summarises is not known")?;
        let fits = |record: &&Record| {
            record.kind != "summary"
                && record.experiment == of.experiment
                && record.metric == of.metric
                && record.role() == Some("input_layernorm")
                && of.repos.as_ref().is_none_or(|repos| *repos == record.repos)
                && of.layers.as_ref().is_none_or(|layers| match &record.layers {
                    Layers::List(own) => own.iter().all(|layer| layers.contains(layer)),
                    _ => false,
                })
        };
        let values: Vec<f64> = records
            .iter()
            .filter(fits)
            .map(|record| self.value(record, records))
            .collect::<Result<_, _>>()?;
        let mean = MeanSd::of(&values).ok_or("what it summarises is not known")?.mean;
        match &of.minus {
            // One step only: the figure taken off takes off none itself.
            Some(other) if other != name => Ok(mean - self.summary(other, records)?),
            _ => Ok(mean),
        }
    }

    fn place(&self, repo: Option<&String>, layer: Option<&u32>) -> Result<Place, String> {
        let layer = layer.ok_or("its layer is not stated")?;
        Ok(Place::new(self.model(repo)?, *layer))
    }

    fn model(&self, repo: Option<&String>) -> Result<usize, String> {
        let repo = repo.ok_or("its model is not stated")?;
        let place = self.models.iter().position(|model| !model.is_folder && model.model == *repo);
        place.ok_or_else(|| format!("{repo} is not among the models"))
    }
}

/// The metric of a source's name for it, and what it is multiplied by.
fn named(metric: &str) -> Result<(Metric, f64), String> {
    Ok(match metric {
        "cosine" => (Metric::CosSim, 1.0),
        "pearson" | "centered_cosine" => (Metric::Pearson, 1.0),
        "l2" => (Metric::L2, 1.0),
        "rel_l2" => (Metric::RelL2Err, 1.0),
        "mean_abs_diff" => (Metric::MeanAbsDiff, 1.0),
        "p99_abs_diff" => (Metric::AbsValueQ99Gap, 1.0),
        "cv_diff" => (Metric::CvGap, 1.0),
        "changed_elements_pct" => (Metric::ChangedFrac, 100.0),
        other => return Err(format!("`{other}` is not measured")),
    })
}

/// A statistic over pairs, which are listed by layer. Every pair must have been measured.
fn statistic(record: &Record, bench: &Bench<'_>, pairs: &[Vec<Pair>]) -> Result<f64, String> {
    let metric = if record.metric.contains("pearson") {
        Metric::Pearson
    } else {
        Metric::CosSim
    };
    let of_layer = |pairs: &Vec<Pair>| {
        let values = pairs.iter().map(|&(a, b)| bench.compare(a, b).metrics.get(metric).clone());
        values.collect::<Result<Vec<f64>, _>>().map_err(|reason| reason.to_string())
    };
    let layers: Vec<Vec<f64>> = pairs.iter().map(of_layer).collect::<Result<_, _>>()?;
    let all: Vec<f64> = layers.iter().flatten().copied().collect();
    let over = |values: &[f64]| MeanSd::of(values).ok_or_else(|| "it is about no pair".to_owned());
    match record.metric.as_str() {
        "mean_cosine" | "mean_pearson" => Ok(over(&all)?.mean),
        "std_cosine_ddof0" | "std_ddof0_cosine" | "std_ddof0_pearson" => Ok(over(&all)?.sd),
        "min_cosine" | "min_pearson" => Ok(all.into_iter().fold(f64::INFINITY, f64::min)),
        "max_cosine" | "max_pearson" => Ok(all.into_iter().fold(f64::NEG_INFINITY, f64::max)),
        "n_pairs" | "n_comparisons" => Ok(all.len() as f64),
        "std_of_layer_means_ddof0" => {
            let means: Vec<f64> = layers
                .iter()
                .map(|layer| over(layer).map(|of| of.mean))
                .collect::<Result<_, _>>()?;
            Ok(over(&means)?.sd)
        }
        other => Err(format!("`{other}` is not measured")),
    }
}
