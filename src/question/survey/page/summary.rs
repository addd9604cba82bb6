//! The answer in short: the strongest pairs, which of them stand apart, and the groups.

use super::{mean, relations};
use crate::{
    metric::{Baseline, Metric, PairMetrics, Undefined},
    model::ModelSummary,
    question::survey::Survey,
    report::{Block, Cell, Column, Datum, Digits, SYNTHETIC, Table},
    table::{GroupFigures, PairTable, pairs_of},
};

/// Lines of each table; the report has all.
const MOST: usize = 12;

/// The summary.
pub(crate) fn summary(survey: &Survey) -> Vec<Block> {
    let mut blocks = Vec::new();
    if survey.models.iter().any(|model| model.synthetic) {
        blocks.push(Block::prose(format!("{SYNTHETIC}.")));
    }
    blocks.extend(pairs(survey));
    blocks.extend(survey.crossings.iter().map(crossed));
    if !survey.panels.is_empty() && survey.models.len() > 1 {
        blocks.extend(apart(survey));
        blocks.extend(groups(survey));
    }
    let notes = notes(survey);
    if !notes.is_empty() {
        blocks.push(Block::prose(notes.join("\n")));
    }
    blocks
}

/// One pair of models: in its only cell, or over the cells of the role in which it departs most.
struct Line {
    models: (usize, usize),
    place: String,
    cells: usize,
    /// Cosine, its null, and Pearson's r.
    means: [Result<f64, Undefined>; 3],
    z: Result<f64, Undefined>,
    strength: f64,
}

const BESIDE: [Metric; 3] = [Metric::CosSim, Metric::CosNull, Metric::Pearson];

impl Line {
    /// Of one cell; `None` where it has no z.
    fn of_cell(models: (usize, usize), place: String, metrics: &PairMetrics) -> Option<Self> {
        let z = metrics.get(Metric::ZPerm).clone();
        let strength = z.as_ref().ok()?.abs();
        Some(Self { models, place, cells: 1, means: BESIDE.map(|metric| metrics.get(metric).clone()), z, strength })
    }

    /// Over the panels of one role, with the z that correlated layers leave; `None` where no cell has a value.
    fn of_role(survey: &Survey, panels: &[PairTable], models @ (a, b): (usize, usize)) -> Option<Self> {
        let place = panels.first()?.key.role_name();
        if let [only] = panels {
            return Self::of_cell(models, only.key.title(), only.metrics(a, b));
        }
        let whole = panels.first()?.key.whole();
        let averages = survey.averages.iter().find(|averages| averages.key == whole)?;
        let at = averages.pairs.binary_search_by_key(&models, |pair| pair.models).ok()?;
        let average = averages.pairs[at].average.as_ref();
        let z = average.map_err(Clone::clone).and_then(|average| average.z.clone());
        let (r, cells) = mean(panels, Metric::Pearson, a, b).ok()?;
        // Without a z, what it would be if all layers were one.
        let free = averages.pairs[at].channels.unwrap_or(1).saturating_sub(1) as f64;
        let strength = z.as_ref().map_or(r.abs() * free.sqrt(), |z| z.abs());
        let means = BESIDE.map(|metric| mean(panels, metric, a, b).map(|(mean, _)| mean));
        Some(Self { models, place, cells, means, z, strength })
    }

    /// The strongest cell of two models whose layers all met.
    fn of_crossing(crossing: &PairTable) -> Option<Self> {
        let columns = crossing.columns();
        let cells = crossing.rows.iter().enumerate().flat_map(|(row, a)| {
            columns.iter().enumerate().filter_map(move |(column, b)| {
                let place = format!("{}, {} and {}", crossing.key.role_name(), a.place_name(), b.place_name());
                Self::of_cell((0, 1), place, crossing.metrics(row, column))
            })
        });
        let strongest = cells.reduce(|best, next| if next.strength > best.strength { next } else { best })?;
        Some(Self { cells: crossing.defined(Metric::ZPerm), ..strongest })
    }
}

/// One line a pair, or a role of two models whose layers all met; the strongest departure first.
fn lines(survey: &Survey) -> Vec<Line> {
    let roles = survey.roles();
    let of_pair = |models| {
        let of_roles = roles.iter().filter_map(|panels| Line::of_role(survey, panels, models));
        of_roles.reduce(|best, next| if next.strength > best.strength { next } else { best })
    };
    let mut lines: Vec<Line> = pairs_of(survey.models.len()).filter_map(of_pair).collect();
    if !survey.crossings.is_empty() {
        lines = survey.crossings.iter().filter_map(Line::of_crossing).collect();
    }
    lines.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    lines
}

fn labels(survey: &Survey, (a, b): (usize, usize)) -> Vec<Cell> {
    [a, b].map(|model| Cell::text(&survey.models[model].label)).to_vec()
}

/// How many cells can be compared, and of how many.
fn extent(survey: &Survey) -> (usize, usize) {
    let tables = || survey.panels.iter().chain(&survey.crossings);
    let defined = tables().map(|table| table.defined(Metric::ZPerm)).sum();
    let crossed: usize = survey.crossings.iter().map(|crossing| crossing.rows.len() * crossing.columns().len()).sum();
    (defined, survey.panels.len() * pairs_of(survey.models.len()).count() + crossed)
}

fn pairs(survey: &Survey) -> Vec<Block> {
    let where_all = match (survey.panels.as_slice(), survey.crossings.as_slice()) {
        ([], []) => "no comparable tensors".to_owned(),
        ([one], _) => one.key.title(),
        ([], _) => "every layer with every layer".to_owned(),
        (several, _) => format!("{} roles and layers", several.len()),
    };
    let models = match survey.models.len() {
        1 => return vec![Block::prose(format!("1 model, {where_all}: nothing to compare it with."))],
        models => format!("{models} models"),
    };
    // Where every line is of one place, the sentence has named it.
    let is_single = survey.panels.len() == 1;
    let (defined, all) = extent(survey);
    let cells = if is_single { "pairs" } else { "cells" };
    let comparable = format!("{models}, {where_all}, {defined} of {all} {cells} comparable.");
    let lines = lines(survey);
    if lines.is_empty() {
        return vec![Block::prose(comparable)];
    }
    let one_role = survey.roles().len() == 1;
    let several = !(is_single || one_role && survey.crossings.is_empty());
    let how = match (is_single, survey.crossings.is_empty()) {
        (true, _) => "",
        (false, false) => ", the strongest cell of each role",
        (false, true) if one_role => ", means over the cells of each pair; z allows for the correlation of layers",
        (false, true) => {
            ", one line a pair: means over its cells in the role in which it departs most; z allows for the correlation of layers"
        }
    };
    let row = |line: &Line| {
        let mut row = labels(survey, line.models);
        row.extend(several.then(|| Cell::text(&line.place)));
        row.extend((!is_single).then(|| Cell::count(line.cells)));
        row.extend(line.means.iter().map(|mean| Cell::number(mean, Digits::Fixed(4))));
        row.push(Cell::number(&line.z, Digits::Fixed(1)));
        row
    };
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(several.then(|| Column::text("where")));
    columns.extend((!is_single).then(|| Column::numeric("cells")));
    columns.extend(["cos_sim", "cos_null", "pearson"].map(Column::numeric));
    columns.push(Column::numeric(if is_single || !survey.crossings.is_empty() { "z_perm" } else { "z" }));
    let rows = lines.iter().take(MOST).map(row).collect();
    vec![
        Block::prose(format!("{comparable}\nStrongest departures from the permutation null{how}:")),
        Block::Table(Table { caption: String::new(), columns, rows }),
    ]
}

fn crossed(crossing: &PairTable) -> Block {
    let best = crossing.best_layers();
    let difference = match crossing.contrast(Metric::Pearson) {
        Some([(_, same), (_, other)]) => {
            format!("mean pearson {:.4} at the same index, {:.4} elsewhere", same.mean, other.mean)
        }
        None => "no pearson on or off the diagonal".to_owned(),
    };
    Block::prose(format!(
        "{}: {difference}; {} of {} layers resemble their own index most (chance: {:.1})",
        crossing.key.role_name(),
        best.own,
        best.possible,
        best.by_chance
    ))
}

fn apart(survey: &Survey) -> Vec<Block> {
    let Some(baseline) = survey.relations.baseline else { return Vec::new() };
    let apart = survey.relations.apart();
    let why = relations::no_population(baseline).map(|why| format!("{why}\n")).unwrap_or_default();
    let [found, none] = relations::verdict(baseline);
    if apart.is_empty() {
        return vec![Block::prose(format!("{why}{none}\n{}", relations::pointer(survey)))];
    }
    let [z, last] = match baseline {
        Baseline::Population => ["robust z", "log10 q"],
        Baseline::FewPairs(_) | Baseline::MedianFar(_) => ["z", "identical"],
    };
    let rows = apart.iter().take(MOST).map(|relation| {
        let of_cells = |cells: usize| Cell::text(format!("{cells} of {}", relation.cells));
        let mut row = labels(survey, relation.models);
        row.extend([
            of_cells(relation.apart),
            Cell::number(relation.mean_r, Digits::Fixed(4)),
            Cell::number(relation.verdict.z, Digits::Fixed(1)),
            if baseline == Baseline::Population { relations::rate(relation) } else { of_cells(relation.identical) },
        ]);
        row
    });
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(["cells", "mean pearson", z, last].map(Column::numeric));
    vec![
        Block::prose(format!("{why}{found}:")),
        Block::Table(Table { caption: String::new(), columns, rows: rows.collect() }),
        Block::prose(relations::pointer(survey)),
    ]
}

/// Named groups, where one look takes them in.
fn groups(survey: &Survey) -> Vec<Block> {
    let named: Vec<&GroupFigures> = survey.groups.iter().filter(|figures| figures.groups.named).collect();
    if named.is_empty() {
        return Vec::new();
    }
    if named.len() > MOST {
        let count = survey.panels.len();
        return vec![Block::prose(format!("Group figures of {count} roles and layers: see groups.csv under -o."))];
    }
    let number = |value: Option<f64>| {
        Cell::number(value.map_or_else(|| Datum::undefined("no pair has one"), Datum::new), Digits::Fixed(4))
    };
    let row = |figures: &&GroupFigures| {
        let (all, unrelated) = (figures.all.as_ref().ok(), figures.unrelated.as_ref().ok());
        vec![
            Cell::text(format!("{} × {}", figures.groups.a, figures.groups.b)),
            Cell::text(figures.metric.name()),
            Cell::text(figures.n.to_string()),
            number(all.map(|all| all.mean)),
            number(figures.null),
            number(all.map(|all| all.sd)),
            Cell::text(figures.n_unrelated.to_string()),
            number(unrelated.map(|unrelated| unrelated.mean)),
            number(figures.null_unrelated),
        ]
    };
    let mut columns = vec![Column::text("groups"), Column::text("metric")];
    columns.extend(["n", "mean", "null", "sd", "n", "mean", "null"].map(Column::numeric));
    vec![
        Block::prose("Groups (the last three columns without the pairs set apart):"),
        Block::Table(Table { caption: String::new(), columns, rows: named.iter().map(row).collect() }),
    ]
}

fn notes(survey: &Survey) -> Vec<String> {
    let note = |(number, model): (usize, &ModelSummary)| {
        let missing = || survey.panels.iter().find_map(|panel| panel.rows[number].side.as_ref().err());
        match &model.failure {
            Some(failure) => Some(format!("{}: not read: {failure}", model.label)),
            None => missing().map(|reason| format!("{}: missing in part: {reason}", model.label)),
        }
    };
    survey.models.iter().enumerate().filter_map(note).collect()
}
