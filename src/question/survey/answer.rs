//! Models against models: for each role and layer, every pair of models that has the tensor; and what the pairs amount to
//! together.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Baselines, RoleAverages, RoleComponents, Simulation, averages, components};
use crate::{
    cache::Cache,
    family::{LayerIndex, LayerSelection, Part, Stack},
    fetch::Failures,
    metric::{Criterion, Metric},
    model::{Depths, Exclusion, Model, ModelSummary, Opened, Pairing, Tensor},
    table::{Alignment, Crossing, GroupFigures, Panel, PanelKey, Relations, Side, crossing, groups},
    tensor::Loaded,
};

/// Elements up to which a tensor counts as a vector: all layers of a role are then held at once.
const VECTOR: u64 = 1 << 16;

/// What a survey is to do with the tensors of its models.
#[derive(Debug, Clone)]
pub struct SurveyOptions {
    /// Whether tensors were chosen by a pattern of names instead of roles.
    pub by_pattern: bool,
    /// Whether each model's last layer was asked for and no other.
    pub last_only: bool,
    /// Which layers meet.
    pub pairing: Pairing,
    /// The layers that were asked for; of the reference, where depths are paired.
    pub layers: LayerSelection,
    /// The metrics of group figures and baselines.
    pub metrics: Vec<Metric>,
    /// Whether asymmetric metrics are wanted in both directions.
    pub both_directions: bool,
    /// Random vectors to draw; `None` for the closed form alone.
    pub simulation: Option<Simulation>,
}

/// The answer to a survey.
#[derive(Debug)]
pub struct Survey {
    /// Rows and columns.
    pub models: Vec<ModelSummary>,
    /// Which layers met.
    pub pairing: Pairing,
    /// The depths at which they did; `None` for other pairings.
    pub depths: Option<Depths>,
    /// One panel a role and layer, sorted. Empty where all layers met all layers.
    pub panels: Vec<Panel>,
    /// Layer × layer, one a role, where all layers met all layers.
    pub crossings: Vec<Crossing>,
    /// Which pairs stand apart from the others.
    pub relations: Relations,
    /// What the pairs within and between groups amount to.
    pub groups: Vec<GroupFigures>,
    /// Correlations averaged over layers, one entry a role with several.
    pub averages: Vec<RoleAverages>,
    /// Principal components of all layers' vectors, one entry a role with several.
    pub components: Vec<RoleComponents>,
    /// What random vectors show; `None` if none were drawn.
    pub baselines: Option<Baselines>,
    /// (model, tensor and reason) of what was left out.
    pub excluded: Vec<(usize, Exclusion)>,
    /// Whether layers were asked for one by one, so that a model without one lacks something.
    pub chosen_layers: bool,
}

impl Survey {
    /// The labels of the models, in order.
    pub fn labels(&self) -> Vec<String> {
        self.models.iter().map(|model| model.label.clone()).collect()
    }

    /// Whether nothing could be compared with anything.
    pub fn is_empty(&self) -> bool {
        self.panels.is_empty() && self.crossings.is_empty()
    }

    /// Whether something that was asked for is missing: a model that failed, one with no comparable tensor or without a
    /// layer that was asked for; or whether there is nothing to go by: no comparable pair, two groups
    /// without a comparable pair, or two models of whose layers none can be compared.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let without = (0..self.models.len()).any(|model| self.tensors_of(model).next().is_none());
        let apart = self.crossings.iter().any(|crossing| crossing.defined(Metric::CosSim) == 0);
        let compared = self.panels.iter().any(|panel| panel.defined(Metric::CosSim) > 0);
        let alone = self.models.len() > 1 && !compared && self.crossings.is_empty();
        let lacking = self.chosen_layers && self.panels.iter().any(|panel| panel.sides.iter().any(Result::is_err));
        failed || without || apart || alone || lacking || !groups::empty_groups(&self.groups, &self.panels).is_empty()
    }

    /// The tensors of one model that entered a comparison; one that met several depths comes several times.
    pub fn tensors_of(&self, model: usize) -> impl Iterator<Item = &Side> {
        let panels = self.panels.iter().filter_map(move |panel| panel.sides[model].as_ref().ok());
        panels.chain(self.crossings.iter().flat_map(move |crossing| crossing.tensors_of(model)))
    }

    /// The panels of each role, in order.
    pub fn roles(&self) -> Vec<&[Panel]> {
        self.panels.chunk_by(|a, b| a.key.whole() == b.key.whole()).collect()
    }
}

/// Every pair of two different places among `count`, each once, the lower place first.
pub fn pairs_of(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |row| (row + 1..count).map(move |column| (row, column)))
}

type Placed<'a> = BTreeMap<PanelKey, Vec<&'a Tensor>>;

/// Compares all models pairwise. Every tensor must be in the cache by now, or in a folder, or in `failures`.
///
/// Synchronous and parallel over pairs; the numbers do not depend on the number of threads.
pub fn survey(cache: &Cache, opened: &[Opened], failures: &[Failures], options: &SurveyOptions) -> Survey {
    let placed: Vec<Placed<'_>> = opened
        .iter()
        .map(|opened| opened.outcome.as_ref().map_or_else(|_| BTreeMap::new(), |model| placed(model, options)))
        .collect();
    let excluded = opened
        .iter()
        .enumerate()
        .filter_map(|(number, opened)| Some((number, opened.outcome.as_ref().ok()?)))
        .flat_map(|(number, model)| model.excluded.iter().map(move |exclusion| (number, exclusion.clone())))
        .collect();
    let mut survey = Survey {
        models: opened.iter().map(ModelSummary::of).collect(),
        pairing: options.pairing,
        depths: (options.pairing == Pairing::Depth).then(|| Depths::of(opened, &options.layers)).flatten(),
        panels: Vec::new(),
        crossings: Vec::new(),
        relations: Relations::default(),
        groups: Vec::new(),
        averages: Vec::new(),
        components: Vec::new(),
        baselines: None,
        excluded,
        chosen_layers: !options.layers.is_all() && options.pairing == Pairing::Same,
    };
    let sources = Sources { cache, opened, failures, placed: &placed };
    if options.pairing == Pairing::All {
        survey.crossings = crossing::crossings(&sources);
        return survey;
    }
    for role in keys(&placed, survey.depths.as_ref()).chunk_by(|a, b| a.whole() == b.whole()) {
        add_role(&mut survey, &sources, role, options);
    }
    survey.relations = Relations::of(&survey.panels, survey.models.len(), Criterion::default());
    survey.groups = groups::figures(&survey, &options.metrics);
    survey.baselines = options.simulation.map(|simulation| Baselines::of(&survey.panels, &options.metrics, simulation));
    survey
}

/// Where tensors are read from.
pub(crate) struct Sources<'a> {
    cache: &'a Cache,
    pub(crate) opened: &'a [Opened],
    failures: &'a [Failures],
    pub(crate) placed: &'a [Placed<'a>],
}

impl Sources<'_> {
    /// The tensor of one model for `key`, or the reason why there is none.
    pub(crate) fn read(&self, model: usize, key: &PanelKey) -> Result<(Side, Loaded), String> {
        let (opened, failures) = (&self.opened[model], &self.failures[model]);
        cell(self.cache, opened, failures, key, self.placed[model].get(key))
    }
}

/// The panels of one role, and what becomes of its vectors: they are held until the role is done.
fn add_role(survey: &mut Survey, sources: &Sources<'_>, keys: &[PanelKey], options: &SurveyOptions) {
    let first = survey.panels.len();
    let mut vectors: Vec<Vec<Option<Loaded>>> = Vec::new();
    for key in keys {
        let cells: Vec<Result<(Side, Loaded), String>> = (0..sources.opened.len())
            .into_par_iter()
            .map(|model| sources.read(model, &source(key, model, survey.depths.as_ref())))
            .collect();
        survey.panels.push(Panel::compare(*key, &cells, options.both_directions));
        let vector = |cell: Result<(Side, Loaded), String>| {
            let (_, loaded) = cell.ok()?;
            (loaded.numel() <= VECTOR).then_some(loaded)
        };
        vectors.push(cells.into_iter().map(vector).collect());
    }
    let panels = &survey.panels[first..];
    if panels.len() > 1 {
        survey.averages.extend(averages::role(panels, &vectors));
        survey.components.extend(components::role(panels, &vectors));
    }
}

/// The tensors of one model by what they have in common with those of others.
fn placed<'a>(model: &'a Model, options: &SurveyOptions) -> Placed<'a> {
    let mixed = options.pairing == Pairing::Mixed;
    let placed = place(model, options.by_pattern, options.last_only || mixed);
    if !mixed {
        return placed;
    }
    let chosen = |key: PanelKey| match key.alignment {
        Alignment::Last => PanelKey { alignment: Alignment::Chosen, ..key },
        _ => key,
    };
    placed.into_iter().map(|(key, tensors)| (chosen(key), tensors)).collect()
}

/// The panels that have a tensor of at least one model.
fn keys(placed: &[Placed<'_>], depths: Option<&Depths>) -> Vec<PanelKey> {
    let own: BTreeSet<PanelKey> = placed.iter().flat_map(|panels| panels.keys().copied()).collect();
    let Some(depths) = depths else {
        return own.into_iter().collect();
    };
    let roles: BTreeSet<PanelKey> = own.iter().filter(|key| key.layer.is_some()).map(PanelKey::whole).collect();
    let at_depths = roles.iter().flat_map(|role| {
        depths.at.iter().map(|&at| PanelKey { layer: Some(at), alignment: Alignment::Depth, ..*role })
    });
    let has_one = |key: &PanelKey| {
        let mut models = placed.iter().enumerate();
        models.any(|(model, panels)| panels.contains_key(&source(key, model, Some(depths))))
    };
    let outside = own.iter().filter(|key| key.layer.is_none()).copied();
    let mut keys: Vec<PanelKey> = at_depths.filter(has_one).chain(outside).collect();
    keys.sort();
    keys
}

/// Where a model keeps its tensor for a panel: elsewhere, if panels are depths.
fn source(key: &PanelKey, model: usize, depths: Option<&Depths>) -> PanelKey {
    match (depths, key.layer, key.alignment) {
        (Some(depths), Some(layer), Alignment::Depth) => PanelKey {
            layer: depths.counterpart(model, layer).or(Some(LayerIndex(u32::MAX))),
            alignment: Alignment::Index,
            ..*key
        },
        _ => *key,
    }
}

pub(crate) fn place(model: &Model, by_pattern: bool, last_only: bool) -> BTreeMap<PanelKey, Vec<&Tensor>> {
    let mut panels: BTreeMap<PanelKey, Vec<&Tensor>> = BTreeMap::new();
    for tensor in &model.tensors {
        let slot = tensor.slot.filter(|_| !by_pattern);
        let key = PanelKey {
            role: slot.map(|slot| slot.role),
            part: slot.map_or(Part::Weight, |slot| slot.part),
            stack: slot.map_or(Stack::Main, |slot| slot.stack),
            layer: tensor.layer.filter(|_| !last_only),
            alignment: if last_only && tensor.layer.is_some() { Alignment::Last } else { Alignment::Index },
        };
        panels.entry(key).or_default().push(tensor);
    }
    panels
}

pub(crate) fn cell(
    cache: &Cache,
    opened: &Opened,
    failures: &Failures,
    key: &PanelKey,
    tensors: Option<&Vec<&Tensor>>,
) -> Result<(Side, Loaded), String> {
    let model = opened.outcome.as_ref().map_err(|error| format!("the model was not read: {}", error.chain()))?;
    let tensor = match tensors.map(Vec::as_slice) {
        Some([tensor]) => *tensor,
        Some(several) if several.len() > 1 => {
            let names: Vec<_> =
                several.iter().take(3).map(|tensor| tensor.info.name.escape_debug().to_string()).collect();
            let more = if several.len() > 3 { ", …" } else { "" };
            return Err(format!("{} tensors fit: {}{more}", several.len(), names.join(", ")));
        }
        _ => return Err(absence(model, key)),
    };
    if let Some(error) = failures.get(&tensor.info.name) {
        return Err(format!("the tensor was not read: {}", error.chain()));
    }
    let loaded =
        Loaded::read(cache, model, tensor).map_err(|error| format!("the tensor was not read: {}", error.chain()))?;
    let side = Side {
        tensor: tensor.info.name.clone(),
        layer: tensor.layer,
        dtype: tensor.info.dtype.clone(),
        shape: tensor.info.shape.clone(),
        stored_bytes: tensor.info.range.len(),
        zero_centred: tensor.zero_centred,
    };
    Ok((side, loaded))
}

/// Why a model has no tensor for a panel.
fn absence(model: &Model, key: &PanelKey) -> String {
    if let Some(role) = key.role {
        if let Some(reason) = model.family.family.and_then(|family| family.absent_reason(role)) {
            return reason.to_owned();
        }
        match model.family.family {
            None => return "its family is not known: name its tensors by --tensor".to_owned(),
            Some(family) if !family.roles().contains(&role) => {
                return format!("its family `{}` has no `{role}`", family.name());
            }
            Some(_) => {}
        }
    }
    match (key.layer, model.config.num_hidden_layers) {
        (Some(layer), Some(layers)) if layer.0 >= layers => format!("it has {layers} layers"),
        _ => "it has no such tensor".to_owned(),
    }
}
