//! Matrices that are read together.

use super::{ATTENTION, Kind, MLP, MatrixIndex, StructureOptions, chosen};
use crate::{
    family::{Role, Stack},
    metric::align::Gauge,
    model::Model,
};

/// Matrices that are read together, and the alignments that need them.
pub(crate) struct Group {
    pub(crate) roles: &'static [Role],
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) stack: Stack,
}

impl Group {
    /// The groups of a model: those of each stack that has one of the roles, and of the main stack where none has.
    pub(crate) fn all(index: &MatrixIndex, options: &StructureOptions) -> Vec<Self> {
        let mut groups = Vec::new();
        for (roles, gauges) in [
            (&ATTENTION[..], [Gauge::Heads, Gauge::Attention]),
            (&MLP[..], [Gauge::MlpRotation, Gauge::MlpPermutation]),
        ] {
            let gauges: Vec<Gauge> = gauges.into_iter().filter(|gauge| options.align.contains(gauge)).collect();
            if gauges.is_empty() {
                continue;
            }
            let has = |stack: Stack| {
                let mut kinds = roles.iter().map(|&role| Kind::weight(role, stack));
                kinds.any(|kind| index.kinds.contains_key(&kind))
            };
            let mut stacks = [Stack::Main, Stack::Encoder, Stack::Decoder].to_vec();
            stacks.retain(|&stack| has(stack));
            if stacks.is_empty() {
                stacks.push(Stack::Main);
            }
            groups.extend(stacks.into_iter().map(|stack| Self { roles, gauges: gauges.clone(), stack }));
        }
        groups
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.roles.iter().map(|&role| Kind::weight(role, self.stack)).collect()
    }

    /// Names of roles, joined.
    pub(crate) fn name(&self, roles: &[Role]) -> String {
        let names: Vec<String> = roles.iter().map(|&role| Kind::weight(role, self.stack).name()).collect();
        names.join("+")
    }

    /// The layers that have one of the roles.
    pub(crate) fn layers(
        &self,
        model: &Model,
        index: &MatrixIndex,
        options: &StructureOptions,
    ) -> Result<Vec<u32>, String> {
        let kinds = self.kinds();
        let found = kinds.iter().filter_map(|kind| index.kinds.get(kind));
        chosen(model, found.flat_map(|layers| layers.keys().copied()), self.stack, options)
    }
}
