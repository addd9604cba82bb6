//! The CSV files: every pair, every layer, every distance, and one labelled matrix a ladder and metric.

use super::{BESIDE, Named, deviation, mean};
use crate::{
    metric::{Metric, Summary, Undefined},
    question::{
        layers::Layers,
        page::{PairSide, PairTable},
    },
    report::{Frame, csv, escape},
};

/// `pairs.csv`, `layers.csv`, `distance.csv`, and one matrix a ladder and metric.
pub fn layers_csv(layers: &Layers, metrics: &[Metric]) -> Vec<(String, Vec<u8>)> {
    let named = Named::all(layers);
    let mut files = vec![
        ("pairs.csv".to_owned(), pairs(&named)),
        ("layers.csv".to_owned(), csv::document(per_layer(&named))),
        ("distance.csv".to_owned(), csv::document(distances(&named, metrics))),
    ];
    for named in &named {
        for &metric in metrics {
            let name = format!("matrix_{metric}_{}.csv", named.stem);
            files.push(Frame::matrix(name, &named.ladder.matrix(metric)).csv());
        }
    }
    files
}

/// Every pair of places of each ladder, the earlier one as reference; blocks of multi-token prediction among them.
fn pairs(named: &[Named<'_>]) -> Vec<u8> {
    let mut table = PairTable::new();
    for named in named {
        let rungs = &named.ladder.rungs;
        for a in 0..rungs.len() {
            for b in a + 1..rungs.len() {
                let Some(metrics) = named.ladder.pair(a, b) else {
                    continue;
                };
                let of = |at: usize| PairSide {
                    model: named.model,
                    side: rungs[at].side.as_ref().ok(),
                    layer: Some(rungs[at].place.layer),
                };
                table.push(of(a), of(b), &named.role, metrics);
            }
        }
    }
    table.into_bytes()
}

fn per_layer(named: &[Named<'_>]) -> Vec<Vec<String>> {
    let head = "model,commit,role,layer,mtp,mean,sd,cv,min,max,norm,undefined";
    let mut rows = vec![head.split(',').map(str::to_owned).collect::<Vec<_>>()];
    for named in named {
        for rung in &named.ladder.rungs {
            let mut row = model_cells(named);
            row.extend([rung.place.layer.to_string(), rung.place.mtp.to_string()]);
            let summary = rung.summary.as_ref();
            let cv = summary.map_err(Clone::clone).and_then(Summary::cv);
            let of = |get: fn(&Summary) -> f64| csv::number(summary.ok().map(get));
            row.extend([of(|s| s.mean), of(|s| s.sd), csv::number(cv.as_ref().ok().copied())]);
            row.extend([of(|s| s.min), of(|s| s.max), of(|s| s.norm)]);
            row.push(match (summary, &cv) {
                (Err(reason), _) => format!("all:{reason}"),
                (Ok(_), Err(reason)) => format!("cv:{reason}"),
                (Ok(_), Ok(_)) => String::new(),
            });
            rows.push(row);
        }
    }
    rows
}

fn distances(named: &[Named<'_>], metrics: &[Metric]) -> Vec<Vec<String>> {
    let head = "model,commit,role,metric,distance,n,mean,sd,undefined";
    let mut rows = vec![head.split(',').map(str::to_owned).collect::<Vec<_>>()];
    let mut wanted: Vec<Metric> = BESIDE.iter().chain(metrics).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    for named in named {
        for &metric in &wanted {
            for (distance, pairs) in named.ladder.by_distance() {
                let statistics = named.ladder.statistics(metric, &pairs);
                let mut row = model_cells(named);
                row.extend([metric.to_string(), distance.to_string(), statistics.n.to_string()]);
                row.extend([mean(&statistics), deviation(&statistics)].map(|datum| csv::number(datum.value())));
                row.push(without(named, metric, &pairs));
                rows.push(row);
            }
        }
    }
    rows
}

fn model_cells(named: &Named<'_>) -> Vec<String> {
    vec![
        escape::csv(&named.model.model).into_owned(),
        named.model.commit.as_ref().map(ToString::to_string).unwrap_or_default(),
        named.role.clone(),
    ]
}

/// Why pairs have no value, and how many: `Constant (2)`.
fn without(named: &Named<'_>, metric: Metric, pairs: &[(usize, usize)]) -> String {
    let mut reasons: Vec<(Undefined, usize)> = Vec::new();
    for &(a, b) in pairs {
        let Err(reason) = named.ladder.value(metric, a, b) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let shown: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
    shown.join(";")
}
