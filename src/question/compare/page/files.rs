//! The tables of a comparison: every pair, groups described, layers averaged, every tensor accounted for.

use super::document;
use crate::{
    metric::Metric,
    question::{
        compare::{CLOSE, Comparison, GroupFigures, Obstacle, bands},
        hash::chunks::Method,
        inspect::shape_text,
        page::{self, PairRow, PairSide},
    },
    report::{Cell, Digits, Frame, Frames},
};

/// `pairs.csv`, `summary.csv`, `layers.csv`, `closeness.csv`, `bands.csv` and `coverage.csv`.
pub fn compare_tables(comparison: &Comparison) -> Frames<'_> {
    let groups = &comparison.groups;
    let of_groups = [pairs(comparison), summary(groups), layers(groups), closeness(groups)];
    Box::new(of_groups.into_iter().chain([bands(comparison), coverage(comparison)]))
}

fn pairs(comparison: &Comparison) -> Frame<'_> {
    let [model_a, model_b] = &comparison.models;
    page::pairs(comparison.pairs.iter(), move |pair| {
        let side = |model, side| PairSide { model, side: Some(side), layer: side.layer };
        let sides = [side(model_a, &pair.a), side(model_b, &pair.b)];
        PairRow { sides, role: pair.role_name(), metrics: pair.metrics.clone() }
    })
}

fn summary(groups: &[GroupFigures]) -> Frame<'_> {
    let head = ["group", "metric", "count", "mean", "sd", "min", "q25", "q50", "q75", "max", "sd_ddof1"];
    let rows = groups.iter().flat_map(|figures| {
        figures.metrics.iter().map(|(metric, described)| {
            let start = [Cell::text(figures.group.name()), Cell::code(metric.name()), Cell::count(described.count)];
            let figures = [described.mean, described.sd].into_iter().chain(described.quartiles).map(Cell::exact);
            let sample = Cell::number_or_empty(described.sd_sample, Digits::Exact);
            start.into_iter().chain(figures).chain([sample]).collect()
        })
    });
    Frame::new("summary.csv", head, rows)
}

fn layers(groups: &[GroupFigures]) -> Frame<'_> {
    let rows = groups.iter().flat_map(|figures| {
        figures.layers.iter().flat_map(|(layer, means)| {
            means.iter().map(|(metric, of)| {
                let layer = Cell::layer(layer.to_string());
                let group = Cell::text(figures.group.name());
                vec![group, layer, Cell::code(metric.name()), Cell::count(of.count), Cell::exact(of.mean)]
            })
        })
    });
    Frame::new("layers.csv", ["group", "layer", "metric", "n", "mean"], rows)
}

fn closeness(groups: &[GroupFigures]) -> Frame<'_> {
    let mut head = vec!["group".to_owned(), "n_cos_sim".to_owned()];
    head.extend(CLOSE.iter().map(|bound| format!("cos_sim_at_least_{bound}")));
    head.extend(["n_bytes".to_owned(), "equal_bytes".to_owned()]);
    let rows = groups.iter().map(|figures| {
        let close = &figures.closeness;
        let mut row = vec![Cell::text(figures.group.name()), Cell::count(close.with_cosine)];
        row.extend(close.at_least.iter().map(|&count| Cell::count(count)));
        row.extend([Cell::count(close.with_bytes), Cell::count(close.equal_bytes)]);
        row
    });
    Frame::new("closeness.csv", head, rows)
}

fn bands(comparison: &Comparison) -> Frame<'_> {
    let rows = bands::bands(&comparison.pairs).into_iter().map(|band| {
        vec![
            Cell::number_or_empty(Some(band.above).filter(|above| above.is_finite()), Digits::Exact),
            Cell::text(band.reading),
            Cell::count(band.count),
            Cell::count(band.beyond_null),
        ]
    });
    Frame::new("bands.csv", ["cos_sim_above", "reading", "matrices", "matrices_beyond_null"], rows)
}

fn coverage(comparison: &Comparison) -> Frame<'_> {
    const HEAD: [&str; 9] =
        ["status", "tensor_a", "tensor_b", "role", "layer", "matched_by", "equal_bytes", "proven_by", "reason"];
    let met = comparison.pairs.iter().zip(&comparison.coverage.pairs).map(|(pair, status)| {
        let reason = match (&pair.obstacle, pair.metrics.get(Metric::CosSim)) {
            (Some(Obstacle::Shape), _) => {
                format!("shapes differ: {} and {}", shape_text(&pair.a.shape), shape_text(&pair.b.shape))
            }
            _ if pair.trivial.is_some() => document::trivial(pair),
            (_, Err(reason)) => reason.to_string(),
            _ => String::new(),
        };
        vec![
            Cell::text(status.name()),
            Cell::code(&pair.a.tensor),
            Cell::code(&pair.b.tensor),
            Cell::text(pair.role_name()),
            Cell::integer(pair.a.layer.map(|layer| layer.0.into())),
            Cell::text(pair.how.name()),
            pair.equal.map_or_else(Cell::empty, Cell::Flag),
            Cell::optional(pair.proven.map(Method::name)),
            Cell::text(reason),
        ]
    });
    let alone = comparison.coverage.uncompared.iter().map(|tensor| {
        let mut row = vec![Cell::empty(); HEAD.len()];
        row[0] = Cell::text(tensor.status.name());
        row[1 + tensor.side] = Cell::code(&tensor.tensor);
        row[HEAD.len() - 1] = Cell::text(&tensor.reason);
        row
    });
    Frame::new("coverage.csv", HEAD, met.chain(alone))
}
