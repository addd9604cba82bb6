//! What was asked for and is in no number, and why; and what the numbers rest on.

use std::collections::BTreeMap;

use crate::{
    metric::Metric,
    question::{inspect::shape_text, page::closing, survey::Survey},
    report::{Excluded, Section},
};

/// Every line of the list.
pub(crate) fn left_out(survey: &Survey) -> Vec<Excluded> {
    let mut list: Vec<Excluded> = survey
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
        for (model, row) in panel.rows.iter().enumerate() {
            if let Err(reason) = &row.side {
                let entry = absent.entry((model, panel.key.role_name(), reason.clone())).or_default();
                entry.push(panel.key.layer_name());
            }
        }
    }
    for crossing in &survey.crossings {
        for (model, layers) in [&crossing.rows[..], crossing.columns()].into_iter().enumerate() {
            let role = crossing.key.role_name();
            if layers.is_empty() {
                let reason = "it has no such tensor in its layers".to_owned();
                absent.entry((model, role.clone(), reason)).or_default().push("all".to_owned());
            }
            for entry in layers {
                if let Err(reason) = &entry.side {
                    let lines = absent.entry((model, role.clone(), reason.clone())).or_default();
                    lines.push(entry.place_name());
                }
            }
        }
    }
    list.extend(absent.into_iter().map(|(line, layers)| excluded(survey, line, &layers)));
    list.extend(incomparable(survey));
    list
}

/// Tensors that are there and meet nothing: of another shape than the others', or with elements that admit no number.
fn incomparable(survey: &Survey) -> Vec<Excluded> {
    // One reason for many layers is one line.
    let mut lines: BTreeMap<(usize, String, String), Vec<String>> = BTreeMap::new();
    for panel in &survey.panels {
        let mut counts: BTreeMap<&[u64], usize> = BTreeMap::new();
        for side in panel.rows.iter().flat_map(|row| &row.side) {
            *counts.entry(&side.shape).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        let one_wins = counts.values().filter(|&&count| count == most).count() == 1;
        for (model, row) in panel.rows.iter().enumerate() {
            let Ok(side) = &row.side else { continue };
            let mut reasons = Vec::new();
            if !(one_wins && counts[side.shape.as_slice()] == most) {
                let others: Vec<String> =
                    counts.keys().filter(|&&shape| shape != side.shape).map(|shape| shape_text(shape)).collect();
                reasons.push(format!(
                    "its shape is {}, that of others {}: vectors of different width cannot be compared",
                    shape_text(&side.shape),
                    others.join(", ")
                ));
            }
            if let Err(reason) = panel.get(model, model, Metric::CosSim) {
                reasons.push(format!("it admits no comparison: {reason}"));
            }
            for reason in reasons {
                lines.entry((model, panel.key.role_name(), reason)).or_default().push(panel.key.layer_name());
            }
        }
    }
    lines.into_iter().map(|(line, layers)| excluded(survey, line, &layers)).collect()
}

fn excluded(survey: &Survey, (model, role, reason): (usize, String, String), layers: &[String]) -> Excluded {
    let layers = match layers {
        [one] => format!("layer {one}"),
        [first, .., last] => format!("{} layers, {first} to {last}", layers.len()),
        [] => String::new(),
    };
    Excluded { model: survey.models[model].model.clone(), tensor: format!("{role}, {layers}"), reason }
}

/// What the question needs of each model.
pub(crate) fn traffic(survey: &Survey) -> Section {
    closing::traffic(&survey.models, |model| {
        let sides: BTreeMap<&str, u64> =
            survey.tensors_of(model).map(|side| (side.tensor.as_str(), side.stored_bytes)).collect();
        (sides.len(), sides.values().sum())
    })
}
