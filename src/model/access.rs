//! The way to a model's bytes: the Hub, what is kept of it, and the Hugging Face cache.

use std::sync::Arc;

use crate::{
    cache::Cache,
    error::Error,
    hub::{HubClient, HubOptions, HuggingFaceCache},
    spec::{RepoId, Revision},
};

/// The source, in the cache's records, of tensors that were read from the Hugging Face cache.
const SHARED: &str = "Hugging Face cache";

/// The same where its files were believed as they are.
const SHARED_UNVERIFIED: &str = "Hugging Face cache, not verified";

/// Where models are read from.
#[derive(Debug, Clone)]
pub struct Access {
    /// The Hub.
    pub hub: HubClient,
    /// What is kept, as far as it comes from a source that this run reads too.
    pub cache: Arc<Cache>,
    /// The Hugging Face cache, where it is read.
    pub shared: Option<Arc<HuggingFaceCache>>,
    /// No network at all.
    pub offline: bool,
    /// Name of who is asked, as the cache keeps it: the endpoint. What another source said is not used.
    pub source: String,
}

impl Access {
    /// A Hub, and a cache for what is fetched. The Hugging Face cache is not read. No request is sent.
    pub fn new(hub: &HubOptions, cache: Cache) -> Result<Self, Error> {
        let access = Self {
            hub: HubClient::new(hub)?,
            cache: Arc::new(cache),
            shared: None,
            offline: hub.offline,
            source: hub.endpoint.trim_end_matches('/').to_owned(),
        };
        Ok(access.believing())
    }

    /// The same access, which also reads the Hugging Face cache.
    #[must_use]
    pub fn with_shared(self, shared: Option<HuggingFaceCache>) -> Self {
        Self { shared: shared.map(Arc::new), ..self }.believing()
    }

    /// The same access to a Hub that the cache's records know by another name than its address.
    #[must_use]
    pub fn with_source(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }.believing()
    }

    /// Whether the cache has a record of what a revision is, or was when it was last asked for.
    pub(super) fn is_known(&self, repo: &RepoId, revision: &Revision) -> bool {
        let of_commit = || Some((repo.clone(), revision.as_commit()?));
        let kept = of_commit().or_else(|| self.cache.revision(&self.source, repo, revision));
        kept.is_some_and(|(repo, commit)| self.cache.has_record(&repo, &commit))
    }

    /// Whether small files of a revision are asked of the Hub, since neither cache has any.
    pub(super) fn is_new(&self, repo: &RepoId, revision: &Revision) -> bool {
        let is_shared = || self.shared.as_ref().is_some_and(|shared| shared.commit(repo, revision).is_some());
        !self.offline && !self.is_known(repo, revision) && !is_shared()
    }

    /// The source of what is read from the Hugging Face cache, as the cache's records name it.
    pub(crate) fn shared_source(&self) -> &'static str {
        match &self.shared {
            Some(shared) if !shared.verifies() => SHARED_UNVERIFIED,
            _ => SHARED,
        }
    }

    /// Has the cache hold what comes from the sources that are read, and nothing else.
    fn believing(self) -> Self {
        let shared = self.shared.iter().flat_map(|_| [SHARED, self.shared_source()]);
        let sources = shared.map(str::to_owned).chain([self.source.clone()]);
        let cache = Arc::new(self.cache.believing(sources));
        Self { cache, ..self }
    }
}
