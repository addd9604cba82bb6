//! Models as a whole: what each takes, and letting one go.

use std::time::SystemTime;

use super::{commit_folder::CommitFolder, error::CacheError, file, key, store::Cache};
use crate::spec::{Commit, RepoId};

/// What is kept of one model at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptModel {
    /// The repository.
    pub repo: RepoId,
    /// The commit.
    pub commit: Commit,
    /// Tensors, whole or some of their rows.
    pub tensors: u64,
    /// Bytes of its files, headers and tokenizer included.
    pub bytes: u64,
    /// When any of it was last written.
    pub modified: SystemTime,
}

impl Cache {
    /// What is kept, by repository and commit. Values are not read.
    pub fn models(&self) -> Result<Vec<KeptModel>, CacheError> {
        let mut models = Vec::new();
        for folder in self.commit_folders()? {
            models.extend(kept(&folder)?);
        }
        models.sort_by(|a, b| (&a.repo, &a.commit).cmp(&(&b.repo, &b.commit)));
        Ok(models)
    }

    /// Removes all of a model, or what is kept of commits that begin with `commit`, and tells what that was. Waits for writers, and
    /// keeps them waiting.
    pub fn remove_model(&self, repo: &RepoId, commit: Option<&str>) -> Result<Vec<KeptModel>, CacheError> {
        let _locked = self.disk.lock_everything()?;
        let mut removed = Vec::new();
        for folder in self.commit_folders()? {
            let is_meant = folder
                .identity
                .as_ref()
                .is_some_and(|(of, at)| *of == *repo && commit.is_none_or(|start| at.as_str().starts_with(start)));
            if !is_meant {
                continue;
            }
            removed.extend(kept(&folder)?);
            file::remove(&folder.path)?;
            file::remove_empty(folder.path.parent().unwrap_or(self.root()), self.root());
        }
        if commit.is_none() {
            file::remove(&key::revisions_folder(self.root(), repo))?;
        }
        Ok(removed)
    }
}

/// What a folder holds; `None` where that is nothing whole, or is not the cache's.
fn kept(folder: &CommitFolder) -> Result<Option<KeptModel>, CacheError> {
    let Some((repo, commit)) = folder.identity.clone() else { return Ok(None) };
    let mut items = Vec::new();
    folder.items(&mut items)?;
    let latest = items.iter().map(|item| item.modified).max();
    Ok(latest.map(|modified| KeptModel {
        repo,
        commit,
        tensors: items.iter().filter(|item| item.is_tensor).count() as u64,
        bytes: items.iter().map(|item| item.bytes).sum(),
        modified,
    }))
}
