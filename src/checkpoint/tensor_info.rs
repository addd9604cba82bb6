//! One tensor as its shard's header describes it, read and checked.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{HeaderError, json};
use crate::{dtype::Dtype, escaped::Escaped, range::ByteRange, values::elements};

/// Most axes that a tensor may have: NumPy's limit, and far more than any model needs.
const MAX_AXES: usize = 64;

/// One tensor, as its shard's header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name. Any string: show it through [`Escaped`](crate::escaped::Escaped), and never use it as a path.
    pub name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape; empty for a scalar.
    pub shape: Vec<u64>,
    /// Its bytes, absolute in the file. Empty for a tensor with no elements.
    pub range: ByteRange,
}

impl TensorInfo {
    /// Number of elements: the product of the shape, 1 for a scalar.
    pub fn numel(&self) -> u64 {
        elements(&self.shape).unwrap_or(u64::MAX)
    }

    /// Tensors without bytes.
    #[cfg(test)]
    pub(super) fn listed(list: &[(&str, Dtype, &[u64])]) -> Vec<Self> {
        let info = |(name, dtype, shape): &(&str, Dtype, &[u64])| Self {
            name: (*name).to_owned(),
            dtype: dtype.clone(),
            shape: shape.to_vec(),
            range: ByteRange::new(0, 0),
        };
        list.iter().map(info).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Entry<'a> {
    #[serde(borrow)]
    dtype: &'a RawValue,
    #[serde(borrow)]
    shape: &'a RawValue,
    #[serde(borrow)]
    data_offsets: &'a RawValue,
}

pub(super) fn tensor(name: String, json: &RawValue) -> Result<TensorInfo, HeaderError> {
    let entry: Entry<'_> = json::object(json.get().as_bytes()).map_err(|error| {
        let wrong = format!("is described wrongly: {}", Escaped(&without_place(&error)));
        HeaderError::tensor(&name, wrong)
    })?;
    let dtype: String = field(&name, "dtype", "a string", entry.dtype)?;
    // Before a vector is made of it: twelve million axes fit in 25 MB.
    if entry.shape.get().starts_with('[') && entry.shape.get().matches(',').count() >= MAX_AXES {
        return Err(HeaderError::tensor(&name, format!("has more than {MAX_AXES} axes")));
    }
    let shape = field(&name, "shape", "an array of whole numbers", entry.shape)?;
    let [begin, end] = field(&name, "data_offsets", "two whole numbers", entry.data_offsets)?;
    if end < begin {
        return Err(HeaderError::tensor(&name, format!("begins at byte {begin} and ends at {end}")));
    }
    Ok(TensorInfo { name, dtype: Dtype::from(dtype), shape, range: ByteRange::new(begin, end) })
}

fn field<'a, T: Deserialize<'a>>(
    tensor: &str,
    field: &str,
    expected: &str,
    json: &'a RawValue,
) -> Result<T, HeaderError> {
    let wrong = |_| {
        let (tensor, found) = (Escaped(tensor), Escaped(json.get()));
        HeaderError::claim(format!("`{field}` of tensor `{tensor}` is `{found}` instead of {expected}"))
    };
    serde_json::from_str(json.get()).map_err(wrong)
}

/// An error without the place, which is counted from the start of an entry.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}

/// Checks one tensor, which should begin at `expected`, against its neighbour and itself, and gives its end.
pub(super) fn check(info: &TensorInfo, expected: u64) -> Result<u64, HeaderError> {
    let wrong = |wrong: String| HeaderError::tensor(&info.name, wrong);
    let TensorInfo { dtype, shape, range: ByteRange { start: begin, end }, .. } = info;
    if *begin > expected {
        return Err(wrong(format!("begins at byte {begin}, leaving a hole from {expected}")));
    }
    if *begin < expected {
        return Err(wrong(format!("begins at byte {begin}, inside the one that ends at {expected}")));
    }
    let overflow = || wrong(format!("of shape {shape:?} has more elements than can be counted"));
    let elements = elements(shape).ok_or_else(overflow)?;
    let Some(bits) = dtype.bits() else {
        return Ok(*end);
    };
    let bits = elements.checked_mul(bits).ok_or_else(overflow)?;
    if !bits.is_multiple_of(8) {
        return Err(wrong(format!("of {elements} {dtype} elements does not fill whole bytes")));
    }
    let (needs, has) = (bits / 8, end - begin);
    if needs != has {
        return Err(wrong(format!("of {dtype} {shape:?} needs {needs} bytes and has {has}")));
    }
    Ok(*end)
}
