//! The wanted tensors of all models, by what they have in common, and the reason where there is none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Side, TableKey};
use crate::{
    cache::Cache,
    family::{FusedLayout, Role, Slot},
    fetch::{Corpus, Failures},
    model::{Model, Opened, Tensor},
    tensor::{Elements, Loaded},
};

/// Where tensors are read from. Every tensor must be in the cache by now, or in a folder, or in `failures`.
pub(crate) struct Sources<'a> {
    cache: &'a Cache,
    pub(crate) opened: &'a [Opened],
    failures: &'a [Failures],
    placed: Vec<BTreeMap<TableKey, Vec<&'a Tensor>>>,
}

impl<'a> Sources<'a> {
    /// Places the wanted tensors of each model by `key`.
    pub(crate) fn new(Corpus { cache, opened, failures, .. }: &'a Corpus, key: impl Fn(&Tensor) -> TableKey) -> Self {
        let place = |opened: &'a Opened| {
            let mut placed: BTreeMap<TableKey, Vec<&Tensor>> = BTreeMap::new();
            for tensor in opened.outcome.iter().flat_map(|model| &model.tensors) {
                placed.entry(key(tensor)).or_default().push(tensor);
            }
            placed
        };
        Self { cache, opened, failures, placed: opened.iter().map(place).collect() }
    }

    /// What at least one model has a tensor for.
    pub(crate) fn keys(&self) -> BTreeSet<TableKey> {
        self.placed.iter().flat_map(BTreeMap::keys).copied().collect()
    }

    /// The roles that at least one model has in its layers.
    pub(crate) fn roles(&self) -> BTreeSet<TableKey> {
        let in_layers = |key: &TableKey| key.layer.is_some_and(|place| !place.mtp);
        self.keys().into_iter().filter(in_layers).map(|key| key.whole()).collect()
    }

    /// The layers in which a model has `role`, ascending, then its blocks of multi-token prediction.
    pub(crate) fn layers(&self, model: usize, role: TableKey) -> Vec<TableKey> {
        let keys = self.placed[model].keys();
        keys.filter(|key| key.layer.is_some() && key.whole() == role).copied().collect()
    }

    pub(crate) fn has(&self, model: usize, key: &TableKey) -> bool {
        self.placed[model].contains_key(key)
    }

    /// Whether the tensor of one model for `key` was to be brought, and could not be.
    pub(crate) fn has_failed(&self, model: usize, key: &TableKey) -> bool {
        let tensors = self.placed[model].get(key).map_or(&[][..], Vec::as_slice);
        tensors.iter().any(|tensor| self.failures[model].contains_key(&tensor.info.name))
    }

    /// Elements of the tensor of one model for `key`; 0 where there is none.
    pub(crate) fn numel(&self, model: usize, key: &TableKey) -> u64 {
        let tensor = self.placed[model].get(key).and_then(|tensors| tensors.first());
        tensor.map_or(0, |tensor| tensor.info.shape.iter().product())
    }

    /// The tensor of one model for `key`, or the reason why there is none.
    pub(crate) fn read(&self, model: usize, key: &TableKey) -> Cell {
        let (model, tensor) = self.tensor(model, key)?;
        let loaded = Loaded::read(self.cache, model, tensor).map_err(|error| unread(&error))?;
        Ok((Side { shape: loaded.shape.clone(), ..Side::of(tensor) }, loaded))
    }

    /// The same to be read run by run, and the order of its parts where it is fused.
    pub(crate) fn open(&self, model: usize, key: &TableKey) -> Result<(Elements, Option<FusedLayout>), String> {
        let (model, tensor) = self.tensor(model, key)?;
        Elements::straightened(self.cache, model, tensor).map_err(|error| unread(&error))
    }

    fn tensor(&self, model: usize, key: &TableKey) -> Result<(&'a Model, &'a Tensor), String> {
        let tensors = self.placed[model].get(key).map_or(&[][..], Vec::as_slice);
        let (opened, failures) = (&self.opened[model], &self.failures[model]);
        let model = opened.outcome.as_ref().map_err(|error| format!("the model was not read: {}", error.chain()))?;
        let tensor = match tensors {
            [] => return Err(missing_role(model, key)),
            [tensor] => *tensor,
            several => {
                let names = several.iter().take(3).map(|tensor| tensor.info.name.escape_debug().to_string());
                let more = if several.len() > 3 { ", …" } else { "" };
                return Err(format!("{} tensors fit: {}{more}", several.len(), names.collect::<Vec<_>>().join(", ")));
            }
        };
        match failures.get(&tensor.info.name) {
            Some(error) => Err(unread(error)),
            None => Ok((model, tensor)),
        }
    }
}

fn unread(error: &crate::Error) -> String {
    format!("the tensor was not read: {}", error.chain())
}

/// Why the tensor of a model for a table cannot be read, where that is why there is none.
pub(crate) fn unreadable(model: &Model, key: &TableKey) -> Option<String> {
    let is_role = |slot: Slot| (Some(slot.role), slot.part, slot.stack) == (key.role, key.part, key.stack);
    model.unreadable(|fault| {
        let is_there = key.layer.is_none_or(|place| fault.layer == Some(place.layer));
        is_there && (key.role.is_none() || fault.slot.is_some_and(is_role))
    })
}

/// Why the tensor of a model for a table may be there and is not found: it cannot be read, is part of another, or nobody knows.
fn obstacle(model: &Model, key: &TableKey) -> Option<String> {
    let of_role = |role: Role| match (model.absent_reason(role), model.family.family) {
        (Some(reason), _) => Some(reason.to_owned()),
        (None, None) => Some("its family is not known: name its tensors by --tensor".to_owned()),
        (None, Some(_)) => None,
    };
    unreadable(model, key).or_else(|| of_role(key.role?))
}

/// Why a model has no tensor for a table.
pub(crate) fn missing_role(model: &Model, key: &TableKey) -> String {
    if let Some(reason) = obstacle(model, key) {
        return reason;
    }
    if let (Some(role), Some(family)) = (key.role, model.family.family)
        && !family.roles().contains(&role)
    {
        return format!("its family `{}` has no `{role}`", family.name());
    }
    match (key.layer, model.config.num_hidden_layers) {
        (Some(place), Some(layers)) if place.layer.0 >= layers => format!("it has {layers} layers"),
        _ => "it has no such tensor".to_owned(),
    }
}
