//! What is asked of each model: which roles, which layers, or which names.

use std::collections::BTreeSet;

use regex::Regex;

use super::{
    AuditError, Exclusion, Pairing, Repository,
    description::{CONFIG_CAP, CONFIGS, INDEX_CAP},
    subfolder::MODULES,
};
use crate::{
    checkpoint::Layout,
    error::Result,
    family::{Classified, Family, LayerIndex, LayerSelection, ModelConfig, Part, Role, RoleSelection, Slot},
};

/// Names that are left out unless they are asked for: a hundred experts a layer would drown the rest.
pub const DEFAULT_SKIP: &str = r"\.experts\.";

/// Bytes of an index that is read in any case, since it may tell what is amiss.
const SMALL_INDEX: u64 = 256 * 1024;

/// Which tensors of each model are wanted.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked or not, whatever the others are")]
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
    /// Whether every shard's header is to be read, even if few tensors are wanted.
    pub all_headers: bool,
    /// Whether multi-token-prediction blocks are wanted beside the layers, for whoever keeps them apart himself. Tensors that
    /// only such blocks have are passed over all the same: they have no layer to be compared with.
    pub mtp: bool,
    /// Whether the hashes by which the Hub stores files are wanted, which takes a request more a model.
    pub xet_hashes: bool,
}

impl Question {
    /// Weights of these roles in these layers, without routed experts.
    pub fn new(roles: RoleSelection, layers: LayerSelection) -> Result<Self> {
        Ok(Self {
            roles,
            layers,
            pairing: Pairing::Same,
            tensor: None,
            skip: Some(pattern(DEFAULT_SKIP)?),
            biases: false,
            all_headers: false,
            mtp: false,
            xet_hashes: false,
        })
    }
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
    /// Those passed over.
    pub passed_over: Vec<Exclusion>,
    /// Names that the question means and its `skip` leaves out, in the order of the list.
    pub skipped: Vec<String>,
}

/// Compiles a user's regular expression.
pub fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|source| AuditError::Pattern { pattern: text.to_owned(), source }.into())
}

impl Question {
    /// Whether the index at `path` need not be read: a large one on the Hub tells nothing more where every shard has something that is
    /// wanted, and their own numbers tell that all are there.
    pub(super) fn does_without(&self, repository: &Repository, folder: &str, path: &str) -> bool {
        let snapshot = repository.snapshot();
        let is_large = snapshot.file(path).is_some_and(|file| file.size > SMALL_INDEX);
        let is_near = repository.repo().is_none() || repository.local_file(path).is_some();
        is_large && !is_near && self.takes_all_shards() && Layout::is_told_by_numbers(snapshot, folder)
    }

    fn takes_all_shards(&self) -> bool {
        self.all_headers || self.layers.is_all()
    }

    /// Small files of which it is likely that they are there and are wanted, each with the bytes that are read at most.
    pub(super) fn likely_files(&self) -> Vec<(&'static str, u64)> {
        let index = (!self.takes_all_shards()).then_some(("model.safetensors.index.json", INDEX_CAP));
        [(CONFIGS[0], CONFIG_CAP)].into_iter().chain(index).collect()
    }

    /// The shards of a repository of the Hub whose headers are read whatever its configuration and index say, with their lengths as
    /// far as the listing tells; none where these choose.
    pub(super) fn certain_headers(&self, repository: &Repository) -> Vec<(String, Option<u64>)> {
        let snapshot = repository.snapshot();
        let is_at_root = Layout::folders(snapshot).first() == Some(&"") && snapshot.file(MODULES).is_none();
        if repository.repo().is_none() || !is_at_root {
            return Vec::new();
        }
        let index = Layout::index_path(snapshot, "");
        let is_chosen_by_index = index.is_some_and(|path| {
            !(self.all_headers && Layout::is_told_by_numbers(snapshot, "") || self.does_without(repository, "", path))
        });
        match Layout::candidates(snapshot, "", None).as_deref() {
            Ok([only]) if !only.by_numbers && !is_chosen_by_index => only.with_header_lengths(snapshot, index),
            _ => Vec::new(),
        }
    }

    /// Chooses among `names`.
    pub fn select<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        family: Option<&Family>,
        config: &ModelConfig,
    ) -> Selection {
        let mut selection = Selection::default();
        let mut layers: BTreeSet<LayerIndex> = BTreeSet::new();
        let (mut candidates, mut blocks) = (Vec::new(), Vec::new());
        let (mut has_embeddings, mut heads) = (false, Vec::new());
        for name in names {
            let classified = family.map(|family| family.classify(name, config));
            let slot = classified.and_then(Classified::slot);
            match slot {
                Some(slot) if slot.role == Role::EmbedTokens => has_embeddings = true,
                Some(slot) if slot.role == Role::LmHead && !self.wants(&slot) => heads.push((name, slot)),
                _ => {}
            }
            let layer = match &self.tensor {
                Some(pattern) => {
                    let Some(captures) = pattern.captures(name) else { continue };
                    let number = captures.name("layer").and_then(|group| group.as_str().parse().ok());
                    number.map(LayerIndex).or(slot.and_then(|slot| slot.layer))
                }
                None => match (slot, classified) {
                    (Some(slot), _) if self.wants(&slot) => slot.layer,
                    // Whoever looks at all headers makes values of quantised weights, and needs their scales.
                    (None, Some(Classified::Auxiliary(of))) if self.all_headers && self.wants(&of) => of.layer,
                    _ => continue,
                },
            };
            if self.skip.as_ref().is_some_and(|skip| skip.is_match(name)) {
                if layer.is_none_or(|layer| self.layers.names(layer) || self.layers.is_last()) {
                    selection.skipped.push(name.to_owned());
                }
                continue;
            }
            if slot.is_some_and(|slot| slot.mtp) {
                // Of what only such a block has, several tensors have one role: they meet by name, where all tensors are looked at.
                let has_many = slot.is_some_and(|slot| matches!(slot.role, Role::MtpNorm | Role::MtpProj));
                if self.mtp && (self.all_headers || !has_many) {
                    blocks.push(Wanted { name: name.to_owned(), slot, layer });
                    continue;
                }
                if layer.is_none_or(|layer| self.layers.names(layer)) {
                    let reason = match config.num_hidden_layers {
                        Some(stated) if !config.predicts => {
                            format!("its layer is past the {stated} that the configuration states, and is kept apart")
                        }
                        _ => "it belongs to a multi-token-prediction block, which is kept apart".to_owned(),
                    };
                    let tensor = name.to_owned();
                    selection.passed_over.push(Exclusion { tensor, reason, ..Exclusion::default() });
                }
                continue;
            }
            layers.extend(layer);
            candidates.push(Wanted { name: name.to_owned(), slot, layer });
        }
        // Of a model that stores only the output embeddings, and ties both, they are the token embeddings.
        if self.tensor.is_none() && !has_embeddings && config.tie_word_embeddings == Some(true) {
            let tied = heads.into_iter().map(|(name, slot)| (name, Slot { role: Role::EmbedTokens, ..slot }));
            let tied = tied.filter(|(_, slot)| self.wants(slot));
            candidates.extend(tied.map(|(name, slot)| Wanted {
                name: name.to_owned(),
                slot: Some(slot),
                layer: slot.layer,
            }));
        }
        let available: Vec<LayerIndex> = layers.into_iter().collect();
        let chosen: BTreeSet<LayerIndex> = self.layers.resolve(&available).into_iter().collect();
        candidates.retain(|wanted| wanted.layer.is_none_or(|layer| chosen.contains(&layer)));
        // `last` is the last layer, never a block beyond it.
        blocks.retain(|wanted| wanted.layer.is_none_or(|layer| self.layers.names(layer)));
        candidates.append(&mut blocks);
        candidates.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        selection.wanted = candidates;
        selection.passed_over.sort();
        selection
    }

    /// Which rule leaves a tensor out that was not chosen.
    pub(crate) fn left_out_by(&self, name: &str, family: Option<&Family>, config: &ModelConfig) -> String {
        let slot = family.and_then(|family| family.classify(name, config).slot());
        let is_skipped = self.skip.as_ref().is_some_and(|skip| skip.is_match(name));
        let rule = match (&self.tensor, slot) {
            _ if is_skipped => return self.skipped(),
            (Some(pattern), _) if !pattern.is_match(name) => "--tensor, which its name does not match",
            (None, None) => "--role: no rule knows what it is",
            (None, Some(slot)) if !self.roles.contains(slot) => "--role",
            (None, Some(slot)) if !self.wants(&slot) => "default: --biases takes biases",
            _ => "--layers",
        };
        format!("excluded by {rule}")
    }

    /// Names that `skip` leaves out, as one line.
    pub(super) fn left_out(&self, skipped: &[String]) -> Option<Exclusion> {
        let (first, others) = skipped.split_first()?;
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        let tensor = format!("{first}{more}");
        Some(Exclusion { tensor, reason: self.skipped(), is_skipped: true, ..Exclusion::default() })
    }

    /// What is left out by its name, and what takes it.
    pub(super) fn skipped(&self) -> String {
        let pattern = self.skip.as_ref().map_or("", Regex::as_str);
        if pattern == DEFAULT_SKIP {
            return format!("excluded by default (names with `{pattern}` are many): use --experts");
        }
        format!("excluded by --skip `{}`", pattern.escape_debug())
    }

    fn wants(&self, slot: &Slot) -> bool {
        (self.biases || slot.part == Part::Weight) && self.roles.contains(*slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Registry;

    #[test]
    fn prediction_blocks_are_chosen_only_where_they_are_wanted_and_never_as_the_last_layer() {
        let names = [
            "model.layers.0.input_layernorm.weight",
            "model.layers.1.input_layernorm.weight",
            "model.layers.2.input_layernorm.weight",
            "model.layers.2.enorm.weight",
        ];
        let config = ModelConfig { num_hidden_layers: Some(2), ..ModelConfig::default() };
        let family = Registry::builtin().families.iter().find(|family| family.name() == "glm4_moe");
        let select = |mtp: bool, layers: &str| {
            let question = Question {
                roles: "input_layernorm,mtp_norm".parse().unwrap(),
                layers: layers.parse().unwrap(),
                tensor: None,
                skip: None,
                biases: false,
                all_headers: false,
                mtp,
                xet_hashes: false,
                pairing: Pairing::Same,
            };
            let selection = question.select(names.into_iter(), family, &config);
            let layers: Vec<u32> =
                selection.wanted.iter().filter_map(|wanted| wanted.layer).map(|layer| layer.0).collect();
            (layers, selection.passed_over.len())
        };
        assert_eq!(select(false, "all"), (vec![0, 1], 2));
        assert_eq!(select(true, "all"), (vec![0, 1, 2], 1));
        assert_eq!(select(true, "last"), (vec![1], 0));
        assert_eq!(select(true, "0,2"), (vec![0, 2], 1));
    }
}
