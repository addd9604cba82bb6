//! The layers of one role of one model, with the names by which a document speaks of it.

use std::collections::BTreeSet;

use crate::{metric::Metric, model::ModelSummary, question::layers::Layers, report::escape, table::PairTable};

/// The four numbers that always stand side by side.
pub(crate) const BESIDE: [Metric; 4] = [Metric::CosSim, Metric::CosNull, Metric::Pearson, Metric::ZPerm];

/// A table of layers and its names.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    pub(crate) table: &'a PairTable,
    pub(crate) model: &'a ModelSummary,
    pub(crate) role: String,
    /// `input_layernorm_GLM-4.5-Air`: part of file names, distinct within the run whatever a file system makes of case.
    pub(crate) stem: String,
}

impl<'a> Named<'a> {
    /// All tables of `layers`, in order.
    pub(crate) fn all(layers: &'a Layers) -> Vec<Self> {
        let mut taken = BTreeSet::new();
        let name = |table: &'a PairTable| {
            let (model, role) = (&layers.models[table.model()], table.key.role_name());
            let first = escape::file_stem(&format!("{role}_{}", model.label));
            let mut stem = first.clone();
            let mut number = 2;
            while !taken.insert(plain(&stem)) {
                stem = format!("{first}-{number}");
                number += 1;
            }
            Self { table, model, role, stem }
        };
        layers.tables.iter().map(name).collect()
    }

    /// Anchor of its section.
    pub(crate) fn anchor(&self) -> String {
        format!("layers-{}", plain(&self.stem))
    }

    /// For headings: `GLM-4.5-Air, input_layernorm`.
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.model.label, self.role)
    }
}

/// Lower-case letters, digits and hyphens.
fn plain(stem: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
    };
    stem.chars().map(keep).collect()
}

/// `layer 3`, or `layers 3, 5, 7`; of many the first and last, and how many.
pub(crate) fn listed(places: &[String]) -> String {
    match places {
        [one] => format!("layer {one}"),
        [first, .., last] if places.len() > 8 => format!("{} layers, {first} to {last}", places.len()),
        several => format!("layers {}", several.join(", ")),
    }
}
