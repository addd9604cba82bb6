//! The raw test: matrices as they are stored, and the spectrum of what lies between them.

use super::{View, figure, mean_null, statistics};
use crate::{
    metric::Figures,
    question::structure::{Quantity, StructureRow},
    report::{Block, Cell, Column, Digits, Section},
};

/// Rows of a table by layer and role at most; `structure.csv` holds all.
const MOST_COLUMNS: usize = 12;

/// The section of one model.
pub(crate) fn section(view: &View<'_>) -> Section {
    let roles = view.roles(Quantity::Residual);
    let own: Vec<&str> = roles.iter().copied().filter(|role| !role.contains('+')).collect();
    let mut blocks = Vec::new();
    if own.is_empty() {
        blocks
            .push(Block::prose("No two of the chosen layers are this far apart, or no role was requested on its own."));
    } else {
        blocks.push(summary(view, &own, Quantity::Residual, Digits::Fixed(6)));
        blocks.push(summary(view, &own, Quantity::CosSim, Digits::Fixed(6)));
        blocks.push(view.lines(
            Quantity::Residual,
            &own,
            [
                "residual of each layer and a later one",
                "‖a/‖a‖ − b/‖b‖‖ of layers a and b: 0 for the same direction, √2 for none in common. Roles whose null varies, as that of \
                 norms, stand in a panel of their own, above it.",
            ],
        ));
        blocks.push(Block::prose(
            "This shows whether neighbouring layers hold the same matrix in the same coordinates. A residual at its null says \
             that they do not; it does not say that the layers compute different things, because the same map can be written \
             in other coordinates. Norms stand lower for nothing: their elements share a level, which their null carries.",
        ));
        blocks.push(by_layer(view, &own, Quantity::Residual, Digits::Fixed(4)));
        blocks.push(view.lines(
            Quantity::CosSim,
            &own,
            [
                "cosine of each layer and a later one",
                "As stored. Roles whose null varies, as that of norms, stand in a panel of their own, above it.",
            ],
        ));
        blocks.push(by_layer(view, &own, Quantity::CosSim, Digits::Fixed(6)));
    }
    let ranked = view.roles(Quantity::EffectiveRank);
    if !ranked.is_empty() {
        blocks.push(summary(view, &ranked, Quantity::EffectiveRank, Digits::Fixed(2)));
        blocks.push(view.lines(
            Quantity::EffectiveRank,
            &ranked,
            [
                "effective rank of the residual",
                "exp(H) of the energies of b/‖b‖ − a/‖a‖; the null is that of unrelated Gaussian matrices of the shape.",
            ],
        ));
        blocks.push(Block::prose(
            "This shows over how many directions the difference of two layers spreads. A value far below its null says that the \
             difference, or the matrices themselves, have few strong directions; it does not say which of the two.",
        ));
    }
    Section::new(view.anchor("raw"), format!("{}: layers as they are stored", view.model.label), blocks)
}

/// Per role: how many, mean, median, extremes, deviation, and the null's mean.
pub(crate) fn summary(view: &View<'_>, roles: &[&str], quantity: Quantity, digits: Digits) -> Block {
    let row = |role: &&str| {
        let rows = view.of(quantity, role);
        let of = statistics(&rows);
        let number = |get: fn(&Figures) -> f64| Cell::number(figure(&of, get), digits);
        vec![
            Cell::code(*role),
            Cell::count(of.n),
            Cell::count(of.missing()),
            number(|of| of.mean),
            number(|of| of.median),
            number(|of| of.min),
            number(|of| of.max),
            number(|of| of.sd),
            Cell::number(mean_null(&rows), digits),
        ]
    };
    let titles = ["n", "undefined", "mean", "median", "min", "max", "sd", "mean null"];
    Block::table(
        format!(
            "`{quantity}` over pairs of layers, by role. The deviation has ddof 0 and describes these pairs, which share their \
             layers. `structure.csv` has every pair."
        ),
        Column::list(&["role"], &titles),
        roles.iter().map(row),
    )
}

/// Pairs of layers down, roles across.
fn by_layer(view: &View<'_>, roles: &[&str], quantity: Quantity, digits: Digits) -> Block {
    let shown = &roles[..roles.len().min(MOST_COLUMNS)];
    let of: Vec<Vec<&StructureRow>> = shown.iter().map(|role| view.of(quantity, role)).collect();
    let mut pairs: Vec<(Option<u32>, Option<u32>)> =
        of.iter().flatten().map(|row| (row.layer_a, row.layer_b)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let line = |&(a, b): &(Option<u32>, Option<u32>)| {
        let layers = [a, b].map(|layer| Cell::count(layer.unwrap_or_default() as usize));
        let cells = of.iter().map(|rows| {
            let row = rows.iter().find(|row| (row.layer_a, row.layer_b) == (a, b));
            row.map_or_else(|| Cell::undefined("it has no such layer"), |row| Cell::number(&row.value, digits))
        });
        layers.into_iter().chain(cells).collect()
    };
    let caption = if shown.len() < roles.len() {
        format!("`{quantity}` by layer, for the first {} of {} roles.", shown.len(), roles.len())
    } else {
        format!("`{quantity}` by layer and role.")
    };
    Block::table(caption, Column::list(&[], &[&["layer a", "layer b"], shown].concat()), pairs.iter().map(line))
}
