//! Residuals after alignment, each beside its own null.

use super::{View, figure, mean_null, statistics};
use crate::{
    metric::align::Gauge,
    question::structure::Quantity,
    report::{Block, Cell, Column, Datum, Digits, Section},
};

/// The section of one model; `None` where nothing was aligned.
pub(crate) fn section(view: &View<'_>) -> Option<Section> {
    let gauges: Vec<(Gauge, Vec<&str>)> = Gauge::ALL
        .into_iter()
        .map(|gauge| (gauge, view.roles(Quantity::Aligned(gauge))))
        .filter(|(_, roles)| !roles.is_empty())
        .collect();
    if gauges.is_empty() {
        return None;
    }
    let mut blocks = vec![
        ranking(view, &gauges),
        Block::prose(
            "Every alignment lowers a residual, also that of unrelated matrices: the more freedom, the more. Only the distance to \
             the null of the same alignment tells something, and a family with a lower residual is not nearer than one with a \
             higher residual and a higher null. The nulls are for Gaussian matrices without structure; matrices with a few \
             strong directions lie elsewhere without being related.",
        ),
    ];
    let limits = view.structure.limits.iter().filter(|(model, ..)| *model == view.number);
    blocks.extend(limits.map(|(_, gauge, text)| Block::prose(format!("`{gauge}`: {text}"))));
    for (gauge, roles) in &gauges {
        let words = [&format!("residual after alignment by {gauge}"), about(*gauge)];
        blocks.push(view.lines(Quantity::Aligned(*gauge), roles, words));
    }
    Some(Section::new(view.anchor("aligned"), format!("{}: layers after alignment", view.model.label), blocks))
}

/// What the family of changes of basis is.
fn about(gauge: Gauge) -> &'static str {
    match gauge {
        Gauge::Heads => {
            "One rotation per query head, shared by q, k, v and o. More freedom than attention has: it is no proof of equal maps."
        }
        Gauge::Attention => {
            "Only changes of basis that leave the attention as it is: q and k apart from v and o, one per group of heads."
        }
        Gauge::MlpRotation => {
            "One rotation of all units, shared by gate, up and down. Far more freedom than an MLP has: it is no proof of equal maps."
        }
        Gauge::MlpPermutation => {
            "Only changes that leave the MLP as it is: a permutation of units, with positive scaling between up and down."
        }
    }
}

/// Families by how far they lie below their own null.
fn ranking(view: &View<'_>, gauges: &[(Gauge, Vec<&str>)]) -> Block {
    let mut lines: Vec<(Option<f64>, Vec<Cell>)> = Vec::new();
    for (gauge, roles) in gauges {
        for role in roles {
            let rows = view.of(Quantity::Aligned(*gauge), role);
            let of = statistics(&rows);
            let (mean, null) = (figure(&of, |of| of.mean), mean_null(&rows));
            let below = mean.value().zip(null.value()).map(|(mean, null)| null - mean);
            let raw = view.of(Quantity::Residual, role);
            let raw = if raw.is_empty() {
                // Read for the alignment alone.
                Datum::undefined("not among the requested roles")
            } else {
                figure(&statistics(&raw), |of| of.mean)
            };
            let number = |datum: Datum| Cell::number(datum, Digits::Fixed(4));
            lines.push((
                below,
                vec![
                    Cell::code(*role),
                    Cell::text(gauge.name()),
                    Cell::count(of.n),
                    Cell::count(of.missing()),
                    number(raw),
                    number(mean),
                    number(figure(&of, |of| of.min)),
                    number(figure(&of, |of| of.max)),
                    number(null),
                    number(below.map_or_else(|| Datum::undefined("no pair has a value"), Datum::new)),
                ],
            ));
        }
    }
    // Those without a value last; equal ones as they came.
    let key = |below: Option<f64>| below.map_or(f64::INFINITY, |below| -below);
    lines.sort_by(|(left, _), (right, _)| key(*left).total_cmp(&key(*right)));
    let titles = ["n", "undefined", "mean raw", "mean aligned", "min", "max", "null", "below null"];
    Block::table(
        "Families by how far their residual lies below its own null, on average over pairs of layers. A name with `+` is what its \
         matrices have together.",
        Column::list(&["role", "alignment"], &titles),
        lines.into_iter().map(|(_, cells)| cells),
    )
}
