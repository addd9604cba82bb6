//! Where the numbers of an audit come from, as every report states it.

use crate::{
    model::ModelSummary,
    report::{Excluded, FileProvenance, ModelProvenance, Provenance},
};

/// What only the running program knows.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The command line, without secrets.
    pub command_line: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The time, as RFC 3339.
    pub generated_at: Option<String>,
    /// The Hub that was asked, if any was.
    pub endpoint: Option<String>,
    /// Requests sent.
    pub requests: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Tensors that were in the cache.
    pub cache_hits: u64,
    /// Tensors that were read from the Hugging Face cache.
    pub shared_hits: u64,
}

/// The provenance of an audit of `models`.
pub fn provenance(run: &Run, models: &[ModelSummary], excluded: Vec<Excluded>) -> Provenance {
    Provenance {
        command_line: run.command_line.clone(),
        seed: run.seed,
        generated_at: run.generated_at.clone(),
        endpoint: run.endpoint.clone(),
        models: models.iter().map(model).collect(),
        requests: run.requests,
        bytes: run.bytes,
        cache_hits: run.cache_hits,
        from_hugging_face_cache: run.shared_hits,
        excluded,
        ..Provenance::of_this_program()
    }
}

fn model(summary: &ModelSummary) -> ModelProvenance {
    ModelProvenance {
        model: summary.model.clone(),
        label: summary.label.clone(),
        commit: summary.commit.as_ref().map(ToString::to_string),
        group: summary.group.clone(),
        family: summary.family.as_ref().map(|(name, _)| name.clone()),
        model_type: summary.model_type.clone(),
        layers: summary.layers,
        width: summary.width,
        zero_centred: summary.zero_centred,
        failure: summary.failure.clone(),
        dtypes: summary.dtypes.iter().cloned().collect(),
        files: summary
            .files
            .iter()
            .map(|file| FileProvenance {
                path: file.path.clone(),
                size: file.size,
                oid: file.lfs_sha256.clone().or_else(|| file.blob_id.clone()),
            })
            .collect(),
    }
}
