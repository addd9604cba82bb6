//! How the scale of the matrices runs through the layers: Frobenius norms, and the few modes in which their logarithms move.

use std::collections::BTreeMap;

use super::{Quantity, StructureRow};
use crate::metric::{Component, Pca, Scale, Undefined};

/// Modes that are told apart.
const MODES: usize = 4;

/// The scale of every role through the layers of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleTrack {
    /// Number of the model.
    pub model: usize,
    /// Layers, ascending.
    pub layers: Vec<u32>,
    /// Roles with a norm above zero in every layer; these are the rows of the decomposition.
    pub roles: Vec<String>,
    /// ln‖W‖ by role and layer, in their order.
    pub logarithms: Vec<Vec<f64>>,
    /// The modes, the strongest first, or why there are none: principal components of ln‖W‖, roles centred over layers and not
    /// standardised, with one loading a role and one score a layer.
    pub modes: Result<Vec<Component>, Undefined>,
    /// Roles that some layer lacks, and which layers.
    pub left_out: Vec<(String, Vec<u32>)>,
}

impl ScaleTrack {
    /// The track of a model, from its rows.
    pub(crate) fn of(model: usize, rows: &[StructureRow]) -> Self {
        let mut by_role: Vec<(String, BTreeMap<u32, Option<f64>>)> = Vec::new();
        for row in rows {
            let (Quantity::FrobeniusNorm, Some(layer)) = (row.quantity, row.layer_a) else {
                continue;
            };
            let norm = row.value.as_ref().ok().copied().filter(|&norm| norm > 0.0);
            match by_role.iter_mut().find(|(role, _)| *role == row.role) {
                Some((_, layers)) => {
                    layers.insert(layer, norm);
                }
                None => by_role.push((row.role.clone(), BTreeMap::from([(layer, norm)]))),
            }
        }
        let mut layers: Vec<u32> = by_role.iter().flat_map(|(_, norms)| norms.keys().copied()).collect();
        layers.sort_unstable();
        layers.dedup();
        let (mut roles, mut logarithms, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for (role, norms) in by_role {
            let norm = |layer: &u32| norms.get(layer).copied().flatten();
            let missing: Vec<u32> = layers.iter().copied().filter(|layer| norm(layer).is_none()).collect();
            if missing.is_empty() {
                logarithms.push(layers.iter().filter_map(|layer| norm(layer).map(f64::ln)).collect());
                roles.push(role);
            } else {
                left_out.push((role, missing));
            }
        }
        Self { modes: modes(&logarithms, layers.len()), model, layers, roles, logarithms, left_out }
    }
}

/// Each layer is a vector of one element a role: its mean vector is each role's mean over layers.
fn modes(logarithms: &[Vec<f64>], layers: usize) -> Result<Vec<Component>, Undefined> {
    match logarithms.len() {
        0 => return Err(Undefined::TooFew),
        1 => return Err(Undefined::NotComparable("a single role has no other to move with".to_owned())),
        _ => {}
    }
    let vectors: Vec<Vec<f64>> = (0..layers).map(|layer| logarithms.iter().map(|of| of[layer]).collect()).collect();
    let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    Ok(Pca::of(&vectors, Scale::Kept, MODES)?.components)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(role: &str, layer: u32, value: f64) -> StructureRow {
        StructureRow {
            model: 0,
            role: role.to_owned(),
            layer_a: Some(layer),
            layer_b: None,
            quantity: Quantity::FrobeniusNorm,
            value: Ok(value),
            null: None,
        }
    }

    #[test]
    fn roles_that_grow_together_are_one_mode() {
        // Each role grows by a power of the layer's factor: 1, 2 and 2 over the same steps.
        let factors = [1.0_f64, 1.5, 2.5, 2.0, 4.0];
        let mut rows = Vec::new();
        for (layer, factor) in (0..).zip(factors) {
            rows.push(norm("q_proj", layer, 3.0 * factor));
            rows.push(norm("k_proj", layer, 0.5 * factor * factor));
            rows.push(norm("v_proj", layer, 7.0 / (factor * factor)));
        }
        rows.push(norm("gate_proj", 0, 1.0));
        let track = ScaleTrack::of(0, &rows);
        assert_eq!(track.roles, ["q_proj", "k_proj", "v_proj"]);
        assert_eq!(track.left_out, [("gate_proj".to_owned(), vec![1, 2, 3, 4])]);
        let modes = track.modes.unwrap();
        assert!((modes[0].share - 1.0).abs() < 1e-12);
        for (loading, expected) in modes[0].loadings.iter().zip([1.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0]) {
            assert!((loading - expected).abs() < 1e-12, "{:?}", modes[0].loadings);
        }
        let mean = factors.map(f64::ln).iter().sum::<f64>() / 5.0;
        for (score, factor) in modes[0].scores.iter().zip(factors) {
            assert!((score - 3.0 * (factor.ln() - mean)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_scale_that_never_changes_has_no_mode() {
        let both = |layer| [norm("q_proj", layer, 2.0), norm("k_proj", layer, 0.5)];
        let rows: Vec<StructureRow> = (0..3).flat_map(both).collect();
        assert_eq!(ScaleTrack::of(0, &rows).modes, Err(Undefined::Constant));
        assert_eq!(ScaleTrack::of(0, &[]).modes, Err(Undefined::TooFew));
    }

    #[test]
    fn one_role_has_no_modes_to_tell_apart() {
        let rows: Vec<StructureRow> = (0..4).map(|layer| norm("q_proj", layer, f64::from(layer + 1))).collect();
        let reason = ScaleTrack::of(0, &rows).modes.unwrap_err().to_string();
        assert_eq!(reason, "a single role has no other to move with");
    }
}
