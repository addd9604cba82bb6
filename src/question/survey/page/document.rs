//! The document as a whole: which sections, in which order.

use std::collections::BTreeSet;

use super::{
    MOST_PICTURED, View, baselines, clusters, components, groups, heatmaps, layer_tables, left_out, pairs, relations,
    summary::summary, traffic,
};
use crate::{
    model::Pairing,
    question::{
        lineage::page::{lineage_section, settings},
        page::{closing, models},
        survey::Survey,
    },
    report::{Block, Provenance, Report, Section},
    table::{Alignment, PairTable},
};

/// Builds the document.
pub fn survey_report(survey: &Survey, view: &View<'_>, run: &Provenance) -> Report {
    let mut sections = vec![models(&survey.models)];
    sections.extend(pairing(survey));
    if !survey.tables.is_empty() {
        sections.push(relations::section(survey));
    }
    sections
        .extend(survey.lineage.as_ref().map(|lineage| lineage_section(lineage, "Linked or independent?".to_owned())));
    sections.extend(groups::section(survey));
    sections.extend(survey.roles().into_iter().map(|tables| role(survey, tables, view)));
    sections.extend(survey.layer_tables.iter().map(|layer_table| layer_tables::section(survey, layer_table, view)));
    sections.extend(baselines::section(survey));
    if survey.is_empty() {
        let mut blocks = vec![Block::note("**No comparable tensors.** None of the models has a requested tensor.")];
        let reasons = survey.models.iter().filter_map(|model| Some((model, model.absence.as_ref()?)));
        blocks.extend(reasons.map(|(model, reason)| Block::note(format!("**{}**: {reason}.", model.label))));
        sections.push(Section::new("nothing", "No comparable tensors", blocks));
    } else if survey.models.len() == 1 {
        let note = "**One model.** There is nothing to compare it with, so there is no number between models.";
        sections.push(Section::new("one", "One model", vec![Block::note(note)]));
    }
    sections.push(reading());
    let excluded = left_out(survey);
    sections.push(closing::left_out(&excluded));
    sections.push(traffic(survey));
    let mut report = Report {
        language: "en",
        command: "survey",
        settings: survey.lineage.as_ref().map(settings).unwrap_or_default(),
        title: match survey.models.len() {
            1 => "Survey of one model".to_owned(),
            models => format!("Survey of {models} models"),
        },
        question: question(survey),
        synthetic: survey.models.iter().any(|model| model.synthetic),
        summary: summary(survey),
        sections,
        provenance: run.on(&survey.models, excluded),
    };
    report.answer_with_picture(if survey.layer_tables.is_empty() { "heatmap_" } else { "crossing_" });
    report
}

fn question(survey: &Survey) -> String {
    let mut roles: Vec<String> = survey.tables.iter().map(|table| table.key.role_name()).collect();
    roles.extend(survey.layer_tables.iter().map(|layer_table| layer_table.key.role_name()));
    roles.dedup();
    let layers: BTreeSet<_> = survey.tables.iter().map(|table| table.key.layer_name()).collect();
    let models = survey.models.len();
    if models == 1 {
        return "Only one model is given, so there is nothing to compare it with.".to_owned();
    }
    let (what, how) = match (survey.tables.as_slice(), roles.as_slice()) {
        (_, []) => return "Do these models resemble each other in the requested tensors?".to_owned(),
        ([one], _) => (one.key.title(), ""),
        ([], _) => (roles.join(", "), ", every layer with every layer,"),
        (_, _) if layers.len() == 1 => (roles.join(", "), ""),
        _ => (format!("{}, {} layers,", roles.join(", "), layers.len()), ""),
    };
    format!("Do these {models} models resemble each other in {what}{how} more than unrelated models would?")
}

/// How layers are paired, where it is not by their index.
fn pairing(survey: &Survey) -> Option<Section> {
    let text = match survey.pairing {
        Pairing::Same => return None,
        Pairing::Depth => {
            let depths = survey.depths.as_ref()?;
            let label = |model: usize| survey.models[model].label.as_str();
            let layers = depths.layers.get(depths.reference).copied().flatten().unwrap_or(0);
            format!(
                "Layers are paired by relative depth. The reference is **{}** with {layers} layers: its layer i is compared with layer \
                 round(i·(L−1)/({layers}−1)) of a model with L layers. Tables are named by the reference's layer; `pairs.csv` has \
                 each side's own. A model of fewer layers gives one layer to several depths, so depths are not independent.",
                label(depths.reference)
            )
        }
        Pairing::All => "Every layer of the first model is compared with every layer of the second.".to_owned(),
        Pairing::Mixed => {
            let chosen: Vec<String> = survey
                .models
                .iter()
                .enumerate()
                .filter_map(|(number, model)| {
                    let mut tables = survey.tables.iter().filter(|table| table.key.alignment == Alignment::Chosen);
                    let layer = tables.find_map(|table| table.rows[number].side.as_ref().ok()?.layer)?;
                    Some(format!("{} {layer}", model.label))
                })
                .collect();
            format!("One chosen layer of each model is compared with those of the others: {}.", chosen.join(", "))
        }
    };
    Some(Section::new("pairing", "How layers are paired", vec![Block::prose(text)]))
}

fn role(survey: &Survey, tables: &[PairTable], view: &View<'_>) -> Section {
    let whole = tables.first().map(|table| table.key.whole());
    let role = tables.first().map(|table| table.key.role_name()).unwrap_or_default();
    let averages = survey.averages.iter().find(|averages| Some(averages.key) == whole);
    let mut blocks = Vec::new();
    if tables.len() > MOST_PICTURED {
        blocks.push(Block::picture(heatmaps::of_means(survey, tables, view)));
    } else {
        for table in tables {
            blocks.push(Block::picture(heatmaps::of_table(survey, table, view)));
            blocks.push(pairs::of_table(survey, table));
        }
    }
    blocks.extend(averages.map(|averages| pairs::of_means(survey, tables, averages)));
    blocks.extend(clusters::block(survey, tables));
    let components = survey.components.iter().find(|components| Some(components.key) == whole);
    if let Some(components) = components {
        blocks.extend(components::blocks(survey, components));
    }
    Section::new(format!("role-{}", role.replace('_', "-")), role, blocks)
}

fn reading() -> Section {
    let null = "Channels of trained models are not quite exchangeable, so a nominal z overstates: compare a pair with the other \
                pairs of this survey before anything is concluded. Norm weights alone neither prove nor refute that one model \
                comes from another.";
    let blocks = vec![Block::prose(closing::ABOUT_COSINE), Block::prose(null)];
    Section::new("reading", "How to read these numbers", blocks)
}
