//! The section of experiment 5: all models at one layer, group means with and without related pairs.

use super::{Figures, Writer, average_columns, digits, group_pair, joined, mean, mean_sd, pictures};
use crate::{
    metric::{Baseline, Metric},
    question::critique::{GROUP_METRICS, Pair, RoleAnswer},
    report::{Block, Cell, Datum, Digits, Section},
    table::GroupFigures,
};

/// Experiment 5 of one role.
pub(crate) fn section(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let cosines: Vec<&GroupFigures> = role.groups.iter().filter(|group| group.metric == Metric::CosSim).collect();
    let means = cosines.iter().map(|group| format!("{} {}", group_pair(group), mean(&group.all)));
    let names = role.related().into_iter();
    let names = names.map(|(a, b)| format!("**{} × {}**", writer.label(a), writer.label(b)));
    let empty = joined(cosines.iter().filter(|group| group.n == 0).map(|group| group_pair(group)));
    let figures: Figures<'_> = &[
        ("layer", &role.lists.all_models.layer),
        ("n", &writer.labels.len()),
        ("means", &joined(means)),
        ("pairs", &joined(names)),
        ("groups", &empty),
    ];
    let mut blocks = vec![writer.say("exp5", "what", figures)];
    if !empty.is_empty() || cosines.is_empty() {
        blocks.push(Block::note(writer.prose.fill("exp5", "empty", figures)));
    }
    blocks.push(writer.picture(pictures::groups(writer, role)));
    blocks.push(group_table(writer, role, figures));
    blocks.push(writer.picture(pictures::square(writer, role)));
    blocks.push(square_table(writer, role, figures));
    blocks.extend(Writer::against(role).map(|against| writer.say("exp5", against, figures)));
    blocks.push(writer.say("exp5", Writer::verdict(role), figures));
    blocks.push(writer.say("exp5", "shows", figures));
    writer.section(role, "exp5", figures, blocks)
}

fn group_table(writer: &Writer<'_>, role: &RoleAnswer, figures: Figures<'_>) -> Block {
    let groups = role.groups.chunks(GROUP_METRICS.len());
    let rows = groups.filter_map(|of_pair| {
        let first = of_pair.first()?;
        let mut row = vec![Cell::text(group_pair(first)), Cell::count(first.n), Cell::count(first.left_out)];
        row.extend(of_pair.iter().flat_map(|group| mean_sd(&group.all, digits(group.metric))));
        row.push(Cell::count(first.n_unrelated));
        row.extend(mean_sd(&first.unrelated, digits(first.metric)));
        Some(row)
    });
    let mut columns = writer.columns(&["groups"], &["n", "missing"]);
    columns.extend(average_columns(writer));
    columns.extend(writer.columns(&[], &["unrelated_n", "unrelated_mean", "unrelated_sd"]));
    Block::table(writer.prose.fill("exp5", "caption", figures), columns, rows)
}

fn square_table(writer: &Writer<'_>, role: &RoleAnswer, figures: Figures<'_>) -> Block {
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
    let z = if role.verdicts.baseline == Baseline::Population { "robust_z" } else { "z_null" };
    let columns = [writer.pair_columns(), writer.columns(&[], &[z]), writer.columns(&["related"], &[])].concat();
    Block::table(writer.prose.fill("exp5", "pairs", figures), columns, rows)
}
