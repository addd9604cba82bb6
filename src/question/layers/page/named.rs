//! The layers of one role of one model, with the names by which a document speaks of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    metric::Metric,
    model::ModelSummary,
    question::layers::Layers,
    report::escape,
    table::{PairTable, Place},
};

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
            let stem = escape::new_stem(&mut taken, &format!("{role}_{}", model.label));
            Self { table, model, role, stem }
        };
        layers.tables.iter().map(name).collect()
    }

    /// Anchor of its section.
    pub(crate) fn anchor(&self) -> String {
        format!("layers-{}", escape::anchor(&self.stem))
    }

    /// For headings: `GLM-4.5-Air, input_layernorm`.
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.model.label, self.role)
    }
}

/// The roles that are named, each once.
pub(crate) fn roles<'n>(named: &'n [Named<'_>]) -> Vec<&'n str> {
    let mut roles: Vec<&str> = Vec::new();
    for named in named {
        if !roles.contains(&named.role.as_str()) {
            roles.push(&named.role);
        }
    }
    roles
}

/// The layers that have each reason: one for many layers is one line.
pub(crate) fn by_reason(layers: impl Iterator<Item = (Place, String)>) -> BTreeMap<String, Vec<String>> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, reason) in layers {
        reasons.entry(reason).or_default().push(place.to_string());
    }
    reasons
}

/// `layer 3`, or `layers 3, 5, 7`; of many the first and last, and how many.
pub(crate) fn listed(places: &[String]) -> String {
    match places {
        [one] => format!("layer {one}"),
        [first, .., last] if places.len() > 8 => format!("{} layers, {first} to {last}", places.len()),
        several => format!("layers {}", several.join(", ")),
    }
}
