//! Whether a model of a list lies on the line between two others.

use super::{
    Group, LineageAsk,
    rows::{Held, ModelRows},
};
use crate::metric::lineage::{merge::Merge, untested::Untested};

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

/// Every model of a cluster against every pair of its others, by the rows of units that all three have.
pub(crate) fn merges_within<T: Held>(ask: &LineageAsk, rows: &[(usize, ModelRows<T>)]) -> Vec<MergeAnswer> {
    let mut found = Vec::new();
    for (model, of_model) in rows {
        let others: Vec<&(usize, ModelRows<T>)> = rows.iter().filter(|(other, _)| other != model).collect();
        for (at, (a, of_a)) in others.iter().map(|other| (other.0, &other.1)).enumerate() {
            for (b, of_b) in others[at + 1..].iter().map(|other| (other.0, &other.1)) {
                let merge = merge(ask, [of_a, of_b, of_model]);
                found.push(MergeAnswer { between: [a, b], model: *model, merge });
            }
        }
    }
    found
}

/// Blocks of all layers and groups, as far as all three sides have them with rows of one width.
fn merge<T: Held>(ask: &LineageAsk, sides: [&ModelRows<T>; 3]) -> Result<Merge, Untested> {
    if sides.iter().any(|side| side.depth != sides[0].depth) {
        return Err(Untested::Depth);
    }
    let count = ask.blocks_per_layer(sides[0].depth, 0);
    let (mut width, mut blocks) = (None, Vec::new());
    for group in Group::UNITS {
        let Ok(first) = sides[0].units(group) else { continue };
        let sizes = first.sizes(count);
        let size = sizes.first().copied().unwrap_or(0);
        let alike = sides
            .iter()
            .all(|side| side.units(group).is_ok_and(|rows| rows.width == first.width && rows.sizes(count) == sizes));
        if !alike
            || sizes.iter().any(|other| *other != size)
            || *width.get_or_insert((first.width, size)) != (first.width, size)
        {
            continue;
        }
        for layer in 0..sides[0].depth {
            let [Some(a), Some(b), Some(c)] = sides.map(|side| side.units(group).ok()?.layer(layer, count)) else {
                continue;
            };
            let pieces = [a, b, c].map(|rows| rows.chunks_exact(size * first.width));
            let [a, b, c] = pieces;
            blocks.extend(a.zip(b).zip(c).map(|((a, b), c)| [a, b, c]));
        }
    }
    let (width, size) = width.ok_or(Untested::Units)?;
    Merge::of(&blocks, width, &[size])
}
