//! The way to a model's bytes: the Hub, what is kept of it, and the Hugging Face cache.

use std::sync::Arc;

use crate::{
    cache::Cache,
    error::Error,
    hub::{HubClient, HubOptions, HuggingFaceCache},
};

/// Where models are read from.
#[derive(Debug, Clone)]
pub struct Access {
    /// The Hub.
    pub hub: HubClient,
    /// What is kept.
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
        Ok(Self {
            hub: HubClient::new(hub)?,
            cache: Arc::new(cache),
            shared: None,
            offline: hub.offline,
            source: hub.endpoint.trim_end_matches('/').to_owned(),
        })
    }
}
