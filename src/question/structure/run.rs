//! From opened models to rows.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Kind, MatrixIndex, Quantity, ScaleTrack, Source, StructureOptions, StructureRow, aligned, chosen, estimate, pairs,
    parts,
};
use crate::{
    family::{Role, Stack},
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

/// Works out the structure of each model. Every tensor must be in the cache by now, or in a folder, or in `failures`. `start` is told
/// that work of so many operations begins on a model, `done` that so much of it is done.
pub fn structure(
    Corpus { cache, opened, failures, .. }: &Corpus,
    options: &StructureOptions,
    start: &dyn Fn(&str, f64),
    done: &dyn Fn(f64),
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
        let index = MatrixIndex::of(model, options);
        start(&opened.label, estimate::of_model(model, &index, options).operations);
        let source = Source { cache, number, model, failures, index: &index };
        let mut rows = raw(&source, options, done);
        structure.scales.push(ScaleTrack::of(number, &rows));
        let (aligned, limits) = aligned::rows(&source, options, done);
        rows.extend(aligned);
        structure.limits.extend(limits);
        structure.rows.extend(rows);
        structure.used.push(used(model, &index));
    }
    structure
}

/// The raw test of every role.
fn raw(source: &Source<'_>, options: &StructureOptions, done: &dyn Fn(f64)) -> Vec<StructureRow> {
    let mut rows = Vec::new();
    for (kind, layers) in &source.index.kinds {
        if kind.role.is_some_and(|role| !options.wants(role)) {
            continue;
        }
        match chosen(source.model, layers.keys().copied(), kind.stack, options) {
            Ok(layers) => {
                let per_pair = estimate::raw_pair(source.model, source.index, kind, options);
                rows.extend(pairs::rows(source, kind, &layers, options, &|| done(per_pair)));
            }
            Err(reason) => rows.push(without(source.number, kind.name(), reason)),
        }
    }
    // A role that was named, and that no layer has.
    for &role in options.roles.roles() {
        let named = options.roles.names(role) && !options.by_pattern;
        let found: BTreeSet<Option<Role>> = source.index.kinds.keys().map(|kind| kind.role).collect();
        if named && !found.contains(&Some(role)) && !parts(role).iter().any(|&part| found.contains(&Some(part))) {
            let kind = Kind::weight(role, Stack::Main);
            rows.push(without(source.number, kind.name(), source.reason(&kind, "it has no such tensor")));
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
fn used(model: &Model, index: &MatrixIndex) -> (usize, u64) {
    let pieces = index.kinds.values().flat_map(BTreeMap::values).flatten();
    let positions: BTreeSet<usize> = pieces.map(|piece| piece.tensor).collect();
    let bytes = positions.iter().map(|&at| model.tensors[at].info.range.len()).sum();
    (positions.len(), bytes)
}
