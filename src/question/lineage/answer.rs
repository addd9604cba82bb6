//! All pairs: tests, distances, signs, verdicts; and what a further round should read.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::{
    Choice, Group, LineageAsk, More, SelfCheck,
    ask::LAST_STAGE,
    choose::{ModelChoice, PairChoice},
    merges::{MOST_MODELS, MergeAnswer, TaskAnswer, merges_within, tasks_within},
    pair::PairAnswer,
    rows::{Held, ModelRows, Sides},
};
use crate::{
    dtype::Dtype,
    fetch::Corpus,
    metric::{
        components,
        lineage::verdict::{Strictness, Verdict},
    },
    model::{ModelSummary, Opened},
    parallel,
    question::hash::chunks::ChunksAnswer,
};

/// Models whose rows are in memory at once are at most twice as many.
const TILE: usize = 16;

/// What is known of a list of models.
#[derive(Debug)]
pub struct Lineage {
    pub(crate) ask: LineageAsk,
    /// Tests of the whole run, by which thresholds are divided.
    pub(crate) tests: u64,
    /// The models.
    pub models: Vec<ModelSummary>,
    /// Layers of each, and how a layer is named.
    pub(crate) layers: Vec<Vec<String>>,
    pub(crate) pairs: Vec<PairAnswer>,
    pub(crate) self_check: Vec<SelfCheck>,
    /// Linked models against pairs of models that are linked with them.
    pub(crate) merges: Vec<MergeAnswer>,
    /// Models that are linked with the base as parts of each other's changes from it.
    pub(crate) tasks: Vec<TaskAnswer>,
    /// Which tensors are proven to be the same without reading them, where that was asked.
    pub chunks: Option<ChunksAnswer>,
}

impl Lineage {
    /// Tests every pair that was chosen.
    pub fn of(choice: &Choice, corpus: &Corpus) -> Self {
        let name = |sites: &super::sites::Sites| (0..sites.depth).map(|layer| sites.layer_name(layer)).collect();
        let mut lineage = Self {
            ask: choice.ask.clone(),
            tests: choice.tests,
            models: corpus.opened.iter().map(ModelSummary::of).collect(),
            layers: choice
                .models
                .iter()
                .map(|model| model.as_ref().map_or_else(Vec::new, |model| name(&model.sites)))
                .collect(),
            pairs: tested(choice, corpus, Vec::new()),
            self_check: Vec::new(),
            merges: Vec::new(),
            tasks: Vec::new(),
            chunks: None,
        };
        lineage.judge();
        for cluster in lineage.clusters().iter().filter(|cluster| (3..=MOST_MODELS).contains(&cluster.len())) {
            let (merges, tasks) = if holds_f64(choice, corpus) {
                combinations::<f64>(choice, corpus, cluster)
            } else {
                combinations::<f32>(choice, corpus, cluster)
            };
            lineage.merges.extend(merges);
            lineage.tasks.extend(tasks);
        }
        lineage
    }

    /// Puts pairs of a further round in the place of what was known of them.
    #[must_use]
    pub fn refined(mut self, choice: &Choice, corpus: &Corpus) -> Self {
        let again: Vec<[usize; 2]> = choice.pairs.iter().map(|pair| pair.models).collect();
        let (known, others): (Vec<PairAnswer>, _) =
            self.pairs.into_iter().partition(|pair| again.binary_search(&pair.models).is_ok());
        self.pairs = others;
        self.pairs.extend(tested(choice, corpus, known));
        self.pairs.sort_by_key(|pair| pair.models);
        self.judge();
        self
    }

    /// What a further round is to read: more rows of pairs that are unclear, rows for the kind of relation of linked ones, and all
    /// layers of those of which some only show a link. Once nothing of these is wanted, units of hidden coordinates that were matched: a round of its own, since of many pairs it may
    /// read more than is allowed.
    pub fn more(&self) -> Vec<More> {
        let more = |pair: &PairAnswer| {
            let deepens = pair.is_worth_more_rows() && pair.stage < LAST_STAGE;
            let deep = if self.ask.deep && pair.needs_deep_rows() { pair.deep_layers() } else { Vec::new() };
            let map = !deepens && !pair.is_identical && pair.map.is_none() && pair.has_some_layers();
            // The relation is told anew from what this round reads.
            let deep = if map && pair.is_deep { pair.deep_layers() } else { deep };
            (deepens || map || !deep.is_empty()).then(|| More {
                models: pair.models,
                stage: pair.stage + u32::from(deepens),
                deep: if deepens { Vec::new() } else { deep },
                map,
                coordinates: None,
            })
        };
        let more: Vec<More> = self.pairs.iter().filter_map(more).collect();
        if !more.is_empty() {
            return more;
        }
        let by_both = |pair: &PairAnswer| {
            let coordinates = Some(pair.unread.clone()?);
            let deep = if pair.is_deep { pair.deep_layers() } else { Vec::new() };
            Some(More { models: pair.models, stage: pair.stage, deep, map: false, coordinates })
        };
        self.pairs.iter().filter_map(by_both).collect()
    }

    /// Each pair that could be compared, by the labels of its models, and whether it has this verdict.
    pub fn meet(&self, condition: Condition) -> impl Iterator<Item = (String, bool)> {
        let compared = self.pairs.iter().filter(|pair| pair.verdict() != Verdict::NotComparable);
        compared.map(move |pair| {
            let [a, b] = pair.models.map(|model| self.models[model].label.as_str());
            let holds = match condition {
                Condition::Linked => matches!(pair.verdict(), Verdict::Linked | Verdict::IdenticalBytes),
                Condition::Inconclusive => pair.verdict() == Verdict::Inconclusive,
                Condition::Independent => pair.verdict() == Verdict::Independent && pair.negative().is_empty(),
            };
            (format!("{a} × {b}"), holds)
        })
    }

    /// Whether some pair could not be compared, some model not read, or something asked for not made.
    pub fn is_incomplete(&self) -> bool {
        let refused = self.ask.layer_map && self.pairs.iter().any(PairAnswer::has_refused_map)
            || self.ask.base.is_some() && self.tasks.is_empty();
        let failed = refused || self.models.iter().any(|model| model.failure.is_some());
        failed || self.pairs.iter().any(|pair| pair.verdict() == Verdict::NotComparable)
    }

    /// Signs and verdicts of all pairs: twice, since the null is checked on the pairs that show nothing.
    fn judge(&mut self) {
        let strictness = |stage: u32| Strictness { tests: self.tests, stage };
        for pair in &mut self.pairs {
            pair.decide(strictness(pair.stage), |_| 1.0);
        }
        self.self_check = Group::IN_PLACE.iter().filter_map(|&group| SelfCheck::of(group, &self.pairs)).collect();
        let checks = self.self_check.clone();
        let divisor = |group: Group| {
            let check = checks.iter().find(|check| check.group == group);
            check.map_or(1.0, SelfCheck::divisor)
        };
        if checks.iter().any(|check| check.divisor() > 1.0) {
            for pair in &mut self.pairs {
                pair.decide(strictness(pair.stage), divisor);
            }
        }
    }

    /// Connected components of linked models, each of two or more.
    pub(crate) fn clusters(&self) -> Vec<Vec<usize>> {
        let linked = |pair: &&PairAnswer| matches!(pair.verdict(), Verdict::Linked | Verdict::IdenticalBytes);
        let group = components(self.models.len(), self.pairs.iter().filter(linked).map(|pair| pair.models));
        let members = |of: usize| (0..group.len()).filter(|&model| group[model] == of).collect::<Vec<usize>>();
        (0..group.len()).map(members).filter(|members| members.len() > 1).collect()
    }
}

/// What `--fail-if` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// A pair is linked.
    Linked,
    /// A pair is inconclusive.
    Inconclusive,
    /// A pair is consistent with independence.
    Independent,
}

/// Whether rows must be held as `f64`, twice the bytes.
fn holds_f64(choice: &Choice, corpus: &Corpus) -> bool {
    let is_f64 = |(chosen, opened): (&Option<ModelChoice>, &Opened)| {
        chosen.is_some()
            && opened
                .outcome
                .as_ref()
                .is_ok_and(|model| model.tensors.iter().any(|tensor| tensor.info.dtype == Dtype::F64))
    };
    choice.models.iter().zip(&corpus.opened).any(is_f64)
}

/// Tests the pairs that were chosen; `known` is what a former round knows of them.
fn tested(choice: &Choice, corpus: &Corpus, known: Vec<PairAnswer>) -> Vec<PairAnswer> {
    let known = Mutex::new(known.into_iter().map(|pair| (pair.models, pair)).collect());
    let run = Round { choice, corpus, known };
    if holds_f64(choice, corpus) { by_tiles::<f64>(&run) } else { by_tiles::<f32>(&run) }
}

/// One round of tests.
struct Round<'a> {
    choice: &'a Choice,
    corpus: &'a Corpus,
    known: Mutex<BTreeMap<[usize; 2], PairAnswer>>,
}

/// Tests the pairs, tile by tile, so that the rows of few models are in memory at once.
fn by_tiles<T: Held>(round: &Round<'_>) -> Vec<PairAnswer> {
    let Round { choice, corpus, .. } = round;
    let mut used: Vec<usize> = choice.pairs.iter().flat_map(|pair| pair.models).collect();
    used.sort_unstable();
    used.dedup();
    let tiles: Vec<&[usize]> = used.chunks(TILE).collect();
    let mut answers = Vec::with_capacity(choice.pairs.len());
    for (at, tile) in tiles.iter().enumerate() {
        let rows = read::<T>(choice, corpus, tile);
        answers.extend(between(round, [&rows, &rows]));
        for other in &tiles[at + 1..] {
            answers.extend(between(round, [&rows, &read(choice, corpus, other)]));
        }
    }
    answers.sort_by_key(|pair| pair.models);
    answers
}

/// What of linked models lies between or is made of others.
fn combinations<T: Held>(choice: &Choice, corpus: &Corpus, cluster: &[usize]) -> (Vec<MergeAnswer>, Vec<TaskAnswer>) {
    let rows = read::<T>(choice, corpus, cluster);
    let tasks = choice.ask.base.map_or_else(Vec::new, |base| tasks_within(&choice.ask, &rows, base));
    (merges_within(&choice.ask, &rows), tasks)
}

/// Rows by the number of their model.
type Tile<T> = BTreeMap<usize, ModelRows<T>>;

fn read<T: Held>(choice: &Choice, corpus: &Corpus, tile: &[usize]) -> Tile<T> {
    let one = |&number: &usize| {
        let model = corpus.opened[number].outcome.as_ref().ok()?;
        let chosen = choice.models[number].as_ref()?;
        Some((number, ModelRows::read(&corpus.cache, model, chosen, &choice.ask)))
    };
    parallel::map(tile, one).into_iter().flatten().collect()
}

fn between<T: Held>(round: &Round<'_>, [first, second]: [&Tile<T>; 2]) -> Vec<PairAnswer> {
    let meet = |pair: &PairChoice| {
        let sides = Sides { a: first.get(&pair.models[0])?, b: second.get(&pair.models[1])? };
        let choice = round.choice;
        let known = round.known.lock().remove(&pair.models);
        Some(match known.filter(|known| known.stage == pair.stage) {
            Some(known) => known.described(choice, pair, sides),
            None => PairAnswer::of(choice, pair, sides, has_equal_files(round.corpus, pair.models)),
        })
    };
    parallel::map(&round.choice.pairs, meet).into_iter().flatten().collect()
}

/// Whether the weight files of both have equal SHA-256, as the Hub states it; unknown is no.
fn has_equal_files(corpus: &Corpus, models: [usize; 2]) -> bool {
    let digests = |opened: &Opened| -> Option<Vec<String>> {
        let model = opened.outcome.as_ref().ok()?;
        let digest = |shard: &String| model.repository.snapshot().file(shard)?.lfs_sha256.clone();
        let mut digests: Vec<String> = model.layout.shards.iter().map(digest).collect::<Option<_>>()?;
        digests.sort();
        Some(digests)
    };
    let [a, b] = models.map(|model| digests(&corpus.opened[model]));
    a.is_some_and(|a| !a.is_empty() && Some(a) == b)
}
