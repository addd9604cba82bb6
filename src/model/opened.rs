//! A model that was named.

use std::sync::Arc;

use super::Model;
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
