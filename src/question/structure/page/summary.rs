//! The answer: the highest and the lowest cosine of matrices along depth beside their null, then every quantity by role, and
//! what has no number.

use super::{View, figure, mean_null, statistics};
use crate::{
    question::structure::{Quantity, Structure, StructureRow},
    report::{Block, Cell, Column, Digits, number::counted},
};

/// Reasons of one role that are shown: those of many layers are often alike but for a name.
const MOST_REASONS: usize = 3;

/// Modes of scale that are shown of a model.
const MOST_MODES: usize = 2;

/// The summary.
pub(crate) fn summary(structure: &Structure, views: &[View<'_>]) -> Vec<Block> {
    let mut blocks: Vec<Block> = views.iter().filter_map(headline).map(Block::prose).collect();
    let rows: Vec<Vec<Cell>> = views.iter().flat_map(|view| quantities(view, views.len() > 1)).collect();
    if !rows.is_empty() {
        let text: &[&str] = if views.len() > 1 { &["model", "role", "quantity"] } else { &["role", "quantity"] };
        let columns = Column::list(text, &["n", "mean", "min", "max", "null"]);
        let caption = format!("Layer k with layer k + {}, by role and quantity.", structure.stride);
        blocks.push(Block::table(caption, columns, rows));
    }
    blocks.extend(views.iter().flat_map(|view| remarks(structure, view)).map(Block::prose));
    let gaps = gaps(structure);
    if !gaps.is_empty() {
        blocks.push(Block::table("", Column::list(&["model", "not computed (reason)"], &[]), gaps));
    }
    blocks
}

/// The extremes of one model's cosines; `None` where there is none.
fn headline(view: &View<'_>) -> Option<String> {
    let rows = || {
        let rows = view.rows(Quantity::CosSim).filter(|row| row.layer_b.is_some());
        rows.filter_map(|row| Some((row, *row.value.as_ref().ok()?)))
    };
    let most = rows().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let least = rows().reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    let told = |(row, value): (&StructureRow, f64)| {
        let layers =
            [row.layer_a, row.layer_b].map(|layer| layer.map_or_else(|| "–".to_owned(), |layer| layer.to_string()));
        let null = row.null.map_or_else(|| "–".to_owned(), |null| Digits::Fixed(4).format(null));
        format!("{} ({}, layers {} × {}; null {null})", Digits::Fixed(4).format(value), row.role, layers[0], layers[1])
    };
    let pairs = rows().count();
    if pairs == 1 {
        return Some(format!("**{}: the cosine of the only pair of layers is {}.**", view.model.label, told(most)));
    }
    Some(format!(
        "**{}, {pairs} pairs of layers as stored**: the highest cosine is {}, the lowest {}.",
        view.model.label,
        told(most),
        told(least)
    ))
}

/// A line a role and quantity that has a value.
fn quantities(view: &View<'_>, names_model: bool) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    let mut seen: Vec<(&str, Quantity)> = Vec::new();
    let own = || view.structure.rows.iter().filter(|row| row.model == view.number);
    for row in own() {
        let key = (row.role.as_str(), row.quantity);
        if row.quantity == Quantity::ResidualScaled || seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let same: Vec<&StructureRow> = own().filter(|other| (other.role.as_str(), other.quantity) == key).collect();
        let of = statistics(&same);
        if of.n == 0 {
            continue;
        }
        let mut line = if names_model { vec![Cell::text(&view.model.label)] } else { Vec::new() };
        line.extend([Cell::text(&row.role), Cell::text(row.quantity.name()), Cell::count(of.n)]);
        let figures = [figure(&of, |of| of.mean), figure(&of, |of| of.min), figure(&of, |of| of.max), mean_null(&same)];
        line.extend(figures.map(|value| {
            let is_small = value.value().is_none_or(|value| value.abs() < 100.0);
            Cell::number(value, Digits::Fixed(if is_small { 4 } else { 1 }))
        }));
        lines.push(line);
    }
    lines
}

/// Modes of scale, and what restricts alignments.
fn remarks(structure: &Structure, view: &View<'_>) -> Vec<String> {
    let label = &view.model.label;
    let track = structure.scales.iter().find(|track| track.model == view.number);
    let shares = track.iter().flat_map(|track| track.modes.iter().flatten()).take(MOST_MODES);
    let shares: Vec<String> = shares.map(|mode| Digits::Percent(1).format(mode.share)).collect();
    let explain = if shares.len() == 1 { "first mode explains" } else { "first modes explain" };
    let modes = format!("{label}: of the variance of ln norms over layers the {explain} {}.", shares.join(" and "));
    let modes = Some(modes).filter(|_| !shares.is_empty());
    let limits = structure.limits.iter().filter(|(model, ..)| *model == view.number);
    modes.into_iter().chain(limits.map(|(_, gauge, text)| format!("{label}, {gauge}: {text}"))).collect()
}

/// Models and what has only a reason: one line a role and reason, and of many the first.
fn gaps(structure: &Structure) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut gap = |label: &str, text: String| rows.push(vec![Cell::text(label), Cell::text(text)]);
    for model in &structure.models {
        if let Some(failure) = &model.failure {
            gap(&model.label, format!("skipped: {failure}"));
        }
    }
    let mut reasons: Vec<(usize, &str, Vec<String>)> = Vec::new();
    for row in &structure.rows {
        let Err(reason) = &row.value else { continue };
        let reason = reason.to_string();
        let known = reasons.iter_mut().find(|(model, role, _)| (*model, *role) == (row.model, row.role.as_str()));
        match known {
            Some((.., told)) if told.contains(&reason) => {}
            Some((.., told)) => told.push(reason),
            None => reasons.push((row.model, &row.role, vec![reason])),
        }
    }
    for (model, role, told) in reasons {
        let label = &structure.models[model].label;
        told.iter().take(MOST_REASONS).for_each(|reason| gap(label, format!("{role}: {reason}")));
        if told.len() > MOST_REASONS {
            let more = counted(told.len() - MOST_REASONS, "more reason");
            gap(label, format!("{role}: {more}; structure.csv under -o has all"));
        }
    }
    rows
}
