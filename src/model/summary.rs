//! What a report says of each model: where it is, what it is, and whether it could be read.

use std::collections::BTreeSet;

use super::Opened;
use crate::{
    family::ChosenBy,
    snapshot::RepoFile,
    spec::{Commit, ModelSource},
};

/// One model of a report.
#[derive(Debug, Clone, Default)]
pub struct ModelSummary {
    /// Short name, distinct within the run.
    pub label: String,
    /// `owner/name` as the Hub spells it now, or the folder.
    pub model: String,
    /// The pinned commit; `None` for a folder or a model that was not read.
    pub commit: Option<Commit>,
    /// Whether its files are in a folder.
    pub is_folder: bool,
    /// Its group in the model list.
    pub group: Option<String>,
    /// Name of its family, and how it was recognised.
    pub family: Option<(String, ChosenBy)>,
    /// Families that its names fit as well, and that read some of them otherwise.
    pub rivals: Vec<String>,
    /// `model_type` as written.
    pub model_type: Option<String>,
    /// Layers.
    pub layers: Option<u32>,
    /// Width of the residual stream.
    pub width: Option<u64>,
    /// Element types of the tensors used.
    pub dtypes: BTreeSet<String>,
    /// Names of tensors stored zero-centred, compared as 1 + w.
    pub zero_centred: bool,
    /// Files of the checkpoint that hold what was used.
    pub files: Vec<RepoFile>,
    /// Bytes of all safetensors files of the checkpoint.
    pub checkpoint_bytes: u64,
    /// Whether it says that it is synthetic.
    pub synthetic: bool,
    /// What a reader should know about its files.
    pub warnings: Vec<String>,
    /// Why it has absence of what was asked, and what to do.
    pub absence: Option<String>,
    /// Why it could not be read.
    pub failure: Option<String>,
}

impl ModelSummary {
    /// Summarises a model that was named.
    pub fn of(opened: &Opened) -> Self {
        let mut summary = Self {
            label: opened.label.clone(),
            model: match &opened.spec.source {
                ModelSource::Hub { repo, .. } => repo.to_string(),
                ModelSource::Folder(path) => path.display().to_string(),
            },
            is_folder: matches!(opened.spec.source, ModelSource::Folder(_)),
            group: opened.spec.group.clone(),
            ..Self::default()
        };
        let model = match &opened.outcome {
            Ok(model) => model,
            Err(error) => {
                summary.failure = Some(error.chain());
                return summary;
            }
        };
        if let Some(repo) = model.repository.repo() {
            summary.model = repo.to_string();
        }
        let used: BTreeSet<&str> = model.tensors.iter().map(|tensor| tensor.shard.as_str()).collect();
        summary.commit = model.repository.commit().cloned();
        summary.family = model.family.family.map(|family| (family.name().to_owned(), model.family.by));
        summary.rivals = model.family.rivals.iter().map(|family| family.name().to_owned()).collect();
        summary.model_type = model.config.model_types.first().cloned();
        summary.layers = model.config.num_hidden_layers.or(model.config.encoder_layers);
        summary.width = model.config.hidden_size;
        summary.dtypes = model.tensors.iter().map(|tensor| tensor.info.dtype.to_string()).collect();
        summary.zero_centred = model.tensors.iter().any(|tensor| tensor.zero_centred);
        summary.files = used.iter().filter_map(|shard| model.repository.snapshot().file(shard).cloned()).collect();
        let shards = model.layout.shards.iter().filter_map(|shard| model.repository.snapshot().file(shard));
        summary.checkpoint_bytes = shards.map(|file| file.size).fold(0, u64::saturating_add);
        summary.synthetic = model.synthetic;
        summary.absence.clone_from(&model.absence);
        summary.warnings = model.notice.iter().chain(&model.warnings).cloned().collect();
        summary
    }
}
