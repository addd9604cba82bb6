//! The section of published figures, and `published.csv`.

use super::Writer;
use crate::{
    question::critique::{Checked, Critique, Layers, Outcome, Record},
    report::{Block, Cell, Digits, Frame, Section, Table},
};

/// Columns of `published.csv`.
const HEAD: [&str; 14] = [
    "source",
    "experiment",
    "repo_a",
    "repo_b",
    "layer_a",
    "layer_b",
    "tensor",
    "metric",
    "value",
    "published",
    "difference",
    "tolerance",
    "match",
    "reason",
];

/// What the published figures come to. Figures that were not checked are counted, with the reason in `published.csv`.
pub(crate) fn section(writer: &Writer<'_>) -> Section {
    let figures = &writer.critique.published;
    let count = |outcome: Outcome| figures.iter().filter(|figure| figure.outcome() == outcome).count();
    let (n, matches, mismatches) =
        (figures.len().to_string(), count(Outcome::Match).to_string(), count(Outcome::Mismatch).to_string());
    let checked: Vec<&Checked> = figures.iter().filter(|figure| figure.value.is_ok()).collect();
    let total = checked.len().to_string();
    let words = [("n", n.as_str()), ("checked", &total), ("match", &matches), ("mismatch", &mismatches)];
    let mut blocks = Vec::new();
    if writer.critique.is_synthetic() {
        blocks.push(Block::note(writer.prose.fill("published", "nothing", &words)));
    } else {
        blocks.push(writer.say("published", "what", &words));
        if checked.is_empty() {
            blocks.push(writer.say("published", "none", &[]));
        } else {
            blocks.push(summary(writer));
            blocks.push(table(writer, &checked));
        }
        let more = writer.critique.further_options().into_iter().map(|(needs, count)| {
            writer.say("published", "more", &[("n", &count.to_string()), ("option", needs.options())])
        });
        blocks.extend(more);
    }
    Section { id: "published".to_owned(), title: writer.prose.text("published", "title"), blocks }
}

/// Counts by source and part, in the order of the file.
fn summary(writer: &Writer<'_>) -> Block {
    let mut counts: Vec<(&str, &str, [usize; 3])> = Vec::new();
    for figure in &writer.critique.published {
        let (source, part) = (figure.record.source.as_str(), figure.record.experiment.as_str());
        let place = match figure.outcome() {
            Outcome::Match => 0,
            Outcome::Mismatch => 1,
            Outcome::NotChecked => 2,
        };
        if let Some((_, _, counts)) = counts.iter_mut().find(|(s, p, _)| *s == source && *p == part) {
            counts[place] += 1;
        } else {
            let mut first = [0; 3];
            first[place] = 1;
            counts.push((source, part, first));
        }
    }
    let rows = counts.into_iter().map(|(source, part, [matches, mismatches, unchecked])| {
        vec![
            Cell::text(source),
            Cell::text(part),
            Cell::count(matches + mismatches + unchecked),
            Cell::count(matches),
            Cell::count(mismatches),
            Cell::count(unchecked),
        ]
    });
    Block::Table(Table {
        caption: writer.prose.text("published", "summary"),
        columns: [
            writer.text_columns(&["source", "part"]),
            writer.numeric_columns(&["records", "match", "mismatch", "unchecked"]),
        ]
        .concat(),
        rows: rows.collect(),
    })
}

fn table(writer: &Writer<'_>, checked: &[&Checked]) -> Block {
    let rows = checked.iter().map(|figure| {
        let record = &figure.record;
        let [repo_a, repo_b, layer_a, layer_b] = places(record);
        let outcome = match figure.outcome() {
            Outcome::Match => "match",
            Outcome::Mismatch => "mismatch",
            Outcome::NotChecked => "unchecked",
        };
        let number = |value: Option<f64>, digits| match value {
            Some(value) => Cell::number(value, digits),
            None => Cell::undefined("not checked"),
        };
        vec![
            Cell::text(format!("{} {}", record.source, record.experiment)),
            Cell::text(short(&repo_a)),
            Cell::text(layer_a),
            Cell::text(short(&repo_b)),
            Cell::text(layer_b),
            Cell::code(record.role().unwrap_or(&record.tensor)),
            Cell::text(&record.metric),
            number(figure.value.as_ref().ok().copied(), Digits::Significant(8)),
            Cell::number(record.value, Digits::Significant(8)),
            number(figure.difference(), Digits::Significant(2)),
            Cell::number(record.tolerance, Digits::Significant(2)),
            Cell::text(writer.prose.word(outcome)),
        ]
    });
    let mut columns = writer.text_columns(&["source", "model_a", "layer_a", "model_b", "layer_b", "tensor", "metric"]);
    columns.extend(writer.numeric_columns(&["value", "published", "difference", "tolerance"]));
    columns.extend(writer.text_columns(&["outcome"]));
    Block::Table(Table { caption: writer.prose.text("published", "caption"), columns, rows: rows.collect() })
}

/// Names without their owners.
fn short(repos: &str) -> String {
    let name = |repo: &str| repo.rsplit('/').next().unwrap_or(repo).to_owned();
    repos.split(';').map(name).collect::<Vec<_>>().join(", ")
}

/// Repositories and layers of both sides. More than two models stand on the first side, apart by semicolons, and so do
/// several layers.
fn places(record: &Record) -> [String; 4] {
    let (repo_a, repo_b) = match record.repos.as_slice() {
        [a, b] => (a.clone(), b.clone()),
        several => (several.join(";"), String::new()),
    };
    let join =
        |layers: &mut dyn Iterator<Item = u32>| layers.map(|layer| layer.to_string()).collect::<Vec<_>>().join(";");
    let pair = matches!(record.kind.as_str(), "within" | "cross");
    let (layer_a, layer_b) = match &record.layers {
        Layers::List(layers) => match layers.as_slice() {
            [a, b] if pair => (a.to_string(), b.to_string()),
            several => {
                let all = join(&mut several.iter().copied());
                let second = if record.repos.len() == 2 { all.clone() } else { String::new() };
                (all, second)
            }
        },
        Layers::Pairs(pairs) => (join(&mut pairs.iter().map(|[a, _]| *a)), join(&mut pairs.iter().map(|[_, b]| *b))),
        Layers::Words(words) => (words.clone(), String::new()),
    };
    [repo_a, repo_b, layer_a, layer_b]
}

/// One row a published figure.
pub(crate) fn published(critique: &Critique) -> Frame<'_> {
    let row = |figure: &Checked| {
        let record = &figure.record;
        let [repo_a, repo_b, layer_a, layer_b] = places(record);
        let exact = |value: Option<f64>| value.map_or_else(Cell::empty, |value| Cell::number(value, Digits::Exact));
        vec![
            Cell::text(&record.source),
            Cell::text(&record.experiment),
            Cell::text(repo_a),
            Cell::text(repo_b),
            Cell::layer(layer_a),
            Cell::layer(layer_b),
            Cell::code(&record.tensor),
            Cell::code(&record.metric),
            exact(figure.value.as_ref().ok().copied()),
            exact(Some(record.value)),
            exact(figure.difference()),
            exact(Some(record.tolerance)),
            Cell::text(figure.outcome().name()),
            Cell::optional(figure.value.as_ref().err()),
        ]
    };
    Frame::new("published.csv", HEAD, critique.published.iter().map(row))
}
