//! A report before anything is said in it.

use crate::{
    model::ModelSummary,
    report::{Excluded, Provenance, Report},
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
        provenance: run.on(models, excluded),
        ..Report::default()
    }
}
