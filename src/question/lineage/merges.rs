//! Whether a model of a list lies on the line between two others, and how much of the changes of others from a base is in it.

use std::collections::BTreeMap;

use super::{
    Group, LineageAsk,
    rows::{Held, ModelRows},
};
use crate::metric::lineage::{
    merge::{Merge, TaskWeights},
    untested::Untested,
};

/// Linked models of which triples are looked at; of more there would be too many.
pub(crate) const MOST_MODELS: usize = 20;

/// One model between two others.
#[derive(Debug, Clone)]
pub(crate) struct MergeAnswer {
    pub(crate) between: [usize; 2],
    pub(crate) model: usize,
    pub(crate) merge: Result<Merge, Untested>,
}

impl MergeAnswer {
    /// Whether it may be said: a third sibling and the common base have weights as well.
    pub(crate) fn holds(&self) -> bool {
        self.merge.is_ok_and(|merge| merge.holds())
    }
}

/// One model as the base and parts of the changes of others.
#[derive(Debug, Clone)]
pub(crate) struct TaskAnswer {
    pub(crate) model: usize,
    /// Those of the base's shape, one a weight.
    pub(crate) others: Vec<usize>,
    pub(crate) weights: Result<TaskWeights, Untested>,
}

/// Every model of a cluster against every pair of its others, by the rows of units that all three have.
pub(crate) fn merges_within<T: Held>(ask: &LineageAsk, rows: &BTreeMap<usize, ModelRows<T>>) -> Vec<MergeAnswer> {
    let mut found = Vec::new();
    for (&model, of_model) in rows {
        let others: Vec<(&usize, &ModelRows<T>)> = rows.iter().filter(|(other, _)| **other != model).collect();
        for (at, &(&a, of_a)) in others.iter().enumerate() {
            for &(&b, of_b) in &others[at + 1..] {
                let merge = merge(ask, [of_a, of_b, of_model]);
                found.push(MergeAnswer { between: [a, b], model, merge });
            }
        }
    }
    found
}

fn merge<T: Held>(ask: &LineageAsk, sides: [&ModelRows<T>; 3]) -> Result<Merge, Untested> {
    let shared = SharedBlocks::of(ask, &sides)?;
    let [a, b, c] = [0, 1, 2].map(|side| shared.sides[side].iter().copied());
    let blocks: Vec<[&[T]; 3]> = a.zip(b).zip(c).map(|((a, b), c)| [a, b, c]).collect();
    Merge::of(&blocks, shared.width, &[shared.size])
}

/// For every model of a cluster but its base the weights of the others, by the rows of units that all of the base's shape have. Nothing
/// where no other is left.
pub(crate) fn tasks_within<T: Held>(
    ask: &LineageAsk,
    rows: &BTreeMap<usize, ModelRows<T>>,
    base: usize,
) -> Vec<TaskAnswer> {
    let Some(of_base) = rows.get(&base) else { return Vec::new() };
    let children = || rows.iter().filter(move |(model, _)| **model != base);
    let has_shape = |model: &ModelRows<T>| has_shape(ask, model, of_base);
    let of_child = |(&model, of_model): (&usize, &ModelRows<T>)| {
        let others = children().filter(|(other, rows)| **other != model && has_shape(rows));
        let (others, of_others): (Vec<usize>, Vec<&ModelRows<T>>) = others.unzip();
        let weights = || {
            if of_base.depth != of_model.depth {
                return Err(Untested::Depth);
            }
            if !has_shape(of_model) {
                return Err(Untested::Units);
            }
            let sides = [&[of_base, of_model], of_others.as_slice()].concat();
            let shared = SharedBlocks::of(ask, &sides)?;
            let values: Vec<Vec<T>> = shared.sides.iter().map(|blocks| blocks.concat()).collect();
            let changes: Vec<&[T]> = values[2..].iter().map(Vec::as_slice).collect();
            TaskWeights::of(&values[0], &changes, &values[1])
        };
        (!others.is_empty()).then(|| TaskAnswer { model, weights: weights(), others: others.clone() })
    };
    children().filter_map(of_child).collect()
}

/// Whether both have equally many layers, and the same groups of units in equal width and blocks.
fn has_shape<T: Held>(ask: &LineageAsk, model: &ModelRows<T>, base: &ModelRows<T>) -> bool {
    let count = ask.blocks_per_layer(base.depth, 0);
    let shape =
        |model: &ModelRows<T>, group: Group| model.units(group).ok().map(|rows| (rows.width, rows.sizes(count)));
    model.depth == base.depth && Group::UNITS.into_iter().all(|group| shape(model, group) == shape(base, group))
}

/// Blocks of all layers and groups, as far as all sides have them with rows of one width.
struct SharedBlocks<'a, T> {
    /// For each side its blocks, in one order.
    sides: Vec<Vec<&'a [T]>>,
    width: usize,
    /// Rows of a block.
    size: usize,
}

impl<'a, T: Held> SharedBlocks<'a, T> {
    fn of(ask: &LineageAsk, models: &[&'a ModelRows<T>]) -> Result<Self, Untested> {
        let first = models.first().ok_or(Untested::TooFew)?;
        if models.iter().any(|model| model.depth != first.depth) {
            return Err(Untested::Depth);
        }
        let count = ask.blocks_per_layer(first.depth, 0);
        let (mut shape, mut sides) = (None, vec![Vec::new(); models.len()]);
        for group in Group::UNITS {
            let Ok(rows) = first.units(group) else { continue };
            let sizes = rows.sizes(count);
            let size = sizes.first().copied().unwrap_or(0);
            let alike = models
                .iter()
                .all(|model| model.units(group).is_ok_and(|of| of.width == rows.width && of.sizes(count) == sizes));
            if !alike
                || sizes.iter().any(|other| *other != size)
                || *shape.get_or_insert((rows.width, size)) != (rows.width, size)
            {
                continue;
            }
            for layer in 0..first.depth {
                let layers = models.iter().map(|model| model.units(group).ok()?.layer(layer, count));
                let Some(layers) = layers.collect::<Option<Vec<&'a [T]>>>() else { continue };
                for (side, of_layer) in sides.iter_mut().zip(layers) {
                    side.extend(of_layer.chunks_exact(size * rows.width));
                }
            }
        }
        let (width, size) = shape.ok_or(Untested::Units)?;
        Ok(Self { sides, width, size })
    }
}
