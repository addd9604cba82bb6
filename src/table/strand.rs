//! One role through all layers of every model, in memory. For vectors: a hundred norms are a megabyte.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{PanelKey, Side};
use crate::{
    cache::Cache,
    family::LayerIndex,
    fetch::Failures,
    model::{Model, Opened, Tensor},
    question::survey::{cell, place},
    tensor::Loaded,
};

/// A tensor with its elements, or the reason why there is none.
pub type Cell = Result<(Side, Loaded), String>;

/// A role of every model, by layer.
#[derive(Debug)]
pub struct Strand {
    /// The role; its layer is `None`.
    pub key: PanelKey,
    /// For each model its layers; a layer that could not be read keeps its place, with the reason.
    pub models: Vec<BTreeMap<LayerIndex, Cell>>,
}

impl Strand {
    /// The tensor of `model` at `layer`, or the reason why there is none.
    pub fn get(&self, model: usize, layer: LayerIndex) -> Result<&Loaded, &str> {
        match self.models[model].get(&layer) {
            Some(Ok((_, loaded))) => Ok(loaded),
            Some(Err(reason)) => Err(reason),
            None => Err("it has no such tensor"),
        }
    }

    /// Layers that `model` has, ascending.
    pub fn layers(&self, model: usize) -> Vec<LayerIndex> {
        self.models[model].keys().copied().collect()
    }
}

/// Reads every wanted tensor that has a layer, one strand a role. `by_pattern` as in [`survey`](super::survey). Blocks of
/// multi-token prediction are no layers: [`mtp_strands`] reads them.
pub fn strands(cache: &Cache, opened: &[Opened], failures: &[Failures], by_pattern: bool) -> Vec<Strand> {
    read(cache, opened, failures, by_pattern, false)
}

/// The same of multi-token-prediction blocks, where the question asked for them; a block under `mtp.layers.0.` has layer 0.
pub fn mtp_strands(cache: &Cache, opened: &[Opened], failures: &[Failures], by_pattern: bool) -> Vec<Strand> {
    read(cache, opened, failures, by_pattern, true)
}

fn read(cache: &Cache, opened: &[Opened], failures: &[Failures], by_pattern: bool, mtp: bool) -> Vec<Strand> {
    let placed: Vec<_> = opened
        .iter()
        .map(|opened| opened.outcome.as_ref().map_or_else(|_| BTreeMap::new(), |model| layers(model, by_pattern, mtp)))
        .collect();
    let roles: BTreeSet<PanelKey> = placed.iter().flat_map(BTreeMap::keys).map(PanelKey::whole).collect();
    roles
        .into_iter()
        .map(|role| Strand {
            key: role,
            models: opened
                .par_iter()
                .zip(&placed)
                .zip(failures)
                .map(|((opened, panels), failures)| {
                    let mine = panels.iter().filter(|(key, _)| key.whole() == role);
                    mine.filter_map(|(key, tensors)| {
                        Some((key.layer?, cell(cache, opened, failures, key, Some(tensors))))
                    })
                    .collect()
                })
                .collect(),
        })
        .collect()
}

/// A model's tensors that have a layer: those of multi-token-prediction blocks, or all others.
fn layers(model: &Model, by_pattern: bool, mtp: bool) -> BTreeMap<PanelKey, Vec<&Tensor>> {
    let mut panels = place(model, by_pattern, false);
    panels.retain(|key, tensors| {
        tensors.retain(|tensor| tensor.slot.is_some_and(|slot| slot.mtp) == mtp);
        key.layer.is_some() && !tensors.is_empty()
    });
    panels
}
