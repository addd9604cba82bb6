//! A model that was named.

use std::sync::Arc;

use super::{Model, Repository};
use crate::{error::Error, spec::ModelSpec};

/// A model that was named: opened, or the reason why not. It keeps its row either way.
#[derive(Debug)]
pub struct Opened {
    /// As it was named.
    pub spec: ModelSpec,
    /// Its short name for rows and columns, distinct within the run.
    pub label: String,
    /// The opened model.
    pub outcome: Result<Arc<Model>, Error>,
}

/// A model that was named, of which only its commit and the list of its files are asked for.
#[derive(Debug)]
pub struct Listed {
    /// As it was named.
    pub spec: ModelSpec,
    /// Its short name, distinct within the run.
    pub label: String,
    /// Its repository.
    pub outcome: Result<Repository, Error>,
}
