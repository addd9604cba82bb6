//! `structure.csv`: every number in full digits, one a row; and the modes of the scale.

use crate::{
    question::structure::{Structure, StructureRow},
    report::{csv, escape},
};

/// `structure.csv` and `modes.csv`.
pub fn structure_csv(structure: &Structure) -> Vec<(String, Vec<u8>)> {
    vec![
        ("structure.csv".to_owned(), csv::document(rows(structure))),
        ("modes.csv".to_owned(), csv::document(modes(structure))),
    ]
}

fn rows(structure: &Structure) -> Vec<Vec<String>> {
    let head = "model,commit,role,layer_a,layer_b,quantity,value,null,undefined";
    let layer = |layer: Option<u32>| layer.map(|layer| layer.to_string()).unwrap_or_default();
    let row = |row: &StructureRow| {
        let mut cells = model_cells(structure, row.model);
        cells.push(escape::csv(&row.role).into_owned());
        cells.extend([layer(row.layer_a), layer(row.layer_b), row.quantity.to_string()]);
        cells.extend([csv::number(row.value.as_ref().ok().copied()), csv::number(row.null)]);
        let reason = row.value.as_ref().err().map(ToString::to_string).unwrap_or_default();
        cells.push(escape::csv(&reason).into_owned());
        cells
    };
    let head = head.split(',').map(str::to_owned).collect();
    std::iter::once(head).chain(structure.rows.iter().map(row)).collect()
}

/// One row a mode and role (its loading), or a mode and layer (its score).
fn modes(structure: &Structure) -> Vec<Vec<String>> {
    let head = "model,commit,mode,explained,role,loading,layer,score";
    let mut rows = vec![head.split(',').map(str::to_owned).collect::<Vec<_>>()];
    for track in &structure.scales {
        for (number, mode) in track.modes.iter().flatten().enumerate() {
            let start = || {
                let mut cells = model_cells(structure, track.model);
                cells.extend([(number + 1).to_string(), csv::number(Some(mode.share))]);
                cells
            };
            for (role, &loading) in track.roles.iter().zip(&mode.loadings) {
                let mut cells = start();
                cells.extend([
                    escape::csv(role).into_owned(),
                    csv::number(Some(loading)),
                    String::new(),
                    String::new(),
                ]);
                rows.push(cells);
            }
            for (layer, &score) in track.layers.iter().zip(&mode.scores) {
                let mut cells = start();
                cells.extend([String::new(), String::new(), layer.to_string(), csv::number(Some(score))]);
                rows.push(cells);
            }
        }
    }
    rows
}

fn model_cells(structure: &Structure, model: usize) -> Vec<String> {
    let model = &structure.models[model];
    vec![escape::csv(&model.model).into_owned(), model.commit.as_ref().map(ToString::to_string).unwrap_or_default()]
}
