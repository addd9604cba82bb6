//! How the scale of the matrices runs through the layers.

use super::View;
use crate::{
    metric::Component,
    question::{
        layers::page::listed,
        structure::{Quantity, ScaleTrack},
    },
    report::{
        Block, Cell, Column, Datum, Digits, Section,
        figure::{Bar, BarSeries, Bars, LinePanel, Lines, Panel, Picture, PictureKind, Series},
    },
};

/// The section of one model.
pub(crate) fn section(view: &View<'_>, track: &ScaleTrack) -> Section {
    let mut blocks = vec![
        view.lines(
            Quantity::FrobeniusNorm,
            &view.roles(Quantity::FrobeniusNorm),
            ["Frobenius norm", "Of each layer's matrix as it is stored."],
        ),
        Block::prose(
            "This shows how large the matrices are. It does not show how much they do: a norm before a matrix, or the next \
             matrix, can undo its scale.",
        ),
    ];
    match &track.modes {
        Ok(modes) if !modes.is_empty() => {
            blocks.push(explained(track, modes));
            blocks.push(Block::picture(modes_picture(view, track, modes)));
            blocks.push(Block::prose(
                "Principal components of ln‖W‖: roles centred over layers and not standardised. A mode that nearly all roles load \
                 alike is a common growth with depth; one with both signs trades one role's scale for another's. Shares are of \
                 these few numbers, and with few layers even noise has a strong first mode.",
            ));
        }
        Ok(_) => blocks.push(Block::prose("No direction of ln‖W‖ stands out of rounding.")),
        Err(reason) => blocks.push(Block::prose(format!("The norms have no modes: {reason}."))),
    }
    for (role, layers) in &track.left_out {
        let places: Vec<String> = layers.iter().map(u32::to_string).collect();
        blocks.push(Block::prose(format!(
            "`{role}` is not among the modes: it has no norm above zero in {}.",
            listed(&places)
        )));
    }
    Section::new(view.anchor("scale"), format!("{}: scale along depth", view.model.label), blocks)
}

fn explained(track: &ScaleTrack, modes: &[Component]) -> Block {
    let row = |(number, mode): (usize, &Component)| {
        let loadings = mode.loadings.iter().map(|&loading| Cell::number(loading, Digits::Fixed(4)));
        [Cell::count(number + 1), Cell::number(mode.share, Digits::Percent(2))].into_iter().chain(loadings).collect()
    };
    let mut columns = Column::list(&[], &["mode", "explained"]);
    columns.extend(track.roles.iter().map(Column::numeric));
    Block::table(
        "Modes of ln‖W‖: share of the variance, and the weight of each role (unit length, the largest positive).",
        columns,
        modes.iter().enumerate().map(row),
    )
}

/// Loadings by role, and scores by layer.
fn modes_picture(view: &View<'_>, track: &ScaleTrack, modes: &[Component]) -> Picture {
    let name =
        |number: usize, mode: &Component| format!("mode {}, {}", number + 1, Digits::Percent(1).format(mode.share));
    let shown = || modes.iter().take(3).enumerate();
    let of_mode = |(number, mode): (usize, &Component)| BarSeries {
        label: name(number, mode),
        bars: mode.loadings.iter().map(|&loading| Bar::new(loading)).collect(),
    };
    let bars = Bars::new("loading", track.roles.clone(), shown().map(of_mode).collect());
    let scores = |(number, mode): (usize, &Component)| {
        Series::new(name(number, mode), mode.scores.iter().map(|&score| Datum::new(score)).collect())
    };
    let lines = Lines {
        x_label: "layer".to_owned(),
        x: track.layers.iter().copied().map(f64::from).collect(),
        panels: vec![LinePanel::new("score", shown().map(scores).collect())],
    };
    let id = format!("modes_{}", view.stem);
    let picture = |part: &str, title: &str, kind: PictureKind| Picture {
        id: format!("{id}_{part}"),
        title: title.to_owned(),
        subtitle: String::new(),
        alt: title.to_owned(),
        kind,
    };
    Picture {
        title: format!("{}: modes of the scale", view.model.label),
        subtitle: "Principal components of ln‖W‖ over layers.".to_owned(),
        alt: format!("Loadings by role and scores by layer of the scale's modes, {}", view.model.label),
        kind: PictureKind::Panel(Panel {
            columns: 1,
            pictures: vec![
                picture("loadings", "Loadings by role", PictureKind::Bars(bars)),
                picture("scores", "Scores by layer", PictureKind::Lines(lines)),
            ],
        }),
        id,
    }
}
