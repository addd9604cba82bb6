//! Which tensor of one model corresponds to which of the other.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{
    Counterpart, Match, NameMap, Obstacle, TensorPart,
    names::{self, Found},
};
use crate::{
    checkpoint::Storage,
    dtype::decode,
    family::{Classified, Slot},
    model::{Model, Tensor},
    question::hash::chunks::Method,
    tensor::{View, layout, layout_or_plain, of_expert, parts, straight},
};

/// What tells which tensors correspond where names and roles do not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guide<'a> {
    /// A table of names.
    pub map: Option<&'a NameMap>,
    /// A pattern whose groups tell the layer, and what else there is to tell.
    pub pattern: Option<&'a Regex>,
}

/// What corresponds, and what stands alone.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// The pairs: first those outside the layers, then by layer, in the order of the first model.
    pub pairs: Vec<Match>,
    /// Tensors of each model without a counterpart, by position, with the reason.
    pub alone: [Vec<(usize, String)>; 2],
    /// Tensors of each model that are no parameters, by position, with the reason.
    pub passed_over: [Vec<(usize, String)>; 2],
}

const NO_COUNTERPART: &str = "the other model has no tensor of this name or role";

impl Matching {
    /// Matches the tensors that were wanted of two models.
    pub fn of(a: &Model, b: &Model, guide: Guide<'_>) -> Self {
        let mut matching = Self::default();
        let models = [a, b];
        let quantisation = models.map(Model::quantisation);
        let positions = models.map(positions);
        let mut open = models.map(|model| (0..model.tensors.len()).collect::<BTreeSet<usize>>());
        for (side, open) in open.iter_mut().enumerate() {
            let told = |at: usize| {
                let tensor = &models[side].tensors[at];
                let reason = no_parameter(models[side], tensor, quantisation[side].storage(&tensor.info.name));
                reason.map(|reason| (at, reason))
            };
            matching.passed_over[side] = open.iter().filter_map(|&at| told(at)).collect();
            for (at, _) in &matching.passed_over[side] {
                open.remove(at);
            }
        }
        let mut told = [BTreeMap::new(), BTreeMap::new()];
        if let Some(map) = guide.map {
            let found = names::by_map(map, &named(models, &open));
            matching.by_names(models, &mut open, found, Counterpart::Map, &mut told);
        }
        matching.by_name(models, &positions[1], &mut open);
        matching.by_slot(models, &mut open);
        matching.by_part(models, &mut open);
        if let Some(pattern) = guide.pattern {
            let found = names::by_pattern(pattern, &named(models, &open));
            matching.by_names(models, &mut open, found, Counterpart::Pattern, &mut told);
        }
        let found = names::by_suffix(&named(models, &open));
        matching.by_names(models, &mut open, found, Counterpart::Suffix, &mut told);
        matching.by_note(models, &mut open);
        for (side, open) in open.into_iter().enumerate() {
            let reason = |at: usize| told[side].get(&at).cloned().unwrap_or_else(|| reason(models[side], at));
            let alone = open.into_iter().map(|at| (at, reason(at)));
            matching.alone[side].extend(alone);
            matching.alone[side].sort();
        }
        matching.pairs.sort_by_key(|pair| (a.tensors[pair.a.tensor].layer, pair.a.tensor, pair.a.view.clone()));
        for pair in &mut matching.pairs {
            for (part, side) in [(&pair.a, 0), (&pair.b, 1)] {
                let tensor = &models[side].tensors[part.tensor];
                let why_not = quantisation[side].storage(&tensor.info.name).why_not();
                let why_not = why_not.or_else(|| layout(models[side], tensor.slot, &tensor.info).err());
                pair.obstacle = pair.obstacle.take().or(why_not.map(Obstacle::Undecodable));
            }
            let sides = [(a, &pair.a), (b, &pair.b)];
            pair.proven = proven(sides, |tensors| is_same_place(models, tensors).then_some(Method::File));
            pair.obstacle = pair.obstacle.take().or_else(|| obstacle(sides));
        }
        matching
    }

    /// Takes in by what tensors of both models, by their names, are proven to be the same.
    #[must_use]
    pub fn prove(mut self, models: [&Model; 2], known: &BTreeMap<(&str, &str), Method>) -> Self {
        for pair in self.pairs.iter_mut().filter(|pair| pair.proven.is_none()) {
            pair.proven = proven([(models[0], &pair.a), (models[1], &pair.b)], |[a, b]| {
                let is_one_form = (&a.info.dtype, &a.info.shape) == (&b.info.dtype, &b.info.shape);
                known.get(&(a.info.name.as_str(), b.info.name.as_str())).copied().filter(|_| is_one_form)
            });
        }
        self
    }

    /// The first `most` pairs that can be compared stay; the others say that they are over the limit.
    #[must_use]
    pub fn first(mut self, most: usize) -> Self {
        for pair in self.pairs.iter_mut().filter(|pair| pair.obstacle.is_none()).skip(most) {
            pair.obstacle = Some(Obstacle::OverLimit);
        }
        self
    }

    /// Positions of the tensors of each model that must be read, beside the scales of quantised ones. Of two that are known to be the same bytes, the first is.
    pub fn needed(&self) -> [BTreeSet<usize>; 2] {
        let mut needed = [BTreeSet::new(), BTreeSet::new()];
        for pair in self.pairs.iter().filter(|pair| pair.obstacle.is_none()) {
            needed[0].insert(pair.a.tensor);
            if pair.proven.is_none() {
                needed[1].insert(pair.b.tensor);
            }
        }
        needed
    }

    fn push(&mut self, a: TensorPart, b: TensorPart, how: Counterpart) {
        self.pairs.push(Match { a, b, how, proven: None, obstacle: None });
    }

    /// Tensors of one name whose elements lie in one order.
    fn by_name(&mut self, [a, b]: [&Model; 2], names: &BTreeMap<&str, usize>, open: &mut [BTreeSet<usize>; 2]) {
        for (at, tensor) in a.tensors.iter().enumerate() {
            let Some(&other) = names.get(tensor.info.name.as_str()) else {
                continue;
            };
            let both_open = open[0].contains(&at) && open[1].contains(&other);
            if both_open && layout_or_plain(a, tensor) == layout_or_plain(b, &b.tensors[other]) {
                self.pair([a, b], open, [at, other], Counterpart::Name);
            }
        }
    }

    /// Tensors that do the same, where one of each model does; a matrix stored the other way round is turned.
    fn by_slot(&mut self, models: [&Model; 2], open: &mut [BTreeSet<usize>; 2]) {
        let [of_a, of_b] = [0, 1].map(|side| by_slot(models[side], &open[side]));
        for (slot, &at) in &of_a {
            if let (Some(at), Some(&Some(other))) = (at, of_b.get(slot)) {
                self.pair(models, open, [at, other], Counterpart::Role);
            }
        }
    }

    /// What one side fuses or both fuse differently, part by part.
    fn by_part(&mut self, [a, b]: [&Model; 2], open: &mut [BTreeSet<usize>; 2]) {
        let one_by_one = [has_single_experts(a, &open[0]), has_single_experts(b, &open[1])];
        let pieces = [pieces(a, &open[0], one_by_one[1]), pieces(b, &open[1], one_by_one[0])];
        let mut met: BTreeSet<Slot> = BTreeSet::new();
        for (slot, left) in &pieces[0] {
            if let (Some(left), Some(Some(right))) = (left, pieces[1].get(slot)) {
                open[0].remove(&left.tensor);
                open[1].remove(&right.tensor);
                met.insert(*slot);
                self.push(left.clone(), right.clone(), Counterpart::Part);
            }
        }
        // A part that met nothing must not vanish with the tensor whose other parts did.
        for (side, pieces) in pieces.iter().enumerate() {
            for (slot, part) in pieces.iter().filter(|(slot, _)| !met.contains(slot)) {
                if let Some(part) = part
                    && !open[side].contains(&part.tensor)
                {
                    self.alone[side].push((part.tensor, format!("its part `{}` has no counterpart", slot.role)));
                }
            }
        }
    }

    /// Tensors whose names are found to mean the same. Two that are known to do different things do not meet by how they end.
    fn by_names(
        &mut self,
        models: [&Model; 2],
        open: &mut [BTreeSet<usize>; 2],
        found: Found,
        how: Counterpart,
        told: &mut [BTreeMap<usize, String>; 2],
    ) {
        for (told, reasons) in told.iter_mut().zip(found.reasons) {
            for (at, reason) in reasons {
                told.entry(at).or_insert(reason);
            }
        }
        for (at, other) in found.pairs {
            let (left, right) = (&models[0].tensors[at], &models[1].tensors[other]);
            if how == Counterpart::Suffix && left.slot.is_some() && right.slot.is_some() && left.slot != right.slot {
                continue;
            }
            if !self.pair(models, open, [at, other], how) {
                let reason = "its counterpart by name stores its elements in another order".to_owned();
                told[0].entry(at).or_insert_with(|| reason.clone());
                told[1].entry(other).or_insert(reason);
            }
        }
    }

    /// Pairs two open tensors in the order `[out, in]`, unless they hold several parts in different orders.
    fn pair(&mut self, models: [&Model; 2], open: &mut [BTreeSet<usize>; 2], at: [usize; 2], how: Counterpart) -> bool {
        let tensors = [0, 1].map(|side| &models[side].tensors[at[side]]);
        let layouts = [0, 1].map(|side| layout_or_plain(models[side], tensors[side]));
        let is_one = layouts[0] == layouts[1];
        if !is_one && layouts.iter().any(|layout| layout.fused.is_some()) {
            return false;
        }
        let [a, b] = [0, 1].map(|side| TensorPart {
            tensor: at[side],
            view: if is_one { View::Whole } else { straight(&tensors[side].info.shape, layouts[side]) },
            slot: tensors[side].slot,
        });
        for (open, at) in open.iter_mut().zip(at) {
            open.remove(&at);
        }
        self.push(a, b, how);
        true
    }

    /// Tensors whose counterpart the other model's files leave out, because it is the same as one that they hold.
    fn by_note(&mut self, models: [&Model; 2], open: &mut [BTreeSet<usize>; 2]) {
        for side in [0, 1] {
            let other = models[1 - side];
            let held = positions(other);
            let ties: Vec<(&str, Option<Slot>, usize)> =
                other.ties().filter_map(|(name, kept)| Some((name, other.slot_of(name), *held.get(kept)?))).collect();
            let tied = other.tied_role();
            let tied = tied.and_then(|(role, kept)| Some((Slot { role, ..other.tensors[kept].slot? }, kept)));
            let ties: Vec<_> = ties.into_iter().chain(tied.map(|(slot, kept)| ("", Some(slot), kept))).collect();
            for at in open[side].clone() {
                let tensor = &models[side].tensors[at];
                let is_tied = |(name, slot, _): &&(&str, Option<Slot>, usize)| {
                    *name == tensor.info.name || slot.is_some() && *slot == tensor.slot
                };
                let Some(&(_, _, kept)) = ties.iter().find(is_tied) else { continue };
                let pair = if side == 0 { [at, kept] } else { [kept, at] };
                self.pair(models, open, pair, Counterpart::Tied);
            }
        }
    }
}

/// The names of open tensors, with their positions.
fn named<'m>(models: [&'m Model; 2], open: &[BTreeSet<usize>; 2]) -> names::Open<'m> {
    [0, 1].map(|side| open[side].iter().map(|&at| (at, models[side].tensors[at].info.name.as_str())).collect())
}

/// The positions of a model's tensors, by name.
fn positions(model: &Model) -> BTreeMap<&str, usize> {
    let tensors = model.tensors.iter().enumerate();
    tensors.map(|(at, tensor)| (tensor.info.name.as_str(), at)).collect()
}

/// Why a tensor is no parameter, if it is none.
fn no_parameter(model: &Model, tensor: &Tensor, storage: &Storage) -> Option<String> {
    if let Storage::Auxiliary { .. } = storage {
        return storage.why_not();
    }
    match model.family.family?.classify(&tensor.info.name, &model.config) {
        Classified::Buffer => Some("a fixed buffer, no parameter".to_owned()),
        Classified::Auxiliary(slot) => Some(format!("belongs to the quantised `{}`", slot.role)),
        Classified::Slot(_) | Classified::Unclassified => None,
    }
}

/// By what two parts are the same, where all that their values are made of is: elements, and of quantised ones scales and zero points.
fn proven(sides: [(&Model, &TensorPart); 2], is_one: impl Fn([&Tensor; 2]) -> Option<Method>) -> Option<Method> {
    let [a, b] = sides.map(|(model, part)| {
        let tensor = &model.tensors[part.tensor];
        let beside = model.companions_of(tensor, false).map(|position| model.brought(position));
        std::iter::once(tensor).chain(beside).collect::<Vec<&Tensor>>()
    });
    let [one, other] = [a[0], b[0]].map(|tensor| tensor.scaled.as_ref());
    if sides[0].1.view != sides[1].1.view || a.len() != b.len() || one != other {
        return None;
    }
    let methods: Option<Vec<Method>> = a.into_iter().zip(b).map(|(a, b)| is_one([a, b])).collect();
    methods?.first().copied()
}

/// Whether the Hub states one content for both files, and the tensors lie at one place in it.
fn is_same_place(models: [&Model; 2], [a, b]: [&Tensor; 2]) -> bool {
    let place = |model: &Model, tensor: &Tensor| {
        let file = model.repository.snapshot().file(&tensor.shard)?;
        let content = file.lfs_sha256.clone()?;
        Some((content, tensor.info.range, tensor.info.dtype.clone(), tensor.zero_centred))
    };
    let of_a = place(models[0], a);
    of_a.is_some() && of_a == place(models[1], b)
}

/// What the headers alone say against a comparison.
fn obstacle(sides: [(&Model, &TensorPart); 2]) -> Option<Obstacle> {
    let tensors = sides.map(|(model, part)| (&model.tensors[part.tensor].info, &part.view));
    for (info, _) in tensors {
        if let Err(error) = decode(&info.dtype, &[]) {
            return Some(Obstacle::Undecodable(error.to_string()));
        }
    }
    let [a, b] = tensors.map(|(info, view)| view.shape(&info.shape));
    (a.is_none() || a != b).then_some(Obstacle::Shape)
}

/// The open tensors by what they do; `None` where several do the same.
fn by_slot(model: &Model, open: &BTreeSet<usize>) -> BTreeMap<Slot, Option<usize>> {
    let mut slots = BTreeMap::new();
    for &at in open {
        if let Some(slot) = model.tensors[at].slot {
            slots.entry(slot).and_modify(|known| *known = None).or_insert(Some(at));
        }
    }
    slots
}

/// What the open tensors hold by what it does: parts of fused ones, and the others whole; `None` where several do the same.
/// Experts that are packed in one tensor are given one by one where the other model has them so.
fn pieces(model: &Model, open: &BTreeSet<usize>, one_by_one: bool) -> BTreeMap<Slot, Option<TensorPart>> {
    let mut pieces: BTreeMap<Slot, Option<TensorPart>> = BTreeMap::new();
    let mut add = |part: TensorPart| {
        if let Some(slot) = part.slot {
            pieces.entry(slot).and_modify(|known| *known = None).or_insert(Some(part));
        }
    };
    for &at in open {
        let tensor = &model.tensors[at];
        let layout = layout_or_plain(model, tensor);
        let mut held = parts(model, tensor, layout).unwrap_or_default();
        if let (None, Some(slot)) = (layout.fused, tensor.slot) {
            held.push((slot, straight(&tensor.info.shape, layout)));
        }
        let experts = layout.experts(&tensor.info.shape).filter(|_| one_by_one);
        let experts =
            experts.and_then(|experts| u32::try_from(experts).ok()).filter(|&experts| experts <= MOST_EXPERTS);
        for (slot, view) in held {
            match experts {
                None => add(TensorPart { tensor: at, view, slot: Some(slot) }),
                Some(experts) => (0..experts).for_each(|expert| {
                    let slot = Slot { expert: Some(expert), ..slot };
                    add(TensorPart { tensor: at, view: of_expert(&view, u64::from(expert)), slot: Some(slot) });
                }),
            }
        }
    }
    pieces
}

/// More experts than any model packs in one tensor.
const MOST_EXPERTS: u32 = 1 << 14;

fn has_single_experts(model: &Model, open: &BTreeSet<usize>) -> bool {
    open.iter().any(|&at| model.tensors[at].slot.is_some_and(|slot| slot.expert.is_some()))
}

/// Why a tensor found no counterpart.
fn reason(model: &Model, at: usize) -> String {
    let tensor = &model.tensors[at];
    let layout = layout_or_plain(model, tensor);
    match parts(model, tensor, layout) {
        Err(why) if layout.fused.is_some() => format!("{NO_COUNTERPART}, and its parts are not known: {why}"),
        _ => NO_COUNTERPART.to_owned(),
    }
}
