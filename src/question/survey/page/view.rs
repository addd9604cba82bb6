//! What a reader asked to see of a survey.

use crate::{
    metric::{Dendrogram, Metric, Undefined},
    question::survey::Survey,
    report::{Cell, Digits},
    table::{PairTable, pairs_of},
};

/// Pairs that a table of the report lists; the CSV files have all.
pub(crate) const MOST_PAIRS: usize = 60;

/// Panels of one role that get a picture each; beyond, the mean over layers is drawn.
pub(crate) const MOST_PICTURED: usize = 6;

/// Models up to which a picture keeps the rows of those that cannot be compared with any other.
const MOST_WITH_GAPS: usize = 16;

/// Models of one picture: more cells than that cannot be read.
pub(crate) const MOST_SHOWN: usize = 80;

/// What to show.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Metrics of matrices and pictures.
    pub metrics: &'a [Metric],
    /// Whether rows and columns of heatmaps stand in the order of the clustering instead of the given one.
    pub by_cluster: bool,
}

impl View<'_> {
    /// The metrics that are drawn: those asked for, with the null of the cosine beside it.
    pub(crate) fn shown(&self) -> Vec<Metric> {
        let mut shown: Vec<Metric> = Vec::new();
        for &metric in self.metrics {
            for metric in [metric].into_iter().chain((metric == Metric::CosSim).then_some(Metric::CosNull)) {
                if !shown.contains(&metric) {
                    shown.push(metric);
                }
            }
        }
        shown
    }

    /// The models that a picture of one role shows, in order. Of long lists those that can be compared with another, of very
    /// long ones those with the strongest pairs, relatives next to each other.
    pub(crate) fn shown_models(&self, tables: &[PairTable], models: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..models).collect();
        if models > MOST_WITH_GAPS {
            let mut strengths = comparable(tables, models);
            if strengths.len() > MOST_SHOWN {
                strengths.sort_by(|(_, a), (_, b)| b.total_cmp(a));
                strengths.truncate(MOST_SHOWN);
                strengths.sort_by_key(|&(model, _)| model);
            }
            shown = strengths.into_iter().map(|(model, _)| model).collect();
        }
        if !self.is_by_cluster(models) {
            return shown;
        }
        let tree =
            Dendrogram::of(shown.len(), |a, b| mean(tables, Metric::Pearson, shown[a], shown[b]).map(|(mean, _)| mean));
        tree.order.into_iter().chain(tree.left_out).map(|place| shown[place]).collect()
    }

    /// Whether pictures of so many models are ordered by the clustering.
    pub(crate) fn is_by_cluster(&self, models: usize) -> bool {
        self.by_cluster || models > MOST_SHOWN
    }
}

/// The models that can be compared with another, each with its largest mean |r|.
pub(crate) fn comparable(tables: &[PairTable], models: usize) -> Vec<(usize, f64)> {
    let mut strengths: Vec<Option<f64>> = vec![None; models];
    for (a, b) in pairs_of(models) {
        let Ok((r, _)) = mean(tables, Metric::Pearson, a, b) else { continue };
        for model in [a, b] {
            strengths[model] = Some(strengths[model].unwrap_or(0.0).max(r.abs()));
        }
    }
    strengths.into_iter().enumerate().filter_map(|(model, strength)| Some((model, strength?))).collect()
}

/// Mean over the tables in which the pair is defined, and their number.
pub(crate) fn mean(tables: &[PairTable], metric: Metric, row: usize, column: usize) -> Result<(f64, usize), Undefined> {
    let (mut sum, mut count, mut reason) = (0.0, 0_usize, None);
    for table in tables {
        match table.get(row, column, metric) {
            Ok(value) => {
                sum += value;
                count += 1;
            }
            Err(other) => reason = reason.or(Some(other)),
        }
    }
    if count == 0 {
        return Err(reason.unwrap_or(Undefined::TooFew));
    }
    Ok((sum / count as f64, count))
}

/// Names that a picture's subtitle lists.
const MOST_NAMED: usize = 12;

/// `a, b, c and 7 more`.
pub(crate) fn listed(names: &[String]) -> String {
    let more = match names.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names[..names.len().min(MOST_NAMED)].join(", "))
}

/// The labels of two models as cells.
pub(crate) fn names(survey: &Survey, (a, b): (usize, usize)) -> Vec<Cell> {
    vec![Cell::text(&survey.models[a].label), Cell::text(&survey.models[b].label)]
}

/// Both models with their commits as cells of a file.
pub(crate) fn models(survey: &Survey, (a, b): (usize, usize)) -> [Cell; 4] {
    let [(a, of_a), (b, of_b)] = [a, b].map(|place| {
        let model = &survey.models[place];
        (Cell::text(&model.model), Cell::optional(model.commit.as_ref()))
    });
    [a, of_a, b, of_b]
}

/// The layer of each side of a pair.
pub(crate) fn layers(table: &PairTable, (a, b): (usize, usize)) -> [Cell; 2] {
    [a, b].map(|row| Cell::layer(table.rows[row].place_name()))
}

/// How a metric is rounded in tables.
pub(crate) fn digits(metric: Metric) -> Digits {
    match metric {
        Metric::ZPerm => Digits::Fixed(2),
        Metric::L2 | Metric::Log10PPerm => Digits::Significant(5),
        _ => Digits::Fixed(6),
    }
}

/// `: the first 60 of 80; FILE has all`, where rows are left out.
pub(crate) fn rest(total: usize, file: &str) -> String {
    if total > MOST_PAIRS { format!(" The first {MOST_PAIRS} of {total}; `{file}` has all.") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cosine_stands_without_its_null() {
        let shown = |metrics: &[Metric]| {
            let view = View { metrics, by_cluster: false };
            view.shown()
        };
        assert_eq!(shown(&[Metric::CosSim, Metric::Pearson]), [Metric::CosSim, Metric::CosNull, Metric::Pearson]);
        assert_eq!(shown(&[Metric::CosNull, Metric::CosSim]), [Metric::CosNull, Metric::CosSim]);
        assert_eq!(shown(&[Metric::L2]), [Metric::L2]);
    }
}
