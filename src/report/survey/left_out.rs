//! What was asked for and is in no number, and why; and what the numbers rest on.

use std::collections::BTreeMap;

use crate::{
    audit::Survey,
    report::{Block, Cell, Column, Digits, Excluded, Section, Table},
};

/// Every line of the list.
pub(super) fn left_out(survey: &Survey) -> Vec<Excluded> {
    let mut excluded: Vec<Excluded> = survey
        .excluded
        .iter()
        .map(|(model, exclusion)| Excluded {
            model: survey.models[*model].model.clone(),
            tensor: exclusion.tensor.clone(),
            reason: exclusion.reason.clone(),
        })
        .collect();
    // One reason for many layers is one line.
    let mut absent: BTreeMap<(usize, String, String), Vec<String>> = BTreeMap::new();
    for panel in &survey.panels {
        for (model, side) in panel.sides.iter().enumerate() {
            if let Err(reason) = side {
                let entry = absent
                    .entry((model, panel.key.role_name(), reason.clone()))
                    .or_default();
                entry.push(panel.key.layer_name());
            }
        }
    }
    for crossing in &survey.crossings {
        for (model, layers) in [&crossing.rows, &crossing.columns].into_iter().enumerate() {
            let role = crossing.key.role_name();
            if layers.is_empty() {
                let reason = "it has no such tensor in its layers".to_owned();
                absent
                    .entry((model, role.clone(), reason))
                    .or_default()
                    .push("all".to_owned());
            }
            for (layer, side) in layers {
                if let Err(reason) = side {
                    let entry = absent.entry((model, role.clone(), reason.clone())).or_default();
                    entry.push(layer.to_string());
                }
            }
        }
    }
    excluded.extend(absent.into_iter().map(|((model, role, reason), layers)| {
        let layers = match layers.as_slice() {
            [one] => format!("layer {one}"),
            [first, .., last] => format!("{} layers, {first} to {last}", layers.len()),
            [] => String::new(),
        };
        Excluded {
            model: survey.models[model].model.clone(),
            tensor: format!("{role}, {layers}"),
            reason,
        }
    }));
    excluded.extend(other_shapes(survey));
    excluded
}

/// Models whose tensors have another shape than most: their rows are empty.
fn other_shapes(survey: &Survey) -> Vec<Excluded> {
    let mut lines: BTreeMap<(usize, String), String> = BTreeMap::new();
    for panel in &survey.panels {
        let mut counts: BTreeMap<&[u64], usize> = BTreeMap::new();
        for side in panel.sides.iter().flatten() {
            *counts.entry(&side.shape).or_default() += 1;
        }
        let Some((&common, &most)) = counts.iter().max_by_key(|(_, count)| **count) else {
            continue;
        };
        for (model, side) in panel.sides.iter().enumerate() {
            if let Ok(side) = side
                && side.shape != common
                && most > 1
            {
                let (own, other) = (crate::audit::shape_text(&side.shape), crate::audit::shape_text(common));
                let reason = format!(
                    "its shape is {own}, where {most} models have {other}: a vector of another width cannot be compared"
                );
                lines.insert((model, panel.key.role_name()), reason);
            }
        }
    }
    lines
        .into_iter()
        .map(|((model, role), reason)| Excluded {
            model: survey.models[model].model.clone(),
            tensor: role,
            reason,
        })
        .collect()
}

/// The list as a section.
pub(super) fn left_out_section(excluded: &[Excluded]) -> Section {
    let block = if excluded.is_empty() {
        Block::prose("Nothing: every model has every tensor that was asked for.")
    } else {
        Block::Table(Table {
            caption: "What was asked for and is in no number above.".to_owned(),
            csv: None,
            columns: vec![Column::text("model"), Column::text("tensor"), Column::text("reason")],
            rows: excluded
                .iter()
                .map(|line| {
                    vec![
                        Cell::code(&line.model),
                        Cell::code(&line.tensor),
                        Cell::text(&line.reason),
                    ]
                })
                .collect(),
        })
    };
    Section {
        id: "left-out".to_owned(),
        title: "What was left out, and why".to_owned(),
        blocks: vec![block],
    }
}

/// What the question needs of each model, which does not depend on what happened to be in the cache.
pub(super) fn traffic(survey: &Survey) -> Section {
    let mut rows = Vec::new();
    for (number, model) in survey.models.iter().enumerate() {
        let sides: BTreeMap<&str, u64> = survey
            .tensors_of(number)
            .map(|side| (side.tensor.as_str(), side.stored_bytes))
            .collect();
        let bytes: u64 = sides.values().sum();
        rows.push(vec![
            Cell::text(&model.label),
            Cell::count(sides.len()),
            Cell::number(bytes as f64, Digits::Bytes),
            Cell::count(model.files.len()),
            Cell::number(model.checkpoint_bytes as f64, Digits::Bytes),
        ]);
    }
    Section {
        id: "traffic".to_owned(),
        title: "Traffic".to_owned(),
        blocks: vec![
            Block::Table(Table {
                caption: "What the numbers rest on, of how much there is.".to_owned(),
                csv: None,
                columns: vec![
                    Column::text("model"),
                    Column::numeric("tensors used"),
                    Column::numeric("their bytes"),
                    Column::numeric("files touched"),
                    Column::numeric("checkpoint"),
                ],
                rows,
            }),
            Block::prose(
                "Requests and bytes that the run itself moved depend on what was in its cache; they are in `report.json` under \
                 `provenance`.",
            ),
        ],
    }
}
