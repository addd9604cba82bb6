//! Which family a model belongs to, and how that was found out.

use super::Family;
use crate::named::named;

named! {
    /// What decided on a family.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum ChosenBy {
        /// `model_type` of the configuration.
        ModelType = "model_type",
        /// `architectures` of the configuration.
        Architecture = "architectures",
        /// The names of the tensors.
        Names = "names",
        /// Nothing did: no family is known to fit.
        #[default]
        Nothing = "nothing",
    }
}

/// The family of a model; the default knows none.
#[derive(Debug, Clone, Default)]
pub struct FamilyChoice {
    /// The family.
    pub family: Option<&'static Family>,
    /// What decided.
    pub by: ChosenBy,
    /// Where names alone decided: families that explain as many and disagree on a role or on zero-centred gains. A
    /// report must say so: Llama and Gemma have the same names, and their norms differ by one.
    pub rivals: Vec<&'static Family>,
}

impl FamilyChoice {
    pub(super) fn of(family: &'static Family, by: ChosenBy) -> Self {
        Self { family: Some(family), by, rivals: Vec::new() }
    }
}
