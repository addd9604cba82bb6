//! The document: the question, the models, an overview, one section a model and role, what was left out.

use std::collections::BTreeMap;

use super::{Named, listed, overview, section, summary::summary};
use crate::{
    metric::Metric,
    question::{
        layers::Layers,
        page::{self, ABOUT_COSINE, closing, models},
    },
    report::{Block, Excluded, Provenance, Report, Section},
};

/// Models and roles that get their matrices as pictures; the matrices of all are in CSV files. One picture of 48 layers weighs a
/// quarter of a megabyte in the page.
const MOST_PICTURED: usize = 12;

/// Builds the document. `metrics` are those of matrices.
pub fn layers_report(layers: &Layers, metrics: &[Metric], run: &Provenance) -> Report {
    let named = Named::all(layers);
    let mut sections = vec![models(&layers.models)];
    if named.is_empty() {
        let note = Block::note("**No comparable tensors.** None of the models has a requested tensor in any layer.");
        sections.push(Section::new("nothing", "No comparable tensors", vec![note]));
    } else {
        sections.push(overview::section(&named));
    }
    for (number, named) in named.iter().enumerate() {
        let pictured: &[Metric] = if number < MOST_PICTURED { metrics } else { &[] };
        sections.push(section::section(named, pictured));
    }
    sections.push(reading());
    let excluded = left_out(layers, &named);
    sections.push(closing::left_out(&excluded));
    sections.push(extent(layers));
    let mut report = Report {
        language: "en",
        command: "layers",
        settings: serde_json::Map::new(),
        title: match layers.models.as_slice() {
            [one] => format!("Layers of {}", one.label),
            several => format!("Layers of {} models", several.len()),
        },
        question: question(&named, layers.models.len()),
        synthetic: layers.models.iter().any(|model| model.synthetic),
        summary: summary(layers, &named),
        sections,
        provenance: run.on(&layers.models, excluded),
    };
    report.answer_with_picture("adjacent_");
    report
}

fn question(named: &[Named<'_>], models: usize) -> String {
    let mut roles: Vec<String> = Vec::new();
    for named in named {
        let role = format!("`{}`", named.role);
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    let of = if models == 1 { "this model" } else { "each of these models" };
    let roles = if roles.is_empty() { "the requested tensors".to_owned() } else { roles.join(", ") };
    format!(
        "How alike are the layers of {of} among themselves in {roles}, so that a number between models has something to stand beside?"
    )
}

fn reading() -> Section {
    let blocks = [
        ABOUT_COSINE,
        "All layers of a model read and write one residual stream, so their channels mean the same thing and a shared pattern is \
         expected. What is high here says how alike tensors of one training are; it is no measure of how unlike tensors of two \
         trainings ought to be.",
        "Means and standard deviations (ddof 0) over pairs of layers describe those pairs. The pairs share their layers and are not \
         independent, so the deviation divided by √n is no standard error.",
    ];
    Section::new("reading", "How to read these numbers", blocks.map(Block::prose).into())
}

fn left_out(layers: &Layers, named: &[Named<'_>]) -> Vec<Excluded> {
    let mut excluded = page::excluded(&layers.models, &layers.excluded);
    excluded.extend(layers.absent.iter().map(|(model, key, reason)| Excluded {
        model: layers.models[*model].model.clone(),
        tensor: key.map_or_else(|| "every layer".to_owned(), |key| key.role_name()),
        reason: reason.clone(),
    }));
    for named in named {
        // One reason for many layers is one line.
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let missing = named.table.missing().map(|(place, reason)| (place, reason.to_owned()));
        for (place, reason) in missing.chain(named.table.without_numbers()) {
            reasons.entry(reason).or_default().push(place.to_string());
        }
        excluded.extend(reasons.into_iter().map(|(reason, places)| Excluded {
            model: named.model.model.clone(),
            tensor: format!("{}, {}", named.role, listed(&places)),
            reason,
        }));
    }
    excluded
}

/// What the numbers rest on, which does not depend on what happened to be in the cache.
fn extent(layers: &Layers) -> Section {
    closing::traffic(&layers.models, |number| {
        let sides: Vec<_> = layers.tables.iter().flat_map(|table| table.sides_of(number)).collect();
        (sides.len(), sides.iter().map(|side| side.stored_bytes).sum())
    })
}
