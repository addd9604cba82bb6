//! The answer in short: the strongest pairs, which of them stand apart, and the groups.

use crate::{
    metric::{Metric, PairMetrics},
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

struct Line<'a> {
    models: (usize, usize),
    place: String,
    metrics: &'a PairMetrics,
}

impl Line<'_> {
    fn strength(&self) -> Option<f64> {
        self.metrics.get(Metric::ZPerm).as_ref().ok().map(|z| z.abs())
    }
}

/// Every pair, the strongest departure first.
fn lines(survey: &Survey) -> Vec<Line<'_>> {
    let one_role = survey.roles().len() == 1;
    let place = |panel: &PairTable| match (one_role, panel.key.layer) {
        (true, Some(layer)) => format!("layer {layer}"),
        _ => panel.key.title(),
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    for panel in &survey.panels {
        lines.extend(pairs_of(survey.models.len()).map(|(a, b)| Line {
            models: (a, b),
            place: place(panel),
            metrics: panel.metrics(a, b),
        }));
    }
    for crossing in &survey.crossings {
        for (row, a) in crossing.rows.iter().enumerate() {
            for (column, b) in crossing.columns().iter().enumerate() {
                let layers = format!("{} and {}", a.place_name(), b.place_name());
                let place = match survey.crossings.len() {
                    1 => layers,
                    _ => format!("{}, {layers}", crossing.key.role_name()),
                };
                lines.push(Line { models: (0, 1), place, metrics: crossing.metrics(row, column) });
            }
        }
    }
    let strength = |line: &Line<'_>| line.strength().unwrap_or(f64::NEG_INFINITY);
    lines.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    lines
}

fn labels(survey: &Survey, (a, b): (usize, usize)) -> Vec<Cell> {
    [a, b].map(|model| Cell::text(&survey.models[model].label)).to_vec()
}

fn pairs(survey: &Survey) -> Vec<Block> {
    let lines = lines(survey);
    let defined = lines.iter().filter(|line| line.strength().is_some()).count();
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
    let comparable = format!("{models}, {where_all}, {defined} of {} pairs comparable.", lines.len());
    if defined == 0 {
        return vec![Block::prose(comparable)];
    }
    // Where every line is of one place, the sentence above has named it.
    let several = survey.panels.len() != 1;
    let row = |line: &Line<'_>| {
        let number = |metric, digits| Cell::number(line.metrics.get(metric), Digits::Fixed(digits));
        let mut row = labels(survey, line.models);
        row.extend(several.then(|| Cell::text(&line.place)));
        row.extend([Metric::CosSim, Metric::CosNull, Metric::Pearson].map(|metric| number(metric, 4)));
        row.push(number(Metric::ZPerm, 1));
        row
    };
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(several.then(|| Column::text("where")));
    columns.extend(["cos_sim", "cos_null", "pearson", "z_perm"].map(Column::numeric));
    let rows = lines.iter().take(defined.min(MOST)).map(row).collect();
    vec![
        Block::prose(format!("{comparable}\nStrongest departures from the permutation null:")),
        Block::Table(Table { caption: String::new(), columns, rows }),
    ]
}

fn crossed(crossing: &PairTable) -> Block {
    let best = crossing.best_layers();
    let means = crossing.contrast(Metric::Pearson).map(|both| both.map(|of| of.figures.map_or(f64::NAN, |of| of.mean)));
    let difference = match means {
        Some([same, other]) => format!("mean pearson {same:.4} at the same index, {other:.4} elsewhere"),
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
    let relations = &survey.relations;
    if let Some(reason) = &relations.undefined {
        return vec![Block::prose(format!("No pair can be set apart: {reason}."))];
    }
    let apart = relations.apart();
    if apart.is_empty() {
        return vec![Block::prose("No pair departs from what the other pairs of this survey show.")];
    }
    let rows = apart.iter().take(MOST).map(|relation| {
        let mut row = labels(survey, relation.models);
        row.extend([
            Cell::text(format!("{} of {}", relation.apart, relation.cells)),
            Cell::number(relation.mean_r, Digits::Fixed(4)),
            Cell::number(relation.verdict.robust_z, Digits::Fixed(1)),
            Cell::number(relation.verdict.log10_q, Digits::Fixed(0)),
        ]);
        row
    });
    let mut columns = vec![Column::text("model a"), Column::text("model b")];
    columns.extend(["cells", "mean pearson", "robust z", "log10 q"].map(Column::numeric));
    vec![
        Block::prose("Depart from what the other pairs of this survey show:"),
        Block::Table(Table { caption: String::new(), columns, rows: rows.collect() }),
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
