//! The pairs, read and compared.

use super::{ComparedPair, Counterpart, Coverage, GroupFigures, Match, Matching, Obstacle, TensorPart, groups};
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
    model::{AuditError, Model, ModelSummary, Opened, Question},
    parallel,
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
    pub pairs: Vec<ComparedPair>,
    /// The figures of all pairs in groups: norms and biases, embeddings, the rest, then each role.
    pub groups: Vec<GroupFigures>,
    /// Every tensor of both, and what became of it.
    pub coverage: Coverage,
}

impl Comparison {
    /// By which rules pairs were found, and how many by each.
    pub fn matched(&self) -> Vec<(Counterpart, usize)> {
        let count = |how| self.pairs.iter().filter(|pair| pair.how == how).count();
        Counterpart::ALL.into_iter().map(|how| (how, count(how))).filter(|(_, count)| *count > 0).collect()
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
    let reader = Reader { cache, models: [a, b], failures };
    let (small, large): (Vec<_>, Vec<_>) =
        matching.pairs.iter().enumerate().partition(|(_, found)| numel(a, &found.a) <= SIDE_BY_SIDE);
    let compare = |(at, found): (usize, &Match)| (at, reader.compare(found));
    let mut pairs: Vec<(usize, ComparedPair)> = parallel::map(&small, |&pair| compare(pair));
    pairs.extend(large.into_iter().map(compare));
    pairs.sort_by_key(|&(at, _)| at);
    let pairs: Vec<ComparedPair> = pairs.into_iter().map(|(_, pair)| pair).collect();
    Some(Comparison {
        groups: groups(&pairs),
        coverage: Coverage::of([a, b], question, matching, &pairs),
        models,
        pairs,
    })
}

fn numel(model: &Model, part: &TensorPart) -> u64 {
    model.tensors[part.tensor].info.shape.iter().product()
}

struct Reader<'p> {
    cache: &'p Cache,
    models: [&'p Model; 2],
    failures: [&'p Failures; 2],
}

impl Reader<'_> {
    fn compare(&self, found: &Match) -> ComparedPair {
        let [a, b] = [(0, &found.a), (1, &found.b)].map(|(side, part)| self.side(side, part));
        let read = match &found.obstacle {
            Some(obstacle) => Err(obstacle.clone()),
            None => self.read(found).map_err(|error| Obstacle::Unread(error.chain())),
        };
        let (obstacle, (metrics, equal, trivial)) = match read {
            Ok(read) => (None, read),
            Err(obstacle) => {
                let none = PairMetrics::undefined(&obstacle.undefined());
                (Some(obstacle), (none, None, None))
            }
        };
        let slot = found.a.slot.or(found.b.slot);
        ComparedPair { a, b, slot, how: found.how, proven: found.proven, metrics, equal, obstacle, trivial }
    }

    fn side(&self, side: usize, part: &TensorPart) -> Side {
        let tensor = &self.models[side].tensors[part.tensor];
        Side { shape: part.view.shape(&tensor.info.shape).unwrap_or_default(), ..Side::of(tensor) }
    }

    /// The metrics, whether the bytes are equal, and what both are where each is trivial.
    fn read(&self, found: &Match) -> Result<(PairMetrics, Option<bool>, Option<[TrivialClass; 2]>)> {
        let open = |side: usize, part: &TensorPart| {
            let tensor = &self.models[side].tensors[part.tensor];
            if let Some(error) = self.failures[side].get(&tensor.info.name) {
                let (model, tensor) = (self.models[side].repository.place(), tensor.info.name.clone());
                return Err(AuditError::NotFetched { model, tensor, reason: error.chain() }.into());
            }
            Elements::open(self.cache, self.models[side], tensor, &part.view)
        };
        let a = open(0, &found.a)?;
        if found.proven.is_some() {
            return Ok((metrics(&a, &a)?, Some(true), trivial(&a, &a)?));
        }
        let b = open(1, &found.b)?;
        let equal = are_equal(&a, &b)?;
        // Equal bytes are equal, also where two families read them otherwise.
        let is_one_reading = a.zero_centred == b.zero_centred;
        let other = if equal == Some(true) && !is_one_reading { &a } else { &b };
        Ok((metrics(&a, other)?, equal, trivial(&a, &b)?))
    }
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
