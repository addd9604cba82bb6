//! The answer: how alike neighbouring layers are, the most and the least, beside their null; then every way of pairing layers.

use super::{Named, by_reason, listed};
use crate::{
    metric::Metric,
    question::layers::Layers,
    report::{Block, Cell, Column, Digits, number::counted},
    table::{Entry, PairTable},
};

/// The summary.
pub(crate) fn summary(layers: &Layers, named: &[Named<'_>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    blocks.extend(headline(named).map(Block::prose));
    blocks.extend((!named.is_empty()).then(|| means(named)));
    let gaps = gaps(layers);
    if !gaps.is_empty() {
        blocks.push(Block::table("", Column::list(&["model", "excluded from means (reason)"], &[]), gaps));
    }
    blocks
}

/// `layers 12 × 13 (r 0.9512, cos 0.9912, null 0.9213)`, with model and role where there are several.
fn told((named, (a, b), r): (&Named<'_>, (usize, usize), f64), is_only: bool) -> String {
    let table = named.table;
    let fixed = |value: f64| Digits::Fixed(4).format(value);
    let number = |metric| table.get(a, b, metric).map_or_else(|_| "–".to_owned(), fixed);
    let of = if is_only { String::new() } else { format!("{}, {}, ", named.model.label, named.role) };
    format!(
        "{of}layers {} × {} (r {}, cos {}, null {})",
        table.rows[a].place_name(),
        table.rows[b].place_name(),
        fixed(r),
        number(Metric::CosSim),
        number(Metric::CosNull)
    )
}

/// The most and the least alike of neighbouring layers, or of all pairs where no two are neighbours; `None` without r.
fn headline(named: &[Named<'_>]) -> Option<String> {
    let of = |pairs: fn(&PairTable) -> Vec<(usize, usize)>| {
        let extremes = named.iter().flat_map(|named| {
            let r = move |(a, b)| Some((named, (a, b), named.table.get(a, b, Metric::Pearson).ok()?));
            pairs(named.table).into_iter().filter_map(r)
        });
        extremes.collect::<Vec<_>>()
    };
    let neighbours = of(PairTable::adjacent);
    let count = |pairs: fn(&PairTable) -> Vec<(usize, usize)>| {
        named.iter().map(|named| pairs(named.table).len()).sum::<usize>()
    };
    let (what, pairs, all) = if neighbours.is_empty() {
        ("of layers", of(PairTable::layer_pairs), count(PairTable::layer_pairs))
    } else {
        ("of neighbouring layers", neighbours, count(PairTable::adjacent))
    };
    let most = *pairs.iter().reduce(|best, next| if next.2 > best.2 { next } else { best })?;
    let least = *pairs.iter().reduce(|best, next| if next.2 < best.2 { next } else { best })?;
    let is_only = named.len() == 1;
    let of = match named {
        [one] => format!(" of {}, {}", one.model.label, one.role),
        _ => String::new(),
    };
    if pairs.len() == 1 {
        return Some(format!("**The only pair {what}{of}**: {}.", told(most, is_only)));
    }
    let mean = pairs.iter().map(|(.., r)| r).sum::<f64>() / pairs.len() as f64;
    let without = if all > pairs.len() { format!(" of {all}") } else { String::new() };
    Some(format!(
        "**{}{without} pairs {what}{of}: mean r {mean:.4}**; most alike {}, least alike {}.",
        pairs.len(),
        told(most, is_only),
        told(least, is_only)
    ))
}

/// Each way of pairing layers of one model.
fn means(named: &[Named<'_>]) -> Block {
    let several = named.iter().any(|other| other.role != named[0].role);
    let rows = named.iter().flat_map(|named| {
        let table = named.table;
        let kinds =
            [("0 × later", table.baseline()), ("adjacent", table.adjacent()), ("all pairs", table.layer_pairs())];
        kinds.into_iter().map(move |(kind, pairs)| {
            let mean = |metric| Cell::number(super::mean(&table.stats(metric, &pairs)), Digits::Fixed(4));
            let n = |metric| Cell::count(table.stats(metric, &pairs).n);
            let mut row = vec![Cell::text(&named.model.label)];
            row.extend(several.then(|| Cell::text(&named.role)));
            row.push(Cell::text(kind));
            row.extend([n(Metric::CosSim), mean(Metric::CosSim), mean(Metric::CosNull)]);
            row.extend([n(Metric::Pearson), mean(Metric::Pearson)]);
            row
        })
    });
    let text: &[&str] = if several { &["model", "role", "layers"] } else { &["model", "layers"] };
    let role = if several { String::new() } else { format!(", {}", named[0].role) };
    Block::table(
        format!("Means over pairs of layers of one model{role}."),
        Column::list(text, &["n", "cos_sim", "cos_null", "n", "pearson"]),
        rows,
    )
}

/// Models and what is not in their means, and why.
fn gaps(layers: &Layers) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut gap = |model: usize, text: String| {
        rows.push(vec![Cell::text(&layers.models[model].label), Cell::text(text)]);
    };
    for (number, model) in layers.models.iter().enumerate() {
        if let Some(failure) = &model.failure {
            gap(number, format!("skipped: {failure}"));
        }
    }
    for (model, key, reason) in &layers.absent {
        let role = key.map_or_else(String::new, |key| format!("{}: ", key.role_name()));
        gap(*model, format!("{role}{reason}"));
    }
    for (model, exclusion) in layers.excluded.iter().filter(|(_, exclusion)| exclusion.is_fault) {
        gap(*model, format!("{}: {}", exclusion.tensor, exclusion.reason));
    }
    for table in &layers.tables {
        let role = table.key.role_name();
        let missing = table.missing().count();
        if let Some((place, reason)) = table.missing().next() {
            let missing = counted(missing, "layer");
            gap(table.model(), format!("{role}: {missing} without a tensor, first {place}: {reason}"));
        }
        for (reason, places) in by_reason(table.without_numbers()) {
            gap(table.model(), format!("{role}: {}: {reason}", listed(&places)));
        }
        if let Some(blocks) = blocks(table) {
            gap(table.model(), format!("{role}: {blocks}"));
        }
    }
    rows
}

/// What is no layer and in the matrices only.
fn blocks(table: &PairTable) -> Option<String> {
    let blocks = || table.rows.iter().filter(|row| row.is_mtp());
    let names: Vec<String> = blocks().map(Entry::place_name).collect();
    let is_past = blocks().any(|row| row.place.is_some_and(|place| place.is_past));
    let what = if is_past { "past the last layer" } else { "a multi-token-prediction block" };
    (!names.is_empty()).then(|| format!("{} is {what}: shown in the matrix, excluded from means", names.join(", ")))
}
