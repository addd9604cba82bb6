//! Rows of one model in memory, as f64, ready to be tested against those of any other.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use super::{
    Group, LineageAsk,
    choose::{self, ModelChoice},
    sites::{NormPlace, UnitSite},
};
use crate::{
    cache::Cache,
    dtype::Dtype,
    metric::lineage::{choice, relation::Precision, units::UnitRows, untested::Untested},
    model::Model,
    rows::RowSet,
    tensor::{Loaded, RowReader},
};

/// What was read of one model.
#[derive(Debug)]
pub(crate) struct ModelRows {
    units: [Result<GroupRows, Untested>; 3],
    pub(crate) norms: Result<BTreeMap<NormPlace, Vec<f64>>, Untested>,
    tokens: Result<BTreeMap<u64, Vec<f64>>, Untested>,
    /// Deep rows by tensor, with their width.
    pub(crate) deep: BTreeMap<usize, (Vec<f64>, usize)>,
    pub(crate) precision: Option<Precision>,
    pub(crate) depth: usize,
}

/// Both models of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub(crate) a: &'a ModelRows,
    pub(crate) b: &'a ModelRows,
}

/// Blocks of rows of the layers of one group: those of fewer blocks come first.
#[derive(Debug)]
pub(crate) struct GroupRows {
    pub(crate) width: usize,
    blocks: Vec<Range<usize>>,
    layers: BTreeMap<usize, Result<Vec<f64>, Untested>>,
    /// So many blocks of the tested layers, prepared once for all pairs.
    prepared: Option<(usize, UnitRows)>,
}

impl GroupRows {
    /// The first `count` blocks.
    pub(crate) fn blocks(&self, count: usize) -> &[Range<usize>] {
        &self.blocks[..count.min(self.blocks.len())]
    }

    pub(crate) fn sizes(&self, count: usize) -> Vec<usize> {
        self.blocks(count).iter().map(Range::len).collect()
    }

    /// A layer's rows of the first `count` blocks; `None` where it was not read.
    pub(crate) fn layer(&self, layer: usize, count: usize) -> Option<&[f64]> {
        let rows = self.layers.get(&layer)?.as_ref().ok()?;
        rows.get(..self.blocks(count).iter().map(Range::len).sum::<usize>() * self.width)
    }

    /// Prepares the first `count` blocks of these layers; of every other block where `even`.
    pub(crate) fn prepare(&self, layers: &[usize], count: usize, even: bool) -> UnitRows {
        let blocks = self.blocks(count);
        let used = |block: usize| !even || block.is_multiple_of(2);
        let chosen: Vec<Range<usize>> =
            (0..blocks.len()).filter(|&block| used(block)).map(|block| blocks[block].clone()).collect();
        let mut units = UnitRows::new(self.width, &chosen);
        units.reserve(layers.len());
        for &layer in layers {
            match self.layers.get(&layer) {
                Some(Ok(rows)) => {
                    let mut rest = rows.as_slice();
                    let mut picked = Vec::new();
                    for (at, block) in blocks.iter().enumerate() {
                        let (here, others) = rest.split_at((block.len() * self.width).min(rest.len()));
                        if used(at) {
                            picked.extend_from_slice(here);
                        }
                        rest = others;
                    }
                    units.push(layer, &picked);
                }
                Some(Err(reason)) => units.leave_out(layer, *reason),
                None => {}
            }
        }
        units
    }

    /// The units of the layers that are tested where depths are equal.
    pub(crate) fn tested(&self, depth: usize, count: usize) -> Cow<'_, UnitRows> {
        match &self.prepared {
            Some((prepared, units)) if *prepared == count => Cow::Borrowed(units),
            _ => Cow::Owned(self.prepare(&choice::layers(depth), count, false)),
        }
    }
}

impl ModelRows {
    /// Reads what was chosen of a model. What could not be brought is left out, with a reason.
    pub(crate) fn read(cache: &Cache, model: &Model, chosen: &ModelChoice, ask: &LineageAsk) -> Self {
        let readers = Readers { cache, model, wanted: chosen.rows(ask.seed) };
        let units = Group::UNITS.map(|group| readers.units(chosen, group, ask));
        let norms = chosen.sites.norms.as_ref().map_err(|why| *why).and_then(|norms| {
            if !chosen.norms {
                return Err(Untested::NoTensor);
            }
            let read = norms.iter().filter_map(|&(place, position)| Some((place, norm(cache, model, position)?)));
            Ok(read.collect())
        });
        let tokens = chosen.sites.table.and_then(|(position, _)| {
            let reader = readers.open(position).ok_or(Untested::NoTensor)?;
            Ok(chosen.tokens.iter().filter_map(|row| Some((row, reader.as_f64(row).ok()?))).collect())
        });
        let deep = chosen.deep.iter().filter_map(|(&position, rows)| {
            let reader = readers.open(position)?;
            let width = usize::try_from(*model.tensors[position].info.shape.last()?).ok()?;
            let rows: Option<Vec<Vec<f64>>> = rows.iter().map(|row| reader.as_f64(row).ok()).collect();
            Some((position, (rows?.concat(), width)))
        });
        let position = Group::UNITS.into_iter().find_map(|group| chosen.sites.units(group).ok()?.values().next());
        let precision = position.and_then(|site| match model.tensors[site.position].info.dtype {
            Dtype::BF16 => Some(Precision::Bf16),
            Dtype::F16 => Some(Precision::F16),
            Dtype::F32 => Some(Precision::F32),
            _ => None,
        });
        Self { deep: deep.collect(), units, norms, tokens, precision, depth: chosen.sites.depth }
    }

    pub(crate) fn units(&self, group: Group) -> Result<&GroupRows, Untested> {
        self.units[group as usize].as_ref().map_err(|reason| *reason)
    }

    /// The embedding rows of these numbers.
    pub(crate) fn tokens(&self, rows: impl Iterator<Item = u64>) -> Result<Vec<&[f64]>, Untested> {
        let tokens = self.tokens.as_ref().map_err(|why| *why)?;
        rows.map(|row| tokens.get(&row).map(Vec::as_slice).ok_or(Untested::NoTensor)).collect()
    }
}

struct Readers<'a> {
    cache: &'a Cache,
    model: &'a Model,
    wanted: BTreeMap<usize, RowSet>,
}

impl Readers<'_> {
    fn open(&self, position: usize) -> Option<RowReader> {
        let wanted = self.wanted.get(&position)?;
        RowReader::open(self.cache, self.model, &self.model.tensors[position], wanted).ok()
    }

    fn units(&self, chosen: &ModelChoice, group: Group, ask: &LineageAsk) -> Result<GroupRows, Untested> {
        let sites = chosen.sites.units(group)?;
        let counts = &chosen.blocks[group as usize];
        let most = counts.values().max().copied().ok_or(Untested::NoTensor)?;
        let site = sites.values().next().ok_or(Untested::NoTensor)?;
        let blocks = choose::blocks(group, site, most, ask.seed)?;
        let layers = counts.iter().filter_map(|(&layer, &count)| {
            let of_layer = sites.get(&layer)?;
            let same = if of_layer.width == site.width { Ok(()) } else { Err(Untested::Width) };
            let rows = same.and_then(|()| self.layer(of_layer, &choose::blocks(group, of_layer, count, ask.seed)?));
            Some((layer, rows))
        });
        let mut rows = GroupRows { width: site.width, blocks, layers: layers.collect(), prepared: None };
        let count = ask.blocks_per_layer(chosen.sites.depth, 0);
        rows.prepared = Some((count, rows.prepare(&choice::layers(chosen.sites.depth), count, false)));
        Ok(rows)
    }

    fn layer(&self, site: &UnitSite, blocks: &[Range<usize>]) -> Result<Vec<f64>, Untested> {
        let reader = self.open(site.position).ok_or(Untested::NoTensor)?;
        let mut rows = Vec::with_capacity(blocks.iter().map(Range::len).sum::<usize>() * site.width);
        for row in blocks.iter().flat_map(|block| site.stored_rows(block)) {
            rows.extend(reader.as_f64(row).map_err(|_| Untested::NoTensor)?);
        }
        Ok(rows)
    }
}

fn norm(cache: &Cache, model: &Model, position: usize) -> Option<Vec<f64>> {
    let loaded = Loaded::read(cache, model, &model.tensors[position]).ok()?;
    loaded.as_f64().ok().map(Cow::into_owned)
}
