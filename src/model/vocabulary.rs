//! The vocabulary of a model, from its `tokenizer.json`.

use tokio::task::spawn_blocking;

use super::{Access, Model, TOKENIZER};
use crate::{error::Result, tokens::Vocabulary};

/// Bytes of a tokenizer that are read at most. The largest seen has 35 MB.
const TOKENIZER_CAP: u64 = 100 * 1024 * 1024;

/// What `tokenizer.json` says; `None` where the model has none.
pub(crate) async fn vocabulary(access: &Access, model: &Model) -> Result<Option<Vocabulary>> {
    let Some(bytes) = model.repository.tokenizer(access, TOKENIZER_CAP).await? else { return Ok(None) };
    // Off the reactor: reading 30 MB of JSON is work.
    let parsed = spawn_blocking(move || Vocabulary::parse(&bytes)).await?;
    Ok(Some(parsed.map_err(|source| model.repository.unusable(TOKENIZER, source))?))
}
