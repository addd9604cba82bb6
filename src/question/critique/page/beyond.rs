//! Sections of what the study lacked: every layer, and relative depth.

use super::{Figures, Writer, average_cells, average_columns, figure, joined, pictures};
use crate::{
    metric::Metric,
    question::critique::RoleAnswer,
    report::{Block, Cell, Column, Datum, Digits, Section},
};

/// What stands beside the six experiments, for one role.
pub(crate) fn sections(writer: &Writer<'_>, role: &RoleAnswer) -> Vec<Section> {
    let summary = vec![
        writer.say("summary", "what", &[]),
        writer.picture(pictures::summary(writer, role)),
        writer.say("summary", "shows", &[]),
    ];
    let mut sections = vec![writer.section(role, "summary", &[], summary)];
    if writer.labels.len() > 1 {
        sections.push(by_layer(writer, role));
    }
    if !role.lists.same_depth.is_empty() {
        sections.push(same_depth(writer, role));
    }
    sections
}

fn by_layer(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let pairs = &role.lists.by_layer;
    let list: Vec<u32> = pairs.iter().map(|pair| role.table.number(pair.0)).collect();
    let list = match list.as_slice() {
        [] => writer.prose.word("none"),
        // Every layer of a deep model would be a line of numbers that says nothing.
        [first, .., last] if list.len() > 16 => format!("{first} … {last}"),
        _ => joined(&list),
    };
    let figures: Figures<'_> =
        &[("a", &writer.label(0)), ("b", &writer.label(1)), ("n", &pairs.len()), ("list", &list)];
    let average = match &role.average {
        Ok(average) => {
            let figures: Figures<'_> = &[
                ("n", &average.layers.len()),
                ("r", &figure(Some(average.mean_r), Digits::Fixed(6))),
                ("naive", &figure(Some(average.naive_z), Digits::Fixed(2))),
                ("z", &figure(average.z.as_ref().ok().copied(), Digits::Fixed(2))),
                ("reason", &average.z.as_ref().err().map(ToString::to_string).unwrap_or_default()),
            ];
            writer.say("layers", if average.z.is_ok() { "average" } else { "average_undefined" }, figures)
        }
        Err(reason) => writer.say("layers", "none", &[("reason", reason)]),
    };
    let mut blocks = vec![writer.say("layers", "what", figures)];
    if !pairs.is_empty() {
        blocks.push(writer.picture(pictures::by_layer(writer, role)));
        blocks.push(writer.pair_table(role, writer.prose.fill("layers", "caption", figures), pairs));
    }
    blocks.extend([average, writer.say("layers", "shows", figures)]);
    writer.section(role, "layers", figures, blocks)
}

fn same_depth(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let lists = &role.lists;
    let layers = joined(lists.same_depth.iter().map(|depth| depth.layer));
    let figures: Figures<'_> = &[("group", &writer.first_group()), ("layers", &layers)];
    let rows = lists.same_depth.iter().map(|depth| {
        let place = |&row: &usize| format!("{} {}", writer.label(role.table.rows[row].model), role.table.number(row));
        let mut row = vec![
            Cell::number(f64::from(depth.layer.0), Digits::Integer),
            Cell::text(joined(depth.rows.iter().map(place))),
            Cell::count(role.table.stats(Metric::CosSim, &depth.pairs).n),
        ];
        row.extend(average_cells(role, &depth.pairs));
        let same_index = lists.depths.iter().find(|at| at.layer == depth.layer);
        let mean = |pairs| Datum::from(role.mean_sd(Metric::CosSim, pairs).map(|of| of.mean));
        let mean = same_index.map_or_else(|| Datum::undefined("TooFew"), |at| mean(&at.pairs));
        row.push(Cell::number(mean, Digits::Fixed(6)));
        row
    });
    let mut columns = writer.columns(&[], &["layer"]);
    columns.push(Column::text(writer.prose.text("depth", "places")));
    columns.extend(writer.columns(&[], &["n"]));
    columns.extend(average_columns(writer));
    columns.push(Column::numeric(writer.prose.text("depth", "same_index")));
    let blocks = vec![
        writer.say("depth", "what", figures),
        Block::table(writer.prose.fill("depth", "caption", figures), columns, rows),
        writer.say("depth", "shows", figures),
    ];
    writer.section(role, "depth", figures, blocks)
}
