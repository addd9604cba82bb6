//! Pairs of layers, where the rows of a table are the layers of one model. Layers are found by their number, never by their
//! position: a layer that is missing leaves its row empty, and those above keep theirs.

use std::collections::BTreeMap;

use super::{PairTable, Place};

impl PairTable {
    /// Number of the model whose layers they are.
    pub fn model(&self) -> usize {
        self.rows.first().map_or(0, |row| row.model)
    }

    /// Positions of the layers, without blocks of multi-token prediction.
    pub fn layers(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.rows.len()).filter(|&row| !self.rows[row].is_mtp())
    }

    /// Layer 0 with every later layer; none where layer 0 was not asked for.
    pub fn baseline(&self) -> Vec<(usize, usize)> {
        let mut layers = self.layers();
        match layers.next() {
            Some(first) if self.number(first) == 0 => layers.map(|later| (first, later)).collect(),
            _ => Vec::new(),
        }
    }

    /// Each layer k with layer k + 1.
    pub fn adjacent(&self) -> Vec<(usize, usize)> {
        let mut pairs = self.layer_pairs();
        pairs.retain(|&pair| self.distance(pair) == 1);
        pairs
    }

    /// Each pair of layers once, the earlier one first.
    pub fn layer_pairs(&self) -> Vec<(usize, usize)> {
        let pairs = |a: usize| self.layers().skip_while(move |&b| b <= a).map(move |b| (a, b));
        self.layers().flat_map(pairs).collect()
    }

    /// Pairs of layers by their distance, from 1.
    pub fn by_distance(&self) -> BTreeMap<u32, Vec<(usize, usize)>> {
        let mut distances: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for pair in self.layer_pairs() {
            distances.entry(self.distance(pair)).or_default().push(pair);
        }
        distances
    }

    /// Layers without a tensor, with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Place, &str)> {
        self.rows.iter().filter_map(|row| Some((row.place?, row.side.as_ref().err()?.as_str())))
    }

    /// Layers with a tensor of which no number, or no correlation, can be made, with the reason.
    pub fn without_numbers(&self) -> impl Iterator<Item = (Place, String)> {
        self.rows.iter().filter_map(|row| Some((row.place?, row.obstacle()?)))
    }

    fn distance(&self, (a, b): (usize, usize)) -> u32 {
        self.number(b).abs_diff(self.number(a))
    }

    /// Number of the layer of a row.
    pub fn number(&self, row: usize) -> u32 {
        self.rows[row].layer().map_or(0, |layer| layer.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{
        Entry, Held, all_pairs,
        pairs::tests::{held, key},
    };
    use super::*;
    use crate::{
        family::LayerIndex,
        metric::{Metric, PairMetrics, Undefined},
    };

    /// The vectors that were found, and every layer below `expected` that was not.
    fn table(found: Vec<(Place, Vec<f64>)>, expected: u32) -> PairTable {
        let mut rows: BTreeMap<Place, Result<Vec<f64>, String>> =
            (0..expected).map(|number| (layer(number), Err("it is missing".to_owned()))).collect();
        rows.extend(found.into_iter().map(|(place, values)| (place, Ok(values))));
        let rows: Vec<Held> = rows.into_iter().map(|(place, vector)| held(0, place, vector)).collect();
        PairTable::of(key(None), &rows, all_pairs(rows.len(), false))
    }

    fn layer(number: u32) -> Place {
        Place::layer(LayerIndex(number))
    }

    fn block(number: u32) -> Place {
        Place { mtp: true, layer: LayerIndex(number), is_past: false }
    }

    /// Vectors that differ from layer to layer in mean and pattern.
    fn wave(layer: u32) -> Vec<f64> {
        (0..64)
            .map(|i| 1.0 + 0.1 * f64::from(layer) + (f64::from(i) * (0.3 + 0.01 * f64::from(layer))).sin() * 0.2)
            .collect()
    }

    fn names(table: &PairTable, pairs: &[(usize, usize)]) -> Vec<(u32, u32)> {
        pairs.iter().map(|&(a, b)| (table.number(a), table.number(b))).collect()
    }

    #[test]
    fn a_missing_layer_leaves_its_row_empty_and_later_layers_keep_their_number() {
        let table = table([0, 1, 3].map(|number| (layer(number), wave(number))).to_vec(), 5);
        let places: Vec<_> = table.rows.iter().map(Entry::place_name).collect();
        assert_eq!(places, ["0", "1", "2", "3", "4"]);
        assert_eq!(table.missing().map(|(place, _)| place.layer.0).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(names(&table, &table.baseline()), [(0, 1), (0, 2), (0, 3), (0, 4)]);
        let adjacent = table.adjacent();
        assert_eq!(names(&table, &adjacent), [(0, 1), (1, 2), (2, 3), (3, 4)]);
        let statistics = table.stats(Metric::CosSim, &adjacent);
        assert_eq!((statistics.n, statistics.missing()), (1, 3));
        let by_distance = table.by_distance();
        let two = table.stats(Metric::CosSim, &by_distance[&2]);
        assert_eq!((two.n, two.missing()), (1, 2));
        let expected = PairMetrics::compute(&wave(1), &wave(3));
        assert_eq!(table.get(1, 3, Metric::Pearson), *expected.get(Metric::Pearson));
        assert!(matches!(table.get(1, 2, Metric::CosSim), Err(Undefined::NotComparable(_))));
    }

    #[test]
    fn chosen_layers_are_neighbours_only_where_their_numbers_are() {
        let table = table([0, 10, 20, 21].map(|number| (layer(number), wave(number))).to_vec(), 0);
        assert_eq!(names(&table, &table.adjacent()), [(20, 21)]);
        assert_eq!(table.by_distance().keys().copied().collect::<Vec<_>>(), [1, 10, 11, 20, 21]);
    }

    #[test]
    fn a_multi_token_prediction_block_is_in_the_matrix_and_in_no_summary() {
        // One block is numbered past the layers, the other from 0 as under `mtp.layers.`.
        for number in [2, 0] {
            let found = vec![(layer(0), wave(0)), (layer(1), wave(1)), (block(number), wave(7))];
            let table = table(found, 2);
            let matrix = table.layer_matrix(Metric::CosSim);
            assert_eq!(matrix.rows, ["0", "1", &format!("{number} (MTP)")]);
            assert!(matrix.get(2, 0).is_ok());
            assert_eq!(matrix.get(2, 0), matrix.get(0, 2));
            for pairs in [table.baseline(), table.adjacent(), table.layer_pairs()] {
                assert_eq!(pairs, [(0, 1)]);
            }
            assert_eq!(table.by_distance().len(), 1);
        }
    }

    #[test]
    fn one_layer_has_statistics_and_no_pair() {
        let table = table(vec![(layer(0), wave(0))], 1);
        assert!(table.baseline().is_empty() && table.adjacent().is_empty() && table.by_distance().is_empty());
        assert!(table.rows[0].summary.is_ok());
        assert_eq!(table.stats(Metric::CosSim, &[]).figures, None);
        assert!((table.get(0, 0, Metric::CosSim).unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn without_layer_0_there_is_no_baseline_by_another_layer() {
        assert!(table(vec![(layer(1), wave(1)), (layer(2), wave(2))], 0).baseline().is_empty());
        let gap = table(vec![(layer(1), wave(1)), (layer(2), wave(2))], 3);
        let statistics = gap.stats(Metric::CosSim, &gap.baseline());
        assert_eq!((statistics.n, statistics.missing()), (0, 2));
    }

    #[test]
    fn a_constant_layer_has_a_cosine_and_no_correlation() {
        let found = vec![(layer(0), vec![1.0; 64]), (layer(1), wave(1)), (layer(2), wave(2))];
        let table = table(found, 3);
        assert!(table.get(0, 1, Metric::CosSim).is_ok());
        assert_eq!(table.get(0, 1, Metric::Pearson), Err(Undefined::Constant));
        let statistics = table.stats(Metric::Pearson, &table.adjacent());
        assert_eq!((statistics.n, statistics.missing()), (1, 1));
        assert!(table.rows[0].summary.as_ref().unwrap().is_constant());
    }

    /// `fixtures/layers_goldens.py` says how inputs and figures were made.
    #[test]
    fn layers_equal_numpy() {
        let goldens: Value = serde_json::from_str(include_str!("../../fixtures/layers_goldens.json")).unwrap();
        let found = goldens["layers"].as_object().unwrap().iter().map(|(number, values)| {
            let values = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
            (layer(number.parse().unwrap()), values.collect())
        });
        let table = table(found.collect(), 0);
        let close = |got: f64, expected: &Value, what: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {got} {expected}");
        };
        for row in &table.rows {
            let (golden, summary) = (&goldens["per_layer"][row.place_name()], row.summary.as_ref().unwrap());
            close(summary.mean, &golden["mean"], "mean");
            close(summary.sd, &golden["sd"], "sd");
            close(summary.cv().unwrap(), &golden["cv"], "cv");
            close(summary.min, &golden["min"], "min");
            close(summary.max, &golden["max"], "max");
            close(summary.norm, &golden["norm"], "norm");
        }
        let mut distances = 0;
        for metric in [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm, Metric::L2] {
            for (distance, pairs) in table.by_distance() {
                let golden = &goldens["distance"][metric.name()][distance.to_string()];
                let statistics = table.stats(metric, &pairs);
                let extent = statistics.figures.unwrap();
                assert_eq!(statistics.n as u64, golden["n"].as_u64().unwrap());
                close(extent.mean, &golden["mean"], metric.name());
                close(extent.sd, &golden["sd"], metric.name());
                distances += 1;
            }
            for (name, pairs) in [("baseline", table.baseline()), ("adjacent", table.adjacent())] {
                let golden = goldens[name][metric.name()].as_array().unwrap();
                assert_eq!(golden.len(), pairs.len());
                for ((a, b), expected) in pairs.into_iter().zip(golden) {
                    close(table.get(a, b, metric).unwrap(), expected, name);
                }
            }
        }
        // Every distance from 1 to 8 occurs, for each of five metrics.
        assert_eq!(distances, 40);
    }
}
