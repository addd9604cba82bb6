//! `pairs.csv`: one row a pair of tensors, every metric in full digits.

use crate::{
    family::LayerIndex,
    metric::{Metric, PairMetrics},
    model::ModelSummary,
    question::{inspect::shape_text, survey::Survey},
    report::{escape, number::round_trip},
    table::Side,
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
pub(crate) struct PairTable(csv::Writer<Vec<u8>>);

impl PairTable {
    /// A table with its headings.
    pub(crate) fn new() -> Self {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let metrics = Metric::ALL.iter().map(|metric| metric.name());
        // Writing to memory cannot fail.
        let _ = writer.write_record(HEAD.iter().copied().chain(metrics).chain(["undefined"]));
        Self(writer)
    }

    /// Adds the pair (`a`, `b`).
    pub(crate) fn push(&mut self, a: PairSide<'_>, b: PairSide<'_>, role: &str, metrics: &PairMetrics) {
        let mut record = Vec::with_capacity(HEAD.len() + Metric::COUNT + 1);
        record.extend(a.cells());
        record.extend(b.cells());
        record.push(role.to_owned());
        record.push(a.side.map(|side| side.dtype.to_string()).unwrap_or_default());
        record.push(b.side.map(|side| side.dtype.to_string()).unwrap_or_default());
        let shape = match (a.side, b.side) {
            (Some(a), Some(b)) if a.shape == b.shape => Some(&a.shape),
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

impl PairSide<'_> {
    fn cells(&self) -> [String; 4] {
        [
            escape::csv(&self.model.model).into_owned(),
            self.model.commit.as_ref().map(ToString::to_string).unwrap_or_default(),
            self.side.map(|side| escape::csv(&side.tensor).into_owned()).unwrap_or_default(),
            self.layer.map(|layer| layer.to_string()).unwrap_or_default(),
        ]
    }
}

/// The table of all pairs of different models.
pub fn pairs_csv(survey: &Survey) -> Vec<u8> {
    let mut table = PairTable::new();
    for panel in &survey.panels {
        let role = panel.key.role_name();
        let sides: Vec<PairSide<'_>> = survey
            .models
            .iter()
            .zip(&panel.sides)
            .map(|(model, side)| {
                let side = side.as_ref().ok();
                PairSide { model, side, layer: side.map_or(panel.key.layer, |side| side.layer) }
            })
            .collect();
        for row in 0..sides.len() {
            for column in row + 1..sides.len() {
                table.push(sides[row], sides[column], &role, panel.metrics(row, column));
            }
        }
    }
    table.into_bytes()
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
