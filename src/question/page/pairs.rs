//! `pairs.csv`: one row a pair of tensors, every metric in full digits.

use crate::{
    family::LayerIndex,
    metric::{Metric, PairMetrics},
    model::ModelSummary,
    question::inspect::shape_text,
    report::{Cell, Digits, Frame, all_or_each_reason},
    table::{PairTable, Side},
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

/// One row.
#[derive(Debug)]
pub(crate) struct PairRow<'a> {
    pub(crate) sides: [PairSide<'a>; 2],
    pub(crate) role: String,
    pub(crate) metrics: PairMetrics,
}

impl<'a> PairRow<'a> {
    /// A pair of a table's row and column.
    pub(crate) fn of(models: &'a [ModelSummary], table: &'a PairTable, (row, column): (usize, usize)) -> Self {
        let sides = [&table.rows[row], &table.columns()[column]].map(|entry| PairSide {
            model: &models[entry.model],
            side: entry.side.as_ref().ok(),
            layer: entry.layer(),
        });
        Self { sides, role: table.key.role_name(), metrics: table.metrics(row, column) }
    }
}

/// The table. A pair that cannot be compared keeps its row, with empty metrics and the reason for `all`.
pub(crate) fn pairs<'a, T: Send + Sync + 'a>(
    pairs: impl Iterator<Item = T> + 'a,
    of: impl Fn(&T) -> PairRow<'a> + Sync + 'a,
) -> Frame<'a> {
    let metrics: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let columns: Vec<&str> = HEAD.iter().chain(&metrics).chain(&["undefined"]).copied().collect();
    let row = move |pair: &T| {
        let PairRow { sides, role, metrics: values } = of(pair);
        let mut row = Vec::with_capacity(HEAD.len() + Metric::COUNT + 1);
        for PairSide { model, side, layer } in sides {
            row.extend([
                Cell::text(&model.model),
                Cell::optional(model.commit.as_ref()),
                Cell::optional(side.map(|side| &side.tensor)),
                Cell::integer(layer.map(|layer| layer.0.into())),
            ]);
        }
        row.push(Cell::text(role));
        row.extend(sides.map(|of| Cell::optional(of.side.map(|side| &side.dtype))));
        let shape = match sides.map(|of| of.side) {
            [Some(a), Some(b)] if a.shape == b.shape => Some(&a.shape),
            _ => None,
        };
        row.push(Cell::optional(shape.map(|shape| shape_text(shape))));
        row.push(Cell::integer(shape.map(|shape| shape.iter().product())));
        row.extend(Metric::ALL.iter().map(|&metric| Cell::number(values.get(metric), Digits::Exact)));
        row.push(all_or_each_reason(&metrics, &row[HEAD.len()..]));
        row
    };
    Frame::of_many("pairs.csv", columns, pairs, row)
}
