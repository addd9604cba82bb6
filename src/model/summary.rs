//! What a report says of each model: where it is, what it is, and whether it could be read.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use serde_json::json;

use super::Opened;
use crate::{
    family::ChosenBy,
    snapshot::RepoFile,
    spec::{Commit, ModelSource},
};

/// One model of a report, and of `report.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelSummary {
    /// `owner/name` as the Hub spells it now, or the folder.
    pub model: String,
    /// Short name, distinct within the run.
    pub label: String,
    /// The pinned commit; `None` for a folder or a model that was not read.
    pub commit: Option<Commit>,
    /// Whether its files are in a folder.
    #[serde(skip)]
    pub is_folder: bool,
    /// Its group in the model list.
    pub group: Option<String>,
    /// Name of its family, and how it was recognised.
    #[serde(serialize_with = "name_alone")]
    pub family: Option<(String, ChosenBy)>,
    /// Families that its names fit as well, and that read some of them otherwise.
    #[serde(skip)]
    pub rivals: Vec<String>,
    /// `model_type` as written.
    pub model_type: Option<String>,
    /// Layers.
    pub layers: Option<u32>,
    /// Width of the residual stream.
    pub width: Option<u64>,
    /// Names of tensors stored zero-centred, compared as 1 + w.
    pub zero_centred: bool,
    /// Why it could not be read.
    pub failure: Option<String>,
    /// Element types of the tensors used.
    pub dtypes: BTreeSet<String>,
    /// Files of the checkpoint that hold what was used.
    #[serde(serialize_with = "by_hash")]
    pub files: Vec<RepoFile>,
    /// Bytes of all safetensors files of the checkpoint.
    #[serde(skip)]
    pub checkpoint_bytes: u64,
    /// Whether it says that it is synthetic.
    #[serde(skip)]
    pub synthetic: bool,
    /// What a reader should know about its files.
    #[serde(skip)]
    pub warnings: Vec<String>,
    /// Why it has absence of what was asked, and what to do.
    #[serde(skip)]
    pub absence: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde hands the field on so")]
fn name_alone<S: Serializer>(family: &Option<(String, ChosenBy)>, to: S) -> Result<S::Ok, S::Error> {
    family.as_ref().map(|(name, _)| name).serialize(to)
}

fn by_hash<S: Serializer>(files: &[RepoFile], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(files.iter().map(|file| json!({ "path": file.path, "size": file.size, "oid": file.stated_hash() })))
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
