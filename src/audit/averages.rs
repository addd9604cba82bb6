//! Correlations averaged over the layers of a role, each with the deviation that resembling layers leave it.

use rayon::prelude::*;

use super::{Loaded, Panel, PanelKey, pairs_of};
use crate::metric::{Correlations, LayerAverage, Metric, Undefined};

/// The averages of one role.
#[derive(Debug)]
pub struct RoleAverages {
    /// The role.
    pub key: PanelKey,
    /// The panels that were averaged over, in order.
    pub layers: Vec<PanelKey>,
    /// One entry a pair of models, ordered by model.
    pub pairs: Vec<PairAverage>,
}

/// The average of one pair.
#[derive(Debug)]
pub struct PairAverage {
    /// The models, by place; the lower first.
    pub models: (usize, usize),
    /// Channels of the vectors; `None` where no layer can be compared.
    pub channels: Option<u64>,
    /// The average, or why there is none.
    pub average: Result<LayerAverage, Undefined>,
}

/// Averages over the panels of one role. `vectors` holds each model's tensor by panel, where it is small enough to be held.
/// `None` without panels.
pub(super) fn role(panels: &[Panel], vectors: &[Vec<Option<Loaded>>]) -> Option<RoleAverages> {
    let first = panels.first()?;
    let models = first.sides.len();
    let within: Vec<Correlations> = (0..models)
        .into_par_iter()
        .map(|model| within(vectors, model))
        .collect();
    let pairs: Vec<(usize, usize)> = pairs_of(models).collect();
    Some(RoleAverages {
        key: first.key.whole(),
        layers: panels.iter().map(|panel| panel.key).collect(),
        pairs: pairs
            .into_par_iter()
            .map(|pair| average(panels, &within, pair))
            .collect(),
    })
}

/// The correlations between the layers of one model.
fn within(vectors: &[Vec<Option<Loaded>>], model: usize) -> Correlations {
    let large = || Undefined::NotComparable("tensors of this size are not held through all layers".to_owned());
    let values: Vec<_> = vectors
        .iter()
        .map(|panel| panel[model].as_ref().ok_or_else(large).and_then(Loaded::as_f64))
        .collect();
    let slices: Vec<Result<&[f64], Undefined>> = values
        .iter()
        .map(|values| values.as_deref().map_err(Clone::clone))
        .collect();
    Correlations::of(&slices)
}

fn average(panels: &[Panel], within: &[Correlations], (a, b): (usize, usize)) -> PairAverage {
    let pearson: Vec<Result<f64, Undefined>> = panels
        .iter()
        .map(|panel| panel.metrics(a, b).get(Metric::Pearson).clone())
        .collect();
    let mut channels = panels.iter().filter_map(|panel| panel.channels(a, b));
    let first = channels.next();
    let average = if channels.all(|other| Some(other) == first) {
        LayerAverage::of(
            &pearson,
            first.unwrap_or(0),
            |l, m| within[a].get(l, m),
            |l, m| within[b].get(l, m),
        )
    } else {
        Err(Undefined::NotComparable("the layers have different widths".to_owned()))
    };
    PairAverage {
        models: (a, b),
        channels: first,
        average,
    }
}
