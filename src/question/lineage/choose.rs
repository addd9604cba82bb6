//! From opened models to the rows that are read: every choice is made before a weight is seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use futures::future::join_all;

use super::{Group, LineageAsk, coordinates::Coordinates, sites::Sites, sites::UnitSite};
use crate::{
    error::{Error, Result},
    fetch::{self, RowPlan, plan_companions, plan_rows},
    metric::lineage::{
        choice::{self, KeyedToken},
        untested::Untested,
    },
    model::{Model, Opened, Session, vocabulary},
    rows::RowSet,
    tokens::{Token, Vocabulary},
};

/// Layers of a model that are mapped at most.
pub(crate) const MOST_MAPPED: usize = 200;

/// Blocks of a layer that a map reads at least.
pub(crate) const FEWEST_MAPPED: usize = 4;

/// Rows of a matrix that describe a change.
const DEEP_ROWS: usize = 256;

/// What is read of every model, and what is tested of every pair.
#[derive(Debug)]
pub struct Choice {
    pub(crate) ask: LineageAsk,
    /// By model; `None` where it could not be opened.
    pub(crate) models: Vec<Option<ModelChoice>>,
    pub(crate) pairs: Vec<PairChoice>,
    /// Tests of the whole run.
    pub(crate) tests: u64,
    /// Models whose tokenizer is there and was not read, and why.
    pub unread_tokenizers: Vec<(String, Error)>,
}

/// What is read of one model.
#[derive(Debug)]
pub(crate) struct ModelChoice {
    pub(crate) sites: Sites,
    /// For each group of units the blocks that are read of each layer.
    pub(crate) blocks: [BTreeMap<usize, usize>; 3],
    /// Whether norms are read.
    pub(crate) norms: bool,
    /// Rows of the embedding table.
    pub(crate) tokens: RowSet,
    /// Tensors of which deep rows are read.
    pub(crate) deep: BTreeMap<usize, RowSet>,
    /// Layers whose units are matched, with the hidden coordinates that are read of them.
    pub(crate) matched: BTreeMap<usize, RowSet>,
    /// Rows of the embedding table in all; 0 without one.
    pub(crate) vocabulary: usize,
}

/// What is tested of one pair.
#[derive(Debug, Clone)]
pub(crate) struct PairChoice {
    pub(crate) models: [usize; 2],
    /// How many times more rows are read.
    pub(crate) stage: u32,
    pub(crate) units: [Result<(), Untested>; 3],
    /// A layer map: its group, and its blocks a layer.
    pub(crate) map: Option<Result<(Group, usize), Untested>>,
    pub(crate) norms: Result<(), Untested>,
    /// Row of each side, by token.
    pub(crate) tokens: Result<Vec<[u64; 2]>, Untested>,
    /// Layers of which deep rows are read, on each side.
    pub(crate) deep: Vec<[usize; 2]>,
    /// Layers whose units are matched, where that is asked for.
    pub(crate) matched: Option<Result<Vec<usize>, Untested>>,
    /// Hidden coordinates that a former round matched, by which units are matched as well.
    pub(crate) coordinates: Option<Coordinates>,
}

/// What a further round is to read of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    pub(crate) models: [usize; 2],
    pub(crate) stage: u32,
    pub(crate) deep: Vec<[usize; 2]>,
    /// Whether a layer map is to be made, whatever was asked.
    pub(crate) map: bool,
    pub(crate) coordinates: Option<Coordinates>,
}

impl Choice {
    /// Chooses for all pairs, or for those that a further round is about. Reads tokenizers, no weights.
    pub async fn of(session: &Session, opened: &[Opened], ask: &LineageAsk, more: Option<&[More]>) -> Result<Self> {
        let sites: Vec<Option<Sites>> =
            opened.iter().map(|opened| opened.outcome.as_ref().ok().map(|model| Sites::of(model))).collect();
        let read = join_all(opened.iter().zip(&sites).map(|(opened, sites)| async move {
            let (Ok(model), Some(sites)) = (&opened.outcome, sites) else { return Ok(Err(Untested::NoTokenizer)) };
            let (_, rows) = match sites.table {
                Ok(table) if ask.groups.contains(Group::Embeddings) => table,
                Ok(_) => return Ok(Err(Untested::NoTensor)),
                Err(reason) => return Ok(Err(reason)),
            };
            let vocabulary = vocabulary(&session.access, model).await?;
            Ok::<_, Error>(vocabulary.map(|vocabulary| (vocabulary, rows)).ok_or(Untested::NoTokenizer))
        }))
        .await;
        let mut unread_tokenizers = Vec::new();
        let vocabularies: Vec<Result<(Vocabulary, u64), Untested>> = opened
            .iter()
            .zip(read)
            .map(|(opened, read)| {
                read.unwrap_or_else(|error| {
                    unread_tokenizers.push((opened.label.clone(), error));
                    Err(Untested::NoTokenizer)
                })
            })
            .collect();
        let keyed: Vec<Result<Vec<KeyedToken<'_>>, Untested>> =
            vocabularies.iter().map(|known| Ok(eligible(known.as_ref().map_err(|why| *why)?, ask.seed))).collect();
        let wanted: Vec<More> = more.map_or_else(|| all_pairs(&sites), <[More]>::to_vec);
        let pairs = wanted.into_iter().filter_map(|more| {
            let [a, b] = more.models.map(|model| sites[model].as_ref());
            let mut pair = PairChoice::of(ask, [a?, b?], more);
            if pair.tokens.is_ok() {
                let [a, b] = pair.models;
                pair.tokens =
                    shared_rows([&keyed[a], &keyed[b]], [&vocabularies[a], &vocabularies[b]], ask.tokens(pair.stage));
            }
            Some(pair)
        });
        let pairs: Vec<PairChoice> = pairs.collect();
        let open = sites.iter().flatten().count();
        let tests = (open * open.saturating_sub(1) / 2 * ask.groups_per_pair()) as u64;
        let models = sites.into_iter().map(|sites| sites.map(ModelChoice::new)).collect();
        let mut choice = Self { ask: ask.clone(), models, pairs, tests, unread_tokenizers };
        choice.gather();
        Ok(choice)
    }

    /// What pairs need of each model.
    fn gather(&mut self) {
        for pair in &self.pairs {
            for (side, &number) in pair.models.iter().enumerate() {
                let Some(model) = &mut self.models[number] else { continue };
                for (group, met) in Group::UNITS.into_iter().zip(&pair.units) {
                    if met.is_ok() {
                        let depth = model.sites.depth;
                        model.want(group, &choice::layers(depth), self.ask.blocks_per_layer(depth, pair.stage));
                    }
                }
                if let Some(Ok((group, count))) = pair.map {
                    let layers: Vec<usize> = (0..model.sites.depth).collect();
                    model.want(group, &layers, count);
                }
                model.norms |= pair.norms.is_ok();
                if let Some(Ok(layers)) = &pair.matched {
                    let in_place = model.sites.coordinate_rows(self.ask.seed).ok();
                    for coordinates in in_place.iter().chain(&pair.coordinates) {
                        model.want_coordinates(layers, &coordinates.of_side(side));
                    }
                }
                if let Ok(tokens) = &pair.tokens {
                    let rows: RowSet = tokens.iter().map(|rows| rows[side]).collect();
                    model.tokens = model.tokens.union(&rows);
                }
            }
        }
    }

    /// Adds the deep rows, which need shapes.
    fn deepen(&mut self, opened: &[Opened]) {
        for pair in &self.pairs {
            let [a, b] = pair.models;
            let (Ok(model_a), Ok(model_b)) = (&opened[a].outcome, &opened[b].outcome) else { continue };
            for places in deep_places(self.models[a].as_ref(), self.models[b].as_ref(), &pair.deep) {
                let [shape_a, shape_b] =
                    [&model_a.tensors[places[0]].info.shape, &model_b.tensors[places[1]].info.shape];
                if shape_a != shape_b {
                    continue;
                }
                let rows = deep_rows(shape_a.first().copied().unwrap_or(0), self.ask.seed);
                for (number, place) in pair.models.into_iter().zip(places) {
                    if let Some(model) = &mut self.models[number] {
                        model.deep.insert(place, rows.clone());
                    }
                }
            }
        }
    }

    /// What must move for it. `brought` names for each model tensors that come whole beside it; it may be empty.
    pub fn plan(
        &mut self,
        session: &Session,
        opened: &[Opened],
        brought: &[BTreeSet<String>],
    ) -> Result<Vec<Vec<RowPlan>>> {
        self.deepen(opened);
        let none = BTreeSet::new();
        let plans = opened.iter().zip(&self.models).enumerate().map(|(at, (opened, choice))| {
            let brought = brought.get(at).unwrap_or(&none);
            match (&opened.outcome, choice) {
                (Ok(model), Some(choice)) => choice.plan(session, model, self.ask.seed, brought),
                _ => Ok(Vec::new()),
            }
        });
        plans.collect()
    }
}

/// Every pair of models that were opened.
pub(super) fn all_pairs(sites: &[Option<Sites>]) -> Vec<More> {
    let open: Vec<usize> = (0..sites.len()).filter(|&model| sites[model].is_some()).collect();
    let pair = |a: usize, b: usize| More { models: [a, b], stage: 0, deep: Vec::new(), map: false, coordinates: None };
    open.iter().enumerate().flat_map(|(at, &a)| open[at + 1..].iter().map(move |&b| pair(a, b))).collect()
}

impl ModelChoice {
    fn new(sites: Sites) -> Self {
        let vocabulary = sites.table.ok().and_then(|(_, rows)| usize::try_from(rows).ok()).unwrap_or(0);
        Self {
            sites,
            blocks: Default::default(),
            norms: false,
            tokens: RowSet::default(),
            deep: BTreeMap::new(),
            matched: BTreeMap::new(),
            vocabulary,
        }
    }

    fn want(&mut self, group: Group, layers: &[usize], count: usize) {
        for &layer in layers {
            let blocks = self.blocks[group as usize].entry(layer).or_default();
            *blocks = count.max(*blocks);
        }
    }

    fn want_coordinates(&mut self, layers: &[usize], coordinates: &RowSet) {
        for &layer in layers {
            let wanted = self.matched.entry(layer).or_default();
            *wanted = wanted.union(coordinates);
        }
    }

    /// Tensors, and the rows that are read of each.
    pub(crate) fn rows(&self, seed: u64) -> BTreeMap<usize, RowSet> {
        let mut wanted: BTreeMap<usize, RowSet> = self.deep.clone();
        let mut add = |position: usize, rows: RowSet| {
            let of_tensor = wanted.entry(position).or_default();
            *of_tensor = of_tensor.union(&rows);
        };
        for group in Group::UNITS {
            let Ok(sites) = self.sites.units(group) else { continue };
            for (layer, &count) in &self.blocks[group as usize] {
                let Some(site) = sites.get(layer) else { continue };
                let blocks = blocks(group, site, count, seed).unwrap_or_default();
                let rows = site.file_rows(&blocks, seed);
                site.read(seed).into_iter().for_each(|position| add(position, rows.clone()));
            }
        }
        if let (Ok((position, _)), false) = (self.sites.table, self.tokens.is_empty()) {
            add(position, self.tokens.clone());
        }
        for (layer, coordinates) in &self.matched {
            let Some((position, _)) = self.sites.coordinates.get(layer) else { continue };
            add(*position, coordinates.clone());
        }
        wanted
    }

    fn plan(&self, session: &Session, model: &Model, seed: u64, brought: &BTreeSet<String>) -> Result<Vec<RowPlan>> {
        let is_brought = |position: usize| brought.contains(&model.tensors[position].info.name);
        let mut rows = self.rows(seed);
        rows.retain(|&position, _| !is_brought(position));
        let plans = rows.iter().map(|(&position, rows)| plan_rows(session, model, position, rows));
        let mut plans: Vec<RowPlan> = plans.collect::<Result<_>>()?;
        plans.push(RowPlan::of_whole(plan_companions(session, model, rows.keys().copied())));
        if let (Ok(norms), true) = (&self.sites.norms, self.norms) {
            let is_norm =
                |position: usize| norms.iter().any(|(_, of_norm)| *of_norm == position) && !is_brought(position);
            plans.push(RowPlan::of_whole(fetch::plan(session, model, is_norm)));
        }
        Ok(plans)
    }
}

/// The first `count` blocks of a site.
pub(crate) fn blocks(group: Group, site: &UnitSite, count: usize, seed: u64) -> Result<Vec<Range<usize>>, Untested> {
    choice::blocks(group.name(), &site.runs, count, seed)
}

/// Up to 256 rows of a matrix with so many.
fn deep_rows(rows: u64, seed: u64) -> RowSet {
    let Ok(count) = usize::try_from(rows) else { return RowSet::default() };
    if count <= DEEP_ROWS {
        return RowSet::run(0..rows);
    }
    let whole = 0..count;
    let blocks =
        choice::blocks("deep", std::slice::from_ref(&whole), DEEP_ROWS / choice::BLOCK, seed).unwrap_or_default();
    blocks.into_iter().flatten().map(|row| row as u64).collect()
}

/// Positions on both sides of the matrices of which deep rows are read: q, v and up.
pub(crate) fn deep_places(a: Option<&ModelChoice>, b: Option<&ModelChoice>, layers: &[[usize; 2]]) -> Vec<[usize; 2]> {
    let (Some(a), Some(b)) = (a, b) else { return Vec::new() };
    let place = |sites: &Sites, role: Option<Group>, layer: usize| match role {
        None => sites.queries.get(&layer).copied(),
        // What changed by packing shows in the rows that the tests read, and of experts some stand for all.
        Some(group) => match sites.units(group).ok()?.get(&layer)? {
            UnitSite { tensors, packing: None, .. } => tensors.first().copied().filter(|_| tensors.len() == 1),
            _ => None,
        },
    };
    let roles = [None, Some(Group::Heads), Some(Group::Mlp)];
    let both = roles.into_iter().flat_map(|role| layers.iter().map(move |layers| (role, layers)));
    both.filter_map(|(role, [of_a, of_b])| Some([place(&a.sites, role, *of_a)?, place(&b.sites, role, *of_b)?]))
        .collect()
}

impl PairChoice {
    fn of(ask: &LineageAsk, [a, b]: [&Sites; 2], more: More) -> Self {
        let stage = more.stage;
        let asked = |group: Group| if ask.groups.contains(group) { Ok(()) } else { Err(Untested::NoTensor) };
        let mut units = Group::UNITS.map(|group| asked(group).and_then(|()| a.meets(b, group)));
        let wide = if a.hidden == b.hidden { Ok(()) } else { Err(Untested::Width) };
        let norms = asked(Group::Norms)
            .and_then(|()| a.norms.as_ref().and(b.norms.as_ref()).map(|_| ()).map_err(|why| *why))
            .and(wide);
        let tokens = asked(Group::Embeddings).and(a.table).and(b.table).and(wide).map(|()| Vec::new());
        let mapped = Group::UNITS.into_iter().zip(&mut units).find(|(_, met)| match met {
            Ok(()) => ask.layer_map || more.map,
            Err(reason) => *reason == Untested::Depth,
        });
        let count = |sites: &Sites| ask.blocks_per_layer(sites.depth, stage);
        let map = mapped.map(|(group, met)| {
            if a.depth.max(b.depth) <= MOST_MAPPED {
                return Ok((group, FEWEST_MAPPED.max(count(a)).max(count(b))));
            }
            // Where depths differ the map would be the test.
            *met = met.map_err(|_| Untested::TooManyLayers);
            Err(Untested::TooManyLayers)
        });
        let matched = ask.disguised.then(|| a.matched_layers(b));
        let More { models, deep, coordinates, .. } = more;
        Self { models, stage, units, map, norms, tokens, deep, matched, coordinates }
    }
}

/// Tokens of text that the table has a row for.
fn eligible((vocabulary, rows): &(Vocabulary, u64), seed: u64) -> Vec<KeyedToken<'_>> {
    let has_row = |id: u32| u64::from(id) < *rows;
    let texts = vocabulary.entries.iter().filter(|(id, token)| !token.special && has_row(*id));
    choice::ordered_tokens(texts.map(|(_, token)| (token.bytes.as_slice(), token.begins_word)), seed)
}

type Keyed<'v> = Result<Vec<KeyedToken<'v>>, Untested>;

/// The rows of the tokens that a pair shares.
fn shared_rows(
    [a, b]: [&Keyed<'_>; 2],
    vocabularies: [&Result<(Vocabulary, u64), Untested>; 2],
    count: usize,
) -> Result<Vec<[u64; 2]>, Untested> {
    let reason = |why: &Untested| *why;
    let shared = choice::shared_tokens(a.as_ref().map_err(reason)?, b.as_ref().map_err(reason)?, count)?;
    let row = |side: usize, token: &KeyedToken<'_>| {
        let (vocabulary, _) = vocabularies[side].as_ref().ok()?;
        let token = Token { bytes: token.bytes.to_vec(), begins_word: token.begins_word, special: false };
        vocabulary.id(&token).map(u64::from)
    };
    let rows = shared.iter().filter_map(|token| Some([row(0, token)?, row(1, token)?]));
    Ok(rows.collect())
}
