//! The pairs, read and compared.

use rayon::prelude::*;

use super::{
    Band, Counterpart, Coverage, GroupFigures, Half, Match, Matching, Meeting, Obstacle, Overall, Pattern, Third,
    bands, groups,
};
use crate::{
    cache::Cache,
    digest::{TrivialClass, TrivialTest},
    dtype::{Dtype, decode},
    error::Result,
    fetch::Failures,
    metric::{
        PairMetrics, Undefined,
        stream::{self, Source},
    },
    model::{Model, ModelSummary, Opened, Question},
    table::Side,
    tensor::Elements,
};

/// Pairs with at most this many elements are read whole, several at once; larger ones stream, one after the other, each on
/// all threads.
const HELD: u64 = 1 << 16;

/// Pairs with at most this many elements stream side by side.
const SIDE_BY_SIDE: u64 = 1 << 22;

/// Elements of 64 bits do not stream: up to this many are held.
const WIDE_HELD: u64 = 1 << 24;

/// Bytes of each side that are compared at once.
const BLOCK: usize = 1 << 18;

/// Bytes of a side that nearly always tell that it is neither constant nor a fixed buffer.
const TELLING: usize = 1 << 12;

/// Two checkpoints, compared.
#[derive(Debug)]
pub struct Comparison {
    /// The models.
    pub models: [ModelSummary; 2],
    /// Every pair of tensors that correspond.
    pub meetings: Vec<Meeting>,
    /// The figures of all pairs in groups: norms and biases, embeddings, the rest, then each role.
    pub groups: Vec<GroupFigures>,
    /// Every tensor of both, and what became of it.
    pub coverage: Coverage,
}

impl Comparison {
    /// By which rules pairs were found, and how many by each.
    pub fn matched(&self) -> Vec<(Counterpart, usize)> {
        let count = |how| self.meetings.iter().filter(|meeting| meeting.how == how).count();
        Counterpart::ALL.into_iter().map(|how| (how, count(how))).filter(|(_, count)| *count > 0).collect()
    }

    /// The published page's bands of the cosine, over matrices only.
    pub fn bands(&self) -> [Band; 4] {
        bands::bands(&self.meetings)
    }

    /// The mean cosine over all tensors, and over matrices alone.
    pub fn overall(&self) -> [Option<Overall>; 2] {
        bands::overall(&self.meetings)
    }

    /// The layers in thirds by depth; empty with fewer than three.
    pub fn thirds(&self) -> Vec<Third> {
        bands::thirds(&self.meetings)
    }

    /// The published page's patterns over the layers.
    pub fn patterns(&self) -> [Pattern; 3] {
        bands::patterns(&self.thirds())
    }
}

/// Compares what [`Matching::needed`] names, which has been fetched, or lies in a folder. `failures` are the tensors that
/// could not be fetched, and `question` is what the models were asked. The numbers depend neither on the number of threads nor on where the bytes lie. `None` where a model could not be read.
pub fn compare(
    cache: &Cache,
    opened: [&Opened; 2],
    failures: [&Failures; 2],
    question: &Question,
    matching: &Matching,
) -> Option<Comparison> {
    let models = opened.map(ModelSummary::of);
    let [Ok(a), Ok(b)] = opened.map(|opened| opened.outcome.as_ref()) else {
        return None;
    };
    let pair = Pair { cache, models: [a, b], failures };
    let small = |found: &Match| numel(a, &found.a) <= SIDE_BY_SIDE;
    let mut meetings: Vec<(usize, Meeting)> = matching
        .pairs
        .par_iter()
        .enumerate()
        .filter(|(_, found)| small(found))
        .map(|(at, found)| (at, pair.meet(found)))
        .collect();
    let large = matching.pairs.iter().enumerate().filter(|(_, found)| !small(found));
    meetings.extend(large.map(|(at, found)| (at, pair.meet(found))));
    meetings.sort_by_key(|&(at, _)| at);
    let meetings: Vec<Meeting> = meetings.into_iter().map(|(_, meeting)| meeting).collect();
    Some(Comparison {
        groups: groups(&meetings),
        coverage: Coverage::of([a, b], question, matching, &meetings),
        models,
        meetings,
    })
}

fn numel(model: &Model, half: &Half) -> u64 {
    model.tensors[half.tensor].info.shape.iter().product()
}

struct Pair<'p> {
    cache: &'p Cache,
    models: [&'p Model; 2],
    failures: [&'p Failures; 2],
}

impl Pair<'_> {
    fn meet(&self, found: &Match) -> Meeting {
        let [a, b] = [(0, &found.a), (1, &found.b)].map(|(side, half)| self.side(side, half));
        let slot = found.a.slot.or(found.b.slot);
        let mut meeting = Meeting {
            a,
            b,
            slot,
            how: found.how,
            proven: found.proven,
            metrics: PairMetrics::undefined(&Undefined::Shape),
            equal: None,
            obstacle: found.obstacle.clone(),
            failure: None,
            trivial: None,
        };
        match &found.obstacle {
            Some(Obstacle::Shape) => {}
            Some(Obstacle::Undecodable(reason)) => {
                meeting.metrics = PairMetrics::undefined(&Undefined::NotComparable(reason.clone()));
            }
            Some(Obstacle::Beyond) => {
                let reason = "more pairs come before it than --max-tensors allows".to_owned();
                meeting.metrics = PairMetrics::undefined(&Undefined::NotComparable(reason));
            }
            None => match self.read(found) {
                Ok(read) => {
                    meeting.metrics = read.metrics;
                    meeting.equal = read.equal;
                    meeting.trivial = read.trivial;
                }
                Err(error) => {
                    let reason = error.chain();
                    meeting.metrics = PairMetrics::undefined(&Undefined::NotComparable(reason.clone()));
                    meeting.failure = Some(reason);
                }
            },
        }
        meeting
    }

    fn side(&self, side: usize, half: &Half) -> Side {
        let tensor = &self.models[side].tensors[half.tensor];
        Side { shape: half.view.shape(&tensor.info.shape).unwrap_or_default(), ..Side::of(tensor) }
    }

    fn read(&self, found: &Match) -> Result<Read> {
        let open = |side: usize, half: &Half| {
            let tensor = &self.models[side].tensors[half.tensor];
            if let Some(error) = self.failures[side].get(&tensor.info.name) {
                return Err(crate::model::AuditError::NotFetched {
                    model: self.models[side].repository.place(),
                    tensor: tensor.info.name.clone(),
                    reason: error.chain(),
                }
                .into());
            }
            Elements::open(self.cache, self.models[side], tensor, &half.view)
        };
        let a = open(0, &found.a)?;
        if found.proven.is_some() {
            return Ok(Read { metrics: metrics(&a, &a)?, equal: Some(true), trivial: trivial(&a, &a)? });
        }
        let b = open(1, &found.b)?;
        let equal = are_equal(&a, &b)?;
        // Equal bytes are equal, also where two families read them otherwise.
        let is_one_reading = a.zero_centred == b.zero_centred;
        let other = if equal == Some(true) && !is_one_reading { &a } else { &b };
        Ok(Read { metrics: metrics(&a, other)?, equal, trivial: trivial(&a, &b)? })
    }
}

/// What the elements of a pair say.
struct Read {
    metrics: PairMetrics,
    equal: Option<bool>,
    trivial: Option<[TrivialClass; 2]>,
}

/// The metrics of two tensors, held where they are small or have elements that do not stream.
fn metrics(a: &Elements, b: &Elements) -> Result<PairMetrics> {
    let numel = a.numel();
    let is_wide = [a, b].iter().any(|side| side.dtype().bits() == Some(64));
    let is_zero_centred = [a, b].iter().any(|side| side.zero_centred);
    let must_be_held = is_wide || is_zero_centred;
    if numel <= HELD || must_be_held && numel <= WIDE_HELD {
        return Ok(a.load()?.compare(&b.load()?));
    }
    if is_zero_centred {
        let reason = format!("a gain of {numel} elements that is stored as w, where 1 + w acts, is too large to hold");
        return Ok(PairMetrics::undefined(&Undefined::NotComparable(reason)));
    }
    stream::compare(a, b)
}

/// What both sides are, where each is constant or a fixed buffer.
fn trivial(a: &Elements, b: &Elements) -> Result<Option<[TrivialClass; 2]>> {
    let Some(of_a) = class(a)? else { return Ok(None) };
    Ok(class(b)?.map(|of_b| [of_a, of_b]))
}

/// Whether a side is constant or a fixed buffer. Reads no further than the first element that says no.
fn class(side: &Elements) -> Result<Option<TrivialClass>> {
    let mut test = TrivialTest::new(side.dtype(), &side.shape);
    let total = side.numel() * side.dtype().bits().unwrap_or(0) / 8;
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < total && test.is_open() {
        let most = if at == 0 { TELLING } else { BLOCK };
        buffer.resize(usize::try_from(total - at).map_or(most, |left| left.min(most)), 0);
        side.read(at, &mut buffer)?;
        let Ok(values) = decode(side.dtype(), &buffer) else {
            return Ok(None);
        };
        test.update(&values);
        at += buffer.len() as u64;
    }
    // A few elements say little, but they are no buffer.
    Ok(test.finish().filter(|&class| class != TrivialClass::Tiny))
}

/// Whether the bytes are the same, and the values where those are scaled; `None` where the element types differ.
fn are_equal(a: &Elements, b: &Elements) -> Result<Option<bool>> {
    if a.is_scaled() != b.is_scaled() || a.stored != b.stored || a.shape != b.shape {
        return Ok(None);
    }
    let of_elements = same_bytes([a, b], &a.stored, Elements::read_stored)?;
    Ok(Some(of_elements && (!a.is_scaled() || same_bytes([a, b], a.dtype(), Elements::read)?)))
}

/// Of two tensors of one length, whose elements `read` gives as `dtype`. Reads no further than the first difference.
fn same_bytes(
    [a, b]: [&Elements; 2],
    dtype: &Dtype,
    read: impl Fn(&Elements, u64, &mut [u8]) -> Result<()>,
) -> Result<bool> {
    let total = a.numel() * dtype.bits().unwrap_or(0) / 8;
    let mut buffers = [vec![0; BLOCK], vec![0; BLOCK]];
    let mut at = 0;
    while at < total {
        let length = usize::try_from((total - at).min(BLOCK as u64)).unwrap_or(BLOCK);
        let [of_a, of_b] = &mut buffers;
        read(a, at, &mut of_a[..length])?;
        read(b, at, &mut of_b[..length])?;
        if of_a[..length] != of_b[..length] {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}
