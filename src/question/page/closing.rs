//! The sections that every report of an audit closes with: what was left out, and what the numbers rest on; and the paragraph
//! without which no cosine may be read.

use crate::{
    model::{Exclusion, ModelSummary},
    report::{Block, Cell, Column, Digits, Excluded, Section},
};

/// What a cosine of norms is worth.
pub(crate) const ABOUT_COSINE: &str = "`cos_sim` of two norms is high by construction: their elements have nearly one value, so the \
    cosine carries mean and spread only. `cos_null` is what unrelated models would give: its average if the channels of one side \
    were shuffled. `pearson` removes mean and spread; `z_perm` is its distance from the shuffled mean in \
    standard deviations, r·√(n−1).";

/// What a report says of the tensors that were left out, each with the number of its model.
pub(crate) fn excluded(models: &[ModelSummary], excluded: &[(usize, Exclusion)]) -> Vec<Excluded> {
    let one = |(model, told): &(usize, Exclusion)| Excluded::new(&models[*model].model, &told.tensor, &told.reason);
    excluded.iter().map(one).collect()
}

/// The list of what was asked for and is in no number.
pub(crate) fn left_out(excluded: &[Excluded]) -> Section {
    let block = if excluded.is_empty() {
        Block::prose("Nothing: every requested tensor was compared.")
    } else {
        let row = |line: &Excluded| vec![Cell::code(&line.model), Cell::code(&line.tensor), Cell::text(&line.reason)];
        let columns = Column::list(&["model", "tensor", "reason"], &[]);
        Block::table("Requested, but not computed (with the reason).", columns, excluded.iter().map(row))
    };
    Section::new("left-out", "Excluded", vec![block])
}

/// What the numbers rest on, which does not depend on what happened to be in the cache. `used` gives the number of tensors
/// of a model that entered a number, and their bytes as stored.
pub(crate) fn traffic(models: &[ModelSummary], used: impl Fn(usize) -> (usize, u64)) -> Section {
    let row = |(number, model): (usize, &ModelSummary)| {
        let (tensors, bytes) = used(number);
        vec![
            Cell::text(&model.label),
            Cell::count(tensors),
            Cell::number(bytes as f64, Digits::Bytes),
            Cell::count(model.files.len()),
            Cell::number(model.checkpoint_bytes as f64, Digits::Bytes),
        ]
    };
    let columns = Column::list(&["model"], &["tensors used", "their bytes", "files touched", "checkpoint"]);
    let rows = models.iter().enumerate().map(row);
    let blocks = vec![
        Block::table("Coverage: tensors and bytes used, of all.", columns, rows),
        Block::prose(
            "Requests and bytes that the run itself moved depend on what was in its cache and in the Hugging Face cache; they are in \
             `report.json` under `provenance`.",
        ),
    ];
    Section::new("traffic", "Traffic", blocks)
}
