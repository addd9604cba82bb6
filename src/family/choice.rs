//! Which family a model belongs to, and how that was found out.

use std::fmt;

use super::Family;

/// What decided on a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChosenBy {
    /// `model_type` of the configuration.
    ModelType,
    /// `architectures` of the configuration.
    Architecture,
    /// The names of the tensors.
    Names,
    /// Nothing did: no family is known to fit.
    #[default]
    Nothing,
}

impl fmt::Display for ChosenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ModelType => "model_type",
            Self::Architecture => "architectures",
            Self::Names => "names",
            Self::Nothing => "nothing",
        })
    }
}

/// The family of a model; the default knows none.
#[derive(Debug, Clone, Default)]
pub struct FamilyChoice {
    /// The family.
    pub family: Option<&'static Family>,
    /// What decided.
    pub by: ChosenBy,
    /// The share of names that the family explains, buffers left out; 0 where there were no names.
    pub share: f64,
    /// Where names alone decided: families that explain as many and disagree on a role or on zero-centred gains. A
    /// report must say so: Llama and Gemma have the same names, and their norms differ by one.
    pub rivals: Vec<&'static Family>,
}

impl FamilyChoice {
    pub(super) fn of(family: &'static Family, by: ChosenBy, share: f64) -> Self {
        Self { family: Some(family), by, share, rivals: Vec::new() }
    }
}
