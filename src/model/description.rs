//! What a model's small files say of it: its configuration, and the index of its shards.

use super::Repository;
use crate::{
    checkpoint::{MAX_INDEX_BYTES, ShardIndex},
    error::Result,
    family::ModelConfig,
};

/// Files that configure a model; the first that is there counts.
pub(super) const CONFIGS: [&str; 2] = ["config.json", "params.json"];

/// Bytes of a configuration that are read at most.
pub(super) const CONFIG_CAP: u64 = 10 * 1024 * 1024;

/// Bytes of a shard index that are read at most.
pub(super) const INDEX_CAP: u64 = MAX_INDEX_BYTES;

/// Weights in a folder of their own have their configuration beside them, if anywhere but at the root.
pub(crate) async fn read_config(repository: &Repository, folder: &str) -> Result<Option<(ModelConfig, bool)>> {
    let beside = (!folder.is_empty()).then(|| CONFIGS.map(|name| format!("{folder}/{name}")));
    for path in beside.into_iter().flatten().chain(CONFIGS.map(str::to_owned)) {
        if let Some(bytes) = repository.small_file(&path, CONFIG_CAP).await? {
            let synthetic = serde_json::from_slice::<serde_json::Value>(&bytes)
                .is_ok_and(|config| config.get("_synthetic").is_some());
            let config = ModelConfig::parse(&bytes).map_err(|source| repository.unusable(&path, source))?;
            return Ok(Some((config, synthetic)));
        }
    }
    Ok(None)
}

pub(crate) async fn read_index(repository: &Repository, path: Option<&str>) -> Result<Option<ShardIndex>> {
    let Some(path) = path else { return Ok(None) };
    let Some(bytes) = repository.small_file(path, INDEX_CAP).await? else {
        return Ok(None);
    };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok(Some(ShardIndex::parse(&bytes, folder).map_err(|source| repository.unusable(path, source))?))
}
