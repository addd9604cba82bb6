//! What stands for the Hugging Face cache in a build without the feature `hf-cache`: it is never there.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use crate::{
    snapshot::Snapshot,
    spec::{Commit, RepoId, Revision},
};

/// The Hugging Face cache, which this build does not read.
#[derive(Debug, Clone)]
pub struct HuggingFaceCache(Infallible);

impl HuggingFaceCache {
    /// Always `None`: built without the feature `hf-cache`.
    pub fn open(_root: &Path) -> Option<Self> {
        None
    }

    /// Never called: there is no such cache.
    #[must_use]
    pub fn unverified(self) -> Self {
        match self.0 {}
    }

    /// Never called: there is no such cache.
    pub fn verifies(&self) -> bool {
        match self.0 {}
    }

    /// Never called: there is no such cache.
    pub fn commit(&self, _repo: &RepoId, _revision: &Revision) -> Option<Commit> {
        match self.0 {}
    }

    /// Never called: there is no such cache.
    pub fn snapshot(&self, _repo: &RepoId, _commit: &Commit) -> Option<Snapshot> {
        match self.0 {}
    }

    /// Never called: there is no such cache.
    pub fn files(&self, _repo: &RepoId, _commit: &Commit, _snapshot: &Snapshot) -> Vec<Option<PathBuf>> {
        match self.0 {}
    }
}
