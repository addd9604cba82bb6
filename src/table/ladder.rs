//! One role through the layers of one model, each compared with every other. Layers are found by their number, never by
//! their position: a layer that is missing leaves its rung empty, and those above keep theirs.

use std::{collections::BTreeMap, fmt};

use rayon::prelude::*;

use super::{Cell, Matrix, PanelKey, Side, Statistics};
use crate::{
    family::LayerIndex,
    metric::{Metric, PairMetrics, Summary, Undefined},
    tensor::Prepared,
};

/// Where in its model a tensor stands. Blocks of multi-token prediction come after all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whether it is a multi-token-prediction block, in no summary over layers.
    pub mtp: bool,
    /// Number of the layer, or of the block as its name holds it.
    pub layer: LayerIndex,
}

impl Place {
    /// A layer.
    pub fn layer(layer: LayerIndex) -> Self {
        Self { mtp: false, layer }
    }
}

/// `12`, or `46 (MTP)`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.mtp { " (MTP)" } else { "" };
        write!(f, "{}{mark}", self.layer)
    }
}

/// The tensor of one layer, or the reason why there is none.
#[derive(Debug, Clone)]
pub struct Rung {
    /// Where it stands.
    pub place: Place,
    /// The tensor.
    pub side: Result<Side, String>,
    /// Mean, spread, norm and extremes of its elements.
    pub summary: Result<Summary, Undefined>,
}

/// What there is at each place: the tensor with its elements, or why it could not be read.
pub type Found = BTreeMap<Place, Cell>;

/// All layers of one role of one model, and all their pairs.
#[derive(Debug)]
pub struct Ladder {
    /// Number of the model in the list of models.
    pub model: usize,
    /// The role; its layer is `None`.
    pub key: PanelKey,
    /// Layers in ascending order, then blocks of multi-token prediction.
    pub rungs: Vec<Rung>,
    /// How many tensors there are that could not be read.
    pub unread: usize,
    /// Square, row by row; below the diagonal only where `both` directions were wanted.
    pairs: Vec<Option<PairMetrics>>,
}

impl Ladder {
    /// Compares each of `found` with each. `expected` layers that were not found keep their place, with the reason.
    ///
    /// The reference side of a pair is the earlier place. `both` computes the pairs with the later one as reference too,
    /// which only metrics that are not symmetric need. Parallel over pairs; the numbers do not depend on the threads.
    pub fn new(model: usize, key: PanelKey, mut found: Found, expected: &[LayerIndex], both: bool) -> Self {
        let unread = found.values().filter(|found| found.is_err()).count();
        for &layer in expected {
            let missing = || Err("the model has no such tensor in this layer".to_owned());
            found.entry(Place::layer(layer)).or_insert_with(missing);
        }
        let prepared: Vec<Result<Prepared<'_>, Undefined>> = found
            .values()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|found| match found {
                Ok((_, loaded)) => Ok(Prepared::new(loaded)),
                Err(reason) => Err(Undefined::NotComparable(reason.clone())),
            })
            .collect();
        let n = prepared.len();
        let pairs = (0..n * n)
            .into_par_iter()
            .map(|index| {
                let (row, column) = (index / n, index % n);
                (both || row <= column).then(|| match (&prepared[row], &prepared[column]) {
                    (Ok(a), Ok(b)) => a.compare(b),
                    (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(reason),
                })
            })
            .collect();
        let summaries: Vec<_> = prepared
            .iter()
            .map(|prepared| prepared.as_ref().map_err(Clone::clone)?.moments()?.summary.clone())
            .collect();
        drop(prepared);
        let rungs = found
            .into_iter()
            .zip(summaries)
            .map(|((place, found), summary)| Rung { place, side: found.map(|(side, _)| side), summary })
            .collect();
        Self { model, key, rungs, unread, pairs }
    }

    /// The metrics of a pair of rungs, given by their positions; `None` for a pair whose reference would be the later one
    /// where that direction was not wanted.
    pub fn pair(&self, a: usize, b: usize) -> Option<&PairMetrics> {
        self.pairs.get(a * self.rungs.len() + b)?.as_ref()
    }

    /// One metric of a pair of rungs.
    pub fn value(&self, metric: Metric, a: usize, b: usize) -> Result<f64, Undefined> {
        let mirrored = || self.pair(b, a).filter(|_| metric.is_symmetric());
        match self.pair(a, b).or_else(mirrored) {
            Some(metrics) => metrics.get(metric).clone(),
            None => Err(Undefined::NotComparable("this direction was not computed".to_owned())),
        }
    }

    /// One metric as a square matrix over all rungs, blocks of multi-token prediction last.
    pub fn matrix(&self, metric: Metric) -> Matrix {
        let labels: Vec<String> = self.rungs.iter().map(|rung| rung.place.to_string()).collect();
        Matrix::from_fn(labels.clone(), labels, |row, column| self.value(metric, row, column))
    }

    /// Positions of the layers, without blocks of multi-token prediction.
    pub fn layers(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.rungs.len()).filter(|&at| !self.rungs[at].place.mtp)
    }

    /// Layer 0 with every later layer; none where layer 0 was not asked for.
    pub fn baseline(&self) -> Vec<(usize, usize)> {
        let mut layers = self.layers();
        match layers.next() {
            Some(first) if self.rungs[first].place.layer.0 == 0 => layers.map(|later| (first, later)).collect(),
            _ => Vec::new(),
        }
    }

    /// Each layer k with layer k + 1.
    pub fn adjacent(&self) -> Vec<(usize, usize)> {
        let mut pairs = self.all_pairs();
        pairs.retain(|&pair| self.distance(pair) == 1);
        pairs
    }

    /// Each pair of layers once, the earlier one first.
    pub fn all_pairs(&self) -> Vec<(usize, usize)> {
        let pairs = |a: usize| self.layers().skip_while(move |&b| b <= a).map(move |b| (a, b));
        self.layers().flat_map(pairs).collect()
    }

    /// Pairs of layers by their distance, from 1.
    pub fn by_distance(&self) -> BTreeMap<u32, Vec<(usize, usize)>> {
        let mut distances: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for pair in self.all_pairs() {
            distances.entry(self.distance(pair)).or_default().push(pair);
        }
        distances
    }

    /// Mean and deviation (ddof 0) of `metric` over `pairs`, and how many of them have no value.
    pub fn statistics(&self, metric: Metric, pairs: &[(usize, usize)]) -> Statistics {
        let values: Vec<_> = pairs.iter().map(|&(a, b)| self.value(metric, a, b)).collect();
        Statistics::of(&values)
    }

    /// Layers without a tensor, with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Place, &str)> {
        self.rungs.iter().filter_map(|rung| Some((rung.place, rung.side.as_ref().err()?.as_str())))
    }

    fn distance(&self, (a, b): (usize, usize)) -> u32 {
        self.rungs[b].place.layer.0.abs_diff(self.rungs[a].place.layer.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        dtype::Dtype,
        family::{Part, Role, Stack},
        tensor::Loaded,
    };

    fn key() -> PanelKey {
        PanelKey {
            role: Some(Role::InputLayernorm),
            part: Part::Weight,
            stack: Stack::Main,
            layer: None,
            alignment: crate::table::Alignment::Index,
        }
    }

    fn tensor(layer: u32, values: Vec<f64>) -> (Side, Loaded) {
        let side = Side {
            tensor: format!("model.layers.{layer}.input_layernorm.weight"),
            layer: Some(LayerIndex(layer)),
            dtype: Dtype::F64,
            shape: vec![values.len() as u64],
            stored_bytes: 8 * values.len() as u64,
            zero_centred: false,
        };
        (side, Loaded::of(values))
    }

    fn ladder(found: Vec<(Place, Vec<f64>)>, expected: u32) -> Ladder {
        let found = found.into_iter().map(|(place, values)| (place, Ok(tensor(place.layer.0, values)))).collect();
        let expected: Vec<_> = (0..expected).map(LayerIndex).collect();
        Ladder::new(0, key(), found, &expected, false)
    }

    fn layer(number: u32) -> Place {
        Place::layer(LayerIndex(number))
    }

    fn block(number: u32) -> Place {
        Place { mtp: true, layer: LayerIndex(number) }
    }

    /// Vectors that differ from layer to layer in mean and pattern.
    fn wave(layer: u32) -> Vec<f64> {
        (0..64)
            .map(|i| 1.0 + 0.1 * f64::from(layer) + (f64::from(i) * (0.3 + 0.01 * f64::from(layer))).sin() * 0.2)
            .collect()
    }

    fn names(ladder: &Ladder, pairs: &[(usize, usize)]) -> Vec<(u32, u32)> {
        let number = |at: usize| ladder.rungs[at].place.layer.0;
        pairs.iter().map(|&(a, b)| (number(a), number(b))).collect()
    }

    #[test]
    fn a_missing_layer_leaves_its_rung_empty_and_later_layers_keep_their_number() {
        let ladder = ladder([0, 1, 3].map(|number| (layer(number), wave(number))).to_vec(), 5);
        let places: Vec<_> = ladder.rungs.iter().map(|rung| rung.place.to_string()).collect();
        assert_eq!(places, ["0", "1", "2", "3", "4"]);
        assert_eq!(ladder.missing().map(|(place, _)| place.layer.0).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(names(&ladder, &ladder.baseline()), [(0, 1), (0, 2), (0, 3), (0, 4)]);
        let adjacent = ladder.adjacent();
        assert_eq!(names(&ladder, &adjacent), [(0, 1), (1, 2), (2, 3), (3, 4)]);
        let statistics = ladder.statistics(Metric::CosSim, &adjacent);
        assert_eq!((statistics.n, statistics.undefined), (1, 3));
        let by_distance = ladder.by_distance();
        let two = ladder.statistics(Metric::CosSim, &by_distance[&2]);
        assert_eq!((two.n, two.undefined), (1, 2));
        let expected = Loaded::of(wave(1)).compare(&Loaded::of(wave(3)));
        assert_eq!(ladder.value(Metric::Pearson, 1, 3), *expected.get(Metric::Pearson));
        assert!(matches!(ladder.value(Metric::CosSim, 1, 2), Err(Undefined::NotComparable(_))));
        assert_eq!(ladder.unread, 0);
    }

    #[test]
    fn chosen_layers_are_neighbours_only_where_their_numbers_are() {
        let ladder = ladder([0, 10, 20, 21].map(|number| (layer(number), wave(number))).to_vec(), 0);
        assert_eq!(names(&ladder, &ladder.adjacent()), [(20, 21)]);
        assert_eq!(ladder.by_distance().keys().copied().collect::<Vec<_>>(), [1, 10, 11, 20, 21]);
    }

    #[test]
    fn a_multi_token_prediction_block_is_in_the_matrix_and_in_no_summary() {
        // One block is numbered past the layers, the other from 0 as under `mtp.layers.`.
        for number in [2, 0] {
            let found = vec![(layer(0), wave(0)), (layer(1), wave(1)), (block(number), wave(7))];
            let ladder = ladder(found, 2);
            let matrix = ladder.matrix(Metric::CosSim);
            assert_eq!(matrix.rows, ["0", "1", &format!("{number} (MTP)")]);
            assert!(matrix.get(2, 0).is_ok());
            assert_eq!(matrix.get(2, 0), matrix.get(0, 2));
            for pairs in [ladder.baseline(), ladder.adjacent(), ladder.all_pairs()] {
                assert_eq!(pairs, [(0, 1)]);
            }
            assert_eq!(ladder.by_distance().len(), 1);
        }
    }

    #[test]
    fn one_layer_has_statistics_and_no_pair() {
        let ladder = ladder(vec![(layer(0), wave(0))], 1);
        assert!(ladder.baseline().is_empty() && ladder.adjacent().is_empty() && ladder.by_distance().is_empty());
        assert!(ladder.rungs[0].summary.is_ok());
        assert_eq!(ladder.statistics(Metric::CosSim, &[]).values, None);
        assert!((ladder.value(Metric::CosSim, 0, 0).unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn without_layer_0_there_is_no_baseline_by_another_layer() {
        assert!(ladder(vec![(layer(1), wave(1)), (layer(2), wave(2))], 0).baseline().is_empty());
        let gap = ladder(vec![(layer(1), wave(1)), (layer(2), wave(2))], 3);
        let statistics = gap.statistics(Metric::CosSim, &gap.baseline());
        assert_eq!((statistics.n, statistics.undefined), (0, 2));
    }

    #[test]
    fn a_constant_layer_has_a_cosine_and_no_correlation() {
        let found = vec![(layer(0), vec![1.0; 64]), (layer(1), wave(1)), (layer(2), wave(2))];
        let ladder = ladder(found, 3);
        assert!(ladder.value(Metric::CosSim, 0, 1).is_ok());
        assert_eq!(ladder.value(Metric::Pearson, 0, 1), Err(Undefined::Constant));
        let statistics = ladder.statistics(Metric::Pearson, &ladder.adjacent());
        assert_eq!((statistics.n, statistics.undefined), (1, 1));
        assert!(ladder.rungs[0].summary.as_ref().unwrap().is_constant());
    }

    #[test]
    fn a_direction_that_was_not_computed_is_not_taken_from_the_other() {
        let found = || [0, 1].map(|number| (layer(number), Ok(tensor(number, wave(number))))).into();
        let upper = Ladder::new(0, key(), found(), &[], false);
        assert!(upper.pair(1, 0).is_none() && upper.value(Metric::NormRatio, 1, 0).is_err());
        let both = Ladder::new(0, key(), found(), &[], true);
        let product = both.value(Metric::NormRatio, 0, 1).unwrap() * both.value(Metric::NormRatio, 1, 0).unwrap();
        assert!((product - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_tensor_that_could_not_be_read_is_counted_and_keeps_its_reason() {
        let mut found = Found::from([(layer(0), Ok(tensor(0, wave(0))))]);
        found.insert(layer(1), Err("the tensor was not read: time-out".to_owned()));
        let ladder = Ladder::new(0, key(), found, &[LayerIndex(0), LayerIndex(1)], false);
        assert_eq!(ladder.unread, 1);
        assert_eq!(ladder.missing().next().unwrap().1, "the tensor was not read: time-out");
    }

    /// `fixtures/layers_goldens.py` says how inputs and figures were made.
    #[test]
    fn a_ladder_equals_numpy() {
        let goldens: Value = serde_json::from_str(include_str!("../../fixtures/layers_goldens.json")).unwrap();
        let found = goldens["layers"].as_object().unwrap().iter().map(|(number, values)| {
            let values = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
            (layer(number.parse().unwrap()), values.collect())
        });
        let ladder = ladder(found.collect(), 0);
        let close = |got: f64, expected: &Value, what: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {got} {expected}");
        };
        for rung in &ladder.rungs {
            let (golden, summary) = (&goldens["per_layer"][rung.place.to_string()], rung.summary.as_ref().unwrap());
            close(summary.mean, &golden["mean"], "mean");
            close(summary.sd, &golden["sd"], "sd");
            close(summary.cv().unwrap(), &golden["cv"], "cv");
            close(summary.min, &golden["min"], "min");
            close(summary.max, &golden["max"], "max");
            close(summary.norm, &golden["norm"], "norm");
        }
        let mut distances = 0;
        for metric in [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2] {
            for (distance, pairs) in ladder.by_distance() {
                let golden = &goldens["distance"][metric.name()][distance.to_string()];
                let statistics = ladder.statistics(metric, &pairs);
                let extent = statistics.values.unwrap();
                assert_eq!(statistics.n as u64, golden["n"].as_u64().unwrap());
                close(extent.mean, &golden["mean"], metric.name());
                close(extent.sd, &golden["sd"], metric.name());
                distances += 1;
            }
            for (name, pairs) in [("baseline", ladder.baseline()), ("adjacent", ladder.adjacent())] {
                let golden = goldens[name][metric.name()].as_array().unwrap();
                assert_eq!(golden.len(), pairs.len());
                for ((a, b), expected) in pairs.into_iter().zip(golden) {
                    close(ladder.value(metric, a, b).unwrap(), expected, name);
                }
            }
        }
        // Every distance from 1 to 8 occurs, for each of five metrics.
        assert_eq!(distances, 40);
    }
}
