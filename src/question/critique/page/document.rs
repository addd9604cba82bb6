//! The document: what was asked, the models, how to read, then role by role the experiments and what goes beyond them, the
//! published figures, and what was left out.

use std::collections::BTreeMap;

use super::{Figures, Language, Writer, beyond, experiments, joined, pairs, published, summary::summary};
use crate::{
    question::{
        critique::Critique,
        lineage::{
            Lineage,
            page::{lineage_section, lineage_tables, settings},
        },
        page,
    },
    report::{Block, Cell, Digits, Excluded, Frames, Provenance, Report, Section},
};

/// Builds the document in a language. The seed of the random vectors is that of `run`.
pub fn critique_report(critique: &Critique, language: Language, run: &Provenance) -> Report {
    let writer = Writer::new(critique, language, run.seed);
    let excluded = left_out(critique);
    let mut sections = vec![models(&writer), reading(&writer)];
    let mut linked = critique.lineage.as_ref().map(|lineage| linked(&writer, lineage));
    for role in &critique.roles {
        sections.extend(experiments::sections(&writer, role));
        sections.extend(linked.take());
        sections.extend(beyond::sections(&writer, role));
    }
    if critique.roles.is_empty() {
        let note = writer.prose.fill("exp5", "empty", &[("groups", &critique.study.groups().join(", "))]);
        sections.push(Section::new("nothing", writer.prose.word("none"), vec![Block::note(note)]));
    }
    sections.push(published::section(&writer));
    sections.push(left_out_section(&writer, &excluded));
    let figures: Figures<'_> = &[("n", &writer.labels.len()), ("a", &writer.label(0)), ("b", &writer.label(1))];
    let mut report = Report {
        language: language.name(),
        command: "critique",
        settings: critique.lineage.as_ref().map(settings).unwrap_or_default(),
        title: writer.prose.fill("report", "title", figures),
        question: writer.prose.fill("report", "question", figures),
        synthetic: critique.is_synthetic(),
        summary: summary(&writer),
        sections,
        provenance: run.on(&critique.models, excluded),
    };
    report.answer_with_picture("by_layer_");
    report
}

/// `pairs.csv`, `groups.csv` and `published.csv`, and those of the first two models' tests.
pub fn critique_tables(critique: &Critique) -> Frames<'_> {
    let tables = [pairs::pairs(critique), pairs::groups(critique), published::published(critique)];
    Box::new(tables.into_iter().chain(critique.lineage.iter().flat_map(lineage_tables)))
}

/// Whether the models that the study is about are linked.
fn linked(writer: &Writer<'_>, lineage: &Lineage) -> Section {
    let figures: Figures<'_> = &[("a", &writer.label(0)), ("b", &writer.label(1))];
    let mut section = lineage_section(lineage, writer.prose.fill("lineage", "title", figures));
    section.blocks.insert(0, writer.say("lineage", "what", figures));
    section
}

fn models(writer: &Writer<'_>) -> Section {
    let critique = writer.critique;
    let not_stated = writer.prose.word("not_stated");
    let rows = critique.models.iter().enumerate().map(|(place, model)| {
        let unread = model.failure.as_deref().unwrap_or(&not_stated);
        let text = |text: Option<String>| text.map_or_else(|| Cell::undefined(unread), Cell::text);
        let group = critique.study.members.get(place).map(|member| member.group.clone());
        vec![
            Cell::text(&model.label),
            Cell::code(&model.model),
            match (&model.commit, model.is_folder) {
                (Some(commit), _) => Cell::code(commit.as_str()),
                (None, true) => Cell::text(writer.prose.word("folder")),
                (None, false) => Cell::undefined(unread),
            },
            Cell::text(group.unwrap_or_default()),
            text(model.family.as_ref().map(|(name, _)| name.clone())),
            model
                .layers
                .map_or_else(|| Cell::undefined(unread), |layers| Cell::number(f64::from(layers), Digits::Integer)),
            Cell::count(critique.layers_read(place)),
            text((!model.dtypes.is_empty()).then(|| model.dtypes.iter().cloned().collect::<Vec<_>>().join(", "))),
        ]
    });
    let mut columns = writer.columns(&["model", "source", "commit", "group", "family"], &["layers", "read"]);
    columns.extend(writer.columns(&["dtype"], &[]));
    let mut blocks =
        vec![writer.say("models", "what", &[]), Block::table(writer.prose.text("models", "caption"), columns, rows)];
    for model in &critique.models {
        if let Some(reason) = &model.failure {
            let note = writer.prose.fill("models", "unread", &[("label", &model.label), ("reason", reason)]);
            blocks.push(Block::note(note));
        }
        if model.zero_centred {
            blocks.push(writer.say("models", "zero", &[("label", &model.label)]));
        }
    }
    let counts = critique.models.iter().enumerate();
    let counts = counts.filter_map(|(place, model)| Some((critique.layers_read(place), model.layers? as usize, model)));
    let partial = counts.filter(|(read, all, _)| read < all);
    let partial = joined(partial.map(|(read, all, model)| format!("{} {read}/{all}", model.label)));
    let name = if partial.is_empty() { "complete" } else { "partial" };
    blocks.push(writer.say("models", name, &[("counts", &partial)]));
    Section::new("models", writer.prose.text("models", "title"), blocks)
}

fn reading(writer: &Writer<'_>) -> Section {
    let blocks = ["first", "second"].map(|name| writer.say("reading", name, &[]));
    Section::new("reading", writer.prose.text("reading", "title"), blocks.into())
}

fn left_out(critique: &Critique) -> Vec<Excluded> {
    let model = |place: usize| critique.models.get(place).map(|model| model.model.clone()).unwrap_or_default();
    let mut excluded = page::excluded(&critique.models, &critique.excluded);
    // One reason for many layers is one line.
    let mut absent: BTreeMap<(usize, &str, String), Vec<String>> = BTreeMap::new();
    for role in &critique.roles {
        for (place, layer, reason) in &role.absent {
            let key = (*place, role.role.as_str(), reason.clone());
            absent.entry(key).or_default().push(layer.to_string());
        }
        for (place, model) in critique.models.iter().enumerate() {
            let has_none = role.absent.iter().all(|(absent, ..)| *absent != place);
            if has_none && role.table.sides_of(place).next().is_none() {
                let reason = model.failure.clone().unwrap_or_else(|| "it has no such tensor".to_owned());
                absent.entry((place, role.role.as_str(), reason)).or_default();
            }
        }
    }
    for (place, role, layer, reason) in &critique.unread {
        absent.entry((*place, role, reason.clone())).or_default().push(layer.to_string());
    }
    excluded.extend(absent.into_iter().map(|((place, role, reason), layers)| Excluded {
        model: model(place),
        tensor: match layers.as_slice() {
            [] => role.to_owned(),
            layers => format!("{role}, layer {}", layers.join(", ")),
        },
        reason,
    }));
    excluded
}

fn left_out_section(writer: &Writer<'_>, excluded: &[Excluded]) -> Section {
    let row = |line: &Excluded| vec![Cell::code(&line.model), Cell::code(&line.tensor), Cell::text(&line.reason)];
    let block = if excluded.is_empty() {
        writer.say("left_out", "nothing", &[])
    } else {
        let columns = writer.columns(&["model", "tensor", "reason"], &[]);
        Block::table(writer.prose.text("left_out", "caption"), columns, excluded.iter().map(row))
    };
    Section::new("left-out", writer.prose.text("left_out", "title"), vec![block])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{question::critique::planted, report::markdown};

    fn csv(critique: &Critique, name: &str) -> String {
        let mut bytes = Vec::new();
        let table = critique_tables(critique).find(|table| table.name() == name).unwrap();
        table.write_csv(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn text(critique: &Critique, language: Language) -> String {
        markdown::render(&critique_report(critique, language, &Provenance::of_this_program()), None)
    }

    #[test]
    fn no_words_and_no_figures_are_missing_in_either_language() {
        for language in Language::ALL {
            for critique in [planted::critique(false), planted::critique(true), planted::critique_without_dense()] {
                let text = text(&critique, language);
                assert!(!text.contains('⟨'), "{language}: {}", &text[text.find('⟨').unwrap_or(0)..]);
                assert!(!text.contains("NaN"));
            }
        }
        assert!(text(&planted::critique(false), Language::Ko).contains("실험 1"));
    }

    #[test]
    fn sections_and_pictures_have_names_of_their_own_also_with_two_roles() {
        let mut critique = planted::critique(false);
        let mut other = planted::critique(false).roles.remove(0);
        other.role = "post_attention_layernorm".to_owned();
        critique.roles.push(other);
        let report = critique_report(&critique, Language::En, &Provenance::of_this_program());
        let ids: BTreeSet<&str> = report.sections.iter().map(|section| section.id.as_str()).collect();
        assert_eq!(ids.len(), report.sections.len());
        let pictures: BTreeSet<String> = report.pictures().map(crate::report::Picture::file_stem).collect();
        assert_eq!((pictures.len(), report.pictures().count()), (20, 20));
    }

    #[test]
    fn an_empty_group_is_said_to_be_one_and_has_no_mean() {
        let critique = planted::critique_without_dense();
        assert!(critique.is_incomplete());
        let text = text(&critique, Language::En);
        assert!(text.contains("**No comparable tensors** for MoE × dense, dense × dense: there is no mean."));
        assert!(csv(&critique, "groups").contains("dense,dense,input_layernorm,10,cos_sim,0,,,0,,,,\n"));
    }

    #[test]
    fn published_figures_have_a_row_each_and_none_is_filled_in_for_a_replica() {
        let synthetic = csv(&planted::critique(true), "published");
        assert_eq!(synthetic.lines().count(), 1320);
        assert!(synthetic.lines().skip(1).all(|line| line.contains(",not checked,")));
        assert!(text(&planted::critique(true), Language::En).contains("**There is nothing to compare.**"));
        let planted = csv(&planted::critique(false), "published");
        assert!(planted.starts_with(
            "source,experiment,repo_a,repo_b,layer_a,layer_b,tensor,metric,value,published,difference,tolerance,match,reason\n"
        ));
        assert!(planted.contains(",16,16,0,0,match,\n"), "the study's n of pairs");
        assert!(planted.contains(",mismatch,\n"));
    }

    #[test]
    fn the_same_answer_gives_the_same_bytes() {
        let critique = planted::critique(false);
        assert_eq!(text(&critique, Language::En), text(&planted::critique(false), Language::En));
        let again = planted::critique(false);
        assert!(["pairs", "groups", "published"].iter().all(|name| csv(&critique, name) == csv(&again, name)));
    }
}
