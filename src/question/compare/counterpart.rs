//! Two tensors that correspond: which of their elements, how they met, and why they may not be compared.

use crate::{family::Slot, metric::Undefined, named::named, question::hash::chunks::Method, tensor::View};

/// One side of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPart {
    /// Position of the tensor in its model.
    pub tensor: usize,
    /// Which of its elements are meant, in which order.
    pub view: View,
    /// What they are, where a family knows.
    pub slot: Option<Slot>,
}

named! {
    /// How two tensors found each other, as `coverage.csv` names it; rules are tried in this order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Counterpart {
        /// A table of names says so.
        Map = "map",
        /// They have one name.
        Name = "name",
        /// They do the same in the same layer.
        Role = "role",
        /// They are the same part of what one side or both store fused.
        Part = "part",
        /// The groups of a pattern catch the same of their names.
        Pattern = "pattern",
        /// Their names end alike, and no others do.
        Suffix = "suffix",
        /// One is the tensor that the other model ties to the one of this name or role, by the notes of its files or its configuration.
        Tied = "tied",
    }
}

/// Two tensors that correspond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Of the first model.
    pub a: TensorPart,
    /// Of the second.
    pub b: TensorPart,
    /// How they met.
    pub how: Counterpart,
    /// By what their bytes are known to be the same without a look at them: then the first's are read for both.
    pub proven: Option<Method>,
    /// Why they cannot be compared, as their headers tell.
    pub obstacle: Option<Obstacle>,
}

/// Why two tensors that correspond are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// They have different shapes.
    Shape,
    /// The elements of one have no exact values.
    Undecodable(String),
    /// More pairs come before it than were asked for.
    OverLimit,
    /// A side could not be read.
    Unread(String),
}

impl Obstacle {
    /// Why no metric has a value.
    pub(super) fn undefined(&self) -> Undefined {
        Undefined::NotComparable(match self {
            Self::Shape => return Undefined::Shape,
            Self::Undecodable(reason) | Self::Unread(reason) => reason.clone(),
            Self::OverLimit => "more pairs come before it than --max-tensors allows".to_owned(),
        })
    }
}
