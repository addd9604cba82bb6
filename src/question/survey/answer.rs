//! Models against models: for each role and layer, every pair of models that has the tensor; and what the pairs amount to
//! together.

use std::{collections::BTreeSet, sync::Arc};

use super::{Baselines, RoleAverages, RoleComponents, Simulation, VectorAt, averages, components};
use crate::{
    error::Result,
    family::{LayerIndex, LayerSelection},
    fetch::Corpus,
    metric::{Criterion, Metric},
    model::{Depths, Exclusion, ModelSummary, Opened, Pairing, Tensor},
    parallel,
    question::lineage::Lineage,
    table::{
        Alignment, Chance, Entry, GroupFigures, Held, PairTable, Place, Relations, Scratch, Side, Sources, TableKey,
        all_pairs, groups,
    },
    tensor::Loaded,
};

/// Elements up to which a tensor counts as a vector: all layers of a role are then held at once.
const VECTOR: u64 = 1 << 16;

/// What a survey is to do with the tensors of its models.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
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
    /// Whether matrices have principal components too, for which they are read once more.
    pub components: bool,
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
    /// One table of models a role and layer, sorted. Empty where all layers met all layers.
    pub tables: Vec<PairTable>,
    /// (table, model) of what models do not have, for which there is no pair where both lack it.
    pub(crate) lacking: BTreeSet<(usize, usize)>,
    /// Layer × layer of two models, one table a role, where all layers met all layers.
    pub layer_tables: Vec<PairTable>,
    /// Which pairs of models correlate beyond chance.
    pub chance: Chance,
    /// Which pairs are outliers among the others.
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
    /// (model, what was to be read, why it was not) of tensors that were brought, and of places for which there are several.
    pub unread: Vec<(usize, String, String)>,
    /// Whether layers were asked for one by one, so that a model without one lacks something.
    pub chosen_layers: bool,
    /// Which models are linked, where that was asked as well.
    pub lineage: Option<Lineage>,
    scratch: Arc<Scratch>,
}

impl Default for SurveyOptions {
    /// Tensors by role, the same layers, cosine and Pearson, nothing drawn at random.
    fn default() -> Self {
        Self {
            by_pattern: false,
            last_only: false,
            pairing: Pairing::Same,
            layers: LayerSelection::all(),
            metrics: vec![Metric::CosSim, Metric::Pearson],
            both_directions: false,
            simulation: None,
            components: false,
        }
    }
}

impl Survey {
    /// Fails where pairs that memory does not hold could not be read from their file: what was made of them since lacks numbers.
    pub fn check(&self) -> Result<()> {
        Ok(self.scratch.check()?)
    }

    /// The labels of the models, in order.
    pub fn labels(&self) -> Vec<String> {
        self.models.iter().map(|model| model.label.clone()).collect()
    }

    /// Whether nothing could be compared with anything.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.layer_tables.is_empty()
    }

    /// Whether something that was asked for is missing: a model that failed, one with no comparable tensor or without a
    /// layer that was asked for; or whether there is nothing to go by: no pair with a correlation, two groups
    /// without a comparable pair, or two models of whose layers none can be compared.
    pub fn is_incomplete(&self) -> bool {
        let failed = self.models.iter().any(|model| model.failure.is_some());
        let without = (0..self.models.len()).any(|model| self.tensors_of(model).next().is_none());
        let apart = self.layer_tables.iter().any(|layer_table| layer_table.defined(Metric::CosSim) == 0);
        let compared = self.tables.iter().any(|table| table.defined(Metric::ZPerm) > 0);
        let alone = self.models.len() > 1 && !compared && self.layer_tables.is_empty();
        let lacking =
            self.chosen_layers && self.tables.iter().any(|table| table.rows.iter().any(|row| row.side.is_err()));
        let lacking =
            lacking || !self.unread.is_empty() || self.excluded.iter().any(|(_, exclusion)| exclusion.is_fault);
        failed || without || apart || alone || lacking || !groups::empty_groups(&self.groups, &self.tables).is_empty()
    }

    /// The tensors of one model that entered a comparison; one that met several depths comes several times.
    pub fn tensors_of(&self, model: usize) -> impl Iterator<Item = &Side> {
        self.tables.iter().chain(&self.layer_tables).flat_map(move |table| table.sides_of(model))
    }

    /// The tables of each role, in order.
    pub fn roles(&self) -> Vec<&[PairTable]> {
        self.tables.chunk_by(|a, b| a.key.whole() == b.key.whole()).collect()
    }
}

/// Compares all models of the corpus pairwise.
///
/// Synchronous and parallel over pairs; the numbers do not depend on the number of threads. Fails where memory does not hold all pairs
/// and there is no room for their file either, in the folder of the cache.
pub fn survey(corpus: &Corpus, options: &SurveyOptions) -> Result<Survey> {
    let sources = Sources::new(corpus, |tensor| key_of(tensor, options));
    let opened = corpus.opened.as_slice();
    let mut survey = Survey {
        models: opened.iter().map(ModelSummary::of).collect(),
        pairing: options.pairing,
        depths: (options.pairing == Pairing::Depth).then(|| Depths::of(opened, &options.layers)).flatten(),
        tables: Vec::new(),
        lacking: BTreeSet::new(),
        layer_tables: Vec::new(),
        chance: Chance::default(),
        relations: Relations::default(),
        groups: Vec::new(),
        averages: Vec::new(),
        components: Vec::new(),
        baselines: None,
        excluded: Opened::excluded(opened),
        unread: Vec::new(),
        chosen_layers: !options.layers.is_all() && options.pairing == Pairing::Same,
        lineage: None,
        scratch: Scratch::new(corpus.cache.root()),
    };
    if options.pairing == Pairing::All {
        let roles = if opened.len() == 2 { sources.roles() } else { BTreeSet::new() };
        survey.layer_tables = roles.into_iter().map(|role| PairTable::across(&sources, role)).collect();
        survey.unread = survey.layer_tables.iter().flat_map(unread_of).collect();
        survey.chance = Chance::of(survey.layer_tables.iter());
        return Ok(survey);
    }
    for role in keys(&sources, survey.depths.as_ref()).chunk_by(|a, b| a.whole() == b.whole()) {
        add_role(&mut survey, &sources, role, options)?;
    }
    survey.chance = Chance::of(survey.tables.iter());
    let models = survey.models.len();
    survey.relations = Relations::of(&survey.tables, models, Criterion::default(), Some(&survey.scratch));
    let groups: Vec<Option<&str>> = survey.models.iter().map(|model| model.group.as_deref()).collect();
    survey.groups = groups::figures(&survey.tables, &groups, &options.metrics, &survey.relations);
    survey.baselines = options.simulation.map(|simulation| Baselines::of(&survey.tables, &options.metrics, simulation));
    survey.check()?;
    Ok(survey)
}

/// What a tensor has in common with those that it meets, but for the layer where depths are paired.
fn key_of(tensor: &Tensor, options: &SurveyOptions) -> TableKey {
    let key = TableKey::of(tensor, options.by_pattern);
    match (options.pairing, key.layer) {
        (Pairing::Mixed, Some(_)) => TableKey { layer: None, alignment: Alignment::Chosen, ..key },
        (_, Some(_)) if options.last_only => TableKey { layer: None, alignment: Alignment::Last, ..key },
        _ => key,
    }
}

/// The tables of one role, and what becomes of its vectors: they are held until the role is done.
fn add_role(survey: &mut Survey, sources: &Sources<'_>, keys: &[TableKey], options: &SurveyOptions) -> Result<()> {
    let first = survey.tables.len();
    let mut vectors: Vec<Vec<Option<Loaded>>> = Vec::new();
    let models = survey.models.len();
    for key in keys {
        let read = |model| {
            let cell = sources.read(model, &counterpart(key, model, survey.depths.as_ref()));
            let place = cell.as_ref().map_or(key.layer, |(side, _)| side.layer.map(Place::layer));
            Held { model, place, cell }
        };
        let held = parallel::numbers(models, read);
        for Held { model, cell, .. } in &held {
            let own = counterpart(key, *model, survey.depths.as_ref());
            if sources.lacks(*model, &own) {
                survey.lacking.insert((survey.tables.len(), *model));
            }
            if let Err(reason) = cell
                && sources.has(*model, &own)
                && !sources.has_failed(*model, &own)
            {
                survey.unread.push((*model, key.title(), reason.clone()));
            }
        }
        let pairs = all_pairs(models, options.both_directions);
        survey.tables.push(PairTable::of_many(*key, &held, pairs, Some(&survey.scratch)));
        survey.check()?;
        let vector = |held: Held| held.cell.ok().map(|(_, loaded)| loaded).filter(|loaded| loaded.numel() <= VECTOR);
        vectors.push(held.into_iter().map(vector).collect());
    }
    let tables = &survey.tables[first..];
    if tables.len() > 1 {
        survey.averages.extend(averages::role(tables, &vectors));
        let depths = survey.depths.as_ref();
        let own = |key: &TableKey, model| counterpart(key, model, depths);
        let is_large = |key: &TableKey| (0..models).any(|model| sources.numel(model, &own(key, model)) > VECTOR);
        if keys.iter().any(is_large) {
            let cells = keys.iter().flat_map(|key| (0..models).map(move |model| (key, model)));
            let mut places = BTreeSet::new();
            let open = |(key, model): (&TableKey, usize)| {
                let key = own(key, model);
                let at = VectorAt { model, layer: key.layer?.layer };
                // Where depths are paired, one layer may stand at several.
                (sources.has(model, &key) && places.insert(at)).then(|| (at, sources.open(model, &key)))
            };
            let cells = if options.components { cells.filter_map(open).collect() } else { Vec::new() };
            survey.components.push(components::of_matrices(keys[0].whole(), cells, options.components));
        } else {
            survey.components.extend(components::role(tables, &vectors));
        }
    }
    Ok(())
}

/// The layers of a role of two models that were not read. Where one model has none, none of the other is read.
fn unread_of(layer_table: &PairTable) -> Vec<(usize, String, String)> {
    let (rows, columns) = (&layer_table.rows, layer_table.columns());
    if rows.is_empty() || columns.is_empty() {
        return Vec::new();
    }
    let role = layer_table.key.role_name();
    let unread = |entry: &Entry| {
        let reason = entry.side.as_ref().err()?.clone();
        Some((entry.model, format!("{role}, layer {}", entry.place_name()), reason))
    };
    rows.iter().chain(columns).filter_map(unread).collect()
}

/// The tables that have a tensor of at least one model.
fn keys(sources: &Sources<'_>, depths: Option<&Depths>) -> Vec<TableKey> {
    let own = sources.keys();
    let Some(depths) = depths else {
        return own.into_iter().collect();
    };
    let has_one = |key: &TableKey| {
        let mut models = 0..sources.opened.len();
        models.any(|model| sources.has(model, &counterpart(key, model, Some(depths))))
    };
    let at = |role: TableKey| {
        let layers = depths.at.iter().map(|&layer| Some(Place::layer(layer)));
        layers.map(move |layer| TableKey { layer, alignment: Alignment::Depth, ..role })
    };
    let at_depths = sources.roles().into_iter().flat_map(at).filter(has_one);
    let mut keys: Vec<TableKey> = at_depths.chain(own.into_iter().filter(|key| key.layer.is_none())).collect();
    keys.sort();
    keys
}

/// Where a model keeps its tensor for a table: elsewhere, if tables are depths.
fn counterpart(key: &TableKey, model: usize, depths: Option<&Depths>) -> TableKey {
    match (depths, key.layer, key.alignment) {
        (Some(depths), Some(place), Alignment::Depth) => TableKey {
            layer: depths.counterpart(model, place.layer).or(Some(LayerIndex(u32::MAX))).map(Place::layer),
            alignment: Alignment::Index,
            ..*key
        },
        _ => *key,
    }
}
