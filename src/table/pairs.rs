//! A list of tensors, or two lists, and every metric of the pairs that a question chose among them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Matrix, Place, Scratch, TableKey, packed::Packed};
use crate::{
    dtype::Dtype,
    family::LayerIndex,
    metric::{Metric, PairMetrics, Stats, Summary, Undefined},
    model::Tensor,
    parallel,
    tensor::{Loaded, Prepared},
};

/// What a tensor is, without its elements.
#[derive(Debug, Clone)]
pub struct Side {
    /// Name of the tensor.
    pub tensor: String,
    /// Its layer.
    pub layer: Option<LayerIndex>,
    /// Element type as stored.
    pub dtype: Dtype,
    /// Extent of each axis.
    pub shape: Vec<u64>,
    /// Bytes as stored.
    pub stored_bytes: u64,
}

impl Side {
    pub(crate) fn of(tensor: &Tensor) -> Self {
        Self {
            tensor: tensor.info.name.clone(),
            layer: tensor.layer,
            dtype: tensor.info.dtype.clone(),
            shape: tensor.info.shape.clone(),
            stored_bytes: tensor.info.range.len(),
        }
    }
}

/// A tensor with its elements, or the reason why there is none.
pub(crate) type Cell = Result<(Side, Loaded), String>;

/// A row or column before it is compared.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) model: usize,
    pub(crate) place: Option<Place>,
    pub(crate) cell: Cell,
}

/// A row or column of a table.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Number of the model in the list of models.
    pub model: usize,
    /// Where its tensor stands, or would stand; `None` outside the layers.
    pub place: Option<Place>,
    /// The tensor, or the reason why there is none.
    pub side: Result<Side, String>,
    /// Mean, spread, norm and extremes of its elements.
    pub summary: Result<Summary, Undefined>,
    /// Whether more than half of its elements are equal: its correlations are tested against nothing.
    pub is_mostly_tied: bool,
}

/// Tensors with one role, and the metrics of pairs of them: rows with columns, or rows with rows.
#[derive(Debug, Clone)]
pub struct PairTable {
    /// What the tensors have in common.
    pub key: TableKey,
    /// The rows.
    pub rows: Vec<Entry>,
    /// The columns; `None` where rows meet rows.
    pub columns: Option<Vec<Entry>>,
    pub(super) pairs: Packed,
}

/// What a pair that was not chosen has.
fn not_asked() -> Undefined {
    Undefined::NotComparable("this pair was not requested".to_owned())
}

impl PairTable {
    /// Compares the chosen `pairs` of `rows`, the first of each as reference. Parallel over pairs; the numbers do not depend on
    /// the number of threads.
    pub(crate) fn of(key: TableKey, rows: &[Held], pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self::of_many(key, rows, pairs, None)
    }

    /// The same of many pairs, in a file where memory does not hold them: then numbers may be absent until [`Scratch::check`] says
    /// that it could be read.
    pub(crate) fn of_many(
        key: TableKey,
        rows: &[Held],
        pairs: impl IntoIterator<Item = (usize, usize)>,
        scratch: Option<&Arc<Scratch>>,
    ) -> Self {
        let prepared = prepare(rows);
        let pairs = Packed::compute(pairs, |row, column| compare(&prepared[row], &prepared[column]), scratch);
        Self { key, rows: described(rows, &prepared), columns: None, pairs }
    }

    /// The metrics of a pair, the row as reference. Where rows meet rows and only the other direction was chosen, its metrics.
    pub fn metrics(&self, row: usize, column: usize) -> PairMetrics {
        let pair = self.either(row, column);
        pair.map_or_else(|| PairMetrics::undefined(&not_asked()), |pair| self.pairs.metrics(pair))
    }

    /// One of these metrics.
    pub(crate) fn metric(&self, row: usize, column: usize, metric: Metric) -> Result<f64, Undefined> {
        self.either(row, column).map_or_else(|| Err(not_asked()), |pair| self.pairs.get(pair, metric))
    }

    fn either(&self, row: usize, column: usize) -> Option<usize> {
        let mirrored = || self.pairs.find(column, row).filter(|_| self.columns.is_none());
        self.pairs.find(row, column).or_else(mirrored)
    }

    /// One metric, the row as reference. An asymmetric one is never taken from the other direction.
    pub fn get(&self, row: usize, column: usize, metric: Metric) -> Result<f64, Undefined> {
        if metric.is_symmetric() || self.pairs.find(row, column).is_some() {
            return self.metric(row, column, metric);
        }
        Err(not_asked())
    }

    /// One metric as a matrix.
    pub fn matrix(&self, metric: Metric, labels: &[String]) -> Matrix {
        Matrix::from_fn(labels.to_vec(), labels.to_vec(), |row, column| self.get(row, column, metric))
    }

    /// One metric as a matrix whose rows and columns are labelled by layer, blocks of multi-token prediction last.
    pub fn layer_matrix(&self, metric: Metric) -> Matrix {
        let [rows, columns] = self.layer_labels();
        Matrix::from_fn(rows, columns, |row, column| self.get(row, column, metric))
    }

    /// The layers of its rows and columns.
    pub(crate) fn layer_labels(&self) -> [Vec<String>; 2] {
        [&self.rows[..], self.columns()].map(|entries| entries.iter().map(Entry::place_name).collect())
    }

    /// What `metric` over `pairs` comes to, and how many of them have no value.
    pub fn stats(&self, metric: Metric, pairs: &[(usize, usize)]) -> Stats {
        let values: Vec<_> = pairs.iter().map(|&(row, column)| self.get(row, column, metric)).collect();
        Stats::of(&values)
    }

    /// Number of pairs of different tensors for which `metric` is defined.
    pub fn defined(&self, metric: Metric) -> usize {
        self.different().filter(|&(pair, _)| self.pairs.get(pair, metric).is_ok()).count()
    }

    /// The pairs of different tensors, each of rows with rows once, by number and place.
    pub(super) fn different(&self) -> impl Iterator<Item = (usize, (usize, usize))> + '_ {
        let differ = |(row, column): (usize, usize)| self.columns.is_some() || row < column;
        self.pairs.places().enumerate().filter(move |(_, place)| differ(*place))
    }

    /// Elements of the tensors that `row` and `column` share; `None` where they cannot be compared.
    pub fn channels(&self, row: usize, column: usize) -> Option<u64> {
        match (&self.rows[row].side, &self.columns()[column].side) {
            (Ok(a), Ok(b)) if a.shape == b.shape => Some(a.shape.iter().product()),
            _ => None,
        }
    }

    /// How many rows have a tensor of each shape.
    pub(crate) fn shapes(&self) -> BTreeMap<&[u64], usize> {
        let mut shapes = BTreeMap::new();
        for side in self.rows.iter().flat_map(|row| &row.side) {
            *shapes.entry(side.shape.as_slice()).or_default() += 1;
        }
        shapes
    }

    /// The columns, which are the rows where rows meet rows.
    pub fn columns(&self) -> &[Entry] {
        self.columns.as_deref().unwrap_or(&self.rows)
    }

    /// The tensors of one model.
    pub fn sides_of(&self, model: usize) -> impl Iterator<Item = &Side> {
        let entries = self.rows.iter().chain(self.columns.iter().flatten());
        entries.filter(move |entry| entry.model == model).filter_map(|entry| entry.side.as_ref().ok())
    }
}

impl Entry {
    /// Number of its layer, or of its block; `None` outside the layers.
    pub fn layer(&self) -> Option<LayerIndex> {
        self.place.map(|place| place.layer)
    }

    /// Elements of its tensor; 0 where there is none.
    pub fn numel(&self) -> u64 {
        self.side.as_ref().map_or(0, |side| side.shape.iter().product())
    }

    /// `12`, or `46 (MTP)`; nothing outside the layers.
    pub fn place_name(&self) -> String {
        self.place.map(|place| place.to_string()).unwrap_or_default()
    }

    /// Why no number, or no correlation, can be made of its tensor; `None` also where there is no tensor.
    pub fn obstacle(&self) -> Option<String> {
        self.side.as_ref().ok()?;
        let told = |what: &str, reason: &Undefined| Some(format!("it has no {what}: {}", reason.of_tensor()));
        match &self.summary {
            Err(reason) => told("number", reason),
            Ok(summary) if summary.norm == 0.0 => told("cosine and no correlation", &Undefined::ZeroNorm),
            Ok(summary) if summary.is_constant() => told("correlation", &Undefined::Constant),
            Ok(_) => None,
        }
    }

    /// Whether it is a multi-token-prediction block.
    pub fn is_mtp(&self) -> bool {
        self.place.is_some_and(|place| place.mtp)
    }
}

/// Works out once what each tensor's pairs need of it.
pub(super) fn prepare(held: &[Held]) -> Vec<Result<Prepared<'_>, Undefined>> {
    fn prepare_one(held: &Held) -> Result<Prepared<'_>, Undefined> {
        match &held.cell {
            Ok((_, loaded)) => Ok(Prepared::new(loaded)),
            Err(reason) => Err(Undefined::NotComparable(reason.clone())),
        }
    }
    parallel::map(held, prepare_one)
}

/// Rows or columns without their elements.
pub(super) fn described(held: &[Held], prepared: &[Result<Prepared<'_>, Undefined>]) -> Vec<Entry> {
    let summary = |prepared: &Result<Prepared<'_>, Undefined>| {
        prepared.as_ref().map_err(Clone::clone)?.moments()?.summary.clone()
    };
    let entry = |(held, prepared): (&Held, _)| Entry {
        model: held.model,
        place: held.place,
        side: held.cell.as_ref().map(|(side, _)| side.clone()).map_err(Clone::clone),
        summary: summary(prepared),
        is_mostly_tied: prepared.as_ref().is_ok_and(Prepared::is_mostly_tied),
    };
    held.iter().zip(prepared).map(entry).collect()
}

pub(super) fn compare(a: &Result<Prepared<'_>, Undefined>, b: &Result<Prepared<'_>, Undefined>) -> PairMetrics {
    match (a, b) {
        (Ok(a), Ok(b)) => a.compare(b),
        (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(reason),
    }
}

/// Every pair of two different places among `count`, each once, the lower place first.
pub fn pairs_of(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |row| (row + 1..count).map(move |column| (row, column)))
}

/// The place of two different of `count` places, in either order, in the list of [`pairs_of`].
pub(super) fn number_of(count: usize, a: usize, b: usize) -> usize {
    let (a, b) = (a.min(b), a.max(b));
    a * (2 * count - a - 1) / 2 + b - a - 1
}

/// The `most` items of the largest strength, the largest first and equals as they came; and how many items there are.
pub(crate) fn strongest<T>(
    items: impl Iterator<Item = T>,
    most: usize,
    strength: impl Fn(&T) -> f64,
) -> (Vec<T>, usize) {
    let (mut kept, mut count): (Vec<(f64, T)>, usize) = (Vec::new(), 0);
    for item in items {
        count += 1;
        let own = strength(&item);
        let place = kept.partition_point(|(before, _)| before.total_cmp(&own).is_ge());
        if place < most {
            kept.truncate(most - 1);
            kept.insert(place, (own, item));
        }
    }
    (kept.into_iter().map(|(_, item)| item).collect(), count)
}

/// Every place with itself and each later one; with `both`, each with each, since symmetric metrics are equal bit for bit.
pub(crate) fn all_pairs(count: usize, both: bool) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |row| (if both { 0 } else { row }..count).map(move |column| (row, column)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        family::{Part, Role, Stack},
        table::Alignment,
    };

    pub(crate) fn key(layer: Option<u32>) -> TableKey {
        TableKey {
            role: Some(Role::InputLayernorm),
            part: Part::Weight,
            stack: Stack::Main,
            layer: layer.map(|layer| Place::layer(LayerIndex(layer))),
            alignment: Alignment::Index,
        }
    }

    /// Vector of a layer, or the reason why there is none.
    pub(crate) fn held(model: usize, place: Place, vector: Result<Vec<f64>, String>) -> Held {
        let side = |vector: Vec<f64>| {
            let side = Side {
                tensor: format!("layers.{}.norm.weight", place.layer),
                layer: Some(place.layer),
                dtype: Dtype::F64,
                shape: vec![vector.len() as u64],
                stored_bytes: 8 * vector.len() as u64,
            };
            (side, Loaded::of(vector))
        };
        Held { model, place: Some(place), cell: vector.map(side) }
    }

    /// A table of layer `layer` with one vector a model; `None` where a model has none.
    pub(crate) fn planted(layer: u32, vectors: &[Option<Vec<f64>>], both: bool) -> (PairTable, Vec<Option<Loaded>>) {
        let place = Place::layer(LayerIndex(layer));
        let absent = || "it has no such tensor".to_owned();
        let rows: Vec<Held> = vectors
            .iter()
            .enumerate()
            .map(|(model, vector)| held(model, place, vector.clone().ok_or_else(absent)))
            .collect();
        let table = PairTable::of(key(Some(layer)), &rows, all_pairs(rows.len(), both));
        (table, rows.into_iter().map(|held| held.cell.ok().map(|(_, loaded)| loaded)).collect())
    }

    #[test]
    fn a_pair_is_found_by_its_number() {
        for (number, (a, b)) in pairs_of(7).enumerate() {
            assert_eq!((number_of(7, a, b), number_of(7, b, a)), (number, number));
        }
        assert_eq!(pairs_of(7).count(), 21);
    }

    #[test]
    fn the_strongest_come_first_and_equals_as_they_came() {
        let items = [(1.0, 'a'), (3.0, 'b'), (1.0, 'c'), (f64::INFINITY, 'd'), (3.0, 'e'), (f64::NEG_INFINITY, 'f')];
        let of = |most| strongest(items.into_iter(), most, |(strength, _)| *strength);
        let names = |most| of(most).0.into_iter().map(|(_, name)| name).collect::<String>();
        assert_eq!([9, 4, 3, 0].map(names), ["dbeacf", "dbea", "dbe", ""]);
        assert_eq!(of(2).1, 6);
    }

    #[test]
    fn every_pair_is_where_it_is_looked_for() {
        let vectors = [Some(vec![1.0, 2.0, 4.0]), None, Some(vec![2.0, 2.0, 1.0]), Some(vec![3.0, 1.0, 1.0])];
        let (table, _) = planted(0, &vectors, true);
        for (row, a) in vectors.iter().enumerate() {
            for (column, b) in vectors.iter().enumerate() {
                for metric in [Metric::CosSim, Metric::RelL2Err, Metric::NormRatio] {
                    let expected = match (a, b) {
                        (Some(a), Some(b)) => PairMetrics::compute(a, b).get(metric).clone(),
                        _ => Err(Undefined::NotComparable("it has no such tensor".to_owned())),
                    };
                    assert_eq!(table.get(row, column, metric), expected, "{row} {column} {metric}");
                }
            }
        }
        assert_eq!((table.channels(0, 2), table.channels(0, 1)), (Some(3), None));
        assert_eq!(table.defined(Metric::L2), 3);
        assert!((table.rows[0].summary.as_ref().unwrap().mean - 7.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_direction_that_was_not_asked_for_is_no_number() {
        let (table, _) = planted(0, &[Some(vec![1.0, 2.0]), Some(vec![3.0, 5.0])], false);
        assert_eq!(table.get(1, 0, Metric::CosSim), table.get(0, 1, Metric::CosSim));
        assert!(table.get(0, 1, Metric::NormRatio).is_ok());
        assert!(table.get(1, 0, Metric::NormRatio).is_err());
        let (both, _) = planted(0, &[Some(vec![1.0, 2.0]), Some(vec![3.0, 5.0])], true);
        let product = both.get(0, 1, Metric::NormRatio).unwrap() * both.get(1, 0, Metric::NormRatio).unwrap();
        assert!((product - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_pair_that_was_not_chosen_is_no_number() {
        let place = Place::layer(LayerIndex(0));
        let rows = [0, 1, 2].map(|model| held(model, place, Ok(vec![1.0, 2.0 + model as f64])));
        let table = PairTable::of(key(Some(0)), &rows, [(0, 2)]);
        assert!(table.get(2, 0, Metric::CosSim).is_ok());
        assert_eq!(table.get(0, 1, Metric::CosSim).unwrap_err().to_string(), "this pair was not requested");
        let stats = table.stats(Metric::CosSim, &[(0, 1), (0, 2)]);
        assert_eq!((stats.n, stats.missing(), table.defined(Metric::CosSim)), (1, 1, 1));
    }
}
