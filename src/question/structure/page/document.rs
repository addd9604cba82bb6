//! The document: the question, the models, three sections a model, what was left out.

use std::collections::BTreeMap;

use super::{View, aligned, raw, scale, summary::summary};
use crate::{
    question::{
        page::{self, closing, models},
        structure::Structure,
    },
    report::{Block, Excluded, Provenance, Report, Section},
};

/// Builds the document.
pub fn structure_report(structure: &Structure, run: &Provenance) -> Report {
    let views = View::all(structure);
    let mut sections = vec![models(&structure.models)];
    if views.is_empty() {
        let note = Block::note("**No comparable matrices.** None of the models has a requested tensor in any layer.");
        sections.push(Section::new("nothing", "No comparable matrices", vec![note]));
    }
    for view in &views {
        sections.push(raw::section(view));
        let track = structure.scales.iter().find(|track| track.model == view.number);
        sections.extend(track.filter(|track| !track.layers.is_empty()).map(|track| scale::section(view, track)));
        sections.extend(aligned::section(view));
    }
    sections.push(reading());
    let excluded = left_out(structure);
    sections.push(closing::left_out(&excluded));
    sections
        .push(closing::traffic(&structure.models, |number| structure.used.get(number).copied().unwrap_or_default()));
    let summary = summary(structure, &views);
    let mut report = Report {
        language: "en",
        command: "layers",
        settings: serde_json::Map::new(),
        title: match structure.models.as_slice() {
            [one] => format!("Matrices of {} along depth", one.label),
            several => format!("Matrices of {} models along depth", several.len()),
        },
        question: "How do the weight matrices of one model change from layer to layer, as they are stored and after \
                   alignment, and how does their scale run through the model?"
            .to_owned(),
        synthetic: structure.models.iter().any(|model| model.synthetic),
        summary,
        sections,
        provenance: run.on(&structure.models, excluded),
    };
    report.answer_with_picture("cos_sim_");
    report
}

fn reading() -> Section {
    let blocks = [
        "`cos_sim` is the cosine of two matrices as vectors, `residual` is √(2 − 2·cos_sim), `residual_scaled` is √(1 − cos_sim²): \
         what is left after the best factor. The nulls of these three are those of a permutation of the elements, and carry the \
         level that the elements share.",
        "An effective rank is exp(H), H the entropy of squared singular values over their sum. Its null, and those of alignments, are \
         expectations for unrelated Gaussian matrices of the same shapes.",
        "None of these numbers tells where weights come from. A residual at its null is what layers of any trained model may show, and \
         one below it may come from structure that all models of an architecture share.",
    ];
    Section::new("reading", "How to read these numbers", blocks.map(Block::prose).into())
}

fn left_out(structure: &Structure) -> Vec<Excluded> {
    let mut excluded = page::excluded(&structure.models, &structure.excluded);
    // One reason for many rows is one line.
    let mut reasons: BTreeMap<(usize, &str, String), usize> = BTreeMap::new();
    for row in &structure.rows {
        if let Err(reason) = &row.value {
            *reasons.entry((row.model, &row.role, reason.to_string())).or_default() += 1;
        }
    }
    excluded.extend(reasons.into_iter().map(|((model, role, reason), count)| Excluded {
        model: structure.models[model].model.clone(),
        tensor: if count == 1 { format!("{role}, 1 number") } else { format!("{role}, {count} numbers") },
        reason,
    }));
    excluded
}
