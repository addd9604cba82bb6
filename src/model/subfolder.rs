//! Which folder of a repository is read, where its root holds no weights.
//!
//! Models often lie in a folder each, side by side. To read one of them because another was not named would answer a question
//! that was not asked, so a folder of several models is refused. A model of several parts that says which of them is its
//! transformer is read there. What else says at its root that it is one model of several parts is read by its largest part,
//! and a repository as well, for want of a way to name a part of it; that is said aloud.

use serde::Deserialize;

use super::{AuditError, Repository, listed};
use crate::{checkpoint::Layout, error::Result, family::FamilyError};

/// Files at the root that make one model of several folders.
const MAKES_ONE: [&str; 3] = ["config.json", "params.json", "model_index.json"];

/// The file in which sentence-transformers lists the parts of a model.
pub(super) const MODULES: &str = "modules.json";

/// Bytes of that list that are read at most.
const MODULES_CAP: u64 = 1024 * 1024;

/// The folder of a repository that is read, empty for the root, and what to tell of the choice where there were others.
pub(crate) async fn subfolder(repository: &Repository) -> Result<(String, Option<String>)> {
    let snapshot = repository.snapshot();
    let folders = Layout::folders(snapshot);
    if folders.iter().all(|folder| folder.is_empty()) {
        return Ok(Default::default());
    }
    if let Some(path) = transformer(repository).await? {
        // A list that was copied from another model names a folder that is not there.
        let is_elsewhere = !folders.contains(&path.as_str()) && folders.contains(&"");
        return Ok((if is_elsewhere { String::new() } else { path }, None));
    }
    let (path, others) = match folders.as_slice() {
        [] | ["", ..] => return Ok(Default::default()),
        [path, others @ ..] => (*path, others),
    };
    let is_one = MAKES_ONE.iter().any(|file| snapshot.file(file).is_some());
    if let (Some(place), false, false) = (repository.folder(), others.is_empty(), is_one) {
        let mut folders: Vec<String> = folders.iter().map(|&path| path.to_owned()).collect();
        folders.sort();
        return Err(AuditError::SeveralModels { model: repository.place(), place: place.clone(), folders }.into());
    }
    let notice = (!others.is_empty()).then(|| {
        let others: Vec<String> = others.iter().map(|&path| path.to_owned()).collect();
        let what_to_do = match repository.folder() {
            Some(place) => {
                format!("name the folder of another to read it, such as `{}`", place.join(&others[0]).display())
            }
            None => "download another and name its folder to read it".to_owned(),
        };
        format!(
            "there are no weights at its root: its folder `{}` is read, which holds most, and not {}; {what_to_do}",
            path.escape_debug(),
            listed(&others)
        )
    });
    Ok((path.to_owned(), notice))
}

/// The folder of the one transformer among the parts that the model lists.
async fn transformer(repository: &Repository) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Module {
        #[serde(default)]
        path: String,
        #[serde(rename = "type")]
        class: String,
    }
    let Some(bytes) = repository.small_file(MODULES, MODULES_CAP).await? else {
        return Ok(None);
    };
    let modules: Vec<Module> = serde_json::from_slice(&bytes)
        .map_err(|source| repository.unusable(MODULES, FamilyError::Config { source }))?;
    let is_transformer = |module: &&Module| module.class.rsplit('.').next() == Some("Transformer");
    let mut found = modules.iter().filter(is_transformer).map(|module| module.path.trim_matches('/').to_owned());
    Ok(found.next().filter(|_| found.next().is_none()))
}
