//! `structure.csv`: every number in full digits, one a row; and the modes of the scale.

use crate::{
    question::{
        page::model_cells,
        structure::{Structure, StructureRow},
    },
    report::{Cell, Digits, Frame, Frames},
};

/// `structure.csv` and `modes.csv`.
pub fn structure_tables(structure: &Structure) -> Frames<'_> {
    Box::new([quantities(structure), modes(structure)].into_iter())
}

fn quantities(structure: &Structure) -> Frame<'_> {
    let head = ["model", "commit", "role", "layer_a", "layer_b", "quantity", "value", "null", "undefined"];
    let layer = |layer: Option<u32>| Cell::integer(layer.map(u64::from));
    let row = move |row: &StructureRow| {
        let [model, commit] = model_cells(&structure.models[row.model]);
        vec![
            model,
            commit,
            Cell::text(&row.role),
            layer(row.layer_a),
            layer(row.layer_b),
            Cell::text(row.quantity.to_string()),
            Cell::exact(&row.value),
            Cell::number_or_empty(row.null, Digits::Exact),
            Cell::optional(row.value.as_ref().err()),
        ]
    };
    Frame::new("structure.csv", head, structure.rows.iter().map(row))
}

/// One row a mode and role (its loading), or a mode and layer (its score).
fn modes(structure: &Structure) -> Frame<'_> {
    let head = ["model", "commit", "mode", "explained", "role", "loading", "layer", "score"];
    let rows = structure.scales.iter().flat_map(move |track| {
        track.modes.iter().flatten().enumerate().flat_map(move |(number, mode)| {
            let row = move |cells: [Cell; 4]| {
                let [model, commit] = model_cells(&structure.models[track.model]);
                [model, commit, Cell::count(number + 1), Cell::exact(mode.share)].into_iter().chain(cells).collect()
            };
            let loadings = track.roles.iter().zip(&mode.loadings);
            let loadings = loadings.map(move |(role, &loading)| {
                row([Cell::text(role), Cell::exact(loading), Cell::empty(), Cell::empty()])
            });
            let scores = track.layers.iter().zip(&mode.scores);
            let scores = scores.map(move |(layer, &score)| {
                row([Cell::empty(), Cell::empty(), Cell::layer(layer.to_string()), Cell::exact(score)])
            });
            loadings.chain(scores)
        })
    });
    Frame::new("modes.csv", head, rows)
}
