//! The section on groups: means within and between, with and without flagged pairs.

use std::collections::BTreeMap;

use super::{MOST_PICTURED, digits};
use crate::{
    metric::{MeanSd, Metric, Undefined},
    question::survey::Survey,
    report::{Block, Cell, Column, Datum, Frame, Section, csv::GROUPS},
    table::{GroupFigures, PairTable, empty_groups},
};

/// The section; `None` where nothing was compared.
pub(crate) fn section(survey: &Survey) -> Option<Section> {
    if survey.groups.is_empty() {
        return None;
    }
    let mut blocks = Vec::new();
    for (role, a, b) in empty_groups(&survey.groups, &survey.tables) {
        blocks.push(Block::note(format!(
            "**{a} × {b}, {role}: no comparable tensors.** There is no mean, and nothing follows from this pair of groups."
        )));
    }
    let roles = survey.roles();
    if roles.iter().all(|tables| tables.len() <= MOST_PICTURED) {
        blocks.push(by_layer(survey));
    } else {
        blocks.extend(roles.iter().map(|tables| over_layers(survey, tables)));
    }
    blocks.extend(left_out(survey));
    let outside = survey.models.iter().filter(|model| model.group.is_none());
    let outside: Vec<&str> = outside.map(|model| model.label.as_str()).collect();
    if !outside.is_empty() && outside.len() < survey.models.len() {
        blocks.push(Block::prose(format!("In no group, and in no figure here: {}.", outside.join(", "))));
    }
    Some(Section::new("groups", "Groups", blocks))
}

/// Pairs without a value that are named for each reason.
const MOST_LISTED: usize = 8;

const EXPLAINED: &str = "Mean and standard deviation (ddof 0) over the `n` pairs of models that have a value; in the last four \
                         columns without flagged pairs. Beside a mean cosine stands its null: what unrelated models would give. A pair counts once, with the first-named model as reference.";

/// `groups.csv`; pages show both groups in one column and say where.
pub(crate) fn frame(survey: &Survey) -> Frame<'_> {
    let row = move |figures: &GroupFigures| {
        let key = &survey.tables[figures.table].key;
        let [n, mean, null, sd] = numbers(figures, figures.n, &figures.all, figures.null);
        let [n_unrelated, mean_unrelated, null_unrelated, sd_unrelated] =
            numbers(figures, figures.n_unrelated, &figures.unrelated, figures.null_unrelated);
        vec![
            Cell::text(&figures.groups.a),
            Cell::text(&figures.groups.b),
            Cell::text(key.role_name()),
            Cell::layer(key.layer_name()),
            Cell::code(figures.metric.name()),
            n,
            mean,
            sd,
            n_unrelated,
            mean_unrelated,
            sd_unrelated,
            null,
            null_unrelated,
            Cell::text(names(figures)),
            Cell::text(key.title()),
        ]
    };
    Frame::new("groups.csv", GROUPS, survey.groups.iter().map(row)).with_page_columns(&["groups", "where"])
}

fn by_layer(survey: &Survey) -> Block {
    let columns = [
        ("groups", Column::text("groups")),
        ("where", Column::text("where")),
        ("metric", Column::text("metric")),
        ("n", Column::numeric("n")),
        ("mean", Column::numeric("mean")),
        ("mean_null", Column::numeric("null")),
        ("sd", Column::numeric("sd")),
        ("n_unrelated", Column::numeric("n without flagged pairs")),
        ("mean_unrelated", Column::numeric("mean")),
        ("mean_null_unrelated", Column::numeric("null")),
        ("sd_unrelated", Column::numeric("sd")),
    ];
    let caption = format!("Pairs within and between groups. {EXPLAINED}");
    Block::Table(frame(survey).page(caption, columns, survey.groups.len()))
}

/// With many layers, the mean of the layers' means; `groups.csv` has every layer.
fn over_layers(survey: &Survey, tables: &[PairTable]) -> Block {
    let Some(role) = tables.first().map(|table| table.key.whole()) else {
        return Block::prose("");
    };
    let mut seen: Vec<(&GroupFigures, Vec<&GroupFigures>)> = Vec::new();
    let of_role = survey.groups.iter().filter(|figures| survey.tables[figures.table].key.whole() == role);
    for figures in of_role {
        let same = |known: &GroupFigures| known.groups == figures.groups && known.metric == figures.metric;
        match seen.iter_mut().find(|(known, _)| same(known)) {
            Some((_, all)) => all.push(figures),
            None => seen.push((figures, vec![figures])),
        }
    }
    let rows = seen.iter().map(|(first, all)| {
        let mut row = vec![
            Cell::text(names(first)),
            Cell::code(first.metric.name()),
            Cell::count(all.iter().filter(|figures| figures.n > 0).count()),
        ];
        row.extend(pooled(first, all, |figures| (figures.n, &figures.all, figures.null)));
        row.extend(pooled(first, all, |figures| (figures.n_unrelated, &figures.unrelated, figures.null_unrelated)));
        row
    });
    let figures = ["n", "mean", "null", "sd", "n without flagged pairs", "mean", "null", "sd"];
    let caption = format!(
        "Pairs within and between groups, {}: mean over layers of the mean over pairs, its standard deviation over layers \
         (ddof 0), and the most pairs that a layer has. `groups.csv` has every layer.",
        role.role_name()
    );
    Block::table(caption, Column::list(&["groups", "metric", "layers"], &figures), rows)
}

fn pooled<'a>(
    first: &GroupFigures,
    all: &[&'a GroupFigures],
    figure: impl Fn(&'a GroupFigures) -> (usize, &'a Result<MeanSd, Undefined>, Option<f64>),
) -> [Cell; 4] {
    let most = all.iter().map(|figures| figure(figures).0).max().unwrap_or(0);
    let means: Vec<f64> = all.iter().filter_map(|figures| Some(figure(figures).1.as_ref().ok()?.mean)).collect();
    let reason = || match figure(all[0]).1 {
        Err(reason) => reason.clone(),
        Ok(_) => Undefined::TooFew,
    };
    let nulls: Vec<f64> = all.iter().filter_map(|figures| figure(figures).2).collect();
    let null = MeanSd::of(&nulls).map(|of| of.mean);
    numbers(first, most, &MeanSd::of(&means).ok_or_else(reason), null)
}

fn names(figures: &GroupFigures) -> String {
    let groups = &figures.groups;
    if groups.a == groups.b { format!("within {}", groups.a) } else { format!("{} × {}", groups.a, groups.b) }
}

fn numbers(figures: &GroupFigures, n: usize, of: &Result<MeanSd, Undefined>, null: Option<f64>) -> [Cell; 4] {
    let digits = digits(figures.metric);
    let null = match null {
        Some(null) => Cell::number(null, digits),
        None if figures.metric == Metric::CosSim => Cell::undefined("no pair has one"),
        None => Cell::text(""),
    };
    let number =
        |value: fn(&MeanSd) -> f64| Cell::number(Datum::from(of.as_ref().map(value).map_err(Clone::clone)), digits);
    [Cell::count(n), number(|of| of.mean), null, number(|of| of.sd)]
}

/// Pairs of two groups that have no value for one reason: which of them are already counted, and the first few.
struct LeftOut {
    is_counted: Vec<bool>,
    count: usize,
    first: Vec<(usize, usize)>,
}

/// Pairs without a value, by reason: a number of pairs never shrinks in silence.
fn left_out(survey: &Survey) -> Option<Block> {
    let mut reasons: BTreeMap<(String, String), LeftOut> = BTreeMap::new();
    for figures in survey.groups.iter().filter(|figures| figures.left_out > 0) {
        let (table, pairs) = (&survey.tables[figures.table], &figures.groups.pairs);
        for (place, &(a, b)) in pairs.iter().enumerate() {
            let Err(reason) = table.metric(a, b, figures.metric) else { continue };
            let left_out = reasons.entry((names(figures), reason.to_string())).or_insert_with(|| LeftOut {
                is_counted: vec![false; pairs.len()],
                count: 0,
                first: Vec::new(),
            });
            if !std::mem::replace(&mut left_out.is_counted[place], true) {
                left_out.count += 1;
                left_out.first.extend((left_out.first.len() < MOST_LISTED).then_some((a, b)));
            }
        }
    }
    if reasons.is_empty() {
        return None;
    }
    let label = |model: usize| survey.models[model].label.as_str();
    let rows = reasons.into_iter().map(|((groups, reason), LeftOut { count, first, .. })| {
        let listed: Vec<String> = first.iter().map(|&(a, b)| format!("{} × {}", label(a), label(b))).collect();
        let more = if count > MOST_LISTED { ", …" } else { "" };
        vec![
            Cell::text(groups),
            Cell::count(count),
            Cell::text(format!("{}{more}", listed.join(", "))),
            Cell::text(reason),
        ]
    });
    let columns = [Column::list(&["groups"], &["pairs"]), Column::list(&["which", "reason"], &[])].concat();
    let caption = "Pairs that are missing from a group's figures in at least one layer, and why.";
    Some(Block::table(caption, columns, rows))
}
