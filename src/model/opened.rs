//! A model that was named.

use std::sync::Arc;

use super::{Exclusion, Model};
use crate::{error::Error, spec::ModelSpec};

/// A model that was named: opened, or the reason why not; it keeps its row either way. `M` is a repository where only its commit and
/// the list of its files are asked for.
#[derive(Debug)]
pub struct Opened<M = Arc<Model>> {
    /// As it was named.
    pub spec: ModelSpec,
    /// Its short name for rows and columns, distinct within the run.
    pub label: String,
    /// The opened model.
    pub outcome: Result<M, Error>,
}

impl<M> Opened<M> {
    /// The model, if it was opened.
    pub fn model(&self) -> Option<&M> {
        self.outcome.as_ref().ok()
    }
}

impl Opened {
    /// The model, if it was opened and has no other holder.
    pub(crate) fn model_mut(&mut self) -> Option<&mut Model> {
        self.outcome.as_mut().ok().and_then(Arc::get_mut)
    }

    /// What was left out of all models that were opened, each with the number of its model.
    pub(crate) fn excluded(opened: &[Self]) -> Vec<(usize, Exclusion)> {
        let read = opened.iter().enumerate().filter_map(|(number, opened)| Some((number, opened.model()?)));
        let left_out = |(number, model): (usize, &Arc<Model>)| {
            model.excluded.iter().chain(&model.lacking).map(|one| (number, one.clone())).collect::<Vec<_>>()
        };
        read.flat_map(left_out).collect()
    }
}
