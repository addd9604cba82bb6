//! What was asked for and is in no number, and why; and what the numbers rest on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    question::{
        inspect::shape_text,
        page::{self, closing},
        survey::Survey,
    },
    report::{Excluded, Section},
};

/// Shapes of others that a reason names.
const MOST_SHAPES: usize = 3;

/// Every line of the list.
pub(crate) fn left_out(survey: &Survey) -> Vec<Excluded> {
    let mut list = page::excluded(&survey.models, &survey.excluded);
    list.extend(in_tables(survey).into_iter().map(|((model, role, reason), layers)| Excluded {
        model: survey.models[model].model.clone(),
        tensor: format!("{role}, {}", listed(&layers)),
        reason,
    }));
    list
}

/// Layers by (model, role, reason): one reason for many layers is one line.
type Lines = BTreeMap<(usize, String, String), Vec<String>>;

/// What the tables have a place for, and no number.
fn in_tables(survey: &Survey) -> Lines {
    let mut lines = incomparable(survey);
    for table in &survey.tables {
        for (model, row) in table.rows.iter().enumerate() {
            if let Err(reason) = &row.side {
                lines.entry((model, table.key.role_name(), reason.clone())).or_default().push(table.key.layer_name());
            }
        }
    }
    for layer_table in &survey.layer_tables {
        for (model, layers) in [&layer_table.rows[..], layer_table.columns()].into_iter().enumerate() {
            let role = layer_table.key.role_name();
            if layers.is_empty() {
                let reason = "it has no such tensor in its layers".to_owned();
                lines.entry((model, role.clone(), reason)).or_default().push("all".to_owned());
            }
            for entry in layers {
                if let Some(reason) = entry.side.as_ref().err().cloned().or_else(|| entry.obstacle()) {
                    lines.entry((model, role.clone(), reason)).or_default().push(entry.place_name());
                }
            }
        }
    }
    lines
}

/// The same for a terminal, by model: several roles with one reason are one line, and so are several tensors.
pub(crate) fn gaps(survey: &Survey) -> Vec<(usize, String)> {
    let roles: BTreeSet<String> =
        survey.tables.iter().chain(&survey.layer_tables).map(|table| table.key.role_name()).collect();
    let mut tensors: BTreeMap<(usize, &str), (&str, usize)> = BTreeMap::new();
    for (model, exclusion) in &survey.excluded {
        tensors.entry((*model, &exclusion.reason)).or_insert((&exclusion.tensor, 0)).1 += 1;
    }
    let mut gaps: Vec<(usize, String)> = tensors
        .into_iter()
        .map(|((model, reason), (first, count))| {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            (model, format!("{first}{more} ({reason})"))
        })
        .collect();
    let mut merged: BTreeMap<(usize, String, Vec<String>), Vec<String>> = BTreeMap::new();
    // A tensor that cannot be read is among those already, and each has a reason of its own here.
    let faults = survey.excluded.iter().filter(|(_, exclusion)| exclusion.is_fault);
    let faults: BTreeSet<(usize, String)> = faults.map(|(model, exclusion)| (*model, exclusion.told())).collect();
    for ((model, role, reason), layers) in in_tables(survey) {
        if faults.contains(&(model, reason.clone())) {
            continue;
        }
        merged.entry((model, reason, layers)).or_default().push(role);
    }
    for ((model, reason, layers), of) in merged {
        let named = match of.as_slice() {
            every if every.len() == roles.len() => String::new(),
            [one] => one.clone(),
            several => format!("{} roles", several.len()),
        };
        let layers = if layers.iter().any(|layer| layer == "all") { String::new() } else { runs(&layers) };
        let what = [named, layers].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let what = if what.is_empty() { of.join(", ") } else { what };
        gaps.push((model, format!("{what} ({reason})")));
    }
    gaps.sort_by_key(|(model, _)| *model);
    gaps
}

/// `layers 32–47`; of layers that do not follow one another the first and the last.
fn runs(layers: &[String]) -> String {
    let numbers: Option<Vec<u32>> = layers.iter().map(|layer| layer.parse().ok()).collect();
    match (layers, numbers.as_deref()) {
        ([_], _) => listed(layers),
        (_, Some([first, .., last])) if last.saturating_sub(*first) as usize + 1 == layers.len() => {
            format!("layers {first}–{last}")
        }
        _ => listed(layers),
    }
}

/// `layer 3`, or `16 layers, 32 to 47`.
fn listed(layers: &[String]) -> String {
    match layers {
        [one] => format!("layer {one}"),
        [first, .., last] => format!("{} layers, {first} to {last}", layers.len()),
        [] => String::new(),
    }
}

/// Tensors that are there and meet nothing: of another shape than the others', or with elements that admit no number.
fn incomparable(survey: &Survey) -> Lines {
    let mut lines = Lines::new();
    for table in &survey.tables {
        let counts = table.shapes();
        let most = counts.values().copied().max().unwrap_or(0);
        let one_wins = counts.values().filter(|&&count| count == most).count() == 1;
        for (model, row) in table.rows.iter().enumerate() {
            let Ok(side) = &row.side else { continue };
            let mut reasons = Vec::new();
            if !(one_wins && counts[side.shape.as_slice()] == most) {
                let others = || counts.keys().filter(|&&shape| shape != side.shape).map(|shape| shape_text(shape));
                let more = if others().count() > MOST_SHAPES { ", …" } else { "" };
                reasons.push(format!(
                    "its shape is {}, that of others {}{more}: vectors of different width cannot be compared",
                    shape_text(&side.shape),
                    others().take(MOST_SHAPES).collect::<Vec<_>>().join(", ")
                ));
            }
            reasons.extend(row.obstacle());
            for reason in reasons {
                lines.entry((model, table.key.role_name(), reason)).or_default().push(table.key.layer_name());
            }
        }
    }
    lines
}

/// What the question needs of each model.
pub(crate) fn traffic(survey: &Survey) -> Section {
    closing::traffic(&survey.models, |model| {
        let sides: BTreeMap<&str, u64> =
            survey.tensors_of(model).map(|side| (side.tensor.as_str(), side.stored_bytes)).collect();
        (sides.len(), sides.values().sum())
    })
}
