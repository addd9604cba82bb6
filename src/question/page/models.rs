//! The table of models with which every report opens.

use crate::{
    model::ModelSummary,
    report::{Block, Cell, Column, Digits, Section, Table},
};

/// The table of models with which every report opens.
pub(crate) fn models(models: &[ModelSummary]) -> Section {
    let known = |value: Option<String>, why: &str| value.map_or_else(|| Cell::undefined(why), Cell::text);
    let rows = models
        .iter()
        .map(|model| {
            let unread = model.failure.as_deref().unwrap_or("not stated by its files");
            vec![
                Cell::text(&model.label),
                Cell::code(&model.model),
                match (&model.commit, model.is_folder) {
                    (Some(commit), _) => Cell::code(commit.as_str()),
                    (None, true) => Cell::text("local folder"),
                    (None, false) => Cell::undefined(unread),
                },
                known(
                    model.family.as_ref().map(|(name, _)| name.clone()),
                    model.failure.as_deref().unwrap_or("no known family"),
                ),
                model.layers.map_or_else(|| Cell::undefined(unread), |layers| Cell::count(layers as usize)),
                model
                    .width
                    .map_or_else(|| Cell::undefined(unread), |width| Cell::number(width as f64, Digits::Integer)),
                known(
                    (!model.dtypes.is_empty()).then(|| model.dtypes.iter().cloned().collect::<Vec<_>>().join(", ")),
                    unread,
                ),
                Cell::text(model.group.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table(Table {
        caption: "The models; those of a Hub are pinned to a commit.".to_owned(),
        columns: vec![
            Column::text("label"),
            Column::text("model"),
            Column::text("commit"),
            Column::text("family"),
            Column::numeric("layers"),
            Column::numeric("width"),
            Column::text("dtype"),
            Column::text("group"),
        ],
        rows,
    })];
    for model in models {
        if let Some(failure) = &model.failure {
            blocks.push(Block::note(format!("**{}** was skipped: {failure}.", model.label)));
        }
        if model.zero_centred {
            blocks.push(Block::prose(format!(
                "**{}** stores the gain of its norms zero-centred; the effective gain 1 + w is compared.",
                model.label
            )));
        }
    }
    Section { id: "models".to_owned(), title: "Models".to_owned(), blocks }
}
