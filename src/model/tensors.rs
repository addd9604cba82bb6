//! The tensors of an opened model: taken from its headers as a question wants them, with what stands beside each.

use super::{Exclusion, Model, Selection, Tensor, Wanted};
use crate::{
    cache::TensorKey,
    checkpoint::{Storage, TensorInfo},
    family::{Family, Part, Slot},
};

impl Model {
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
