//! All models and roles beside each other: what the pairs of each come to, and how the level of the tensors runs through the layers.

use std::collections::BTreeSet;

use super::{Named, roles};
use crate::{
    metric::{Metric, Stats, Summary, Undefined},
    report::{
        Block, Cell, Column, Datum, Digits, Section,
        figure::{LinePanel, Lines, Picture, PictureKind, Series},
    },
};

/// The section that all others spell out.
pub(crate) fn section(named: &[Named<'_>]) -> Section {
    let mut blocks = vec![table(named)];
    for role in roles(named) {
        let of_role: Vec<&Named<'_>> = named.iter().filter(|named| named.role == role).collect();
        if of_role.len() > 1 {
            blocks.push(Block::picture(levels(role, &of_role)));
        }
    }
    blocks.push(Block::prose(
        "The table shows how alike the layers of one model are by each way of pairing them, each number a mean over pairs. It \
         does not show how alike tensors of two unrelated models are, and a lower or higher value between two models is no \
         finding by itself.",
    ));
    Section::new("overview", "Overview", blocks)
}

fn table(named: &[Named<'_>]) -> Block {
    let rows = named.iter().flat_map(|named| {
        let table = named.table;
        let kinds =
            [("layer 0 × later", table.baseline()), ("adjacent", table.adjacent()), ("all", table.layer_pairs())];
        kinds.into_iter().map(move |(kind, pairs)| {
            let of = |metric| table.stats(metric, &pairs);
            let (cosine, pearson) = (of(Metric::CosSim), of(Metric::Pearson));
            vec![
                Cell::text(&named.model.label),
                Cell::code(&named.role),
                Cell::text(kind),
                Cell::count(pairs.len()),
                Cell::count(cosine.n),
                Cell::number(mean(&cosine), Digits::Fixed(6)),
                Cell::number(mean(&of(Metric::CosNull)), Digits::Fixed(6)),
                Cell::count(pearson.n),
                Cell::number(mean(&pearson), Digits::Fixed(6)),
                Cell::number(deviation(&pearson), Digits::Fixed(6)),
            ]
        })
    });
    let numbers = ["n pairs", "n cos_sim", "mean cos_sim", "mean cos_null", "n pearson", "mean pearson", "sd pearson"];
    Block::table(
        "Pairs of layers of one model, multi-token-prediction blocks apart. Standard deviations have ddof 0.",
        Column::list(&["model", "role", "pairs of layers"], &numbers),
        rows,
    )
}

/// The mean of `statistics`, or that there is no pair with a value.
pub(crate) fn mean(statistics: &Stats) -> Datum {
    statistics.figures.as_ref().map_or_else(|| none(statistics), |of| of.mean.into())
}

/// The standard deviation of `statistics`, or that there is no pair with a value.
pub(crate) fn deviation(statistics: &Stats) -> Datum {
    statistics.figures.as_ref().map_or_else(|| none(statistics), |of| of.sd.into())
}

fn none(statistics: &Stats) -> Datum {
    Datum::undefined(if statistics.missing() > 0 { "no pair has a value" } else { "there is no such pair" })
}

/// Mean and coefficient of variation of every model's tensors by layer.
fn levels(role: &str, named: &[&Named<'_>]) -> Picture {
    let layers: BTreeSet<u32> =
        named.iter().flat_map(|named| named.table.layers().map(|at| named.table.number(at))).collect();
    let panel = |y_label: &str, of: fn(&Summary) -> Result<f64, Undefined>| LinePanel {
        at_least: Some((0.0, 0.0)),
        ..LinePanel::new(y_label, named.iter().map(|named| series(named, &layers, of)).collect())
    };
    Picture {
        id: format!("levels_{role}"),
        title: format!("{role}: level and relative spread by layer"),
        subtitle: "One line a model; layers that a model does not have are left as gaps.".to_owned(),
        alt: format!("Mean and coefficient of variation of {role} by layer, one line a model"),
        kind: PictureKind::Lines(Lines {
            x_label: "layer".to_owned(),
            x: layers.iter().copied().map(f64::from).collect(),
            panels: vec![
                panel("mean of the elements", |summary| Ok(summary.mean)),
                panel("coefficient of variation", Summary::cv),
            ],
        }),
    }
}

fn series(named: &Named<'_>, layers: &BTreeSet<u32>, of: fn(&Summary) -> Result<f64, Undefined>) -> Series {
    let table = named.table;
    let value = |layer: &u32| {
        let row = table.layers().find(|&row| table.number(row) == *layer);
        row.map_or_else(
            || Datum::undefined("the model has no such layer"),
            |row| Datum::from(table.rows[row].summary.as_ref().map_err(Clone::clone).and_then(of)),
        )
    };
    Series::new(&named.model.label, layers.iter().map(value).collect())
}
