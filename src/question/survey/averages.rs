//! Correlations averaged over the layers of a role, each with the deviation that resembling layers leave it.

use crate::{
    metric::{Correlations, LayerAverage, Metric, Undefined},
    parallel,
    table::{PairTable, TableKey, pairs_of},
    tensor::Loaded,
};

/// The averages of one role.
#[derive(Debug)]
pub struct RoleAverages {
    /// The role.
    pub key: TableKey,
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

/// Averages over the tables of one role. `vectors` holds each model's tensor by table, where it is small enough to be held.
/// `None` without tables.
pub(crate) fn role(tables: &[PairTable], vectors: &[Vec<Option<Loaded>>]) -> Option<RoleAverages> {
    let first = tables.first()?;
    let models = first.rows.len();
    let within = parallel::numbers(models, |model| within(vectors, model));
    let pairs: Vec<(usize, usize)> = pairs_of(models).collect();
    Some(RoleAverages { key: first.key.whole(), pairs: parallel::map(&pairs, |&pair| average(tables, &within, pair)) })
}

/// The correlations between the layers of one model.
fn within(vectors: &[Vec<Option<Loaded>>], model: usize) -> Correlations {
    let large = || Undefined::NotComparable("tensors of this size are not held through all layers".to_owned());
    let values: Vec<_> =
        vectors.iter().map(|table| table[model].as_ref().ok_or_else(large).and_then(Loaded::as_f64)).collect();
    let slices: Vec<Result<&[f64], Undefined>> =
        values.iter().map(|values| values.as_deref().map_err(Clone::clone)).collect();
    Correlations::of(&slices)
}

fn average(tables: &[PairTable], within: &[Correlations], (a, b): (usize, usize)) -> PairAverage {
    let pearson: Vec<Result<f64, Undefined>> = tables.iter().map(|table| table.get(a, b, Metric::Pearson)).collect();
    let mut channels = tables.iter().filter_map(|table| table.channels(a, b));
    let first = channels.next();
    let average = if channels.all(|other| Some(other) == first) {
        LayerAverage::of(&pearson, first.unwrap_or(0), |l, m| within[a].get(l, m), |l, m| within[b].get(l, m))
    } else {
        Err(Undefined::NotComparable("the layers have different widths".to_owned()))
    };
    PairAverage { models: (a, b), channels: first, average }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metric::PairMetrics, table::pairs::tests::planted};

    fn vector(model: usize, layer: usize) -> Vec<f64> {
        let own = |i: usize| ((i * (7 + model) + layer * 3) % 11) as f64;
        (0..50).map(|i| own(i) + 4.0 * ((i * (3 + model)) % 7) as f64).collect()
    }

    #[test]
    fn the_deviation_comes_from_the_layers_of_both_models_that_were_averaged() {
        // Model 1 lacks layer 1: its vectors of layers 0, 2 and 3 must meet those of model 0, not its first three.
        let vectors: Vec<Vec<Option<Vec<f64>>>> =
            (0..4).map(|layer| vec![Some(vector(0, layer)), (layer != 1).then(|| vector(1, layer))]).collect();
        let (tables, loaded): (Vec<_>, Vec<_>) =
            vectors.iter().zip(0..).map(|(models, layer)| planted(layer, models, false)).unzip();
        let averages = role(&tables, &loaded).unwrap();
        let average = averages.pairs[0].average.as_ref().unwrap();
        assert_eq!(
            (averages.pairs[0].channels, average.layers.as_slice(), average.left_out.len()),
            (Some(50), &[0, 2, 3][..], 1)
        );
        let r = |a: (usize, usize), b: (usize, usize)| {
            PairMetrics::compute(&vector(a.0, a.1), &vector(b.0, b.1)).get(Metric::Pearson).clone().unwrap()
        };
        let layers = [0, 2, 3];
        let mean = layers.iter().map(|&l| r((0, l), (1, l))).sum::<f64>() / 3.0;
        let sum: f64 = layers
            .iter()
            .flat_map(|&l| layers.iter().map(move |&m| (l, m)))
            .map(|(l, m)| r((0, l), (0, m)) * r((1, l), (1, m)))
            .sum();
        let z = mean / (sum / (9.0 * 49.0)).sqrt();
        assert!((average.mean_r - mean).abs() < 1e-12);
        assert!((average.z.as_ref().unwrap() - z).abs() < 1e-9 * z.abs());
    }

    #[test]
    fn tensors_that_are_not_held_leave_the_mean_without_a_deviation() {
        let (tables, mut loaded): (Vec<_>, Vec<_>) =
            (0..2).map(|layer| planted(layer, &[Some(vector(0, 1)), Some(vector(1, layer as usize))], false)).unzip();
        loaded[1][0] = None;
        let averages = role(&tables, &loaded).unwrap();
        let average = averages.pairs[0].average.as_ref().unwrap();
        assert!(average.mean_r.is_finite());
        assert!(average.z.as_ref().unwrap_err().to_string().contains("not held"));
    }
}
