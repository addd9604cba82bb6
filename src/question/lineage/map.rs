//! The layer map of one pair.

use super::{
    Group,
    rows::{GroupRows, Held, Sides},
};
use crate::metric::lineage::{
    cells::Layers,
    layer_map::{LayerMap, Repeats},
    pattern::pattern,
    untested::Untested,
};

/// A layer map, and which side is the deeper.
#[derive(Debug)]
pub(crate) struct MapAnswer {
    pub(crate) group: Group,
    /// Blocks of a layer.
    pub(crate) count: usize,
    pub(crate) map: LayerMap,
    /// Whether the rows of the map are the second model's layers.
    pub(crate) is_swapped: bool,
    /// Repeated layers within the shallower and within the deeper.
    pub(crate) repeats: [Vec<(usize, usize, f64)>; 2],
    pub(crate) depths: [usize; 2],
}

/// The pair in the other order where `swapped`.
pub(crate) fn swap<T>([a, b]: [T; 2], swapped: bool) -> [T; 2] {
    if swapped { [b, a] } else { [a, b] }
}

impl MapAnswer {
    pub(crate) fn of<T: Held>(
        sides: Sides<'_, T>,
        (group, count): (Group, usize),
        seed: u64,
    ) -> Result<Self, Untested> {
        let is_swapped = sides.a.depth > sides.b.depth;
        let [shallower, deeper] = swap([sides.a, sides.b], is_swapped);
        let [own, others] = swap(sides.units(group)?, is_swapped);
        let numbers = [shallower, deeper].map(|side| (0..side.depth).collect::<Vec<usize>>());
        let repeats = |rows: &GroupRows<T>, numbers: &[usize]| {
            let even = |layers: &[usize]| rows.prepare(layers, count, true);
            Repeats::of(Layers { numbers, prepare: &even })
        };
        let repeats = [repeats(&own, &numbers[0])?, repeats(&others, &numbers[1])?];
        let rows = |layers: &[usize]| own.prepare(layers, count, false);
        let columns = |layers: &[usize]| others.prepare(layers, count, false);
        let map = LayerMap::of(
            Layers { numbers: &numbers[0], prepare: &rows },
            Layers { numbers: &numbers[1], prepare: &columns },
            &repeats[0],
            group.name(),
            seed,
        )?;
        let depths = [shallower.depth, deeper.depth];
        Ok(Self { group, count, map, is_swapped, repeats: repeats.map(|repeats| repeats.pairs), depths })
    }

    /// Matches as (layer of the first model, layer of the second).
    pub(crate) fn pairs(&self) -> Vec<[usize; 2]> {
        self.map.matches.iter().map(|&(deeper, shallower)| swap([shallower, deeper], self.is_swapped)).collect()
    }

    /// One sentence.
    pub(crate) fn reading(&self) -> String {
        pattern(&self.map.matches, self.depths[0], self.depths[1])
    }
}
