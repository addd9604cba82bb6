//! What is known of a kept tensor besides its values.

use serde::{Deserialize, Serialize};

use super::key::TensorKey;
use crate::{
    dtype::{Dtype, decode},
    range::ByteRange,
    rows::RowSet,
    values::{Values, elements},
};

/// Where a tensor came from and what it was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorMeta {
    /// Its element type as stored; the `.npy` holds it widened.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// The shard that holds it: a path in the repository.
    pub shard: String,
    /// Its bytes, absolute in the shard.
    pub range: ByteRange,
    /// SHA-256 of the stored bytes; empty where only some rows are kept, since the whole was never seen.
    pub sha256: String,
    /// Who gave the bytes: an endpoint, or the name of another cache.
    pub source: String,
}

/// The file beside an entry's `.npy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// What it is of.
    #[serde(flatten)]
    pub key: TensorKey,
    /// Where it came from.
    #[serde(flatten)]
    pub meta: TensorMeta,
    /// The rows that the `.npy` holds, as `[first, one past the last]` of each run; `None` where it holds the whole tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowSet>,
    /// SHA-256 of the whole `.npy` file.
    pub npy_sha256: String,
    /// Length of the `.npy` file in bytes.
    pub npy_bytes: u64,
}

impl Sidecar {
    /// Whether this is the sidecar of `key`, whole or of rows of it, and not of one whose file name is the same on this file system.
    pub(super) fn is_of(&self, key: &TensorKey, of_rows: bool) -> bool {
        self.key == *key && self.rows.is_some() == of_rows
    }

    /// The shape of the `.npy`: the tensor's, but for the number of rows where only some are kept.
    pub fn kept_shape(&self) -> Vec<u64> {
        let mut shape = self.meta.shape.clone();
        if let (Some(rows), Some(first)) = (&self.rows, shape.first_mut()) {
            *first = rows.len();
        }
        shape
    }

    /// The type in which the `.npy` holds the elements: narrow floats are widened.
    pub(crate) fn kept_dtype(&self) -> Dtype {
        match decode(&self.meta.dtype, &[]) {
            Ok(Values::F32(_)) => Dtype::F32,
            _ => self.meta.dtype.clone(),
        }
    }

    /// Where the elements begin in the `.npy`, which ends with them.
    pub(crate) fn data_start(&self) -> Option<u64> {
        let bytes = elements(&self.kept_shape())?.checked_mul(self.kept_dtype().bits()? / 8)?;
        self.npy_bytes.checked_sub(bytes)
    }

    /// The tensor as it is listed: its name, and how many rows where only some are kept.
    pub(super) fn listed_name(&self) -> String {
        match &self.rows {
            None => self.key.tensor.clone(),
            Some(rows) => format!("{} [{} rows]", self.key.tensor, rows.len()),
        }
    }
}
