//! The section of published figures, and `published.csv`.

use super::{Figures, Writer};
use crate::{
    question::critique::{Checked, Critique, Layers, Outcome, Record},
    report::{Block, Cell, Digits, Frame, Section},
};

/// Columns of `published.csv`.
const HEAD: &str =
    "source experiment repo_a repo_b layer_a layer_b tensor metric value published difference tolerance match reason";

/// What the published figures come to. Figures that were not checked are counted, with the reason in `published.csv`.
pub(crate) fn section(writer: &Writer<'_>) -> Section {
    let critique = writer.critique;
    let checked: Vec<&Checked> = critique.published.iter().filter(|figure| figure.value.is_ok()).collect();
    let words: Figures<'_> = &[
        ("n", &critique.published.len()),
        ("checked", &checked.len()),
        ("match", &critique.count(Outcome::Match)),
        ("mismatch", &critique.count(Outcome::Mismatch)),
    ];
    let mut blocks = Vec::new();
    if critique.is_synthetic() {
        blocks.push(Block::note(writer.prose.fill("published", "nothing", words)));
    } else {
        blocks.push(writer.say("published", "what", words));
        if checked.is_empty() {
            blocks.push(writer.say("published", "none", &[]));
        } else {
            blocks.extend([summary(writer), table(writer, &checked)]);
        }
        blocks.extend(writer.more());
    }
    Section::new("published", writer.prose.text("published", "title"), blocks)
}

/// Counts by source and part, in the order of the file.
fn summary(writer: &Writer<'_>) -> Block {
    let mut counts: Vec<(&str, &str, [usize; Outcome::ALL.len()])> = Vec::new();
    for figure in &writer.critique.published {
        let (source, part) = (figure.record.source.as_str(), figure.record.experiment.as_str());
        let place = figure.outcome() as usize;
        let known = counts.iter().position(|(s, p, _)| *s == source && *p == part);
        let at = known.unwrap_or_else(|| {
            counts.push((source, part, [0; Outcome::ALL.len()]));
            counts.len() - 1
        });
        counts[at].2[place] += 1;
    }
    let rows = counts.into_iter().map(|(source, part, counts)| {
        let all = counts.iter().sum();
        let counts = [all].into_iter().chain(counts).map(Cell::count);
        [Cell::text(source), Cell::text(part)].into_iter().chain(counts).collect()
    });
    let columns = writer.columns(&["source", "part"], &["records", "match", "mismatch", "unchecked"]);
    Block::table(writer.prose.text("published", "summary"), columns, rows)
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
    let mut columns = writer.columns(
        &["source", "model_a", "layer_a", "model_b", "layer_b", "tensor", "metric"],
        &["value", "published", "difference", "tolerance"],
    );
    columns.extend(writer.columns(&["outcome"], &[]));
    Block::table(writer.prose.text("published", "caption"), columns, rows)
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
        let exact = |value: Option<f64>| Cell::number_or_empty(value, Digits::Exact);
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
    Frame::new("published.csv", HEAD.split(' '), critique.published.iter().map(row))
}
