//! `pairs.csv`: one row a pair of tensors, every metric in full digits.

use super::{escape, number::round_trip};
use crate::{
    audit::{ModelSummary, Panel, Side, Survey, shape_text},
    metric::{Metric, PairMetrics},
};

/// Columns before the metrics.
pub(super) const HEAD: [&str; 13] = [
    "model_a", "commit_a", "tensor_a", "layer_a", "model_b", "commit_b", "tensor_b", "layer_b", "role", "dtype_a",
    "dtype_b", "shape", "numel",
];

/// The table of all pairs of different models. A pair that cannot be compared keeps its row, with empty metrics and the
/// reason as `all:REASON`; a single undefined metric stands as `METRIC:REASON`.
pub fn pairs_csv(survey: &Survey) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let metrics = Metric::ALL.iter().map(|metric| metric.name());
    // Writing to memory cannot fail.
    let _ = writer.write_record(HEAD.iter().copied().chain(metrics).chain(["undefined"]));
    for panel in &survey.panels {
        for row in 0..survey.models.len() {
            for column in row + 1..survey.models.len() {
                let _ = writer.write_record(record(survey, panel, row, column));
            }
        }
    }
    writer.into_inner().unwrap_or_default()
}

fn record(survey: &Survey, panel: &Panel, row: usize, column: usize) -> Vec<String> {
    let metrics = panel.metrics(row, column);
    let sides = (panel.sides[row].as_ref().ok(), panel.sides[column].as_ref().ok());
    let mut record = Vec::with_capacity(HEAD.len() + Metric::COUNT + 1);
    record.extend(model_cells(&survey.models[row], sides.0, panel));
    record.extend(model_cells(&survey.models[column], sides.1, panel));
    record.push(panel.key.role_name());
    record.push(sides.0.map(|side| side.dtype.to_string()).unwrap_or_default());
    record.push(sides.1.map(|side| side.dtype.to_string()).unwrap_or_default());
    let shape = match sides {
        (Some(a), Some(b)) if a.shape == b.shape => Some(&a.shape),
        _ => None,
    };
    record.push(shape.map(|shape| shape_text(shape)).unwrap_or_default());
    record.push(
        shape
            .map(|shape| shape.iter().product::<u64>().to_string())
            .unwrap_or_default(),
    );
    record.extend(metric_cells(metrics));
    record
}

fn model_cells(model: &ModelSummary, side: Option<&Side>, panel: &Panel) -> [String; 4] {
    let layer = side.map_or(panel.key.layer, |side| side.layer);
    [
        escape::csv(&model.model).into_owned(),
        model.commit.as_ref().map(ToString::to_string).unwrap_or_default(),
        side.map(|side| escape::csv(&side.tensor).into_owned())
            .unwrap_or_default(),
        layer.map(|layer| layer.to_string()).unwrap_or_default(),
    ]
}

/// All metrics in column order, then what is undefined and why.
pub(super) fn metric_cells(metrics: &PairMetrics) -> Vec<String> {
    let mut cells = Vec::with_capacity(Metric::COUNT + 1);
    let mut reasons: Vec<(&str, String)> = Vec::new();
    for &metric in Metric::ALL {
        match metrics.get(metric) {
            Ok(value) => cells.push(round_trip(*value)),
            Err(reason) => {
                cells.push(String::new());
                reasons.push((metric.name(), reason.to_string()));
            }
        }
    }
    let same = reasons.len() == Metric::COUNT && reasons.windows(2).all(|pair| pair[0].1 == pair[1].1);
    cells.push(if same {
        format!("all:{}", reasons[0].1)
    } else {
        reasons
            .iter()
            .map(|(name, reason)| format!("{name}:{reason}"))
            .collect::<Vec<_>>()
            .join(";")
    });
    cells
}
