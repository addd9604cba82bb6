//! Where the numbers of an audit come from, as every report states it.

use crate::{
    model::ModelSummary,
    report::{Excluded, FileProvenance, ModelProvenance, Provenance, Report},
};

/// A report on `models` before anything is said of them.
pub(crate) fn report(
    command: &'static str,
    models: &[ModelSummary],
    run: &Provenance,
    excluded: Vec<Excluded>,
) -> Report {
    Report {
        language: "en",
        command,
        synthetic: models.iter().any(|model| model.synthetic),
        provenance: provenance(run, models, excluded),
        ..Report::default()
    }
}

/// The provenance of an audit of `models`: that of the running program, with theirs.
pub fn provenance(run: &Provenance, models: &[ModelSummary], excluded: Vec<Excluded>) -> Provenance {
    Provenance { models: models.iter().map(model).collect(), excluded, ..run.clone() }
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
