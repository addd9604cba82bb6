//! Where the groups of one model lie: which rows of which tensors may be permuted, and in which runs.

use std::{collections::BTreeMap, ops::Range};

use super::{Group, coordinates::Coordinates};
use crate::{
    checkpoint::{Packing, Storage, TensorInfo},
    dtype::Dtype,
    family::{Part, Role, RoleKind, Slot, Stack},
    metric::lineage::{choice, disguise, untested::Untested},
    model::{Model, Tensor},
    rows::RowSet,
    tensor::{View, layout_or_plain, parts},
};

/// Roles whose tensors are looked at.
pub(crate) const ROLES: &str = "up_proj,gate_up_proj,down_proj,shared_expert_up_proj,expert_up_proj,v_proj,qkv_proj,o_proj,kv_b_proj,router,\
    input_layernorm,post_attention_layernorm,attn_output_norm,mlp_output_norm,cross_attn_layernorm,cross_attn_output_norm,\
    embed_norm,final_norm,embed_tokens,q_proj";

/// Architectures whose residual stream gets sinusoidal positions, or is initialised by the number of a coordinate: there hidden
/// coordinates are not alike.
const NUMBERED_COORDINATES: [&str; 10] =
    ["whisper", "m2m_100", "nllb_moe", "marian", "pegasus", "fsmt", "xglm", "speech_to_text", "rwkv", "rwkv5"];

/// Where the units of a layer are rows.
#[derive(Debug, Clone)]
pub(crate) struct UnitSite {
    /// Position of the tensor in its model; of the routed experts of a layer those of all, of which some are read side by side.
    pub(crate) tensors: Vec<usize>,
    /// Whether the tensor is the one that `[in, out]` storage makes readable by rows.
    turned: bool,
    /// Columns of a tensor.
    pub(crate) width: usize,
    /// Exchangeable runs of the rows, numbered as they are seen.
    pub(crate) runs: Vec<Range<usize>>,
    /// Which rows of the matrix are seen, in order.
    stored: Vec<(u64, u64)>,
    /// How the file has the matrix, where several of its elements share a stored one.
    pub(crate) packing: Option<Packing>,
}

impl UnitSite {
    /// The tensors that are read: a row is what one unit holds in them, one behind the other. Units of routed experts are permuted in
    /// all experts alike, since those of an upcycled model are copies of one MLP.
    pub(crate) fn read(&self, seed: u64) -> Vec<usize> {
        match self.tensors.as_slice() {
            [one] => vec![*one],
            experts => choice::experts(experts.len(), seed).into_iter().map(|expert| experts[expert]).collect(),
        }
    }

    /// Elements of a row.
    pub(crate) fn row_width(&self) -> usize {
        self.width * choice::experts(self.tensors.len(), 0).len()
    }

    /// The columns of a tensor that are read, where a stored row holds columns.
    pub(crate) fn columns(&self, seed: u64) -> Option<Vec<usize>> {
        self.packing.as_ref().filter(|packing| packing.is_by_columns()).map(|_| choice::columns(self.width, seed))
    }

    /// What is read of the file for blocks of seen rows.
    pub(crate) fn file_rows(&self, blocks: &[Range<usize>], seed: u64) -> RowSet {
        let rows = blocks.iter().flat_map(|block| self.stored_rows(block));
        let columns = self.columns(seed).unwrap_or_default();
        let columns: Vec<u64> = columns.into_iter().map(|column| column as u64).collect();
        match &self.packing {
            Some(packing) => packing.stored_rows(rows, &columns),
            None => rows.collect(),
        }
    }

    /// The rows of the matrix that a run of seen ones are.
    pub(crate) fn stored_rows(&self, seen: &Range<usize>) -> impl Iterator<Item = u64> {
        seen.clone().filter_map(|row| {
            let mut rest = row as u64;
            self.stored.iter().find_map(|&(start, end)| {
                let here = (rest < end - start).then_some(start + rest);
                rest = rest.saturating_sub(end - start);
                here
            })
        })
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.runs == other.runs && self.tensors.len() == other.tensors.len()
    }
}

/// Norms that stand for each other in two models of equal depth.
pub(crate) type NormPlace = (Role, Option<usize>);

/// The groups of one model, each with the reason where it cannot be tested.
#[derive(Debug)]
pub(crate) struct Sites {
    /// Layers of all stacks.
    pub(crate) depth: usize,
    /// How many of them are an encoder's, which come first.
    pub(crate) encoder: usize,
    pub(crate) hidden: Option<usize>,
    units: [Result<BTreeMap<usize, UnitSite>, Untested>; 3],
    /// Places in the order of roles and layers, with the position of the tensor.
    pub(crate) norms: Result<Vec<(NormPlace, usize)>, Untested>,
    /// The embedding table: position, rows.
    pub(crate) table: Result<(usize, u64), Untested>,
    /// `q_proj` by layer, for the deep rows.
    pub(crate) queries: BTreeMap<usize, usize>,
    /// Matrices whose rows are hidden coordinates of every MLP unit, by layer, with the number of units.
    pub(crate) coordinates: BTreeMap<usize, (usize, usize)>,
    /// Whether there are routed experts, and no test reads them.
    pub(crate) has_unread_experts: bool,
}

impl Sites {
    pub(crate) fn of(model: &Model) -> Self {
        let encoder = model.config.encoder_layers.filter(|_| model.config.decoder_layers.is_some());
        let encoder = encoder.map_or(0, |layers| layers as usize);
        let place = |slot: Slot| {
            let first = if slot.stack == Stack::Decoder { encoder } else { 0 };
            slot.layer.map(|layer| first + layer.0 as usize)
        };
        let seen =
            model.tensors.iter().filter_map(|tensor| tensor.slot.and_then(place)).max().map_or(0, |last| last + 1);
        let stated = model.config.num_hidden_layers.filter(|_| encoder == 0);
        let unpacked = unpacked(model);
        let slots = || {
            model.tensors.iter().enumerate().filter_map(|(position, tensor)| {
                let tensor = unpacked.get(&position).unwrap_or(tensor);
                let slot = tensor.slot?;
                (slot.part == Part::Weight && slot.expert.is_none() && !slot.mtp).then_some((position, tensor, slot))
            })
        };
        let hidden = model.config.hidden_size.or_else(|| {
            let norm = slots().find(|(_, _, slot)| slot.role == Role::FinalNorm);
            norm.and_then(|(_, tensor, _)| tensor.info.shape.first().copied())
        });
        let hidden = hidden.and_then(|hidden| usize::try_from(hidden).ok());
        let units = Group::UNITS.map(|group| {
            let mut sites: BTreeMap<usize, UnitSite> = BTreeMap::new();
            let mut reason = Untested::NoTensor;
            for (position, tensor, slot) in slots() {
                let Some(layer) = place(slot) else { continue };
                match unit_site(model, group, tensor, slot) {
                    Some(Ok(site)) => {
                        sites.entry(layer).or_insert(UnitSite { tensors: vec![position], ..site });
                    }
                    Some(Err(why)) => reason = why,
                    None => {}
                }
            }
            if group == Group::Mlp {
                for (layer, site) in routed(model, &unpacked, place) {
                    match site {
                        Ok(site) => {
                            sites.entry(layer).or_insert(site);
                        }
                        Err(why) => reason = why,
                    }
                }
            }
            if sites.is_empty() { Err(reason) } else { Ok(sites) }
        });
        let is_numbered = model.config.model_types.iter().any(|kind| NUMBERED_COORDINATES.contains(&kind.as_str()));
        let mut norms: Vec<(NormPlace, usize)> = slots()
            .filter(|(_, tensor, slot)| {
                slot.role.kind() == RoleKind::Norm
                    && is_float(&tensor.info.dtype)
                    && matches!(tensor.info.shape.as_slice(), [width] if usize::try_from(*width).ok() == hidden)
            })
            .map(|(position, _, slot)| ((slot.role, place(slot)), position))
            .collect();
        norms.sort_unstable();
        norms.dedup_by_key(|(place, _)| *place);
        let norms = match norms {
            _ if is_numbered => Err(Untested::NotExchangeable),
            none if none.is_empty() => Err(Untested::NoTensor),
            norms => Ok(norms),
        };
        let table =
            match slots().filter(|(.., slot)| slot.role == Role::EmbedTokens).min_by_key(|(.., slot)| slot.stack) {
                _ if is_numbered => Err(Untested::NotExchangeable),
                None => Err(Untested::NoTensor),
                Some((_, tensor, _)) if !is_by_rows(model, tensor) => Err(Untested::Packed),
                Some((position, tensor, _)) => match tensor.info.shape.as_slice() {
                    &[rows, width] if usize::try_from(width).ok() == hidden => Ok((position, rows)),
                    _ => Err(Untested::Width),
                },
            };
        let queries = slots().filter(|(_, tensor, slot)| slot.role == Role::QProj && is_by_rows(model, tensor));
        let queries = queries.filter_map(|(position, _, slot)| Some((place(slot)?, position))).collect();
        let is_turned = |role: Role| model.family.family.is_some_and(|family| family.is_transposed(role));
        let of_coordinates = if is_turned(Role::UpProj) { Role::UpProj } else { Role::DownProj };
        let coordinates = slots().filter_map(|(position, tensor, slot)| {
            let &[rows, units] = tensor.info.shape.as_slice() else { return None };
            let is_one =
                slot.role == of_coordinates && is_by_rows(model, tensor) && usize::try_from(rows).ok() == hidden;
            is_one.then_some((place(slot)?, (position, usize::try_from(units).ok()?)))
        });
        let coordinates = coordinates.collect();
        let has = |role: Role| model.tensors.iter().any(|tensor| tensor.slot.is_some_and(|slot| slot.role == role));
        let is_routed = model.config.num_experts.is_some_and(|experts| experts > 1) || has(Role::Router);
        // A layer's shared expert is read in their place.
        let reads_experts =
            has(Role::ExpertUpProj) && !has(Role::SharedExpertUpProj) && units[Group::Mlp as usize].is_ok();
        Self {
            depth: seen.max(stated.unwrap_or(0) as usize),
            encoder,
            hidden,
            units,
            norms,
            table,
            queries,
            coordinates,
            has_unread_experts: is_routed && !reads_experts,
        }
    }

    pub(crate) fn units(&self, group: Group) -> Result<&BTreeMap<usize, UnitSite>, Untested> {
        self.units[group as usize].as_ref().map_err(|reason| *reason)
    }

    /// Whether the units of two models can be tested layer by layer; `Depth` where only a layer map can tell.
    pub(crate) fn meets(&self, other: &Self, group: Group) -> Result<(), Untested> {
        let (a, b) = (self.units(group)?, other.units(group)?);
        if self.hidden != other.hidden {
            return Err(Untested::Width);
        }
        // One has no experts where the other has nothing else.
        let is_routed = |sites: &BTreeMap<usize, UnitSite>| sites.values().all(|site| site.tensors.len() > 1);
        if is_routed(a) != is_routed(b) {
            return Err(Untested::NoTensor);
        }
        if a.values().next().map(|site| site.turned) != b.values().next().map(|site| site.turned) {
            return Err(Untested::Orientation);
        }
        if self.depth == other.depth {
            let common = a.iter().filter_map(|(layer, site)| Some((site, b.get(layer)?)));
            let alike = common.clone().all(|(site, other)| site.is_alike(other));
            return if alike && common.count() > 0 { Ok(()) } else { Err(Untested::Units) };
        }
        let first = a.values().next();
        let alike = first.is_some_and(|first| a.values().chain(b.values()).all(|site| site.is_alike(first)));
        Err(if alike { Untested::Depth } else { Untested::Units })
    }

    /// The layers of both models whose units are matched, at a third and at two thirds.
    pub(crate) fn matched_layers(&self, other: &Self) -> Result<Vec<usize>, Untested> {
        if self.hidden != other.hidden {
            return Err(Untested::Width);
        }
        if self.depth != other.depth {
            return Err(Untested::Depth);
        }
        let mut layers = vec![self.depth / 3, 2 * self.depth / 3];
        layers.dedup();
        layers.retain(|layer| self.coordinates.contains_key(layer) && other.coordinates.contains_key(layer));
        if layers.is_empty() { Err(Untested::NoTensor) } else { Ok(layers) }
    }

    /// The hidden coordinates by which units are matched and the matches are tested where coordinates are where they were.
    pub(crate) fn coordinate_rows(&self, seed: u64) -> Result<Coordinates, Untested> {
        let whole = 0..self.hidden.ok_or(Untested::Width)?;
        let blocks = choice::blocks("residual", std::slice::from_ref(&whole), disguise::COORDINATE_BLOCKS, seed)?;
        Ok(Coordinates::in_place(disguise::split_blocks(&blocks)))
    }

    /// A layer as tables name it.
    pub(crate) fn layer_name(&self, layer: usize) -> String {
        match layer.checked_sub(self.encoder) {
            Some(layer) if self.encoder == 0 => layer.to_string(),
            Some(layer) => format!("decoder {layer}"),
            None => format!("encoder {layer}"),
        }
    }
}

/// The packed tensors whose rows can be read, by position, in the shape of the matrices that they hold.
fn unpacked(model: &Model) -> BTreeMap<usize, Tensor> {
    let unpacked = model.tensors.iter().enumerate().filter_map(|(position, tensor)| {
        let shape = tensor.packed.as_ref()?.shape.to_vec();
        Some((position, Tensor { info: TensorInfo { shape, ..tensor.info.clone() }, ..tensor.clone() }))
    });
    unpacked.collect()
}

/// The up-projections of routed experts that are stored one by one, by layer.
fn routed(
    model: &Model,
    unpacked: &BTreeMap<usize, Tensor>,
    place: impl Fn(Slot) -> Option<usize>,
) -> BTreeMap<usize, Result<UnitSite, Untested>> {
    let mut layers: BTreeMap<usize, BTreeMap<u32, (usize, &Tensor)>> = BTreeMap::new();
    for (position, tensor) in model.tensors.iter().enumerate() {
        let Some(slot) = tensor.slot.filter(|slot| slot.role == Role::ExpertUpProj && !slot.mtp) else { continue };
        if let (Part::Weight, Some(expert), Some(layer)) = (slot.part, slot.expert, place(slot)) {
            let tensor = unpacked.get(&position).unwrap_or(tensor);
            layers.entry(layer).or_default().insert(expert, (position, tensor));
        }
    }
    let of_layer = |experts: BTreeMap<u32, (usize, &Tensor)>| {
        let sites = experts.values().map(|(_, tensor)| whole(model, tensor, Some(1), false));
        let sites: Vec<UnitSite> = sites.collect::<Result<_, Untested>>()?;
        let first = sites.first().ok_or(Untested::NoTensor)?;
        // Which are read their number says: none may be missing.
        let is_all = experts.keys().copied().eq(0..u32::try_from(experts.len()).unwrap_or_default());
        if !is_all || sites.iter().any(|site| !site.is_alike(first) || site.width != first.width) {
            return Err(Untested::Units);
        }
        Ok(UnitSite { tensors: experts.values().map(|(position, _)| *position).collect(), ..first.clone() })
    };
    layers.into_iter().map(|(layer, experts)| (layer, of_layer(experts))).collect()
}

/// The units that a tensor of this slot holds: `None` where it is not the group's.
fn unit_site(model: &Model, group: Group, tensor: &Tensor, slot: Slot) -> Option<Result<UnitSite, Untested>> {
    let layout = layout_or_plain(model, tensor);
    let heads = || model.config.key_value_heads();
    match (group, slot.role) {
        (Group::Mlp, Role::UpProj) | (Group::Heads, Role::VProj | Role::QkvProj) if layout.turned => None,
        (Group::Mlp, Role::UpProj | Role::SharedExpertUpProj) => Some(whole(model, tensor, Some(1), false)),
        (Group::Mlp, Role::GateUpProj) => Some(part(model, tensor, Role::UpProj, Some(1))),
        (Group::Mlp, Role::DownProj) if layout.turned => Some(whole(model, tensor, Some(1), true)),
        (Group::Heads, Role::VProj) => Some(whole(model, tensor, heads(), false)),
        (Group::Heads, Role::QkvProj) => Some(part(model, tensor, Role::VProj, heads())),
        (Group::Heads, Role::OProj) if layout.turned => {
            Some(whole(model, tensor, model.config.num_attention_heads, true))
        }
        (Group::Heads, Role::KvBProj) => Some(latent_values(model, tensor)),
        (Group::Experts, Role::Router) if layout.turned => Some(Err(Untested::Orientation)),
        (Group::Experts, Role::Router) => {
            Some(whole(model, tensor, Some(model.config.expert_groups.unwrap_or(1)), false))
        }
        _ => None,
    }
}

/// All rows of a matrix, in so many runs of equal length; unknown runs are not exchangeable.
fn whole(model: &Model, tensor: &Tensor, runs: Option<u64>, turned: bool) -> Result<UnitSite, Untested> {
    if turned && tensor.packed.is_some() {
        return Err(Untested::Packed);
    }
    let rows = tensor.info.shape.first().copied().unwrap_or(0);
    site(model, tensor, runs, vec![(0, rows)]).map(|site| UnitSite { turned, ..site })
}

/// The rows of one part of a fused matrix.
fn part(model: &Model, tensor: &Tensor, role: Role, runs: Option<u64>) -> Result<UnitSite, Untested> {
    let parts = parts(model, tensor, layout_or_plain(model, tensor)).map_err(|_| Untested::NotExchangeable)?;
    match parts.into_iter().find(|(slot, _)| slot.role == role) {
        Some((_, View::Rows(stored))) => site(model, tensor, runs, stored),
        Some(_) => Err(Untested::Orientation),
        None => Err(Untested::NoTensor),
    }
}

/// The value rows of each head of a latent attention's up-projection.
fn latent_values(model: &Model, tensor: &Tensor) -> Result<UnitSite, Untested> {
    let ([key, value], heads) =
        model.config.latent_head.zip(model.config.num_attention_heads).ok_or(Untested::NotExchangeable)?;
    let rows = tensor.info.shape.first().copied().unwrap_or(0);
    if key.checked_add(value).and_then(|both| both.checked_mul(heads)) != Some(rows) {
        return Err(Untested::NotExchangeable);
    }
    let stored = (0..heads).map(|head| (head * (key + value) + key, (head + 1) * (key + value))).collect();
    site(model, tensor, Some(heads), stored)
}

fn site(model: &Model, tensor: &Tensor, runs: Option<u64>, stored: Vec<(u64, u64)>) -> Result<UnitSite, Untested> {
    let &[_, width] = tensor.info.shape.as_slice() else { return Err(Untested::Packed) };
    if tensor.packed.is_none() && !is_by_rows(model, tensor) {
        return Err(Untested::Packed);
    }
    let size = |figure: u64| usize::try_from(figure).map_err(|_| Untested::TooFew);
    let count = runs.ok_or(Untested::NotExchangeable)?;
    let rows: u64 = stored.iter().map(|(start, end)| end - start).sum();
    if count == 0 || rows == 0 || width == 0 || !rows.is_multiple_of(count) {
        return Err(Untested::NotExchangeable);
    }
    let length = size(rows / count)?;
    let runs = (0..size(count)?).map(|run| run * length..(run + 1) * length).collect();
    Ok(UnitSite {
        tensors: Vec::new(),
        turned: false,
        width: size(width)?,
        runs,
        stored,
        packing: tensor.packed.clone(),
    })
}

/// Whether rows of weights can be read: the elements are the weights, or become them by scales, which are read whole.
fn is_by_rows(model: &Model, tensor: &Tensor) -> bool {
    let is_plain = || *model.quantisation().storage(&tensor.info.name) == Storage::Plain;
    tensor.scaled.is_some() || is_float(&tensor.info.dtype) && is_plain()
}

fn is_float(dtype: &Dtype) -> bool {
    matches!(*dtype, Dtype::BF16 | Dtype::F16 | Dtype::F32 | Dtype::F64)
}
