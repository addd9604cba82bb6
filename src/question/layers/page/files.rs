//! The CSV files: every pair, every layer, every distance, and one labelled matrix a table and metric.

use super::{BESIDE, Named, deviation, mean};
use crate::{
    metric::{Metric, Summary},
    question::{layers::Layers, page::PairsCsv},
    report::{Frame, csv, escape},
    table::pairs_of,
};

/// `pairs.csv`, `layers.csv`, `distance.csv`, and one matrix a table and metric.
pub fn layers_csv(layers: &Layers, metrics: &[Metric]) -> Vec<(String, Vec<u8>)> {
    let named = Named::all(layers);
    let mut files = vec![
        ("pairs.csv".to_owned(), pairs(layers)),
        ("layers.csv".to_owned(), csv::document(per_layer(&named))),
        ("distance.csv".to_owned(), csv::document(distances(&named, metrics))),
    ];
    for named in &named {
        for &metric in metrics {
            let name = format!("matrix_{metric}_{}.csv", named.stem);
            files.push(Frame::matrix(name, &named.table.layer_matrix(metric)).csv());
        }
    }
    files
}

/// Every pair of places of each table, the earlier one as reference; blocks of multi-token prediction among them.
fn pairs(layers: &Layers) -> Vec<u8> {
    let mut csv = PairsCsv::new();
    for table in &layers.tables {
        for pair in pairs_of(table.rows.len()) {
            csv.push(&layers.models, table, pair);
        }
    }
    csv.into_bytes()
}

fn per_layer(named: &[Named<'_>]) -> Vec<Vec<String>> {
    let head = "model,commit,role,layer,mtp,mean,sd,cv,min,max,norm,undefined";
    let mut rows = vec![head.split(',').map(str::to_owned).collect::<Vec<_>>()];
    for named in named {
        for entry in &named.table.rows {
            let mut row = model_cells(named);
            let layer = entry.layer().map(|layer| layer.to_string());
            row.extend([layer.unwrap_or_default(), entry.is_mtp().to_string()]);
            let summary = entry.summary.as_ref();
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
            for (distance, pairs) in named.table.by_distance() {
                let statistics = named.table.stats(metric, &pairs);
                let mut row = model_cells(named);
                row.extend([metric.to_string(), distance.to_string(), statistics.n.to_string()]);
                row.extend([mean(&statistics), deviation(&statistics)].map(|datum| csv::number(datum.value())));
                // Why pairs have no value, and how many: `Constant (2)`.
                let reasons = statistics.undefined.iter().map(|(reason, count)| format!("{reason} ({count})"));
                row.push(reasons.collect::<Vec<_>>().join(";"));
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
