//! Sections of what the study lacked: every layer, and relative depth.

use super::{Writer, average_cells, average_columns, figure, pictures};
use crate::{
    metric::Metric,
    question::critique::RoleAnswer,
    report::{Block, Cell, Column, Datum, Digits, Section, Table},
};

/// What stands beside the six experiments, for one role.
pub(crate) fn sections(writer: &Writer<'_>, role: &RoleAnswer) -> Vec<Section> {
    let mut sections = vec![summary(writer, role)];
    if writer.labels.len() > 1 {
        sections.push(by_layer(writer, role));
    }
    if !role.lists.same_depth.is_empty() {
        sections.push(same_depth(writer, role));
    }
    sections
}

fn summary(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let mut blocks = vec![writer.say("summary", "what", &[])];
    blocks.push(writer.picture(pictures::summary(writer, role)));
    blocks.push(writer.say("summary", "shows", &[]));
    writer.section(role, "summary", &[], blocks)
}

fn by_layer(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let pairs = &role.lists.by_layer;
    let list: Vec<String> = pairs.iter().map(|pair| role.table.number(pair.0).to_string()).collect();
    let list = match list.as_slice() {
        [] => writer.prose.word("none"),
        // Every layer of a deep model would be a line of numbers that says nothing.
        [first, .., last] if list.len() > 16 => format!("{first} … {last}"),
        _ => list.join(", "),
    };
    let n = pairs.len().to_string();
    let figures = [("a", writer.label(0)), ("b", writer.label(1)), ("n", &n), ("list", &list)];
    let average = match &role.average {
        Ok(average) => {
            let (count, mean, naive) = (
                average.layers.len().to_string(),
                figure(Some(average.mean_r), Digits::Fixed(6)),
                figure(Some(average.naive_z), Digits::Fixed(2)),
            );
            let z = figure(average.z.as_ref().ok().copied(), Digits::Fixed(2));
            let reason = average.z.as_ref().err().map(ToString::to_string).unwrap_or_default();
            let figures = [("n", count.as_str()), ("r", &mean), ("naive", &naive), ("z", &z), ("reason", &reason)];
            let name = if average.z.is_ok() { "average" } else { "average_undefined" };
            writer.say("layers", name, &figures)
        }
        Err(reason) => writer.say("layers", "none", &[("reason", &reason.to_string())]),
    };
    let mut blocks = vec![writer.say("layers", "what", &figures)];
    if !pairs.is_empty() {
        blocks.push(writer.picture(pictures::by_layer(writer, role)));
        blocks.push(writer.pair_table(role, writer.prose.fill("layers", "caption", &figures), pairs));
    }
    blocks.push(average);
    blocks.push(writer.say("layers", "shows", &figures));
    writer.section(role, "layers", &figures, blocks)
}

fn same_depth(writer: &Writer<'_>, role: &RoleAnswer) -> Section {
    let layers: Vec<String> = role.lists.same_depth.iter().map(|depth| depth.layer.to_string()).collect();
    let layers = layers.join(", ");
    let figures = [("group", writer.first_group()), ("layers", layers.as_str())];
    let rows = role.lists.same_depth.iter().map(|depth| {
        let place = |&row: &usize| format!("{} {}", writer.label(role.table.rows[row].model), role.table.number(row));
        let places: Vec<String> = depth.rows.iter().map(place).collect();
        let mut row = vec![
            Cell::number(f64::from(depth.layer.0), Digits::Integer),
            Cell::text(places.join(", ")),
            Cell::count(role.stats(Metric::CosSim, &depth.pairs).n),
        ];
        row.extend(average_cells(role, &depth.pairs));
        let same_index = role.lists.depths.iter().find(|at| at.layer == depth.layer);
        row.push(same_index.map_or_else(
            || Cell::undefined("TooFew"),
            |at| {
                let mean = role.mean_sd(Metric::CosSim, &at.pairs).map(|of| of.mean);
                Cell::number(Datum::from(mean), Digits::Fixed(6))
            },
        ));
        row
    });
    let mut columns = writer.numeric_columns(&["layer"]);
    columns.push(Column::text(writer.prose.text("depth", "places")));
    columns.extend(writer.numeric_columns(&["n"]));
    columns.extend(average_columns(writer));
    columns.push(Column::numeric(writer.prose.text("depth", "same_index")));
    let table = Table { caption: writer.prose.fill("depth", "caption", &figures), columns, rows: rows.collect() };
    let blocks =
        vec![writer.say("depth", "what", &figures), Block::Table(table), writer.say("depth", "shows", &figures)];
    writer.section(role, "depth", &figures, blocks)
}
