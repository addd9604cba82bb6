//! The CSV files of a comparison: every pair, groups described, layers averaged, every tensor accounted for.

use super::document;
use crate::{
    metric::Metric,
    question::{
        compare::{CLOSE, Comparison, Describe, GroupFigures, Obstacle},
        inspect::shape_text,
        page::{PairSide, PairsCsv},
    },
    report::{csv, escape},
};

/// `pairs.csv`, `summary.csv`, `layers.csv`, `closeness.csv`, `bands.csv` and `coverage.csv`.
pub fn compare_csv(comparison: &Comparison) -> Vec<(String, Vec<u8>)> {
    let groups = &comparison.groups;
    vec![
        ("pairs.csv".to_owned(), pairs(comparison)),
        ("summary.csv".to_owned(), csv::document(summary(groups))),
        ("layers.csv".to_owned(), csv::document(layers(groups))),
        ("closeness.csv".to_owned(), csv::document(closeness(groups))),
        ("bands.csv".to_owned(), csv::document(bands(comparison))),
        ("coverage.csv".to_owned(), csv::document(coverage(comparison))),
    ]
}

fn pairs(comparison: &Comparison) -> Vec<u8> {
    let mut table = PairsCsv::new();
    let [model_a, model_b] = &comparison.models;
    for meeting in &comparison.meetings {
        let side = |model, side| PairSide { model, side: Some(side), layer: side.layer };
        let sides = [side(model_a, &meeting.a), side(model_b, &meeting.b)];
        table.push_sides(sides, &meeting.role_name(), &meeting.metrics);
    }
    table.into_bytes()
}

fn heading(columns: &str) -> Vec<Vec<String>> {
    vec![columns.split(',').map(str::to_owned).collect()]
}

fn summary(groups: &[GroupFigures]) -> Vec<Vec<String>> {
    let mut rows = heading("group,metric,count,mean,sd,min,q25,q50,q75,max,sd_ddof1");
    for figures in groups {
        for (metric, described) in &figures.metrics {
            let Describe { count, mean, sd, sd_sample, quartiles } = described;
            let mut row = vec![figures.group.name().to_owned(), metric.to_string(), count.to_string()];
            row.extend([*mean, *sd].into_iter().chain(*quartiles).map(|value| csv::number(Some(value))));
            row.push(csv::number(*sd_sample));
            rows.push(row);
        }
    }
    rows
}

fn layers(groups: &[GroupFigures]) -> Vec<Vec<String>> {
    let mut rows = heading("group,layer,metric,n,mean");
    for figures in groups {
        for (layer, means) in &figures.layers {
            for (metric, mean, n) in means {
                rows.push(vec![
                    figures.group.name().to_owned(),
                    layer.to_string(),
                    metric.to_string(),
                    n.to_string(),
                    csv::number(Some(*mean)),
                ]);
            }
        }
    }
    rows
}

fn closeness(groups: &[GroupFigures]) -> Vec<Vec<String>> {
    let mut head = vec!["group".to_owned(), "n_cos_sim".to_owned()];
    head.extend(CLOSE.iter().map(|bound| format!("cos_sim_at_least_{bound}")));
    head.extend(["n_bytes".to_owned(), "equal_bytes".to_owned()]);
    let mut rows = vec![head];
    for figures in groups {
        let close = &figures.closeness;
        let mut row = vec![figures.group.name().to_owned(), close.with_cosine.to_string()];
        row.extend(close.at_least.iter().map(ToString::to_string));
        row.extend([close.with_bytes.to_string(), close.equal_bytes.to_string()]);
        rows.push(row);
    }
    rows
}

fn bands(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut rows = heading("cos_sim_above,reading,matrices,matrices_beyond_null");
    for band in comparison.bands() {
        rows.push(vec![
            csv::number(band.above.is_finite().then_some(band.above)),
            band.reading.to_owned(),
            band.count.to_string(),
            band.beyond_null.to_string(),
        ]);
    }
    rows
}

fn coverage(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut rows = heading("status,tensor_a,tensor_b,role,layer,matched_by,equal_bytes,reason");
    let statuses = &comparison.coverage.pairs;
    for (meeting, status) in comparison.meetings.iter().zip(statuses) {
        let reason = match (&meeting.failure, &meeting.obstacle, meeting.metrics.get(Metric::CosSim)) {
            (Some(failure), ..) => failure.clone(),
            (None, Some(Obstacle::Shape), _) => {
                format!("shapes differ: {} and {}", shape_text(&meeting.a.shape), shape_text(&meeting.b.shape))
            }
            (None, _, Err(reason)) if !meeting.is_compared() => reason.to_string(),
            _ if meeting.trivial.is_some() => document::trivial(meeting),
            _ => String::new(),
        };
        rows.push(vec![
            status.name().to_owned(),
            escape::csv(&meeting.a.tensor).into_owned(),
            escape::csv(&meeting.b.tensor).into_owned(),
            meeting.role_name(),
            meeting.a.layer.map(|layer| layer.to_string()).unwrap_or_default(),
            meeting.how.name().to_owned(),
            meeting.equal.map(|equal| equal.to_string()).unwrap_or_default(),
            escape::csv(&reason).into_owned(),
        ]);
    }
    for tensor in &comparison.coverage.uncompared {
        let mut names = [String::new(), String::new()];
        names[tensor.side] = escape::csv(&tensor.tensor).into_owned();
        let [a, b] = names;
        let reason = escape::csv(&tensor.reason).into_owned();
        let empty = String::new;
        rows.push(vec![tensor.status.name().to_owned(), a, b, empty(), empty(), empty(), empty(), reason]);
    }
    rows
}
