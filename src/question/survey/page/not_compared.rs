//! `not_compared.csv`: which tensors did not meet which others, one row a model and reason, where `pairs.csv` has one a pair.

use std::collections::BTreeMap;

use crate::{
    question::{inspect::shape_text, survey::Survey},
    report::{Cell, Frame},
    table::PairTable,
};

const OTHER_SHAPES: &str = "the others have another shape";

/// Where a model's tensors did not meet those of others: a role, the shape that they have, and why.
type Line<'a> = (usize, String, Option<&'a [u64]>, &'a str);

/// The table; `None` where every pair was compared.
pub(crate) fn frame(survey: &Survey) -> Option<Frame<'_>> {
    let mut lines: BTreeMap<Line<'_>, (Vec<String>, usize)> = BTreeMap::new();
    for table in &survey.tables {
        for (line, pairs) in lines_of(table) {
            let (layers, all) = lines.entry(line).or_default();
            layers.push(table.key.layer_name());
            *all += pairs;
        }
    }
    let row = |((model, role, shape, reason), (layers, pairs)): (Line<'_>, (Vec<String>, usize))| {
        let model = &survey.models[model];
        vec![
            Cell::text(&model.model),
            Cell::optional(model.commit.as_ref()),
            Cell::text(role),
            Cell::text(runs(&layers)),
            Cell::optional(shape.map(shape_text)),
            Cell::count(pairs),
            Cell::text(reason),
        ]
    };
    let columns = ["model", "commit", "role", "layers", "shape", "pairs", "reason"];
    let rows: Vec<Vec<Cell>> = lines.into_iter().map(row).collect();
    (!rows.is_empty()).then(|| Frame::new("not_compared.csv", columns, rows))
}

/// The models of one table that met not all others, each with the number of pairs. One of unequal shapes counts for both models, any other
/// for those without a tensor.
fn lines_of(table: &PairTable) -> impl Iterator<Item = (Line<'_>, usize)> {
    let shapes = table.shapes();
    let present: usize = shapes.values().sum();
    table.rows.iter().filter_map(move |row| {
        let role = table.key.role_name();
        let (line, pairs) = match &row.side {
            Err(reason) => ((row.model, role, None, reason.as_str()), table.rows.len() - 1),
            Ok(side) => {
                let others = present - shapes[side.shape.as_slice()];
                ((row.model, role, Some(side.shape.as_slice()), OTHER_SHAPES), others)
            }
        };
        (pairs > 0).then_some((line, pairs))
    })
}

/// Layers that follow each other as `0-7`, others one by one.
fn runs(layers: &[String]) -> String {
    let number = |layer: &String| layer.parse::<u32>().ok();
    let follows = |a: &String, b: &String| number(a).zip(number(b)).is_some_and(|(a, b)| a.checked_add(1) == Some(b));
    let run = |run: &[String]| match run {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.clone(),
        [] => String::new(),
    };
    layers.chunk_by(follows).map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::pairs::tests::planted;

    #[test]
    fn a_pair_of_unequal_shapes_counts_on_both_sides_and_one_without_a_tensor_on_one() {
        let two = || Some(vec![1.0, 2.0]);
        let (table, _) = planted(0, &[two(), two(), Some(vec![1.0, 2.0, 3.0]), None], false);
        let lines: Vec<_> = lines_of(&table).map(|((model, .., reason), pairs)| (model, pairs, reason)).collect();
        let absent = "it has no such tensor";
        assert_eq!(lines, [(0, 1, OTHER_SHAPES), (1, 1, OTHER_SHAPES), (2, 2, OTHER_SHAPES), (3, 3, absent)]);
        let (alike, _) = planted(0, &[two(), two()], false);
        assert_eq!(lines_of(&alike).count(), 0);
    }

    #[test]
    fn layers_in_a_row_are_a_range() {
        let runs = |layers: &[&str]| runs(&layers.iter().map(|&layer| layer.to_owned()).collect::<Vec<_>>());
        assert_eq!(runs(&["0", "1", "2", "5", "7", "8", "46 (MTP)"]), "0-2,5,7-8,46 (MTP)");
        assert_eq!(runs(&["all"]), "all");
    }
}
