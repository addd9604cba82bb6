//! Principal components of the vectors of all layers of all models: what differs most among them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Loaded, Panel, PanelKey};
use crate::{
    family::LayerIndex,
    metric::{Pca, Scale, Undefined},
};

/// Components that are worked out.
const COMPONENTS: usize = 5;

/// Vectors beyond which no components are worked out.
const MOST: usize = 2000;

/// A vector: one layer of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VectorAt {
    /// The model, by place.
    pub model: usize,
    /// Its layer.
    pub layer: LayerIndex,
}

/// The components of one role.
#[derive(Debug)]
pub struct RoleComponents {
    /// The role.
    pub key: PanelKey,
    /// The vectors, in the order of the scores.
    pub vectors: Vec<VectorAt>,
    /// Vectors that are in no component, with the reason.
    pub left_out: Vec<(VectorAt, String)>,
    /// The components of the vectors as they are.
    pub kept: Result<Pca, Undefined>,
    /// The components of the vectors divided by their norms.
    pub removed: Result<Pca, Undefined>,
}

/// The components over the panels of one role; `None` where fewer than two layers are held.
pub(super) fn role(panels: &[Panel], vectors: &[Vec<Option<Loaded>>]) -> Option<RoleComponents> {
    let mut held: BTreeMap<VectorAt, &Loaded> = BTreeMap::new();
    for (panel, loaded) in panels.iter().zip(vectors) {
        for (model, (side, loaded)) in panel.sides.iter().zip(loaded).enumerate() {
            if let (Ok(side), Some(loaded)) = (side, loaded)
                && let Some(layer) = side.layer
            {
                held.insert(VectorAt { model, layer }, loaded);
            }
        }
    }
    let layers: BTreeSet<LayerIndex> = held.keys().map(|at| at.layer).collect();
    if layers.len() < 2 {
        return None;
    }
    let (held, left_out) = comparable(held);
    let (at, values): (Vec<VectorAt>, Vec<Vec<f64>>) = held.into_iter().unzip();
    let slices: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let pca = |scale| {
        if slices.len() > MOST {
            let reason = format!("more than {MOST} vectors");
            return Err(Undefined::NotComparable(reason));
        }
        Pca::of(&slices, scale, COMPONENTS)
    };
    let (kept, removed) = rayon::join(|| pca(Scale::Kept), || pca(Scale::Removed));
    Some(RoleComponents {
        key: panels.first()?.key.whole(),
        vectors: at,
        left_out,
        kept,
        removed,
    })
}

type Held = Vec<(VectorAt, Vec<f64>)>;
type LeftOut = Vec<(VectorAt, String)>;

/// The vectors of the most frequent length that have components: finite, and not all zeros.
fn comparable(held: BTreeMap<VectorAt, &Loaded>) -> (Held, LeftOut) {
    let mut lengths: BTreeMap<u64, usize> = BTreeMap::new();
    for loaded in held.values() {
        *lengths.entry(loaded.numel()).or_default() += 1;
    }
    // Of lengths that are as frequent, the smallest.
    let usual = lengths
        .iter()
        .max_by_key(|&(length, &count)| (count, std::cmp::Reverse(*length)))
        .map(|(&length, _)| length);
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (at, loaded) in held {
        let refused = match (loaded.moments().and_then(|moments| moments.summary), usual) {
            (Err(reason), _) => reason.to_string(),
            (Ok(summary), _) if summary.norm == 0.0 => Undefined::ZeroNorm.to_string(),
            (Ok(_), Some(usual)) if loaded.numel() != usual => {
                format!("{} elements, where most vectors have {usual}", loaded.numel())
            }
            _ => match loaded.as_f64() {
                Ok(values) => {
                    kept.push((at, values.into_owned()));
                    continue;
                }
                Err(reason) => reason.to_string(),
            },
        };
        left_out.push((at, refused));
    }
    (kept, left_out)
}
