//! The section of experiment 5: all models at one layer, group means with and without related pairs.

use super::{Writer, average_columns, digits, group_pair, mean, mean_sd, pictures};
use crate::{
    metric::{Baseline, Metric},
    question::critique::{GROUP_METRICS, Pair, RoleAnswer},
    report::{Block, Cell, Datum, Digits, Section, Table},
    table::GroupFigures,
};

/// Experiment 5 of one role.
pub(crate) fn section(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let (layer, n) = (role.lists.all_models.layer.to_string(), writer.labels.len().to_string());
    let cosines: Vec<&GroupFigures> = role.groups.iter().filter(|group| group.metric == Metric::CosSim).collect();
    let means = cosines.iter().map(|group| format!("{} {}", group_pair(group), mean(&group.all)));
    let means = means.collect::<Vec<_>>().join(", ");
    let related = role.related();
    let names = related.iter().map(|&(a, b)| format!("**{} × {}**", writer.label(a), writer.label(b)));
    let names = names.collect::<Vec<_>>().join(", ");
    let empty: Vec<String> = cosines.iter().filter(|group| group.n == 0).map(|g| group_pair(g)).collect();
    let empty = empty.join(", ");
    let figures = [("layer", layer.as_str()), ("n", &n), ("means", &means), ("pairs", &names), ("groups", &empty)];
    let mut blocks = vec![writer.say("exp5", "what", &figures)];
    if !empty.is_empty() || cosines.is_empty() {
        blocks.push(Block::note(writer.prose.fill("exp5", "empty", &figures)));
    }
    blocks.push(writer.picture(pictures::groups(writer, role)));
    blocks.push(group_table(writer, role, &figures));
    blocks.push(writer.picture(pictures::square(writer, role)));
    blocks.push(square_table(writer, role, &figures));
    let known = role.verdicts.each.iter().any(Result::is_ok);
    let verdict = match (known, related.is_empty()) {
        (true, false) => "related",
        (true, true) => "unrelated",
        (false, _) => "unknown",
    };
    match role.verdicts.baseline {
        Baseline::Population => {}
        Baseline::FewPairs(_) => blocks.push(writer.say("exp5", "few_pairs", &figures)),
        Baseline::MedianFar(_) => blocks.push(writer.say("exp5", "median_far", &figures)),
    }
    blocks.push(writer.say("exp5", verdict, &figures));
    blocks.push(writer.say("exp5", "shows", &figures));
    writer.section(role, "exp5", &figures, blocks)
}

fn group_table(writer: &Writer<'_>, role: &RoleAnswer, figures: &[(&str, &str)]) -> Block {
    let groups = role.groups.chunks(GROUP_METRICS.len());
    let rows = groups.filter_map(|of_pair| {
        let first = of_pair.first()?;
        let mut row = vec![Cell::text(group_pair(first)), Cell::count(first.n), Cell::count(first.left_out.len())];
        row.extend(of_pair.iter().flat_map(|group| mean_sd(&group.all, digits(group.metric))));
        row.push(Cell::count(first.n_unrelated));
        row.extend(mean_sd(&first.unrelated, digits(first.metric)));
        Some(row)
    });
    let mut columns = writer.text_columns(&["groups"]);
    columns.extend(writer.numeric_columns(&["n", "missing"]));
    columns.extend(average_columns(writer));
    columns.extend(writer.numeric_columns(&["unrelated_n", "unrelated_mean", "unrelated_sd"]));
    Block::Table(Table { caption: writer.prose.fill("exp5", "caption", figures), columns, rows: rows.collect() })
}

fn square_table(writer: &Writer<'_>, role: &RoleAnswer, figures: &[(&str, &str)]) -> Block {
    // Of pairs as strong, the order of the models stays.
    let mut pairs: Vec<_> = role.lists.all_models.pairs.iter().zip(&role.verdicts.each).collect();
    let strength = |&(a, b): &Pair| role.table.get(a, b, Metric::Pearson).map_or(-1.0, f64::abs);
    pairs.sort_by(|(a, _), (b, _)| strength(b).total_cmp(&strength(a)));
    let rows = pairs.into_iter().map(|(&pair, verdict)| {
        let mut row = writer.pair_cells(role, pair);
        let robust = Datum::from(verdict.clone().and_then(|verdict| verdict.value()));
        row.push(Cell::number(robust, Digits::Fixed(1)));
        let related = verdict.as_ref().is_ok_and(|verdict| verdict.related);
        row.push(Cell::text(writer.prose.word(if related { "yes" } else { "no" })));
        row
    });
    let mut columns = writer.pair_columns();
    let is_population = role.verdicts.baseline == Baseline::Population;
    columns.extend(writer.numeric_columns(&[if is_population { "robust_z" } else { "z_null" }]));
    columns.extend(writer.text_columns(&["related"]));
    Block::Table(Table { caption: writer.prose.fill("exp5", "pairs", figures), columns, rows: rows.collect() })
}
