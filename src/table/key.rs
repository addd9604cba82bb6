//! What the tensors of one table have in common, and where in its model each of them stands.

use std::fmt;

use crate::{
    family::{LayerIndex, Part, Role, Stack},
    model::Tensor,
};

/// Where in its model a tensor stands. Blocks of multi-token prediction come after all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whether it is a multi-token-prediction block, in no summary over layers.
    pub mtp: bool,
    /// Number of the layer, or of the block as its name holds it.
    pub layer: LayerIndex,
    /// Whether it is no such block, but a layer past the last that the configuration states.
    pub is_past: bool,
}

impl Place {
    /// A layer.
    pub fn layer(layer: LayerIndex) -> Self {
        Self { mtp: false, layer, is_past: false }
    }
}

/// `12`, `46 (MTP)`, or `46 (past the last)`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.mtp, self.is_past) {
            (false, _) => "",
            (true, false) => " (MTP)",
            (true, true) => " (past the last)",
        };
        write!(f, "{}{mark}", self.layer)
    }
}

/// The role's name, `tensor` for a pattern; with the stack before it where there are two.
pub(crate) fn role_name(role: Option<Role>, part: Part, stack: Stack) -> String {
    let role = role.map_or("tensor", Role::name);
    let bias = if part == Part::Bias { "_bias" } else { "" };
    match stack {
        Stack::Main => format!("{role}{bias}"),
        Stack::Encoder => format!("encoder_{role}{bias}"),
        Stack::Decoder => format!("decoder_{role}{bias}"),
    }
}

/// What the layers of one table's tensors have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Alignment {
    /// Their index.
    #[default]
    Index,
    /// Their relative depth; the table's layer is that of the reference.
    Depth,
    /// Each is its model's last.
    Last,
    /// Each was chosen.
    Chosen,
}

/// What the tensors of one table have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableKey {
    /// Their role; `None` where they were chosen by a pattern of names.
    pub role: Option<Role>,
    /// Weight or bias.
    pub part: Part,
    /// Which stack.
    pub stack: Stack,
    /// Which layer; `None` outside the layers, and where each tensor has a layer of its own.
    pub layer: Option<Place>,
    /// What the layer is.
    pub alignment: Alignment,
}

impl TableKey {
    /// Where a tensor belongs by its index. By a pattern of names all tensors of a layer belong together.
    pub(crate) fn of(tensor: &Tensor, by_pattern: bool) -> Self {
        let slot = tensor.slot.filter(|_| !by_pattern);
        let mtp = tensor.slot.is_some_and(|slot| slot.mtp);
        Self {
            role: slot.map(|slot| slot.role),
            part: slot.map_or(Part::Weight, |slot| slot.part),
            stack: slot.map_or(Stack::Main, |slot| slot.stack),
            layer: tensor.layer.map(|layer| Place { mtp, layer, is_past: tensor.is_past }),
            alignment: Alignment::Index,
        }
    }

    /// The same without its layer: what all tables of one role have in common.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self { layer: None, ..*self }
    }

    /// The role's name, `tensor` for a pattern; with the stack before it where there are two.
    pub fn role_name(&self) -> String {
        role_name(self.role, self.part, self.stack)
    }

    /// The layer as a word: a number, `last`, `chosen`, or `all` outside the layers.
    pub fn layer_name(&self) -> String {
        match (self.layer, self.alignment) {
            (Some(layer), _) => layer.to_string(),
            (None, Alignment::Last) => "last".to_owned(),
            (None, Alignment::Chosen) => "chosen".to_owned(),
            (None, _) => "all".to_owned(),
        }
    }

    /// For headings: `input_layernorm, layer 10`.
    pub fn title(&self) -> String {
        let role = self.role_name();
        match (self.layer, self.alignment) {
            (Some(layer), Alignment::Depth) => format!("{role}, relative depth of layer {layer}"),
            (Some(layer), _) => format!("{role}, layer {layer}"),
            (None, Alignment::Last) => format!("{role}, last layer"),
            (None, Alignment::Chosen) => format!("{role}, chosen layers"),
            (None, _) => role,
        }
    }
}
