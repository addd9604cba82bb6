//! Which layer of one model meets which layer of another.
//!
//! Models differ in depth, so "layer 10" of two of them need not be the same place. Four rules are offered: the same
//! index, the same relative depth, every layer with every layer, and one chosen layer a model.

use std::str::FromStr;

use super::AuditError;
use crate::named::named;

named! {
    /// Which layers meet.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Pairing {
        /// Layer i with layer i.
        #[default]
        Same = "same",
        /// Layer i of L of a reference with layer round(i·(L'−1)/(L−1)) of L' of every other model, see [`Depths`](super::Depths).
        Depth = "depth",
        /// Every layer of the first with every layer of the second of two models.
        All = "all",
        /// One chosen layer of each model.
        Mixed = "mixed",
    }
}

impl FromStr for Pairing {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        Self::named(text).ok_or_else(|| AuditError::Pairing { text: text.to_owned() })
    }
}
