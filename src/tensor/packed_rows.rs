//! Rows of a packed weight, made of codes that are in memory: a row of one that is stored by columns lies in all stored rows.

use bytes::Bytes;

use super::{RowReader, elements::companions};
use crate::{
    cache::Cache,
    checkpoint::{Packing, Unpacker},
    error::Result,
    fetch::row_width,
    model::{Model, Tensor},
    rows::RowSet,
};

/// Some rows of a packed weight, at some columns.
#[derive(Debug)]
pub(crate) struct PackedRows {
    unpacker: Unpacker,
    columns: Vec<u64>,
    /// Stored bytes with the place of the first, ascending.
    stored: Vec<(u64, Bytes)>,
}

impl PackedRows {
    /// Reads the stored rows `wanted`, which have been fetched with what stands beside them, or lie in a folder.
    pub(crate) fn open(
        cache: &Cache,
        model: &Model,
        (tensor, packing): (&Tensor, &Packing),
        columns: Vec<u64>,
        wanted: &RowSet,
    ) -> Result<Self> {
        let reader = RowReader::of_stored(cache, model, tensor, wanted)?;
        let beside = companions(cache, model, tensor)?;
        let vanished = || model.vanished(tensor);
        let width = row_width(tensor).ok_or_else(vanished)?;
        let run = |run: &std::ops::Range<u64>| Some((run.start * width, reader.stored(run).ok()?));
        let stored: Option<Vec<(u64, Bytes)>> = wanted.runs().iter().map(run).collect();
        let stored = stored.ok_or_else(vanished)?;
        Ok(Self { unpacker: Unpacker::new(packing, &beside)?, columns, stored })
    }

    /// The values of a row; `None` where its codes were not read.
    pub(crate) fn values(&self, row: u64) -> Option<Vec<f32>> {
        self.unpacker.row(row, &self.columns, |at| {
            let run = self.stored.partition_point(|(first, _)| *first <= at).checked_sub(1)?;
            let (first, bytes) = &self.stored[run];
            bytes.get(usize::try_from(at - first).ok()?).copied()
        })
    }
}
