//! Alignments of pairs of layers: the matrices that share a change of basis are read together, and dropped after the pair.

use super::{
    atlas::Atlas, estimate::Estimate, options::StructureOptions, row::StructureRow, run::Steps, source::Source,
};
use crate::{audit::Model, metric::align::Gauge};

/// What restricts an alignment of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Number of the model.
    pub model: usize,
    /// The alignment.
    pub gauge: Gauge,
    /// What restricts it.
    pub text: String,
}

pub(super) fn rows(
    _number: usize,
    _source: &Source<'_>,
    _options: &StructureOptions,
    _steps: &dyn Steps,
) -> (Vec<StructureRow>, Vec<Limit>) {
    (Vec::new(), Vec::new())
}

pub(super) fn add_estimate(_model: &Model, _atlas: &Atlas, _options: &StructureOptions, _estimate: &mut Estimate) {}
