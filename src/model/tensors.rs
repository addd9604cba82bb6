//! The tensors of an opened model: taken from its headers as a question wants them, and found by name, for a role or beside another.

use std::collections::{BTreeSet, HashMap};

use super::{AuditError, Exclusion, Model, Selection, Tensor, Wanted};
use crate::{
    cache::TensorKey,
    checkpoint::{Quantisation, Storage, TensorInfo},
    family::{Classified, Family, Part, Role, Slot, is_known_buffer},
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

    pub(super) fn take(&mut self, selection: Selection) {
        let mut tensors = Vec::new();
        let mut companions = Vec::new();
        let mut excluded = Vec::new();
        let places = self.places();
        for wanted in selection.wanted {
            let alone = places.get(wanted.name.as_str()).copied().flatten();
            let found = alone.map_or_else(|| self.find(&wanted.name), Ok);
            let found = found.and_then(|found| self.lost_scale(found.1).map_or(Ok(found), Err));
            let (shard, info) = match found {
                Ok(found) => found,
                Err(reason) => {
                    let Wanted { name: tensor, slot, layer } = wanted;
                    excluded.push(Exclusion { tensor, reason, is_fault: true, slot, layer, ..Exclusion::default() });
                    continue;
                }
            };
            let mut companion = |name: &str| self.companion(name, &mut companions);
            let (mut scaled, mut packed, mut beside) = (None, None, Vec::new());
            match self.quantisation().storage(&wanted.name) {
                Storage::Scaled(scaling) => {
                    beside.extend(companion(&scaling.scale));
                    scaled = (!beside.is_empty()).then(|| scaling.clone());
                    beside.extend(scaled.as_ref().and_then(|scaled| companion(scaled.zero_point.as_deref()?)));
                }
                Storage::Packed { rows: Ok(packing), .. } => {
                    let found: Option<Vec<usize>> = packing.beside.iter().map(|name| companion(name)).collect();
                    packed = found.is_some().then(|| packing.clone());
                    beside = found.unwrap_or_default();
                }
                _ => {}
            }
            tensors.push(Tensor {
                slot: wanted.slot,
                layer: wanted.layer,
                shard: shard.to_owned(),
                zero_centred: wanted.slot.is_some_and(|slot| self.is_zero_centred(slot)),
                info: info.clone(),
                scaled,
                packed,
                beside,
                is_past: wanted.slot.is_some_and(|slot| slot.mtp) && !self.config.predicts,
            });
        }
        drop(places);
        self.excluded.append(&mut excluded);
        self.tensors = tensors;
        self.companions = companions;
        self.excluded.extend(selection.passed_over);
        self.excluded.sort();
    }

    /// Why the scales of codes cannot be read that the index names beside them: without them, codes look like a plain weight.
    fn lost_scale(&self, info: &TensorInfo) -> Option<String> {
        let index = self.index.as_ref().filter(|_| info.dtype.bits() == Some(8) && info.shape.len() > 1)?;
        let (stem, _) = info.name.rsplit_once('.')?;
        let stem = format!("{stem}.");
        let beside = index.beginning_with(&stem).map(|(name, _)| (name, &name[stem.len()..]));
        let mut scales = beside.filter(|(_, last)| !last.contains('.') && last.contains("scale")).map(|(name, _)| name);
        let (lost, reason) = scales.find_map(|name| Some((name, self.find(name).err()?)))?;
        Some(format!("`{}`, which scales it, cannot be read: {reason}", lost.escape_debug()))
    }

    /// Puts a tensor among the companions, and tells its place there.
    fn companion(&self, name: &str, companions: &mut Vec<Tensor>) -> Option<usize> {
        let (shard, info) = self.find(name).ok()?;
        companions.push(Tensor {
            slot: None,
            layer: None,
            shard: shard.to_owned(),
            info: info.clone(),
            zero_centred: false,
            scaled: None,
            packed: None,
            beside: Vec::new(),
            is_past: false,
        });
        Some(companions.len() - 1)
    }

    /// Whether what the files hold of this slot is a gain less one.
    fn is_zero_centred(&self, slot: Slot) -> bool {
        slot.part == Part::Weight
            && self.family.family.is_some_and(|family| {
                family.is_zero_centred(slot.role) && !(self.is_saved_by_mlx() && family.is_centred_by_mlx())
            })
    }

    /// Whether its files say that MLX wrote them.
    pub(crate) fn is_saved_by_mlx(&self) -> bool {
        self.headers.values().any(|header| header.metadata.get("format").is_some_and(|format| format == "mlx"))
    }

    /// Takes a family for that of the model, and what it says of every tensor.
    pub(crate) fn adopt(&mut self, family: &'static Family, why: String) {
        self.family.family = Some(family);
        self.warnings.push(why);
        let slots: Vec<Option<Slot>> =
            self.tensors.iter().map(|tensor| family.classify(&tensor.info.name, &self.config).slot()).collect();
        for (at, slot) in slots.into_iter().enumerate() {
            let zero_centred = slot.is_some_and(|slot| self.is_zero_centred(slot));
            let tensor = &mut self.tensors[at];
            (tensor.slot, tensor.zero_centred) = (slot, zero_centred);
        }
    }

    /// The cache's name for a tensor; `None` for a folder.
    pub fn key(&self, tensor: &Tensor) -> Option<TensorKey> {
        self.repository.key(&tensor.info.name)
    }
}
