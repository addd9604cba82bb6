//! One model against itself, layer by layer: what two tensors of one role look like when nothing but depth lies between
//! them. Without this a number between models has nothing to stand beside.

use std::collections::BTreeSet;

use crate::{
    family::{LayerIndex, LayerSelection, ModelConfig, Stack},
    fetch::Corpus,
    metric::Metric,
    model::{Exclusion, ModelSummary, Opened},
    parallel,
    table::{Held, PairTable, Place, Sources, TableKey, all_pairs, missing_role, unreadable},
};

/// Layers that are compared with each other at most. The deepest open models have about 130; a name may claim any number.
pub(crate) const MOST_LAYERS: usize = 512;

/// The layers of each model, compared with each other.
#[derive(Debug)]
pub struct Layers {
    /// The models.
    pub models: Vec<ModelSummary>,
    /// One table of layers a role and model that has it: by role, then in the order of the models.
    pub tables: Vec<PairTable>,
    /// How many tensors there are that could not be read.
    pub unread: usize,
    /// (model, role, reason) where a model has no tensor of a role; of no role where it has none in any layer that was asked for.
    pub absent: Vec<(usize, Option<TableKey>, String)>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
}

impl Layers {
    /// Whether something that was asked for is missing: a model that failed or has no table, a role or layer that no
    /// model has, or a tensor that could not be read. A layer that the model does not have is no failure: hybrid models have a role in some layers only.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let without = (0..self.models.len()).any(|model| self.tables.iter().all(|table| table.model() != model));
        let lacking = self.excluded.iter().any(|(_, exclusion)| exclusion.is_fault);
        failed || without || lacking || self.unread > 0 || self.tables.is_empty()
    }
}

/// Compares the layers of each model. Every tensor must be in the cache by now, or in a folder, or in `failures`.
///
/// `selection` is that of the question: layers that it chooses and a model should have keep their place when they are
/// missing. `metrics` are those whose matrices are wanted; where one is not symmetric, both directions are computed.
pub fn layers(corpus: &Corpus, by_pattern: bool, selection: &LayerSelection, metrics: &[Metric]) -> Layers {
    let both = metrics.iter().any(|metric| !metric.is_symmetric());
    let opened = corpus.opened.as_slice();
    let sources = Sources::new(corpus, |tensor| TableKey::of(tensor, by_pattern));
    let (mut tables, mut absent, mut unread) = (Vec::new(), Vec::new(), 0);
    for role in sources.roles() {
        for (model, opened) in opened.iter().enumerate() {
            let Ok(read) = &opened.outcome else { continue };
            let found = sources.layers(model, role);
            if found.is_empty() || found.len() > MOST_LAYERS {
                let reason = if found.is_empty() {
                    missing_role(read, &role)
                } else {
                    format!(
                        "it has {} such tensors, and at most {MOST_LAYERS} are compared with each other: choose by --layers",
                        found.len()
                    )
                };
                absent.push((model, Some(role), reason));
                continue;
            }
            let read_one = |key: &TableKey| Held { model, place: key.layer, cell: sources.read(model, key) };
            let mut rows = parallel::map(&found, read_one);
            unread += rows.iter().filter(|row| row.cell.is_err()).count();
            let stated = if by_pattern { None } else { stated(&read.config, role.stack) };
            let reason = |layer: Place| {
                let absent = || "the model has no such tensor in this layer".to_owned();
                unreadable(read, &TableKey { layer: Some(layer), ..role }).unwrap_or_else(absent)
            };
            let expected = every_chosen(&rows, stated, selection);
            add_missing(&mut rows, model, &expected, reason);
            tables.push(PairTable::of(role, &rows, all_pairs(rows.len(), both)));
        }
    }
    for (model, opened) in opened.iter().enumerate() {
        let Ok(read) = &opened.outcome else { continue };
        let known = tables.iter().map(PairTable::model).chain(absent.iter().map(|(model, ..)| *model));
        if !known.collect::<BTreeSet<_>>().contains(&model) {
            let no_layer = || "none of its requested tensors belongs to a layer".to_owned();
            absent.push((model, None, read.absence.clone().unwrap_or_else(no_layer)));
        }
    }
    let models = opened.iter().map(ModelSummary::of).collect();
    Layers { models, tables, unread, absent, excluded: Opened::excluded(opened) }
}

/// How many layers the configuration gives a stack.
pub(crate) fn stated(config: &ModelConfig, stack: Stack) -> Option<u32> {
    match stack {
        Stack::Main => config.num_hidden_layers,
        Stack::Encoder => config.encoder_layers,
        Stack::Decoder => config.decoder_layers,
    }
}

/// Gives a row to the layers that a model should have and has not.
fn add_missing(rows: &mut Vec<Held>, model: usize, expected: &[LayerIndex], reason: impl Fn(Place) -> String) {
    let found: BTreeSet<Place> = rows.iter().filter_map(|row| row.place).collect();
    let missing = expected.iter().copied().map(Place::layer).filter(|place| !found.contains(place));
    rows.extend(missing.map(|place| Held { model, place: Some(place), cell: Err(reason(place)) }));
    rows.sort_by_key(|row| row.place);
}

/// The chosen layers up to the stated number or the last one found, whichever is more.
fn every_chosen(rows: &[Held], stated: Option<u32>, selection: &LayerSelection) -> Vec<LayerIndex> {
    let found = rows.iter().filter_map(|row| row.place).filter(|place| !place.mtp).map(|place| place.layer.0);
    every_layer(found, stated).map_or_else(|_| Vec::new(), |all| selection.resolve(&all))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_a_model_should_have_get_a_row_before_its_prediction_blocks() {
        let row = |place, reason: &str| Held { model: 3, place: Some(place), cell: Err(reason.to_owned()) };
        let layer = |number| Place::layer(LayerIndex(number));
        let block = Place { mtp: true, layer: LayerIndex(0), is_past: false };
        let mut rows = vec![row(layer(1), "the tensor was not read: time-out"), row(block, "a block")];
        let expected = every_chosen(&rows, Some(3), &"0,1,2".parse().unwrap());
        add_missing(&mut rows, 3, &expected, |_| "the model has no such tensor in this layer".to_owned());
        let places: Vec<String> = rows.iter().map(|row| row.place.unwrap().to_string()).collect();
        assert_eq!(places, ["0", "1", "2", "0 (MTP)"]);
        assert_eq!(rows[1].cell.as_ref().unwrap_err(), "the tensor was not read: time-out");
    }
}
