//! What an opened model has under a name, for a role, or beside a tensor, and why not.

use std::collections::{BTreeSet, HashMap};

use super::{AuditError, Exclusion, Model, Tensor};
use crate::{
    checkpoint::{Quantisation, TensorInfo},
    family::{Classified, Part, Role, Slot, is_known_buffer},
};

impl Model {
    /// The names that are known: of the headers, and of the index for shards whose header was not read.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let read = self.headers.values().flat_map(|header| &header.tensors);
        let mut names: BTreeSet<&str> = read.map(|tensor| tensor.name.as_str()).collect();
        if let Some(index) = &self.index {
            let unread = index.tensors().filter(|(_, shard)| !self.headers.contains_key(*shard));
            names.extend(unread.map(|(name, _)| name));
        }
        names
    }

    /// A tensor that is brought to this machine: a wanted one, or after those a companion.
    pub(crate) fn brought(&self, position: usize) -> &Tensor {
        match position.checked_sub(self.tensors.len()) {
            None => &self.tensors[position],
            Some(place) => &self.companions[place],
        }
    }

    /// Positions, as of [`Model::brought`], of what the values of a tensor are made of beside its elements; of a packed one, which is
    /// never read whole, only where `of_packed` asks for them.
    pub(crate) fn companions_of<'t>(
        &self,
        tensor: &'t Tensor,
        of_packed: bool,
    ) -> impl Iterator<Item = usize> + use<'t> {
        let first = self.tensors.len();
        let are_meant = of_packed || tensor.packed.is_none();
        tensor.beside.iter().filter(move |_| are_meant).map(move |place| first + place)
    }

    /// What is said of a tensor whose bytes are not where they were.
    pub(crate) fn vanished(&self, tensor: &Tensor) -> AuditError {
        AuditError::Vanished { model: self.repository.place(), tensor: tensor.info.name.clone() }
    }

    /// The tensors that count, each once, with the shard that holds it.
    pub fn counted(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        let places = self.places();
        let all = self.headers.iter().flat_map(|(shard, header)| header.tensors.iter().map(move |info| (shard, info)));
        let counts = move |shard: &str, name: &str| {
            places[name].is_some() || self.find(name).is_ok_and(|(counted, _)| counted == shard)
        };
        all.filter(move |(shard, info)| counts(shard, &info.name)).map(|(shard, info)| (shard.as_str(), info))
    }

    /// Where each name stands; `None` where several shards hold it. Of many names this is faster than to find one after the other,
    /// which looks into every header where no index tells which.
    pub(super) fn places(&self) -> HashMap<&str, Option<(&str, &TensorInfo)>> {
        let mut places = HashMap::new();
        for (shard, header) in &self.headers {
            for info in &header.tensors {
                let place = places.entry(info.name.as_str());
                place.and_modify(|known| *known = None).or_insert(Some((shard.as_str(), info)));
            }
        }
        places
    }

    /// What a name would be in this model.
    pub(crate) fn slot_of(&self, name: &str) -> Option<Slot> {
        self.family.family?.classify(name, &self.config).slot()
    }

    /// Why the model has no tensor of a role, where its configuration or its family tells.
    pub(crate) fn absent_reason(&self, role: Role) -> Option<&str> {
        match (role, self.config.tie_word_embeddings) {
            (Role::LmHead, Some(false)) => Some(
                "its configuration says that its output embeddings are not the token embeddings, and its files hold none of their own",
            ),
            (Role::EmbedTokens, Some(true)) => Some("its configuration ties them to the output embeddings"),
            _ => self.family.family?.absent_reason(role),
        }
    }

    /// The role of the embeddings that the model has not of their own, where its configuration ties both and it has the others.
    pub(crate) fn tied_role(&self) -> Option<(Role, usize)> {
        if self.config.tie_word_embeddings != Some(true) {
            return None;
        }
        let has = |role: Role| self.names().iter().any(|name| self.slot_of(name).is_some_and(|slot| slot.role == role));
        let held = |role: Role| {
            let is_held =
                |tensor: &Tensor| tensor.slot.is_some_and(|slot| slot.role == role && slot.part == Part::Weight);
            self.tensors.iter().position(is_held)
        };
        let pair = |missing: Role, other: Role| Some((missing, held(other).filter(|_| !has(missing))?));
        pair(Role::LmHead, Role::EmbedTokens).or_else(|| pair(Role::EmbedTokens, Role::LmHead))
    }

    /// Names that the files leave out, each with that of the tensor that it shares: notes of the writer, who keeps one of several
    /// tensors with the same memory.
    pub(crate) fn ties(&self) -> impl Iterator<Item = (&str, &str)> {
        let notes = self.headers.values().flat_map(|header| &header.metadata);
        let notes = notes.map(|(dropped, kept)| (dropped.as_str(), kept.as_str()));
        notes.filter(|(dropped, kept)| self.find(kept).is_ok() && self.find(dropped).is_err())
    }

    /// The shard that holds a tensor. Where several do, the index decides; without an index nothing does.
    pub(super) fn find(&self, name: &str) -> Result<(&str, &TensorInfo), String> {
        let named = self.index.as_ref().and_then(|index| index.shard_of(name));
        if let Some((shard, header)) = named.and_then(|shard| self.headers.get_key_value(shard))
            && let Some(info) = header.get(name)
        {
            return Ok((shard, info));
        }
        let mut holders = self.headers.iter().filter_map(|(shard, header)| Some((shard.as_str(), header.get(name)?)));
        match (holders.next(), holders.next(), named) {
            (Some(found), None, _) => Ok(found),
            (Some((first, _)), Some((second, _)), _) => Err(format!(
                "several shards hold it (`{}`, `{}`), and no index tells which counts",
                first.escape_debug(),
                second.escape_debug()
            )),
            (None, _, Some(shard)) if self.repository.is_dangling(shard) => {
                Err(format!("its shard `{}` is a link that leads nowhere", shard.escape_debug()))
            }
            (None, _, Some(shard)) if self.layout.missing_shards.iter().any(|missing| missing == shard) => {
                Err(format!("its shard `{}` does not exist", shard.escape_debug()))
            }
            (None, ..) => Err("the index names it, but no shard holds it".to_owned()),
        }
    }

    /// Why the tensor that fits was asked for and cannot be read; `None` where there is none of that kind.
    pub(crate) fn unreadable(&self, fits: impl Fn(&Exclusion) -> bool) -> Option<String> {
        let fault = self.excluded.iter().find(|exclusion| exclusion.is_fault && fits(exclusion))?;
        Some(fault.told())
    }

    /// What the tensors are that its headers show, by what stands beside them. Whole only where all headers were read: see
    /// [`Quantisation::of`].
    pub fn quantisation(&self) -> &Quantisation {
        self.quantisation.get_or_init(|| {
            let is_buffer = |name: &str| {
                let family = self.family.family;
                let class = family.map(|family| family.classify(name, &self.config));
                class == Some(Classified::Buffer) || family.is_none() && is_known_buffer(name)
            };
            let counted = self.counted().map(|(_, info)| info);
            let tensors = counted.filter(|info| !is_buffer(&info.name));
            Quantisation::of(tensors, &self.config)
        })
    }
}
