//! From opened models to rows.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Along, Atlas, Kind, Quantity, ScaleTrack, Source, Steps, StructureOptions, StructureRow, aligned, chosen, estimate,
};
use crate::{
    family::{Part, Role, Stack},
    fetch::Corpus,
    metric::{Undefined, align::Gauge},
    model::{Exclusion, Model, ModelSummary, Opened},
};

/// What the matrices of each model look like along depth.
#[derive(Debug)]
pub struct Structure {
    /// The models.
    pub models: Vec<ModelSummary>,
    /// Every number: by model, role, layers, quantity.
    pub rows: Vec<StructureRow>,
    /// How the scale runs through each model's layers.
    pub scales: Vec<ScaleTrack>,
    /// (model, alignment, what restricts it).
    pub limits: Vec<(usize, Gauge, String)>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
    /// For each model: tensors that were read, and their bytes as stored.
    pub used: Vec<(usize, u64)>,
    /// Layer k was compared with layer k + `stride`.
    pub stride: u32,
}

impl Structure {
    /// Whether something that was asked for is missing: a model or a tensor, or a number that has only a reason.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let undefined = self.rows.iter().any(|row| row.value.is_err());
        let without = (0..self.models.len()).any(|model| self.rows.iter().all(|row| row.model != model));
        failed || undefined || without || self.rows.is_empty()
    }
}

/// Works out the structure of each model. Every tensor must be in the cache by now, or in a folder, or in `failures`.
pub fn structure(
    Corpus { cache, opened, failures, .. }: &Corpus,
    options: &StructureOptions,
    steps: &dyn Steps,
) -> Structure {
    let mut structure = Structure {
        models: opened.iter().map(ModelSummary::of).collect(),
        rows: Vec::new(),
        scales: Vec::new(),
        limits: Vec::new(),
        excluded: Opened::excluded(opened),
        used: Vec::new(),
        stride: options.stride,
    };
    for (number, (opened, failures)) in opened.iter().zip(failures).enumerate() {
        let Ok(model) = &opened.outcome else {
            structure.used.push((0, 0));
            continue;
        };
        let atlas = Atlas::of(model, options);
        let work = estimate::of_model(model, &atlas, options);
        steps.start(&opened.label, work.operations);
        let source = Source { cache, model, failures, atlas: &atlas };
        let mut rows = raw(number, &source, options, steps);
        structure.scales.push(ScaleTrack::of(number, &rows));
        let (aligned, limits) = aligned::rows(number, &source, options, steps);
        rows.extend(aligned);
        structure.limits.extend(limits);
        structure.rows.extend(rows);
        structure.used.push(used(model, &atlas));
    }
    structure
}

/// The raw test of every role.
fn raw(number: usize, source: &Source<'_>, options: &StructureOptions, steps: &dyn Steps) -> Vec<StructureRow> {
    let mut rows = Vec::new();
    for (&kind, layers) in &source.atlas.kinds {
        if kind.role.is_some_and(|role| !options.wants(role)) {
            continue;
        }
        let layers = match chosen(source.model, layers.keys().copied(), kind.stack, options) {
            Ok(layers) => layers,
            Err(reason) => {
                rows.push(without(number, kind.name(), reason));
                continue;
            }
        };
        let per_pair = estimate::raw_pair(source.model, source.atlas, &kind, options);
        let along = Along {
            model: number,
            kind,
            layers,
            stride: options.stride,
            effective_rank: options.effective_rank,
            source,
        };
        rows.extend(along.rows(&|| steps.done(per_pair)));
    }
    // A role that was named, and that no layer has.
    for &role in options.roles.roles() {
        let named = options.roles.names(role) && !options.by_pattern;
        let found: BTreeSet<Option<Role>> = source.atlas.kinds.keys().map(|kind| kind.role).collect();
        let fused = crate::question::structure::parts(role);
        if named && !found.contains(&Some(role)) && !fused.iter().any(|&part| found.contains(&Some(part))) {
            let kind = Kind { role: Some(role), part: Part::Weight, stack: Stack::Main, expert: None };
            rows.push(without(number, kind.name(), source.reason(&kind, "it has no such tensor")));
        }
    }
    rows
}

fn without(model: usize, role: String, reason: String) -> StructureRow {
    StructureRow {
        model,
        role,
        layer_a: None,
        layer_b: None,
        quantity: Quantity::Residual,
        value: Err(Undefined::NotComparable(reason)),
        null: None,
    }
}

/// How many tensors the numbers rest on, and their bytes.
fn used(model: &Model, atlas: &Atlas) -> (usize, u64) {
    let pieces = atlas.kinds.values().flat_map(BTreeMap::values).flatten();
    let positions: BTreeSet<usize> = pieces.map(|piece| piece.tensor).collect();
    let bytes = positions.iter().map(|&at| model.tensors[at].info.range.len()).sum();
    (positions.len(), bytes)
}
