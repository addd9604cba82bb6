//! Rows of a tensor in memory, from the cache or from a folder.

use crate::{
    audit::{AuditError, Model, SPAN_LIMIT, Tensor, loaded::Floats, loaded::floats, row_width},
    cache::Cache,
    checkpoint::{FolderFile, decode},
    error::Result,
    metric::{RowPair, Undefined},
    rows::RowSet,
    values::Values,
};

/// Rows of one tensor, widened exactly.
#[derive(Debug, Clone)]
pub struct LoadedRows {
    /// Ascending.
    rows: Vec<u64>,
    /// Elements of a row.
    width: usize,
    floats: std::result::Result<Floats, Undefined>,
}

impl LoadedRows {
    /// Reads rows of a tensor: from a folder those that are wanted, from the cache all that are kept. A wanted row that is not
    /// there is [`AuditError::Vanished`].
    pub fn read(cache: &Cache, model: &Model, tensor: &Tensor, wanted: &RowSet) -> Result<Self> {
        let vanished = || AuditError::Vanished {
            model: model.repository.place(),
            tensor: tensor.info.name.clone(),
        };
        let (rows, values) = match (model.key(tensor), model.repository.folder()) {
            (Some(key), _) => {
                if let Some(kept) = cache.rows(&key)?.filter(|kept| kept.rows.contains(wanted)) {
                    (kept.rows, kept.values)
                } else {
                    let whole = cache.get(&key)?.ok_or_else(vanished)?;
                    let rows = whole.shape.first().copied().unwrap_or(0);
                    (RowSet::run(0..rows), whole.values)
                }
            }
            (None, Some(folder)) => {
                let file = FolderFile::open(folder.join(&tensor.shard))?;
                (wanted.clone(), from_folder(&file, tensor, wanted)?)
            }
            (None, None) => return Err(vanished().into()),
        };
        let width = tensor.info.shape.iter().skip(1).product::<u64>();
        let width = usize::try_from(width).unwrap_or(usize::MAX);
        let fits = usize::try_from(rows.len())
            .ok()
            .and_then(|count| count.checked_mul(width))
            .is_some_and(|numel| numel == values.len());
        if !fits || !rows.contains(wanted) {
            return Err(vanished().into());
        }
        Ok(Self {
            rows: rows.iter().collect(),
            width,
            floats: floats(values),
        })
    }

    /// The five numbers of row `row` of this table and row `other_row` of `other`; `NotComparable` where one is not there.
    pub fn compare(&self, row: u64, other: &Self, other_row: u64) -> RowPair {
        let (a, b) = match (&self.floats, &other.floats) {
            (Err(reason), _) | (_, Err(reason)) => return RowPair::undefined(reason),
            (Ok(a), Ok(b)) => (a, b),
        };
        let (Some(at), Some(other_at)) = (self.place(row), other.place(other_row)) else {
            return RowPair::undefined(&Undefined::NotComparable("the row was not read".to_owned()));
        };
        match (a, b) {
            (Floats::F32(a), Floats::F32(b)) => RowPair::compute(&a[at], &b[other_at]),
            (Floats::F64(a), Floats::F64(b)) => RowPair::compute(&a[at], &b[other_at]),
            (Floats::F32(a), Floats::F64(b)) => RowPair::compute(&a[at], &b[other_at]),
            (Floats::F64(a), Floats::F32(b)) => RowPair::compute(&a[at], &b[other_at]),
        }
    }

    /// A row's elements as f64.
    pub fn as_f64(&self, row: u64) -> std::result::Result<Vec<f64>, Undefined> {
        let place = self
            .place(row)
            .ok_or_else(|| Undefined::NotComparable("the row was not read".to_owned()))?;
        match self.floats.as_ref().map_err(Clone::clone)? {
            Floats::F32(values) => Ok(values[place].iter().map(|&value| f64::from(value)).collect()),
            Floats::F64(values) => Ok(values[place].to_vec()),
        }
    }

    /// Where a row's elements lie; always inside, since the whole was checked when it was read.
    fn place(&self, row: u64) -> Option<std::ops::Range<usize>> {
        let start = self.rows.binary_search(&row).ok()? * self.width;
        Some(start..start + self.width)
    }
}

fn from_folder(file: &FolderFile, tensor: &Tensor, wanted: &RowSet) -> Result<Values> {
    let ranges = row_width(tensor).and_then(|width| wanted.byte_ranges(tensor.info.range.start, width, SPAN_LIMIT));
    let mut stored = Vec::new();
    for range in ranges.unwrap_or_default() {
        stored.extend_from_slice(&file.read_at(range)?);
    }
    Ok(decode(&tensor.info.dtype, &stored)?)
}
