//! What a published figure rests on, found among the models of a run.

use super::{Layers, Pair, Record, Rows, Study};
use crate::{
    metric::{Metric, Summary},
    model::ModelSummary,
    table::pairs_of,
};

/// What a published figure rests on, by rows of its role's table.
#[derive(Debug, Clone)]
pub(crate) enum Basis {
    /// A figure of one tensor.
    Side(usize, fn(&Summary) -> f64),
    /// A metric of one pair, times a factor.
    Value(Pair, Metric, f64),
    /// A statistic over pairs, which are listed by layer.
    Over(Vec<Vec<Pair>>),
}

impl Basis {
    /// The pairs that it needs.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        match self {
            Self::Side(..) => Vec::new(),
            Self::Value(pair, ..) => vec![*pair],
            Self::Over(layers) => layers.iter().flatten().copied().collect(),
        }
    }
}

/// Finds the rows of what a record names. `study` is that which the figures are of: its groups and short names.
pub(super) struct Finder<'a> {
    pub(super) study: &'a Study,
    pub(super) models: &'a [ModelSummary],
    pub(super) rows: &'a mut Rows,
}

impl Finder<'_> {
    pub(super) fn basis(&mut self, record: &Record) -> Result<Basis, String> {
        match (record.kind.as_str(), &record.layers) {
            ("within" | "cross", Layers::List(layers)) => self.of_pair(record, layers),
            ("within-mean", Layers::Pairs(layers)) => {
                let model = place_of(self.models, record.repos.first())?;
                let pairs = layers.iter().map(|&[a, b]| self.rows.pair((model, a), (model, b)));
                Ok(Basis::Over(vec![pairs.collect()]))
            }
            ("cross-mean" | "cross-std" | "cross-min" | "cross-max", Layers::List(layers)) => {
                let (a, b) =
                    (place_of(self.models, record.repos.first())?, place_of(self.models, record.repos.get(1))?);
                let pairs = layers.iter().map(|&layer| self.rows.pair((a, layer), (b, layer)));
                Ok(Basis::Over(vec![pairs.collect()]))
            }
            ("group", Layers::List(layers)) => self.group(record, layers),
            ("stat", Layers::List(layers)) if record.metric == "l2_norm" => {
                Ok(Basis::Side(self.row(record.repos.first(), layers.first())?, |summary| summary.norm))
            }
            (_, Layers::Words(_)) => {
                Err("its layers include a multi-token-prediction block, which is kept apart, or are not stated"
                    .to_owned())
            }
            (kind, _) => Err(format!("figures of kind `{kind}` are not measured")),
        }
    }

    /// A figure of one pair, or of one of its sides.
    fn of_pair(&mut self, record: &Record, layers: &[u32]) -> Result<Basis, String> {
        let a = self.row(record.repos.first(), layers.first())?;
        let b = self.row(record.repos.get(1), layers.get(1))?;
        if let Some((figure, label)) = record.metric.trim_end_matches(']').split_once('[') {
            let member = self.study.members.iter().find(|member| member.label == label);
            let first = member.is_some_and(|member| Some(&member.repo) == record.repos.first());
            let figure: fn(&Summary) -> f64 = match figure {
                "mean" => |summary| summary.mean,
                "std_ddof0" => |summary| summary.sd,
                other => return Err(format!("`{other}` is not measured")),
            };
            return Ok(Basis::Side(if first { a } else { b }, figure));
        }
        let (metric, factor) = named(&record.metric)?;
        Ok(Basis::Value((a, b), metric, factor))
    }

    /// The pairs of a group, one list a layer.
    fn group(&mut self, record: &Record, layers: &[u32]) -> Result<Basis, String> {
        let models: Vec<usize> =
            record.repos.iter().map(|repo| place_of(self.models, Some(repo))).collect::<Result<_, _>>()?;
        let group = |repo: &str| self.study.members.iter().find(|member| member.repo == repo).map(|m| &m.group);
        let meet = |&(a, b): &(usize, usize)| {
            !record.is_between_groups() || group(&record.repos[a]) != group(&record.repos[b])
        };
        let meeting: Vec<(usize, usize)> = pairs_of(models.len()).filter(meet).collect();
        let at = |&layer: &u32| {
            let pairs = meeting.iter().map(|&(a, b)| self.rows.pair((models[a], layer), (models[b], layer)));
            pairs.collect()
        };
        Ok(Basis::Over(layers.iter().map(at).collect()))
    }

    fn row(&mut self, repo: Option<&String>, layer: Option<&u32>) -> Result<usize, String> {
        let layer = layer.ok_or("its layer is not stated")?;
        let model = place_of(self.models, repo)?;
        Ok(self.rows.row(model, *layer))
    }
}

pub(super) fn place_of(models: &[ModelSummary], repo: Option<&String>) -> Result<usize, String> {
    let repo = repo.ok_or("its model is not stated")?;
    let place = models.iter().position(|model| !model.is_folder && model.model == *repo);
    place.ok_or_else(|| format!("{repo} is not among the models"))
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
