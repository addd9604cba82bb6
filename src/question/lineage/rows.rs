//! Rows of one model in memory, as they are stored, to be tested against those of any other.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

use parking_lot::Mutex;

use super::{
    Group, LineageAsk,
    choose::{self, ModelChoice},
    sites::{NormPlace, UnitSite},
};
use crate::{
    cache::Cache,
    checkpoint::CheckpointError,
    dtype::Dtype,
    error::ErrorKind,
    metric::{
        Element,
        lineage::{
            basis::AnchoredRows, disguise::take_columns, relation::Precision, units::UnitRows, untested::Untested,
        },
    },
    model::Model,
    rows::RowSet,
    tensor::{Floats, Loaded, PackedRows, RowReader},
};

/// A type that rows of matrices are held as: all models of a run as `f32`, which holds every stored type exactly but F64, or all as
/// `f64`.
pub(crate) trait Held: Element {
    fn held(floats: Floats) -> Vec<Self>;
}

impl Held for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a run that reads an F64 tensor holds `f64`")]
    fn held(floats: Floats) -> Vec<Self> {
        match floats {
            Floats::F32(values) => values,
            Floats::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }
}

impl Held for f64 {
    fn held(floats: Floats) -> Vec<Self> {
        match floats {
            Floats::F32(values) => values.into_iter().map(Self::from).collect(),
            Floats::F64(values) => values,
        }
    }
}

/// What was read of one model.
#[derive(Debug)]
pub(crate) struct ModelRows<T> {
    units: [Result<GroupRows<T>, Untested>; 3],
    /// Few and small, and 1 + w of a zero-centred gain needs every bit of an `f64`.
    pub(crate) norms: Result<BTreeMap<NormPlace, Vec<f64>>, Untested>,
    tokens: Result<BTreeMap<u64, Vec<T>>, Untested>,
    pub(crate) prepared_norms: Prepared<NormPlace>,
    pub(crate) prepared_tokens: Prepared<u64>,
    /// Deep rows by tensor, with their width.
    pub(crate) deep: BTreeMap<usize, (Vec<T>, usize)>,
    pub(crate) precision: Option<Precision>,
    pub(crate) depth: usize,
    /// By layer: units of each hidden coordinate that was read.
    pub(crate) matched: BTreeMap<usize, BTreeMap<u64, Vec<T>>>,
}

/// The rows of a basis that were prepared last, and which they were: most pairs of a list share them.
#[derive(Debug)]
pub(crate) struct Prepared<K>(Mutex<Option<(Vec<K>, Arc<AnchoredRows>)>>);

impl<K: PartialEq> Prepared<K> {
    /// The rows of `keys`, prepared by `prepare` unless these were the last.
    pub(crate) fn of(
        &self,
        keys: Vec<K>,
        prepare: impl FnOnce() -> Result<AnchoredRows, Untested>,
    ) -> Result<Arc<AnchoredRows>, Untested> {
        let last = || self.0.lock();
        if let Some((of, rows)) = &*last()
            && *of == keys
        {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(prepare()?);
        *last() = Some((keys, Arc::clone(&rows)));
        Ok(rows)
    }
}

/// Both models of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a, T> {
    pub(crate) a: &'a ModelRows<T>,
    pub(crate) b: &'a ModelRows<T>,
}

impl<'a, T: Held> Sides<'a, T> {
    /// The rows of a group on both sides, of the same columns: where one side was read by columns, those of the other are taken.
    pub(crate) fn units(self, group: Group) -> Result<[Cow<'a, GroupRows<T>>; 2], Untested> {
        let (a, b) = (self.a.units(group)?, self.b.units(group)?);
        Ok(match (&a.columns, &b.columns) {
            (Some(columns), None) => [Cow::Borrowed(a), Cow::Owned(b.of_columns(columns)?)],
            (None, Some(columns)) => [Cow::Owned(a.of_columns(columns)?), Cow::Borrowed(b)],
            _ => [Cow::Borrowed(a), Cow::Borrowed(b)],
        })
    }
}

/// Blocks of rows of the layers of one group: those of fewer blocks come first.
#[derive(Debug, Clone)]
pub(crate) struct GroupRows<T> {
    pub(crate) width: usize,
    /// Tensors of which a row holds its part, one behind the other.
    pub(crate) tensors: usize,
    /// The columns that the rows hold, where they hold not all.
    pub(crate) columns: Option<Vec<usize>>,
    blocks: Vec<Range<usize>>,
    layers: BTreeMap<usize, Result<Vec<T>, Untested>>,
}

impl<T: Held> GroupRows<T> {
    /// The first `count` blocks.
    pub(crate) fn blocks(&self, count: usize) -> &[Range<usize>] {
        &self.blocks[..count.min(self.blocks.len())]
    }

    /// The same rows at some of their columns.
    fn of_columns(&self, columns: &[usize]) -> Result<Self, Untested> {
        if columns.last().is_none_or(|last| *last >= self.width) {
            return Err(Untested::Width);
        }
        let cut = |rows: &Vec<T>| take_columns(rows, self.width, columns);
        let layers = self.layers.iter().map(|(&layer, rows)| (layer, rows.as_ref().map(cut).map_err(|why| *why)));
        let (columns, blocks, layers) = (Some(columns.to_vec()), self.blocks.clone(), layers.collect());
        Ok(Self { width: columns.as_ref().map_or(0, Vec::len), tensors: self.tensors, columns, blocks, layers })
    }

    pub(crate) fn sizes(&self, count: usize) -> Vec<usize> {
        self.blocks(count).iter().map(Range::len).collect()
    }

    /// A layer's rows of the first `count` blocks; `None` where it was not read.
    pub(crate) fn layer(&self, layer: usize, count: usize) -> Option<&[T]> {
        let rows = self.layers.get(&layer)?.as_ref().ok()?;
        rows.get(..self.blocks(count).iter().map(Range::len).sum::<usize>() * self.width)
    }

    /// Prepares the first `count` blocks of a layer, with these columns in this order.
    pub(crate) fn prepare_columns(&self, layer: usize, count: usize, columns: &[usize]) -> UnitRows {
        let mut units = UnitRows::new(columns.len(), self.blocks(count));
        match (self.layer(layer, count), self.layers.get(&layer)) {
            (Some(rows), _) => units.push(layer, &take_columns(rows, self.width, columns)),
            (None, Some(Err(reason))) => units.leave_out(layer, *reason),
            (None, _) => {}
        }
        units
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
}

impl<T: Held> ModelRows<T> {
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
            Ok(chosen.tokens.iter().filter_map(|row| Some((row, T::held(reader.floats(row).ok()?)))).collect())
        });
        let deep = chosen.deep.iter().filter_map(|(&position, rows)| {
            let reader = readers.open(position)?;
            let width = usize::try_from(*model.tensors[position].info.shape.last()?).ok()?;
            Some((position, (rows_of(&reader, rows.iter())?, width)))
        });
        let matched = chosen.matched.iter().filter_map(|(layer, coordinates)| {
            let (position, _) = chosen.sites.coordinates.get(layer)?;
            let reader = readers.open(*position)?;
            let units = |row: u64| Some((row, T::held(reader.floats(row).ok()?)));
            Some((*layer, coordinates.iter().filter_map(units).collect()))
        });
        let matched = matched.collect();
        let position = Group::UNITS.into_iter().find_map(|group| chosen.sites.units(group).ok()?.values().next());
        let precision = position.and_then(|site| {
            let tensor = &model.tensors[*site.tensors.first()?];
            match tensor.info.dtype {
                Dtype::BF16 => Some(Precision::Bf16),
                Dtype::F16 => Some(Precision::F16),
                Dtype::F32 => Some(Precision::F32),
                // A code times its scale is rounded to F32.
                _ => (tensor.scaled.is_some() || tensor.packed.is_some()).then_some(Precision::F32),
            }
        });
        Self {
            units,
            norms,
            tokens,
            prepared_norms: Prepared(Mutex::default()),
            prepared_tokens: Prepared(Mutex::default()),
            deep: deep.collect(),
            precision,
            depth: chosen.sites.depth,
            matched,
        }
    }

    pub(crate) fn units(&self, group: Group) -> Result<&GroupRows<T>, Untested> {
        self.units[group as usize].as_ref().map_err(|reason| *reason)
    }

    /// The units of these hidden coordinates of a layer, in this order; `None` where one was not read.
    pub(crate) fn coordinates(&self, layer: usize, numbers: &[u64]) -> Option<Vec<&[T]>> {
        let read = self.matched.get(&layer)?;
        numbers.iter().map(|number| read.get(number).map(Vec::as_slice)).collect()
    }

    /// The embedding rows of these numbers.
    pub(crate) fn tokens(&self, rows: &[u64]) -> Result<Vec<&[T]>, Untested> {
        let tokens = self.tokens.as_ref().map_err(|why| *why)?;
        rows.iter().map(|row| tokens.get(row).map(Vec::as_slice).ok_or(Untested::NoTensor)).collect()
    }
}

impl<T> Sides<'_, T> {
    /// The types of both; `None` where one is not known.
    pub(crate) fn precisions(&self) -> Option<[Precision; 2]> {
        Some([self.a.precision?, self.b.precision?])
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

    fn units<T: Held>(&self, chosen: &ModelChoice, group: Group, ask: &LineageAsk) -> Result<GroupRows<T>, Untested> {
        let sites = chosen.sites.units(group)?;
        let counts = &chosen.blocks[group as usize];
        let most = counts.values().max().copied().ok_or(Untested::NoTensor)?;
        let site = sites.values().next().ok_or(Untested::NoTensor)?;
        let blocks = choose::blocks(group, site, most, ask.seed)?;
        // Packed layers and plain ones stand beside each other where a quantiser left some out.
        let columns = sites.values().find_map(|site| site.columns(ask.seed));
        let layers = counts.iter().filter_map(|(&layer, &count)| {
            let of_layer = sites.get(&layer)?;
            let same = if of_layer.row_width() == site.row_width() { Ok(()) } else { Err(Untested::Width) };
            let rows = same.and_then(|()| {
                let blocks = choose::blocks(group, of_layer, count, ask.seed)?;
                self.layer(of_layer, &blocks, columns.as_deref(), ask.seed)
            });
            Some((layer, rows))
        });
        let layers = layers.collect();
        let tensors = site.row_width() / site.width;
        let columns: Option<Vec<usize>> = columns.map(|of_tensor| {
            let columns =
                (0..tensors).flat_map(|tensor| of_tensor.iter().map(move |column| tensor * site.width + column));
            columns.collect()
        });
        Ok(GroupRows { width: columns.as_ref().map_or(site.row_width(), Vec::len), tensors, columns, blocks, layers })
    }

    fn layer<T: Held>(
        &self,
        site: &UnitSite,
        blocks: &[Range<usize>],
        columns: Option<&[usize]>,
        seed: u64,
    ) -> Result<Vec<T>, Untested> {
        let tensors = site.read(seed).into_iter().map(|position| self.open_units(site, position, columns));
        let tensors: Vec<UnitReader> = tensors.collect::<Result<_, Untested>>()?;
        let mut rows = Vec::with_capacity(blocks.iter().map(Range::len).sum::<usize>() * site.row_width());
        for row in blocks.iter().flat_map(|block| site.stored_rows(block)) {
            for tensor in &tensors {
                let values = T::held(tensor.floats(row).ok_or(Untested::NoTensor)?);
                match columns.filter(|_| site.packing.is_none()) {
                    Some(columns) => rows.extend(take_columns(&values, site.width, columns)),
                    None => rows.extend(values),
                }
            }
        }
        Ok(rows)
    }

    fn open_units(&self, site: &UnitSite, position: usize, columns: Option<&[usize]>) -> Result<UnitReader, Untested> {
        let tensor = &self.model.tensors[position];
        let Some(packing) = &tensor.packed else {
            return self.open(position).map(UnitReader::Plain).ok_or(Untested::NoTensor);
        };
        let wanted = self.wanted.get(&position).ok_or(Untested::NoTensor)?;
        let all = || (0..site.width).collect();
        let columns = columns.map_or_else(all, <[usize]>::to_vec).into_iter().map(|column| column as u64).collect();
        let rows = PackedRows::open(self.cache, self.model, (tensor, packing), columns, wanted);
        rows.map(UnitReader::Packed).map_err(|error| {
            let is_unclear = matches!(error.kind(), ErrorKind::Checkpoint(CheckpointError::Scales { .. }));
            if is_unclear { Untested::Packed } else { Untested::NoTensor }
        })
    }
}

/// Rows of one tensor, as values.
enum UnitReader {
    Plain(RowReader),
    Packed(PackedRows),
}

impl UnitReader {
    fn floats(&self, row: u64) -> Option<Floats> {
        match self {
            Self::Plain(rows) => rows.floats(row).ok(),
            Self::Packed(rows) => rows.values(row).map(Floats::F32),
        }
    }
}

/// Rows one after the other; `None` where one cannot be read.
fn rows_of<T: Held>(reader: &RowReader, rows: impl IntoIterator<Item = u64>) -> Option<Vec<T>> {
    let rows: Option<Vec<Vec<T>>> = rows.into_iter().map(|row| Some(T::held(reader.floats(row).ok()?))).collect();
    Some(rows?.concat())
}

fn norm(cache: &Cache, model: &Model, position: usize) -> Option<Vec<f64>> {
    let loaded = Loaded::read(cache, model, &model.tensors[position]).ok()?;
    loaded.as_f64().ok().map(Cow::into_owned)
}
