//! The table of models with which every report opens.

use crate::{
    model::ModelSummary,
    report::{Block, Cell, Column, Digits, Section},
};

/// A model with its commit, as cells of a file.
pub(crate) fn model_cells(model: &ModelSummary) -> [Cell; 2] {
    [Cell::text(&model.model), Cell::optional(model.commit.as_ref())]
}

/// The table of models with which every report opens.
pub(crate) fn models(models: &[ModelSummary]) -> Section {
    let known = |value: Option<String>, why: &str| value.map_or_else(|| Cell::undefined(why), Cell::text);
    let number = |value: Option<u64>, why: &str| {
        value.map_or_else(|| Cell::undefined(why), |value| Cell::number(value as f64, Digits::Integer))
    };
    let row = |model: &ModelSummary| {
        let unread = model.failure.as_deref().unwrap_or("not stated by its files");
        let dtypes: Vec<&str> = model.dtypes.iter().map(String::as_str).collect();
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
            number(model.layers.map(u64::from), unread),
            number(model.width, unread),
            known((!dtypes.is_empty()).then(|| dtypes.join(", ")), unread),
            Cell::text(model.group.as_deref().unwrap_or_default()),
        ]
    };
    let columns = [
        Column::list(&["label", "model", "commit", "family"], &["layers", "width"]),
        Column::list(&["dtype", "group"], &[]),
    ];
    let caption = "The models; those of a Hub are pinned to a commit.";
    let mut blocks = vec![Block::table(caption, columns.concat(), models.iter().map(row))];
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
    Section::new("models", "Models", blocks)
}
