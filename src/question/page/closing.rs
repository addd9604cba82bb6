//! The sections that every report of an audit closes with: what was left out, and what the numbers rest on; and the paragraph
//! without which no cosine may be read.

use crate::{
    model::ModelSummary,
    report::{Block, Cell, Column, Digits, Excluded, Section, Table},
};

/// What a cosine of norms is worth.
pub(crate) const ABOUT_COSINE: &str = "`cos_sim` of two norms is high by construction: their elements have nearly one value, so the \
    cosine carries mean and spread only. `cos_null` is what unrelated models would give: its average if the channels of one side \
    were shuffled. `pearson` removes mean and spread; `z_perm` is its distance from the shuffled mean in \
    standard deviations, r·√(n−1).";

/// The list of what was asked for and is in no number.
pub(crate) fn left_out(excluded: &[Excluded]) -> Section {
    let block = if excluded.is_empty() {
        Block::prose("Nothing: every requested tensor was compared.")
    } else {
        let row = |line: &Excluded| vec![Cell::code(&line.model), Cell::code(&line.tensor), Cell::text(&line.reason)];
        Block::Table(Table {
            caption: "Requested, but not computed (with the reason).".to_owned(),
            columns: ["model", "tensor", "reason"].map(Column::text).into(),
            rows: excluded.iter().map(row).collect(),
        })
    };
    Section { id: "left-out".to_owned(), title: "Excluded".to_owned(), blocks: vec![block] }
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
    let numeric = ["tensors used", "their bytes", "files touched", "checkpoint"].map(Column::numeric);
    Section {
        id: "traffic".to_owned(),
        title: "Traffic".to_owned(),
        blocks: vec![
            Block::Table(Table {
                caption: "Coverage: tensors and bytes used, of all.".to_owned(),
                columns: [Column::text("model")].into_iter().chain(numeric).collect(),
                rows: models.iter().enumerate().map(row).collect(),
            }),
            Block::prose(
                "Requests and bytes that the run itself moved depend on what was in its cache and in the Hugging Face cache; they \
                 are in `report.json` under `provenance`.",
            ),
        ],
    }
}
