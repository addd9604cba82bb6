//! How far a command goes with the models it is given.

use hub_audit::{
    model::{Model, Opened},
    question::{compare::Matching, embeddings::TokenAsk},
};

use super::options::Limits;

/// How far to go.
pub(crate) enum Until<'a> {
    /// Headers only.
    Opened,
    /// Tensors on this machine, within limits: in the cache, or where the Hugging Face cache has them.
    Fetched(&'a Limits),
    /// The same; with `--dry-run` this is printed after the plan.
    Computed(&'a Limits, &'a dyn Fn(&[Opened]) -> String),
    /// All tensors in the cache, within limits, each as a file of its own.
    Kept(&'a Limits),
    /// What two models need to be compared, in the cache, within limits.
    Matched(&'a Limits, &'a dyn Fn(&Model, &Model) -> Matching),
    /// Tensors that are neither cached nor local digested as they stream past, within limits: those whose name is wanted.
    Hashed(&'a Limits, &'a dyn Fn(&str) -> bool),
    /// Rows of the embedding tables of two models in the cache, within limits.
    Rows(&'a Limits, TokenAsk),
}

impl Until<'_> {
    /// What `--dry-run` prints after the plan.
    pub(super) fn arithmetic(&self, opened: &[Opened]) -> String {
        match self {
            Self::Computed(_, arithmetic) => format!("\n{}", arithmetic(opened)),
            _ => String::new(),
        }
    }

    /// Whether tensors are chosen by the question alone, so that none at all has a reason in it.
    pub(super) fn chooses(&self) -> bool {
        !matches!(self, Self::Opened | Self::Rows(..))
    }

    pub(super) fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Opened => None,
            Self::Fetched(limits)
            | Self::Computed(limits, _)
            | Self::Kept(limits)
            | Self::Matched(limits, _)
            | Self::Hashed(limits, _)
            | Self::Rows(limits, _) => Some(limits),
        }
    }
}
