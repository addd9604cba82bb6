//! Where each role's matrix lies in each layer of a model: a tensor of its own, or a part of a fused one.

use std::collections::BTreeMap;

use super::{StructureOptions, parts};
use crate::{
    family::{FusedLayout, Part, Role, Split, Stack},
    model::Model,
    table::role_name,
};

/// A role with all that tells its tensors in one layer apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind {
    /// The role; `None` where tensors were chosen by a pattern of names.
    pub(crate) role: Option<Role>,
    pub(crate) part: Part,
    pub(crate) stack: Stack,
    pub(crate) expert: Option<u32>,
}

impl Kind {
    /// The weight of a role.
    pub(crate) fn weight(role: Role, stack: Stack) -> Self {
        Self { role: Some(role), part: Part::Weight, stack, expert: None }
    }

    /// Its name in reports: `q_proj`, `encoder_q_proj`, `expert_up_proj[3]`.
    pub(crate) fn name(&self) -> String {
        let expert = self.expert.map_or_else(String::new, |expert| format!("[{expert}]"));
        format!("{}{expert}", role_name(self.role, self.part, self.stack))
    }
}

/// A tensor, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// Position in the model's list of tensors.
    pub(crate) tensor: usize,
    /// How the tensor is divided, and which part is meant.
    pub(crate) split: Option<(Split, Role)>,
    /// Whether it is stored `[in, out]`.
    pub(crate) transposed: bool,
}

/// The matrices of a model, by role and layer: where each is, or why there is none.
#[derive(Debug, Default)]
pub(crate) struct MatrixIndex {
    pub(crate) kinds: BTreeMap<Kind, BTreeMap<u32, Result<Piece, String>>>,
}

impl MatrixIndex {
    pub(crate) fn of(model: &Model, options: &StructureOptions) -> Self {
        let mut index = Self::default();
        let turned = stores_inputs_first(model);
        for (position, tensor) in model.tensors.iter().enumerate() {
            let (Some(layer), slot) = (tensor.layer, tensor.slot.filter(|_| !options.by_pattern)) else {
                continue;
            };
            let kind = Kind {
                role: slot.map(|slot| slot.role),
                part: slot.map_or(Part::Weight, |slot| slot.part),
                stack: slot.map_or(Stack::Main, |slot| slot.stack),
                expert: slot.and_then(|slot| slot.expert),
            };
            let transposed = turned && tensor.info.shape.len() == 2;
            let fused = kind.role.map_or(&[][..], parts);
            if fused.is_empty() {
                let piece = Piece { tensor: position, split: None, transposed };
                index.add(kind, layer.0, Ok(piece));
                continue;
            }
            let divided = kind
                .role
                .zip(model.family.family)
                .and_then(|(role, family)| family.fused(role))
                .ok_or_else(|| "how its fused tensor is divided is not known".to_owned())
                .and_then(|layout| layout.split(kind.part, &tensor.info.shape, &model.config));
            for &role in fused {
                let kind = Kind { role: Some(role), ..kind };
                let piece =
                    divided.clone().map(|split| Piece { tensor: position, split: Some((split, role)), transposed });
                index.add(kind, layer.0, piece);
            }
        }
        index
    }

    fn add(&mut self, kind: Kind, layer: u32, piece: Result<Piece, String>) {
        let layers = self.kinds.entry(kind).or_default();
        let piece = match layers.get(&layer) {
            Some(_) => Err("several tensors fit".to_owned()),
            None => piece,
        };
        layers.insert(layer, piece);
    }

    /// The piece of a role at a layer.
    pub(crate) fn piece(&self, kind: &Kind, layer: u32) -> Result<&Piece, &str> {
        match self.kinds.get(kind).and_then(|layers| layers.get(&layer)) {
            Some(Ok(piece)) => Ok(piece),
            Some(Err(reason)) => Err(reason),
            None => Err("it has no such tensor"),
        }
    }
}

/// GPT-2's linear layers are stored `[in, out]`: its fused attention tells.
fn stores_inputs_first(model: &Model) -> bool {
    let fused = model.family.family.and_then(|family| family.fused(Role::QkvProj));
    fused == Some(FusedLayout::QkvColumns)
}
