//! Which folder of a repository is read, where its root holds no weights.
//!
//! Models often lie in a folder each, side by side. To read one of them because another was not named would answer a question
//! that nobody asked, so a folder of several models is refused. What says at its root that it is one model of several parts is
//! read by its largest part, and a repository as well, for want of a way to name a part of it; that is said aloud.

use super::{AuditError, Repository, listed};
use crate::{checkpoint::Layout, error::Result};

/// Files at the root that make one model of several folders.
const MAKES_ONE: [&str; 3] = ["config.json", "params.json", "model_index.json"];

/// The folder of a repository that is read.
pub(crate) struct Subfolder {
    /// Its path in the repository.
    pub(crate) path: String,
    /// What to tell of the choice, where there were others.
    pub(crate) notice: Option<String>,
}

impl Subfolder {
    /// `None` where the root holds weights, or nothing does.
    pub(crate) fn of(repository: &Repository) -> Result<Option<Self>> {
        let snapshot = repository.snapshot();
        let folders = Layout::folders(snapshot);
        let [path, others @ ..] = folders.as_slice() else {
            return Ok(None);
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
        Ok(Some(Self { path: (*path).to_owned(), notice }))
    }
}
