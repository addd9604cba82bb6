//! A survey on a terminal: the strongest pairs, which of them stand apart, and the groups.

use std::fmt::Write;

use hub_audit::{
    metric::{Metric, PairMetrics},
    question::survey::Survey,
    table::{GroupFigures, PairTable, pairs_of},
};

use super::table;

/// Lines of each table; the report has all.
const MOST: usize = 12;

struct Line<'a> {
    row: usize,
    column: usize,
    place: String,
    metrics: &'a PairMetrics,
}

impl Line<'_> {
    fn strength(&self) -> Option<f64> {
        self.metrics.get(Metric::ZPerm).as_ref().ok().map(|z| z.abs())
    }

    fn number(&self, metric: Metric, digits: usize) -> String {
        let value = self.metrics.get(metric).as_ref();
        value.map_or_else(|_| "–".to_owned(), |value| format!("{value:.digits$}"))
    }
}

/// What is printed.
pub(super) fn text(survey: &Survey) -> String {
    let mut text = String::new();
    if survey.models.iter().any(|model| model.synthetic) {
        text.push_str("Synthetic replica, not the real weights.\n\n");
    }
    text.push_str(&pairs(survey));
    for crossing in &survey.crossings {
        text.push_str(&table::prose(&crossed(crossing)));
    }
    if !survey.panels.is_empty() && survey.models.len() > 1 {
        text.push_str(&apart(survey));
        text.push_str(&groups(survey));
    }
    let notes = notes(survey);
    if !notes.is_empty() {
        text.push('\n');
        text.push_str(&table::prose(&notes));
    }
    text
}

fn lines(survey: &Survey) -> Vec<Line<'_>> {
    let one_role = survey.roles().len() == 1;
    let place = |panel: &PairTable| match (one_role, panel.key.layer) {
        (true, Some(layer)) => format!("layer {layer}"),
        _ => panel.key.title(),
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    for panel in &survey.panels {
        lines.extend(pairs_of(survey.models.len()).map(|(row, column)| Line {
            row,
            column,
            place: place(panel),
            metrics: panel.metrics(row, column),
        }));
    }
    for crossing in &survey.crossings {
        for (row, a) in crossing.rows.iter().enumerate() {
            for (column, b) in crossing.columns().iter().enumerate() {
                let layers = format!("{} and {}", a.place_name(), b.place_name());
                lines.push(Line {
                    row: 0,
                    column: 1,
                    place: match survey.crossings.len() {
                        1 => layers,
                        _ => format!("{}, {layers}", crossing.key.role_name()),
                    },
                    metrics: crossing.metrics(row, column),
                });
            }
        }
    }
    lines.sort_by(|a, b| {
        let strength = |line: &Line<'_>| line.strength().unwrap_or(f64::NEG_INFINITY);
        strength(b).total_cmp(&strength(a))
    });
    lines
}

fn pairs(survey: &Survey) -> String {
    let lines = lines(survey);
    let defined = lines.iter().filter(|line| line.strength().is_some()).count();
    let several = survey.panels.len() != 1;
    let where_all = match (survey.panels.as_slice(), survey.crossings.as_slice()) {
        ([], []) => "no comparable tensors".to_owned(),
        ([one], _) => one.key.title(),
        ([], _) => "every layer with every layer".to_owned(),
        (several, _) => format!("{} roles and layers", several.len()),
    };
    let models = table::count(survey.models.len() as u64, "model");
    if survey.models.len() == 1 {
        return format!("{models}, {where_all}: nothing to compare it with.\n");
    }
    let mut text = format!("{models}, {where_all}, {defined} of {} pairs comparable.", lines.len());
    if defined == 0 {
        return text + "\n";
    }
    text.push_str("\nStrongest departures from the permutation null:\n\n");
    let mut headings = vec!["model a", "model b"];
    if several {
        headings.push("where");
    }
    headings.extend([">cos_sim", ">cos_null", ">pearson", ">z_perm"]);
    let mut table = table::new(&headings);
    for line in lines.iter().filter(|line| line.strength().is_some()).take(MOST) {
        let mut row = vec![survey.models[line.row].label.clone(), survey.models[line.column].label.clone()];
        if several {
            row.push(line.place.clone());
        }
        row.extend([
            line.number(Metric::CosSim, 4),
            line.number(Metric::CosNull, 4),
            line.number(Metric::Pearson, 4),
            line.number(Metric::ZPerm, 1),
        ]);
        table.add_row(row);
    }
    text.push_str(&table::text(&table));
    text
}

fn crossed(crossing: &PairTable) -> String {
    let best = crossing.best_layers();
    let means = crossing.contrast(Metric::Pearson).map(|both| both.map(|of| of.figures.map_or(f64::NAN, |of| of.mean)));
    let difference = match means {
        Some([same, other]) => format!("mean pearson {same:.4} at the same index, {other:.4} elsewhere"),
        None => "no pearson on or off the diagonal".to_owned(),
    };
    format!(
        "\n{}: {difference}; {} of {} layers resemble their own index most (chance: {:.1})\n",
        crossing.key.role_name(),
        best.own,
        best.possible,
        best.by_chance
    )
}

fn apart(survey: &Survey) -> String {
    let relations = &survey.relations;
    if let Some(reason) = &relations.undefined {
        return table::prose(&format!("\nNo pair can be set apart: {reason}.\n"));
    }
    let apart = relations.apart();
    if apart.is_empty() {
        return "\nNo pair departs from what the other pairs of this survey show.\n".to_owned();
    }
    let mut text = "\nDepart from what the other pairs of this survey show:\n\n".to_owned();
    let mut table = table::new(&["model a", "model b", ">cells", ">mean pearson", ">robust z", ">log10 q"]);
    for relation in apart.iter().take(MOST) {
        table.add_row([
            survey.models[relation.models.0].label.clone(),
            survey.models[relation.models.1].label.clone(),
            format!("{} of {}", relation.apart, relation.cells),
            format!("{:.4}", relation.mean_r),
            format!("{:.1}", relation.verdict.robust_z),
            format!("{:.0}", relation.verdict.log10_q),
        ]);
    }
    text.push_str(&table::text(&table));
    text
}

/// Named groups, where one look takes them in.
fn groups(survey: &Survey) -> String {
    let named: Vec<&GroupFigures> = survey.groups.iter().filter(|figures| figures.groups.named).collect();
    if named.is_empty() {
        return String::new();
    }
    if named.len() > MOST {
        return format!("\nGroup figures of {} roles and layers: see groups.csv under -o.\n", survey.panels.len());
    }
    let mut text = "\nGroups (the last three columns without the pairs set apart):\n\n".to_owned();
    let mut table = table::new(&["groups", "metric", ">n", ">mean", ">null", ">sd", ">n", ">mean", ">null"]);
    for figures in named {
        let all = figures.all.as_ref();
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        table.add_row([
            format!("{} × {}", figures.groups.a, figures.groups.b),
            figures.metric.name().to_owned(),
            figures.n.to_string(),
            number(all.ok().map(|all| all.mean)),
            number(figures.null),
            number(all.ok().map(|all| all.sd)),
            figures.n_unrelated.to_string(),
            number(figures.unrelated.as_ref().ok().map(|unrelated| unrelated.mean)),
            number(figures.null_unrelated),
        ]);
    }
    text.push_str(&table::text(&table));
    text
}

fn notes(survey: &Survey) -> String {
    let mut notes = String::new();
    for (number, model) in survey.models.iter().enumerate() {
        let missing = survey.panels.iter().find_map(|panel| panel.rows[number].side.as_ref().err());
        // Writing to a string cannot fail.
        let _ = match (&model.failure, missing) {
            (Some(failure), _) => writeln!(notes, "{}: not read: {failure}", model.label),
            (None, Some(reason)) => writeln!(notes, "{}: missing in part: {reason}", model.label),
            (None, None) => Ok(()),
        };
    }
    notes
}
