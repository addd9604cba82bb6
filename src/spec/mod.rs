//! Which model is meant: a repository on the Hub at a revision, or a folder on this machine.

mod error;
mod id;
mod model;

pub use error::SpecError;
pub use id::{Commit, RepoId, Revision};
pub use model::{ModelSource, ModelSpec, parse_model_list};
