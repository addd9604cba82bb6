//! The study run on models: each role through the experiments, then what the study lacked, then the published figures.

use std::collections::BTreeSet;

use super::{Bench, ByLayer, Checked, Experiments, Measured, Record, SameDepth, Study, Vectors, check};
use crate::{
    family::LayerIndex,
    model::{Exclusion, ModelSummary, Opened},
    table::{Side, Strand},
};

/// What the study comes to.
#[derive(Debug)]
pub struct Critique {
    /// The study.
    pub study: Study,
    /// Its models, as they were read.
    pub models: Vec<ModelSummary>,
    /// The experiments, role by role.
    pub roles: Vec<RoleAnswer>,
    /// Every published figure.
    pub published: Vec<Checked>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
}

/// The experiments on one role.
#[derive(Debug)]
pub struct RoleAnswer {
    /// The role's name.
    pub role: String,
    /// Experiments 1 to 6.
    pub experiments: Experiments,
    /// The first two models at every layer that was read of both.
    pub by_layer: ByLayer,
    /// The first group at layers of one relative depth.
    pub same_depth: Vec<SameDepth>,
    /// For each model the layers that were read, and what they are.
    pub sides: Vec<Vec<(LayerIndex, Side)>>,
    /// For each model what was wanted and could not be read: layer and reason.
    pub absent: Vec<Vec<(LayerIndex, String)>>,
}

impl RoleAnswer {
    /// Runs the experiments on the vectors of one role. `depth` is the number of layers of the model at a place.
    pub fn of(study: &Study, role: &str, bench: &Bench<'_>, depth: impl Fn(usize) -> Option<u32>, seed: u64) -> Self {
        Self {
            role: role.to_owned(),
            experiments: Experiments::run(study, bench, seed),
            by_layer: ByLayer::of(bench),
            same_depth: SameDepth::of(study, bench, depth),
            sides: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// Whether a group of models, or the pair that the study is about, has nothing to compare.
    pub fn has_empty_group(&self) -> bool {
        let groups = &self.experiments.square.groups;
        groups.is_empty() || groups.iter().any(|group| group.all.n == 0)
    }
}

impl Critique {
    /// The labels of the models, in order.
    pub fn labels(&self) -> Vec<String> {
        self.models.iter().map(|model| model.label.clone()).collect()
    }

    /// Whether the models are synthetic.
    pub fn is_synthetic(&self) -> bool {
        self.models.iter().any(|model| model.synthetic)
    }

    /// Whether something that was asked for is missing: a model, a tensor, or a whole group.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let lacking = |role: &RoleAnswer| {
            let unread = role.absent.iter().any(|absent| !absent.is_empty());
            unread || role.has_empty_group() || role.experiments.has_gaps()
        };
        failed || self.roles.is_empty() || self.roles.iter().any(lacking)
    }

    /// How many of a model's layers were read, at most over the roles.
    pub fn layers_read(&self, model: usize) -> usize {
        let read = |role: &RoleAnswer| role.sides.get(model).map_or(0, Vec::len);
        self.roles.iter().map(read).max().unwrap_or(0)
    }
}

/// Runs `study` on models that were opened and fetched; `strands` are their norms, role by role. Its members are the opened
/// models, in order. The numbers depend on nothing but the elements and `seed`.
pub fn critique(study: Study, opened: &[Opened], strands: &[Strand], seed: u64) -> Critique {
    let models: Vec<ModelSummary> = opened.iter().map(ModelSummary::of).collect();
    let depth = |place: usize| {
        let stated = study.members.get(place).and_then(|member| member.layers);
        models.get(place).and_then(|model| model.layers).or(stated)
    };
    let vectors: Vec<Vectors> = strands.iter().map(Vectors::of).collect();
    let benches: Vec<Bench<'_>> = vectors.iter().map(Bench::new).collect();
    let mut roles = Vec::new();
    for (strand, bench) in strands.iter().zip(&benches) {
        let mut answer = RoleAnswer::of(&study, &strand.key.role_name(), bench, depth, seed);
        for layers in &strand.models {
            let read = layers.iter().filter_map(|(layer, cell)| Some((*layer, cell.as_ref().ok()?.0.clone())));
            let absent = layers.iter().filter_map(|(layer, cell)| Some((*layer, cell.as_ref().err()?.clone())));
            answer.sides.push(read.collect());
            answer.absent.push(absent.collect());
        }
        roles.push(answer);
    }
    let shipped = Study::nine_models();
    let measured = Measured {
        study: &shipped,
        models: &models,
        roles: roles.iter().map(|role| role.role.clone()).zip(&benches).collect(),
    };
    let published = check(Record::all(), &measured);
    let excluded: BTreeSet<(usize, Exclusion)> = opened
        .iter()
        .enumerate()
        .filter_map(|(number, opened)| Some((number, opened.outcome.as_ref().ok()?)))
        .flat_map(|(number, model)| model.excluded.iter().map(move |exclusion| (number, exclusion.clone())))
        .collect();
    drop(measured);
    Critique { study, models, roles, published, excluded: excluded.into_iter().collect() }
}
