//! What the study lacked: every layer that was read instead of a few, the average over layers with the correlation of
//! layers taken into account, and layers of one relative depth instead of one number.

use super::{AtLayer, Bench, Comparison, Place, Study};
use crate::{
    family::LayerIndex,
    metric::{LayerAverage, Metric, Undefined},
};

/// The first two models, layer by layer.
#[derive(Debug, Clone)]
pub struct ByLayer {
    /// The pair at each layer that was read of both, ascending.
    pub comparisons: Vec<Comparison>,
    /// Mean of Pearson's r over them.
    pub average: Result<LayerAverage, Undefined>,
}

/// The first group at layers of one relative depth.
#[derive(Debug, Clone)]
pub struct SameDepth {
    /// The layer of the shallowest model.
    pub layer: LayerIndex,
    /// For each model of the first group, its place and its layer.
    pub places: Vec<Place>,
    /// Each pair once, with averages.
    pub figures: AtLayer,
}

impl ByLayer {
    /// Compares the models at places 0 and 1.
    pub(crate) fn of(bench: &Bench<'_>) -> Self {
        let second = bench.layers(1);
        let layers: Vec<LayerIndex> = bench.layers(0).into_iter().filter(|layer| second.contains(layer)).collect();
        let places = |model: usize| layers.iter().map(move |&layer| Place { model, layer });
        let pairs: Vec<(Place, Place)> = places(0).zip(places(1)).collect();
        let comparisons = bench.compare_all(&pairs);
        let correlations: Vec<Result<f64, Undefined>> =
            comparisons.iter().map(|comparison| comparison.metrics.get(Metric::Pearson).clone()).collect();
        let channels = pairs.first().map_or(0, |(a, _)| bench.numel(*a));
        let within = [0, 1].map(|model| Correlations::of(bench, model, &layers));
        let average = LayerAverage::of(&correlations, channels, |l, m| within[0].get(l, m), |l, m| within[1].get(l, m));
        Self { comparisons, average }
    }
}

/// Pearson's r between the layers of one model.
struct Correlations {
    layers: usize,
    cells: Vec<Result<f64, Undefined>>,
}

impl Correlations {
    fn of(bench: &Bench<'_>, model: usize, layers: &[LayerIndex]) -> Self {
        let place = |layer: usize| Place { model, layer: layers[layer] };
        let n = layers.len();
        let pairs: Vec<(Place, Place)> =
            (0..n).flat_map(|l| (l + 1..n).map(move |m| (l, m))).map(|(l, m)| (place(l), place(m))).collect();
        let compared = bench.compare_all(&pairs);
        Self { layers: n, cells: compared.iter().map(|pair| pair.metrics.get(Metric::Pearson).clone()).collect() }
    }

    /// r between the layers at `l` and `m` of the list, which differ.
    fn get(&self, l: usize, m: usize) -> Result<f64, Undefined> {
        let (l, m) = (l.min(m), l.max(m));
        // Rows of the upper triangle have n−1, n−2, … cells.
        let before = l * self.layers - l * (l + 1) / 2;
        self.cells.get(before + m - l - 1).cloned().unwrap_or(Err(Undefined::TooFew))
    }
}

impl SameDepth {
    /// One entry a relative layer of the plan; none where the depth of a model is not known. `depth` is the number of layers
    /// of the model at a place.
    pub(crate) fn of(study: &Study, bench: &Bench<'_>, depth: impl Fn(usize) -> Option<u32>) -> Vec<Self> {
        let group = study.first_group();
        let shallowest = group.iter().filter_map(|&model| depth(model)).min().unwrap_or(0);
        let columns: Vec<Vec<u32>> = group.iter().map(|&model| study.relative_layers(model, &depth)).collect();
        let inside = study.plan.relative.iter().filter(|&&layer| layer < shallowest);
        let mut entries = Vec::new();
        for (index, &layer) in inside.enumerate() {
            let layers: Option<Vec<u32>> = columns.iter().map(|column| column.get(index).copied()).collect();
            let Some(layers) = layers else { continue };
            let places: Vec<Place> = group.iter().zip(layers).map(|(&model, layer)| Place::new(model, layer)).collect();
            let mut pairs = Vec::new();
            for (first, &a) in places.iter().enumerate() {
                pairs.extend(places[first + 1..].iter().map(|&b| (a, b)));
            }
            let figures = AtLayer::of_pairs(bench, LayerIndex(layer), &pairs);
            entries.push(Self { layer: LayerIndex(layer), places, figures });
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    #[test]
    fn the_average_over_layers_and_both_its_z_are_numpys() {
        let (golden, vectors) = (planted::golden(), planted::vectors());
        let by_layer = ByLayer::of(&Bench::new(&vectors));
        planted::assert_pairs(&by_layer.comparisons, &golden["by_layer"]);
        let average = by_layer.average.unwrap();
        planted::near(average.mean_r, &golden["average"]["mean_r"]);
        planted::near(average.naive_z, &golden["average"]["naive_z"]);
        planted::near(average.z.unwrap(), &golden["average"]["z"]);
    }

    #[test]
    fn relative_depth_compares_the_layers_of_one_share_of_the_depth() {
        let (golden, vectors, study) = (planted::golden(), planted::vectors(), Study::nine_models());
        let depths = SameDepth::of(&study, &Bench::new(&vectors), |model| study.members[model].layers);
        let expected = golden["same_depth"].as_array().unwrap();
        assert_eq!(depths.len(), expected.len());
        for (depth, expected) in depths.iter().zip(expected) {
            let own: Vec<u64> = depth.places.iter().map(|place| place.layer.0.into()).collect();
            assert_eq!(serde_json::json!(own), expected["own"]);
            planted::near(
                depth.figures.average(Metric::CosSim).unwrap().values.as_ref().unwrap().mean,
                &expected["mean"],
            );
        }
        assert!(SameDepth::of(&study, &Bench::new(&vectors), |_| None).is_empty());
    }
}
