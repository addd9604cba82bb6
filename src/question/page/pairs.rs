//! `pairs.csv`: one row a pair of tensors, every metric in full digits.

use crate::{
    family::LayerIndex,
    metric::{Metric, PairMetrics},
    model::ModelSummary,
    question::{inspect::shape_text, survey::Survey},
    report::{escape, number::round_trip},
    table::{PairTable, Side, pairs_of},
};

/// Columns before the metrics.
const HEAD: [&str; 13] = [
    "model_a", "commit_a", "tensor_a", "layer_a", "model_b", "commit_b", "tensor_b", "layer_b", "role", "dtype_a",
    "dtype_b", "shape", "numel",
];

/// One side of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairSide<'a> {
    pub(crate) model: &'a ModelSummary,
    /// The tensor; `None` where the model has none here.
    pub(crate) side: Option<&'a Side>,
    /// The layer that it has, or would have.
    pub(crate) layer: Option<LayerIndex>,
}

/// The table while it grows. A pair that cannot be compared keeps its row, with empty metrics and the reason as
/// `all:REASON`; a single undefined metric stands as `METRIC:REASON`.
#[derive(Debug)]
pub(crate) struct PairsCsv(csv::Writer<Vec<u8>>);

impl PairsCsv {
    /// A table with its headings.
    pub(crate) fn new() -> Self {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let metrics = Metric::ALL.iter().map(|metric| metric.name());
        // Writing to memory cannot fail.
        let _ = writer.write_record(HEAD.iter().copied().chain(metrics).chain(["undefined"]));
        Self(writer)
    }

    /// Adds a pair of a table's row and column.
    pub(crate) fn push(&mut self, models: &[ModelSummary], table: &PairTable, (row, column): (usize, usize)) {
        let sides = [&table.rows[row], &table.columns()[column]].map(|entry| PairSide {
            model: &models[entry.model],
            side: entry.side.as_ref().ok(),
            layer: entry.layer(),
        });
        self.push_sides(sides, &table.key.role_name(), table.metrics(row, column));
    }

    /// Adds a pair.
    pub(crate) fn push_sides(&mut self, sides: [PairSide<'_>; 2], role: &str, metrics: &PairMetrics) {
        let mut record = Vec::with_capacity(HEAD.len() + Metric::COUNT + 1);
        for PairSide { model, side, layer } in sides {
            record.extend([
                escape::csv(&model.model).into_owned(),
                model.commit.as_ref().map(ToString::to_string).unwrap_or_default(),
                side.map(|side| escape::csv(&side.tensor).into_owned()).unwrap_or_default(),
                layer.map(|layer| layer.to_string()).unwrap_or_default(),
            ]);
        }
        record.push(role.to_owned());
        record.extend(sides.map(|of| of.side.map(|side| side.dtype.to_string()).unwrap_or_default()));
        let shape = match sides.map(|of| of.side) {
            [Some(a), Some(b)] if a.shape == b.shape => Some(&a.shape),
            _ => None,
        };
        record.push(shape.map(|shape| shape_text(shape)).unwrap_or_default());
        record.push(shape.map(|shape| shape.iter().product::<u64>().to_string()).unwrap_or_default());
        record.extend(metric_cells(metrics));
        let _ = self.0.write_record(record);
    }

    /// The table as a file.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

/// The table of all pairs of different models, or of all layers of two.
pub fn pairs_csv(survey: &Survey) -> Vec<u8> {
    let mut csv = PairsCsv::new();
    for table in &survey.panels {
        // Where neither model has the tensor there is no pair: each is among what was excluded, with its reason.
        let is_there = |(a, b): &(usize, usize)| table.rows[*a].side.is_ok() || table.rows[*b].side.is_ok();
        for pair in pairs_of(table.rows.len()).filter(is_there) {
            csv.push(&survey.models, table, pair);
        }
    }
    for table in &survey.crossings {
        let width = table.columns().len();
        for cell in 0..table.rows.len() * width {
            csv.push(&survey.models, table, (cell / width, cell % width));
        }
    }
    csv.into_bytes()
}

/// All metrics in column order, then what is undefined and why.
fn metric_cells(metrics: &PairMetrics) -> Vec<String> {
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
        reasons.iter().map(|(name, reason)| format!("{name}:{reason}")).collect::<Vec<_>>().join(";")
    });
    cells
}
