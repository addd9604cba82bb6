//! One matrix of a survey: what its tensors have in common, each model's tensor, and the metrics of every pair.

use rayon::prelude::*;

use super::Matrix;
use crate::{
    dtype::Dtype,
    family::{LayerIndex, Part, Role, Stack},
    metric::{MeanSd, Metric, Moments, PairMetrics, Summary, Undefined},
    tensor::{Loaded, Prepared},
};

/// What the layers of one panel's tensors have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Alignment {
    /// Their index.
    #[default]
    Index,
    /// Their relative depth; the panel's layer is that of the reference.
    Depth,
    /// Each is its model's last.
    Last,
    /// Each was chosen.
    Chosen,
}

/// What the tensors of one panel have in common: one matrix a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PanelKey {
    /// Their role; `None` where they were chosen by a pattern of names.
    pub role: Option<Role>,
    /// Weight or bias.
    pub part: Part,
    /// Which stack.
    pub stack: Stack,
    /// Which layer; `None` outside the layers, and where each model has a layer of its own.
    pub layer: Option<LayerIndex>,
    /// What the layer is.
    pub alignment: Alignment,
}

impl PanelKey {
    /// The same without its layer: what all panels of one role have in common.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { layer: None, ..*self }
    }

    /// The role's name, `tensor` for a pattern; with the stack before it where there are two.
    pub fn role_name(&self) -> String {
        let role = self.role.map_or("tensor", Role::name);
        let bias = if self.part == Part::Bias { "_bias" } else { "" };
        match self.stack {
            Stack::Main => format!("{role}{bias}"),
            Stack::Encoder => format!("encoder_{role}{bias}"),
            Stack::Decoder => format!("decoder_{role}{bias}"),
        }
    }

    /// The layer as a word: a number, `last`, `chosen`, or `all` outside the layers.
    pub fn layer_name(&self) -> String {
        match (self.layer, self.alignment) {
            (Some(layer), _) => layer.to_string(),
            (None, Alignment::Last) => "last".to_owned(),
            (None, Alignment::Chosen) => "chosen".to_owned(),
            (None, _) => "all".to_owned(),
        }
    }

    /// For headings: `input_layernorm, layer 10`.
    pub fn title(&self) -> String {
        let role = self.role_name();
        match (self.layer, self.alignment) {
            (Some(layer), Alignment::Depth) => format!("{role}, relative depth of layer {layer}"),
            (Some(layer), _) => format!("{role}, layer {layer}"),
            (None, Alignment::Last) => format!("{role}, last layer"),
            (None, Alignment::Chosen) => format!("{role}, chosen layers"),
            (None, _) => role,
        }
    }
}

/// One model's part in a panel.
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
    /// Whether 1 + w is compared instead of the stored w.
    pub zero_centred: bool,
}

/// All pairs of one role and layer.
#[derive(Debug)]
pub struct Panel {
    /// What the tensors have in common.
    pub key: PanelKey,
    /// For each model its tensor, or the reason why it has none here.
    pub sides: Vec<Result<Side, String>>,
    /// For each model mean and spread of its elements.
    pub moments: Vec<Result<MeanSd, Undefined>>,
    /// Pairs on the diagonal and right of it, row by row.
    upper: Vec<PairMetrics>,
    /// Pairs left of the diagonal, row by row; empty where only symmetric metrics were asked for.
    lower: Vec<PairMetrics>,
}

impl Panel {
    /// Compares all cells pairwise; in both directions only if `both`, since symmetric metrics are equal bit for bit.
    pub(crate) fn compare(key: PanelKey, cells: &[Result<(Side, Loaded), String>], both: bool) -> Self {
        let prepared: Vec<Result<Prepared<'_>, &String>> =
            cells.par_iter().map(|cell| cell.as_ref().map(|(_, loaded)| Prepared::new(loaded))).collect();
        let n = cells.len();
        let pair = |(row, column): (usize, usize)| match (&prepared[row], &prepared[column]) {
            (Ok(a), Ok(b)) => a.compare(b),
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(&missing(reason)),
        };
        let upper: Vec<(usize, usize)> = (0..n).flat_map(|row| (row..n).map(move |column| (row, column))).collect();
        let lower: Vec<(usize, usize)> = (0..n).flat_map(|row| (0..row).map(move |column| (row, column))).collect();
        let moments = prepared.iter().map(|side| match side {
            Ok(side) => side.moments().and_then(mean_sd),
            Err(reason) => Err(missing(reason)),
        });
        Self {
            key,
            sides: cells.iter().map(|cell| cell.as_ref().map(|(side, _)| side.clone()).map_err(Clone::clone)).collect(),
            moments: moments.collect(),
            upper: upper.into_par_iter().map(pair).collect(),
            lower: if both { lower.into_par_iter().map(pair).collect() } else { Vec::new() },
        }
    }

    /// The metrics of the models at `row` and `column`, with the first-listed one as reference.
    pub fn metrics(&self, row: usize, column: usize) -> &PairMetrics {
        let (row, column, n) = (row.min(column), row.max(column), self.sides.len());
        &self.upper[row * (2 * n - row + 1) / 2 + column - row]
    }

    /// One metric with the row's model as reference; an asymmetric one is undefined left of the diagonal unless that
    /// direction was asked for.
    pub fn get(&self, row: usize, column: usize, metric: Metric) -> Result<f64, Undefined> {
        if row <= column || metric.is_symmetric() {
            return self.metrics(row, column).get(metric).clone();
        }
        match self.lower.get(row * (row - 1) / 2 + column) {
            Some(metrics) => metrics.get(metric).clone(),
            None => Err(Undefined::NotComparable("this direction was not asked for".to_owned())),
        }
    }

    /// One metric as a square matrix.
    pub fn matrix(&self, metric: Metric, labels: &[String]) -> Matrix {
        Matrix::from_fn(labels.to_vec(), labels.to_vec(), |row, column| self.get(row, column, metric))
    }

    /// Number of pairs of different models for which `metric` is defined.
    pub fn defined(&self, metric: Metric) -> usize {
        let pairs = crate::question::survey::pairs_of(self.sides.len());
        pairs.filter(|&(row, column)| self.metrics(row, column).get(metric).is_ok()).count()
    }

    /// Elements of the tensors that `row` and `column` share; `None` where they cannot be compared.
    pub fn channels(&self, row: usize, column: usize) -> Option<u64> {
        match (&self.sides[row], &self.sides[column]) {
            (Ok(a), Ok(b)) if a.shape == b.shape => Some(a.shape.iter().product()),
            _ => None,
        }
    }
}

fn mean_sd(moments: &Moments) -> Result<MeanSd, Undefined> {
    moments.summary.as_ref().map(Summary::mean_sd).map_err(Clone::clone)
}

/// A missing tensor as the reason why a pair has no metrics.
pub(crate) fn missing(reason: &str) -> Undefined {
    Undefined::NotComparable(reason.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A panel of layer `layer` with one vector a model; `None` where a model has none.
    pub(crate) fn planted(layer: u32, vectors: &[Option<Vec<f64>>], both: bool) -> (Panel, Vec<Option<Loaded>>) {
        let cells: Vec<Result<(Side, Loaded), String>> = vectors
            .iter()
            .map(|vector| {
                let vector = vector.clone().ok_or_else(|| "it has no such tensor".to_owned())?;
                let side = Side {
                    tensor: format!("layers.{layer}.norm.weight"),
                    layer: Some(LayerIndex(layer)),
                    dtype: Dtype::F64,
                    shape: vec![vector.len() as u64],
                    stored_bytes: 8 * vector.len() as u64,
                    zero_centred: false,
                };
                Ok((side, Loaded::of(vector)))
            })
            .collect();
        let key = PanelKey {
            role: Some(Role::InputLayernorm),
            part: Part::Weight,
            stack: Stack::Main,
            layer: Some(LayerIndex(layer)),
            alignment: Alignment::Index,
        };
        let panel = Panel::compare(key, &cells, both);
        (panel, cells.into_iter().map(|cell| cell.ok().map(|(_, loaded)| loaded)).collect())
    }

    #[test]
    fn every_pair_is_where_it_is_looked_for() {
        let vectors = [Some(vec![1.0, 2.0, 4.0]), None, Some(vec![2.0, 2.0, 1.0]), Some(vec![3.0, 1.0, 1.0])];
        let (panel, _) = planted(0, &vectors, true);
        for (row, a) in vectors.iter().enumerate() {
            for (column, b) in vectors.iter().enumerate() {
                for metric in [Metric::CosSim, Metric::RelL2Err, Metric::NormRatio] {
                    let expected = match (a, b) {
                        (Some(a), Some(b)) => PairMetrics::compute(a, b).get(metric).clone(),
                        _ => Err(missing("it has no such tensor")),
                    };
                    assert_eq!(panel.get(row, column, metric), expected, "{row} {column} {metric}");
                }
            }
        }
        assert_eq!((panel.channels(0, 2), panel.channels(0, 1)), (Some(3), None));
        assert_eq!(panel.defined(Metric::L2), 3);
        assert!((panel.moments[0].as_ref().unwrap().mean - 7.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_direction_that_was_not_asked_for_is_no_number() {
        let (panel, _) = planted(0, &[Some(vec![1.0, 2.0]), Some(vec![3.0, 5.0])], false);
        assert_eq!(panel.get(1, 0, Metric::CosSim), panel.get(0, 1, Metric::CosSim));
        assert!(panel.get(0, 1, Metric::NormRatio).is_ok());
        assert!(panel.get(1, 0, Metric::NormRatio).is_err());
    }
}
