//! Models against models: for each role and layer, every pair of models that has the tensor.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Exclusion, Failures, Loaded, Model, ModelSummary, Opened, Tensor};
use crate::{
    cache::Cache,
    checkpoint::Dtype,
    error::Error,
    family::{LayerIndex, Part, Role, Stack},
    matrix::Matrix,
    metric::{Metric, PairMetrics, Undefined},
};

/// What the tensors of one panel have in common: one matrix a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PanelKey {
    /// Their role; `None` where they were chosen by a pattern of names.
    pub role: Option<Role>,
    /// Weight or bias.
    pub part: Part,
    /// Which stack.
    pub stack: Stack,
    /// Which layer; `None` outside the layers, and for [`PanelKey::last`].
    pub layer: Option<LayerIndex>,
    /// Each model's own last layer.
    pub last: bool,
}

impl PanelKey {
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

    /// The layer as a word: a number, `last`, or `all` outside the layers.
    pub fn layer_name(&self) -> String {
        match self.layer {
            Some(layer) => layer.to_string(),
            None if self.last => "last".to_owned(),
            None => "all".to_owned(),
        }
    }

    /// For headings: `input_layernorm, layer 10`.
    pub fn title(&self) -> String {
        match self.layer {
            Some(layer) => format!("{}, layer {layer}", self.role_name()),
            None if self.last => format!("{}, last layer", self.role_name()),
            None => self.role_name(),
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
    metrics: Vec<PairMetrics>,
}

impl Panel {
    /// The metrics of (row, column), with the row's model as reference.
    pub fn metrics(&self, row: usize, column: usize) -> &PairMetrics {
        &self.metrics[row * self.sides.len() + column]
    }

    /// One metric as a square matrix.
    pub fn matrix(&self, metric: Metric, labels: &[String]) -> Matrix {
        Matrix::from_fn(labels.to_vec(), labels.to_vec(), |row, column| {
            self.metrics(row, column).get(metric).clone()
        })
    }

    /// Number of pairs of different models for which `metric` is defined.
    pub fn defined(&self, metric: Metric) -> usize {
        let n = self.sides.len();
        (0..n)
            .flat_map(|row| (row + 1..n).map(move |column| (row, column)))
            .filter(|&(row, column)| self.metrics(row, column).get(metric).is_ok())
            .count()
    }
}

/// The answer to a survey.
#[derive(Debug)]
pub struct Survey {
    /// Rows and columns.
    pub models: Vec<ModelSummary>,
    /// One panel a role and layer, sorted.
    pub panels: Vec<Panel>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
}

impl Survey {
    /// The labels of the models, in order.
    pub fn labels(&self) -> Vec<String> {
        self.models.iter().map(|model| model.label.clone()).collect()
    }

    /// Whether something that was asked for is missing: a model that failed, or one with no comparable tensor.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let without = (0..self.models.len()).any(|model| self.panels.iter().all(|panel| panel.sides[model].is_err()));
        failed || without || self.panels.is_empty()
    }
}

/// Compares all models pairwise. Every tensor must be in the cache by now, or in a folder, or in `failures`.
///
/// Synchronous and parallel over pairs; the numbers do not depend on the number of threads.
pub fn survey(cache: &Cache, opened: &[Opened], failures: &[Failures], by_pattern: bool, last_only: bool) -> Survey {
    let placed: Vec<BTreeMap<PanelKey, Vec<&Tensor>>> = opened
        .iter()
        .map(|opened| {
            opened
                .outcome
                .as_ref()
                .map_or_else(|_| BTreeMap::new(), |model| place(model, by_pattern, last_only))
        })
        .collect();
    let keys: BTreeSet<PanelKey> = placed.iter().flat_map(|panels| panels.keys().copied()).collect();
    let panels = keys
        .into_iter()
        .map(|key| {
            let cells: Vec<Result<(Side, Loaded), String>> = opened
                .par_iter()
                .zip(&placed)
                .zip(failures)
                .map(|((opened, panels), failures)| cell(cache, opened, failures, &key, panels.get(&key)))
                .collect();
            compare(key, cells)
        })
        .collect();
    let excluded = opened
        .iter()
        .enumerate()
        .filter_map(|(number, opened)| Some((number, opened.outcome.as_ref().ok()?)))
        .flat_map(|(number, model)| model.excluded.iter().map(move |exclusion| (number, exclusion.clone())))
        .collect();
    Survey {
        models: opened.iter().map(ModelSummary::of).collect(),
        panels,
        excluded,
    }
}

pub(super) fn place(model: &Model, by_pattern: bool, last_only: bool) -> BTreeMap<PanelKey, Vec<&Tensor>> {
    let mut panels: BTreeMap<PanelKey, Vec<&Tensor>> = BTreeMap::new();
    for tensor in &model.tensors {
        let slot = tensor.slot.filter(|_| !by_pattern);
        let key = PanelKey {
            role: slot.map(|slot| slot.role),
            part: slot.map_or(Part::Weight, |slot| slot.part),
            stack: slot.map_or(Stack::Main, |slot| slot.stack),
            layer: tensor.layer.filter(|_| !last_only),
            last: last_only && tensor.layer.is_some(),
        };
        panels.entry(key).or_default().push(tensor);
    }
    panels
}

pub(super) fn cell(
    cache: &Cache,
    opened: &Opened,
    failures: &Failures,
    key: &PanelKey,
    tensors: Option<&Vec<&Tensor>>,
) -> Result<(Side, Loaded), String> {
    let model = opened
        .outcome
        .as_ref()
        .map_err(|error| format!("the model was not read: {}", chain(error)))?;
    let tensor = match tensors.map(Vec::as_slice) {
        Some([tensor]) => *tensor,
        Some(several) if several.len() > 1 => {
            let names: Vec<_> = several
                .iter()
                .take(3)
                .map(|tensor| tensor.info.name.escape_debug().to_string())
                .collect();
            let more = if several.len() > 3 { ", …" } else { "" };
            return Err(format!("{} tensors fit: {}{more}", several.len(), names.join(", ")));
        }
        _ => return Err(absence(model, key)),
    };
    if let Some(error) = failures.get(&tensor.info.name) {
        return Err(format!("the tensor was not read: {}", chain(error)));
    }
    let loaded =
        Loaded::read(cache, model, tensor).map_err(|error| format!("the tensor was not read: {}", chain(&error)))?;
    let side = Side {
        tensor: tensor.info.name.clone(),
        layer: tensor.layer,
        dtype: tensor.info.dtype.clone(),
        shape: tensor.info.shape.clone(),
        stored_bytes: tensor.info.range.len(),
        zero_centred: tensor.zero_centred,
    };
    Ok((side, loaded))
}

/// Why a model has no tensor for a panel.
fn absence(model: &Model, key: &PanelKey) -> String {
    if let Some(role) = key.role {
        if let Some(reason) = model.family.family.and_then(|family| family.absent_reason(role)) {
            return reason.to_owned();
        }
        if model.family.family.is_none() {
            return "its family is not known: name its tensors by --tensor".to_owned();
        }
    }
    match (key.layer, model.config.num_hidden_layers) {
        (Some(layer), Some(layers)) if layer.0 >= layers => format!("it has {layers} layers"),
        _ => "it has no such tensor".to_owned(),
    }
}

/// An error with its causes on one line.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn compare(key: PanelKey, cells: Vec<Result<(Side, Loaded), String>>) -> Panel {
    let n = cells.len();
    let metrics = (0..n * n)
        .into_par_iter()
        .map(|index| match (&cells[index / n], &cells[index % n]) {
            (Ok((_, a)), Ok((_, b))) => a.compare(b),
            (Err(reason), _) | (_, Err(reason)) => PairMetrics::undefined(&Undefined::NotComparable(reason.clone())),
        })
        .collect();
    Panel {
        key,
        sides: cells.into_iter().map(|cell| cell.map(|(side, _)| side)).collect(),
        metrics,
    }
}
