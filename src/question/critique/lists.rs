//! Who meets whom in each experiment: lists of pairs of rows of a role's table, made from the plan of the study.

use std::collections::{BTreeMap, BTreeSet};

use super::Study;
use crate::{
    family::LayerIndex,
    table::{Held, PairTable, Place, TableKey, pairs_of},
};

/// Two rows of a role's table; the first is the reference.
pub type Pair = (usize, usize);

/// The rows of a role's table before it is computed. A place that was not read gets a row as soon as a list names it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) held: Vec<Held>,
    /// How many of them were wanted; the others are named by lists alone.
    wanted: usize,
    row_of: BTreeMap<(usize, LayerIndex), usize>,
}

/// One layer a model, and pairs of them.
#[derive(Debug, Clone)]
pub struct AtLayer {
    /// The layer that they stand for.
    pub layer: LayerIndex,
    /// The row of each model.
    pub rows: Vec<usize>,
    /// Each two of them once.
    pub pairs: Vec<Pair>,
}

/// Who meets whom.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Experiment 1: for each of the first two models its base layer with later ones.
    pub base: Vec<Vec<Pair>>,
    /// Experiment 2: for each of the first two models its layers at one distance.
    pub apart: Vec<Vec<Pair>>,
    /// Experiment 3: the first group at one layer.
    pub across: AtLayer,
    /// Experiment 4: the first group at several layers.
    pub depths: Vec<AtLayer>,
    /// Experiment 5: all models at one layer.
    pub all_models: AtLayer,
    /// Experiment 6: the pairs beside random vectors, those across models first.
    pub beside: Vec<Pair>,
    /// The first two models at every layer that was read of both.
    pub by_layer: Vec<Pair>,
    /// The first group at layers of one relative depth; the layer is that of the shallowest model.
    pub same_depth: Vec<AtLayer>,
}

impl Rows {
    pub(crate) fn new(held: Vec<Held>) -> Self {
        let key = |held: &Held| Some((held.model, held.place?.layer));
        let row_of = held.iter().enumerate().filter_map(|(row, held)| Some((key(held)?, row))).collect();
        Self { wanted: held.len(), held, row_of }
    }

    /// The row of a layer of a model.
    pub(crate) fn row(&mut self, model: usize, layer: u32) -> usize {
        let layer = LayerIndex(layer);
        let held = &mut self.held;
        *self.row_of.entry((model, layer)).or_insert_with(|| {
            let cell = Err(format!("layer {layer} was not read"));
            held.push(Held { model, place: Some(Place::layer(layer)), cell });
            held.len() - 1
        })
    }

    pub(crate) fn pair(&mut self, a: (usize, u32), b: (usize, u32)) -> Pair {
        (self.row(a.0, a.1), self.row(b.0, b.1))
    }

    /// What was wanted and could not be read: model, layer and reason.
    pub(crate) fn absent(&self) -> Vec<(usize, LayerIndex, String)> {
        let absent = |held: &Held| Some((held.model, held.place?.layer, held.cell.as_ref().err()?.clone()));
        self.held[..self.wanted].iter().filter_map(absent).collect()
    }

    /// The layers of a model that were read, ascending.
    pub(crate) fn layers(&self, model: usize) -> Vec<u32> {
        let read = self.row_of.iter().filter(|&(&(of, _), &row)| of == model && self.held[row].cell.is_ok());
        read.map(|(&(_, layer), _)| layer.0).collect()
    }

    fn at(&mut self, layer: u32, places: impl IntoIterator<Item = (usize, u32)>) -> AtLayer {
        let rows: Vec<usize> = places.into_iter().map(|(model, layer)| self.row(model, layer)).collect();
        let pairs = pairs_of(rows.len()).map(|(a, b)| (rows[a], rows[b])).collect();
        AtLayer { layer: LayerIndex(layer), rows, pairs }
    }
}

impl Lists {
    /// The lists of `study`. `depth` is the number of layers of the model at a place; where one is not known, nothing is
    /// compared at relative depths.
    pub(crate) fn of(study: &Study, rows: &mut Rows, depth: impl Fn(usize) -> Option<u32>) -> Self {
        let (plan, models) = (&study.plan, study.members.len());
        let first_group = study.first_group();
        let both: Vec<u32> = rows.layers(0).into_iter().filter(|layer| rows.layers(1).contains(layer)).collect();
        let base: Vec<[u32; 2]> = plan.later.iter().map(|&later| [plan.base, later]).collect();
        let mut within = |pairs: &[[u32; 2]]| -> Vec<Vec<Pair>> {
            let of_model = |model| pairs.iter().map(|&[a, b]| rows.pair((model, a), (model, b))).collect();
            (0..models.min(2)).map(of_model).collect()
        };
        let (base, apart) = (within(&base), within(&plan.apart));
        let inside = plan.cross.iter().filter(|pair| pair.iter().all(|&model| model < models));
        let mut beside: Vec<Pair> = inside.map(|&[a, b]| rows.pair((a, plan.across), (b, plan.across))).collect();
        for &[a, b] in &plan.within {
            beside.extend((0..models.min(2)).map(|model| rows.pair((model, a), (model, b))));
        }
        let mut group_at = |layer| rows.at(layer, first_group.iter().map(|&model| (model, layer)));
        Self {
            base,
            apart,
            across: group_at(plan.across),
            depths: plan.depths.iter().map(|&layer| group_at(layer)).collect(),
            all_models: rows.at(plan.across, (0..models).map(|model| (model, plan.across))),
            beside,
            by_layer: both.into_iter().map(|layer| rows.pair((0, layer), (1, layer))).collect(),
            same_depth: same_depth(study, rows, depth),
        }
    }

    /// All pairs of experiment 4, layer by layer.
    pub fn at_depths(&self) -> Vec<Pair> {
        self.depths.iter().flat_map(|at| &at.pairs).copied().collect()
    }

    /// The table with all these pairs, each model of experiment 5 with itself, and `more`.
    pub(crate) fn table(&self, key: TableKey, rows: &Rows, more: impl IntoIterator<Item = Pair>) -> PairTable {
        let mut pairs = self.pairs();
        pairs.extend(self.all_models.rows.iter().map(|&row| (row, row)));
        pairs.extend(more);
        PairTable::of(key, &rows.held, pairs)
    }

    /// Every pair once.
    pub fn pairs(&self) -> BTreeSet<Pair> {
        let within = self.base.iter().chain(&self.apart);
        let across = self.depths.iter().chain(&self.same_depth).chain([&self.across, &self.all_models]);
        let lists = within.chain(across.map(|at| &at.pairs)).chain([&self.beside, &self.by_layer]);
        lists.flatten().copied().collect()
    }
}

fn same_depth(study: &Study, rows: &mut Rows, depth: impl Fn(usize) -> Option<u32>) -> Vec<AtLayer> {
    let group = study.first_group();
    let shallowest = group.iter().filter_map(|&model| depth(model)).min().unwrap_or(0);
    let columns: Vec<Vec<u32>> = group.iter().map(|&model| study.relative_layers(model, &depth)).collect();
    let inside = study.plan.relative.iter().filter(|&&layer| layer < shallowest);
    let mut found = Vec::new();
    for (index, &layer) in inside.enumerate() {
        let layers: Option<Vec<u32>> = columns.iter().map(|column| column.get(index).copied()).collect();
        found.extend(layers.map(|layers| rows.at(layer, group.iter().copied().zip(layers))));
    }
    found
}
