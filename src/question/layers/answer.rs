//! One model against itself, layer by layer: what two tensors of one role look like when nothing but depth lies between
//! them. Without this a number between models has nothing to stand beside.

use std::collections::BTreeSet;

use crate::{
    cache::Cache,
    family::{LayerIndex, LayerSelection, ModelConfig, Stack},
    fetch::Failures,
    metric::Metric,
    model::{Exclusion, ModelSummary, Opened},
    question::survey::cell,
    table::{Found, Ladder, PanelKey, Place, Strand, mtp_strands, strands},
};

/// Layers that are compared with each other at most. The deepest open models have about 130; a name may claim any number.
pub(crate) const MOST_LAYERS: usize = 512;

/// A model without tensors of a role, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Number of the model in the list of models.
    pub model: usize,
    /// The role; `None` where no model has any layer that was asked for.
    pub key: Option<PanelKey>,
    /// Why.
    pub reason: String,
}

/// The layers of each model, compared with each other.
#[derive(Debug)]
pub struct Layers {
    /// The models.
    pub models: Vec<ModelSummary>,
    /// One ladder a role and model that has it: by role, then in the order of the models.
    pub ladders: Vec<Ladder>,
    /// Roles that a model has no tensor of.
    pub absent: Vec<Absence>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
}

impl Layers {
    /// Whether something that was asked for is missing: a model that failed or has no ladder, or a tensor that could not be
    /// read. A layer that the model does not have is no failure: hybrid models have a role in some layers only.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let without = (0..self.models.len()).any(|model| self.ladders.iter().all(|ladder| ladder.model != model));
        let unreadable = self.ladders.iter().any(|ladder| ladder.unread > 0);
        failed || without || unreadable || self.ladders.is_empty()
    }
}

/// Compares the layers of each model. Every tensor must be in the cache by now, or in a folder, or in `failures`.
///
/// `selection` is that of the question: layers that it chooses and a model should have keep their place when they are
/// missing. `metrics` are those whose matrices are wanted; where one is not symmetric, both directions are computed.
pub fn layers(
    cache: &Cache,
    opened: &[Opened],
    failures: &[Failures],
    by_pattern: bool,
    selection: &LayerSelection,
    metrics: &[Metric],
) -> Layers {
    let both = metrics.iter().any(|metric| !metric.is_symmetric());
    let mut blocks = mtp_strands(cache, opened, failures, by_pattern);
    let (mut ladders, mut absent) = (Vec::new(), Vec::new());
    for mut strand in strands(cache, opened, failures, by_pattern) {
        let mut beside = blocks.iter_mut().find(|blocks| blocks.key == strand.key);
        for (model, opened) in opened.iter().enumerate() {
            let Ok(read) = &opened.outcome else { continue };
            let found = found(model, &mut strand, beside.as_deref_mut());
            if found.is_empty() || found.len() > MOST_LAYERS {
                let reason = match cell(cache, opened, &failures[model], &strand.key, None) {
                    Err(reason) if found.is_empty() => reason,
                    _ => format!(
                        "it has {} such tensors, and at most {MOST_LAYERS} are compared with each other: choose by --layers",
                        found.len()
                    ),
                };
                absent.push(Absence { model, key: Some(strand.key), reason });
                continue;
            }
            let stated = if by_pattern { None } else { stated(&read.config, strand.key.stack) };
            let expected = expected(&found, stated, selection);
            ladders.push(Ladder::new(model, strand.key, found, &expected, both));
        }
    }
    for (model, opened) in opened.iter().enumerate() {
        let Ok(read) = &opened.outcome else { continue };
        let known = ladders.iter().map(|ladder| ladder.model).chain(absent.iter().map(|absence| absence.model));
        if !known.collect::<BTreeSet<_>>().contains(&model) {
            let no_layer = || "none of its tensors that were asked for belongs to a layer".to_owned();
            absent.push(Absence { model, key: None, reason: read.absence.clone().unwrap_or_else(no_layer) });
        }
    }
    Layers { models: opened.iter().map(ModelSummary::of).collect(), ladders, absent, excluded: excluded(opened) }
}

fn excluded(opened: &[Opened]) -> Vec<(usize, Exclusion)> {
    opened
        .iter()
        .enumerate()
        .filter_map(|(number, opened)| Some((number, opened.outcome.as_ref().ok()?)))
        .flat_map(|(number, model)| model.excluded.iter().map(move |exclusion| (number, exclusion.clone())))
        .collect()
}

/// Takes a model's tensors out of the strand of its layers, and of that of its multi-token-prediction blocks.
fn found(model: usize, layers: &mut Strand, blocks: Option<&mut Strand>) -> Found {
    let mut found = Found::new();
    for (mtp, strand) in [(false, Some(layers)), (true, blocks)] {
        let Some(strand) = strand else { continue };
        let taken = std::mem::take(&mut strand.models[model]);
        found.extend(taken.into_iter().map(|(layer, tensor)| (Place { mtp, layer }, tensor)));
    }
    found
}

/// How many layers the configuration gives a stack.
pub(crate) fn stated(config: &ModelConfig, stack: Stack) -> Option<u32> {
    match stack {
        Stack::Main => config.num_hidden_layers,
        Stack::Encoder => config.encoder_layers,
        Stack::Decoder => config.decoder_layers,
    }
}

/// The chosen layers that a model should have: up to the stated number or the last one found, whichever is more.
fn expected(found: &Found, stated: Option<u32>, selection: &LayerSelection) -> Vec<LayerIndex> {
    let numbers = found.keys().filter(|place| !place.mtp).map(|place| place.layer.0);
    every_layer(numbers, stated).map_or_else(|_| Vec::new(), |all| selection.resolve(&all))
}

/// Every layer up to the stated number or the last one found, whichever is more; that number where it is beyond
/// [`MOST_LAYERS`].
pub(crate) fn every_layer(found: impl Iterator<Item = u32>, stated: Option<u32>) -> Result<Vec<LayerIndex>, u32> {
    let count = found.map(|layer| layer.saturating_add(1)).chain(stated).max().unwrap_or(0);
    if count as usize > MOST_LAYERS {
        return Err(count);
    }
    Ok((0..count).map(LayerIndex).collect())
}
