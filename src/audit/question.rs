//! What is asked of each model: which roles, which layers, or which names.

use std::collections::BTreeSet;

use regex::Regex;

use super::{AuditError, Pairing};
use crate::{
    error::Result,
    family::{Classified, Family, LayerIndex, LayerSelection, ModelConfig, Part, RoleSelection, Slot},
};

/// Names that are left out unless they are asked for: a hundred experts a layer would drown the rest.
pub const DEFAULT_SKIP: &str = r"\.experts\.";

/// Which tensors of each model are wanted.
#[derive(Debug, Clone)]
pub struct Question {
    /// By what they do.
    pub roles: RoleSelection,
    /// In which layers.
    pub layers: LayerSelection,
    /// Which layers meet. Where depths do, `layers` are those of the reference, and other models are asked for theirs.
    pub pairing: Pairing,
    /// By name instead, for names that no family knows. A group `(?<layer>…)` tells the layer.
    pub tensor: Option<Regex>,
    /// Names to leave out.
    pub skip: Option<Regex>,
    /// Whether biases are wanted beside weights.
    pub biases: bool,
    /// Whether every shard's header is to be read, whatever is wanted.
    pub all_headers: bool,
}

/// A tensor that is wanted, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What it is, where a family knows.
    pub slot: Option<Slot>,
    /// Its layer: the slot's, or the number that the pattern's group caught.
    pub layer: Option<LayerIndex>,
}

/// Names chosen out of a model's list, and those passed over with a reason worth telling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Wanted tensors, sorted by layer, then name.
    pub wanted: Vec<Wanted>,
    /// (name, reason).
    pub passed_over: Vec<(String, String)>,
}

/// Compiles a user's regular expression.
pub fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|source| {
        AuditError::Pattern {
            pattern: text.to_owned(),
            source,
        }
        .into()
    })
}

impl Question {
    /// Chooses among `names`.
    pub fn select<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        family: Option<&Family>,
        config: &ModelConfig,
    ) -> Selection {
        let mut selection = Selection::default();
        let mut layers: BTreeSet<LayerIndex> = BTreeSet::new();
        let mut candidates = Vec::new();
        for name in names {
            let slot = family.and_then(|family| match family.classify(name, config) {
                Classified::Slot(slot) => Some(slot),
                _ => None,
            });
            let layer = match &self.tensor {
                Some(pattern) => match caught_layer(pattern, name) {
                    Some(layer) => layer.or(slot.and_then(|slot| slot.layer)),
                    None => continue,
                },
                None => match slot {
                    Some(slot) if self.wants(&slot) => slot.layer,
                    _ => continue,
                },
            };
            if self.tensor.is_none() && self.skip.as_ref().is_some_and(|skip| skip.is_match(name)) {
                continue;
            }
            if slot.is_some_and(|slot| slot.mtp) {
                let reason = "it belongs to a multi-token-prediction block, which is kept apart";
                selection.passed_over.push((name.to_owned(), reason.to_owned()));
                continue;
            }
            layers.extend(layer);
            candidates.push(Wanted {
                name: name.to_owned(),
                slot,
                layer,
            });
        }
        let available: Vec<LayerIndex> = layers.into_iter().collect();
        let chosen: BTreeSet<LayerIndex> = self.layers.resolve(&available).into_iter().collect();
        candidates.retain(|wanted| wanted.layer.is_none_or(|layer| chosen.contains(&layer)));
        candidates.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        selection.wanted = candidates;
        selection.passed_over.sort();
        selection
    }

    fn wants(&self, slot: &Slot) -> bool {
        (self.biases || slot.part == Part::Weight) && self.roles.contains(*slot)
    }
}

/// `Some(layer)` if the pattern matches: the number in its `layer` group, where it has one.
fn caught_layer(pattern: &Regex, name: &str) -> Option<Option<LayerIndex>> {
    let captures = pattern.captures(name)?;
    let number = captures.name("layer").and_then(|group| group.as_str().parse().ok());
    Some(number.map(LayerIndex))
}
