//! Rows of a tensor where they lie, in a folder, in the Hugging Face cache or in ours, read one by one: a table of gigabytes is never held.

use std::ops::Range;

use bytes::Bytes;

use super::{Floats, elements::dequantiser, floats};
use crate::{
    cache::Cache,
    checkpoint::{Dequantiser, FolderFile},
    dtype::{Dtype, Narrowing, decode},
    error::Result,
    fetch::row_width,
    metric::{RowPair, Undefined},
    model::{Model, Tensor},
    range::ByteRange,
    rows::RowSet,
};

/// Rows of one tensor that can be read. What the cache holds was checked when the reader was opened.
#[derive(Debug, Clone)]
pub struct RowReader {
    file: FolderFile,
    /// Where the first row begins in the file.
    start: u64,
    /// Bytes of a row there.
    width: u64,
    /// Type of the elements there.
    dtype: Dtype,
    /// The rows that the file holds, ascending; `None` where it holds all.
    rows: Option<Vec<u64>>,
    /// What makes values of codes; `None` where the elements are the values.
    dequantiser: Option<Dequantiser>,
    /// How codes that the file holds widened become what they were.
    narrowing: Option<Narrowing>,
}

impl RowReader {
    /// Finds the rows `wanted` of a tensor. One that is not there is [`AuditError::Vanished`](crate::error::AuditError::Vanished).
    pub fn open(cache: &Cache, model: &Model, tensor: &Tensor, wanted: &RowSet) -> Result<Self> {
        super::loaded::readable(model, tensor)?;
        let dequantiser = dequantiser(cache, model, tensor)?;
        let stored = Self::of_stored(cache, model, tensor, wanted)?;
        Ok(Self { narrowing: stored.narrowing.filter(|_| dequantiser.is_some()), dequantiser, ..stored })
    }

    /// As [`RowReader::open`], without scales.
    pub(super) fn of_stored(cache: &Cache, model: &Model, tensor: &Tensor, wanted: &RowSet) -> Result<Self> {
        let stored = &tensor.info.dtype;
        let vanished = || model.vanished(tensor);
        let width = row_width(tensor).ok_or_else(vanished)?;
        if let Some(file) = model.repository.local_file(&tensor.shard) {
            return Ok(Self {
                file: file.clone(),
                start: tensor.info.range.start,
                width,
                dtype: stored.clone(),
                rows: None,
                dequantiser: None,
                narrowing: None,
            });
        }
        let key = model.key(tensor).ok_or_else(vanished)?;
        let kept = cache.check_rows(&key)?;
        let kept = kept.filter(|(sidecar, _)| sidecar.rows.as_ref().is_some_and(|rows| rows.contains(wanted)));
        let (sidecar, path) = match kept {
            Some(kept) => kept,
            None => cache.check(&key)?.ok_or_else(vanished)?,
        };
        let dtype = sidecar.kept_dtype();
        Ok(Self {
            file: FolderFile::open(path)?,
            start: sidecar.data_start().ok_or_else(vanished)?,
            width: width / bytes_of(stored) * bytes_of(&dtype),
            dtype,
            rows: sidecar.rows.map(|rows| rows.iter().collect()),
            dequantiser: None,
            narrowing: Narrowing::of(stored),
        })
    }

    /// The five numbers of row `row` of this table and row `other_row` of `other`; `NotComparable` where one cannot be read.
    pub fn compare(&self, row: u64, other: &Self, other_row: u64) -> RowPair {
        match (self.floats(row), other.floats(other_row)) {
            (Err(reason), _) | (_, Err(reason)) => RowPair::undefined(&reason),
            (Ok(Floats::F32(a)), Ok(Floats::F32(b))) => RowPair::compute(&a, &b),
            (Ok(Floats::F64(a)), Ok(Floats::F64(b))) => RowPair::compute(&a, &b),
            (Ok(Floats::F32(a)), Ok(Floats::F64(b))) => RowPair::compute(&a, &b),
            (Ok(Floats::F64(a)), Ok(Floats::F32(b))) => RowPair::compute(&a, &b),
        }
    }

    /// A row's elements as f64.
    pub fn as_f64(&self, row: u64) -> Result<Vec<f64>, Undefined> {
        Ok(match self.floats(row)? {
            Floats::F32(values) => values.into_iter().map(f64::from).collect(),
            Floats::F64(values) => values,
        })
    }

    /// The bytes of rows that follow each other, as the file has them.
    pub(super) fn stored(&self, run: &Range<u64>) -> Result<Bytes, Undefined> {
        let place = match &self.rows {
            None => Some(run.start),
            Some(rows) => rows.binary_search(&run.start).ok().map(|place| place as u64),
        };
        let range = place.and_then(|place| {
            let start = place.checked_mul(self.width)?.checked_add(self.start)?;
            let length = run.end.checked_sub(run.start)?.checked_mul(self.width)?;
            Some(ByteRange::new(start, start.checked_add(length)?))
        });
        let range = range.ok_or_else(|| unread(run.start, &"it is not kept"))?;
        self.file.read_at(range).map_err(|error| unread(run.start, &error))
    }

    /// A row's elements as they are held.
    pub(crate) fn floats(&self, row: u64) -> Result<Floats, Undefined> {
        let stored = self.stored(&(row..row + 1))?;
        let Some(dequantiser) = &self.dequantiser else {
            return floats(decode(&self.dtype, &stored).map_err(|error| unread(row, &error))?);
        };
        let codes = match &self.narrowing {
            None => stored.to_vec(),
            Some(narrowing) => {
                let code = |&wide| narrowing.code(f32::from_le_bytes(wide)).to_le_bytes()[0];
                stored.as_chunks().0.iter().map(code).collect()
            }
        };
        let mut values = vec![0.0; codes.len()];
        dequantiser.fill(row * codes.len() as u64, &codes, &mut values).map_err(|error| unread(row, &error))?;
        Ok(Floats::F32(values))
    }
}

fn unread(row: u64, error: &dyn std::fmt::Display) -> Undefined {
    Undefined::NotComparable(format!("row {row} was not read: {error}"))
}

/// Bytes of an element of a type whose values are decoded.
fn bytes_of(dtype: &Dtype) -> u64 {
    (dtype.bits().unwrap_or(8) / 8).max(1)
}
