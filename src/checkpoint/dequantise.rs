//! From stored bytes and scales to the values that a quantised weight stands for.
//!
//! A value is its stored number, less the zero point where there is one, times the scale of its block, rounded once to f32.
//! Any run of elements can be made alone, so that a tensor streams past and only its scales, a small share of it, are kept.

use super::{CheckpointError, ScaleGrid};
use crate::{
    dtype::{Dtype, decode},
    values::Values,
};

/// Makes values of one scaled weight.
#[derive(Debug, Clone)]
pub struct Dequantiser {
    /// What each stored byte is, exactly.
    table: Box<[f32; 256]>,
    /// How its scales lie.
    pub grid: ScaleGrid,
    scales: Vec<f32>,
    zero_points: Option<Vec<f32>>,
}

impl Dequantiser {
    /// Of a weight of this type, whose scales lie as `grid` says. `scale` is a type and its stored bytes, one element for each
    /// of the scales, and so is `zero_point` where there is one.
    ///
    /// Weights are F8 or I8, scales F32, BF16, F16 or F8, zero points I8 on an I8 weight; anything else is
    /// [`CheckpointError::Scales`]. Scales in F64 are refused, because their products would be rounded twice.
    pub fn new(
        dtype: &Dtype,
        grid: ScaleGrid,
        scale: (&Dtype, &[u8]),
        zero_point: Option<(&Dtype, &[u8])>,
        divisor: u8,
    ) -> Result<Self, CheckpointError> {
        let table =
            table(dtype).ok_or_else(|| scales(format!("{dtype} weights have no scales that are known here")))?;
        let expected = grid.scales();
        let checked = |what: &str, values: Vec<f32>| {
            if values.len() as u64 == expected {
                Ok(values)
            } else {
                Err(scales(format!("{expected} {what} are needed, {} are there", values.len())))
            }
        };
        let Values::F32(mut factors) = decode(scale.0, scale.1)? else {
            return Err(scales(format!("scales are of type {}", scale.0)));
        };
        if divisor != 1 {
            for factor in &mut factors {
                *factor /= f32::from(divisor);
            }
        }
        let zero_points = match zero_point {
            None => None,
            Some((&Dtype::I8, bytes)) if *dtype == Dtype::I8 => {
                let signed = bytes.iter().map(|&byte| f32::from(byte.cast_signed())).collect();
                Some(checked("zero points", signed)?)
            }
            Some((other, _)) => {
                return Err(scales(format!("zero points of type {other} on a weight of type {dtype}")));
            }
        };
        Ok(Self { table: Box::new(table), scales: checked("scales", factors)?, grid, zero_points })
    }

    /// Fills `into` with the values of the elements from `first` on, row-major, whose stored bytes these are: one byte an
    /// element. A run may begin and end anywhere; one that reaches past the tensor is an error.
    pub fn fill(&self, first: u64, stored: &[u8], into: &mut [f32]) -> Result<(), CheckpointError> {
        let end = first.saturating_add(stored.len() as u64);
        if stored.len() != into.len() || end > self.grid.numel() {
            return Err(scales(format!(
                "elements {first}..{end} were given for {} of a tensor of {}",
                into.len(),
                self.grid.numel()
            )));
        }
        let columns = self.grid.columns().max(1);
        let (mut stored, mut into, mut at) = (stored, into, first);
        while !stored.is_empty() {
            let (row, column) = (at / columns, at % columns);
            let length = usize::try_from(columns - column).map_or(stored.len(), |rest| rest.min(stored.len()));
            let (here, later) = stored.split_at(length);
            let (target, rest) = into.split_at_mut(length);
            self.fill_row(row, column, here, target);
            (stored, into, at) = (later, rest, at + length as u64);
        }
        Ok(())
    }

    /// Part of one row, from `column` on: runs that share a scale.
    fn fill_row(&self, row: u64, column: u64, stored: &[u8], into: &mut [f32]) {
        let shared = self.grid.columns_a_block();
        let base = self.grid.first_scale(row);
        let (mut stored, mut into, mut column) = (stored, into, column);
        while !stored.is_empty() {
            let rest_of_block = shared - column % shared;
            let length = usize::try_from(rest_of_block).map_or(stored.len(), |rest| rest.min(stored.len()));
            let at = usize::try_from(base + column / shared).unwrap_or(usize::MAX);
            let scale = self.scales.get(at).copied().unwrap_or(f32::NAN);
            let zero = self.zero_points.as_ref().and_then(|zeros| zeros.get(at)).copied();
            let (here, later) = stored.split_at(length);
            let (target, rest) = into.split_at_mut(length);
            let exact = |byte: u8| self.table[usize::from(byte)];
            // Both factors are f32: their product in f32 is the exact one, rounded once. Differences of bytes are exact.
            match zero {
                None => here.iter().zip(target).for_each(|(&byte, value)| *value = exact(byte) * scale),
                Some(zero) => {
                    here.iter().zip(target).for_each(|(&byte, value)| *value = (exact(byte) - zero) * scale);
                }
            }
            (stored, into, column) = (later, rest, column + length as u64);
        }
    }
}

/// What each byte of a one-byte type is. `None` for types that are never scaled here.
fn table(dtype: &Dtype) -> Option<[f32; 256]> {
    let every: [u8; 256] = std::array::from_fn(|byte| byte.to_le_bytes()[0]);
    match *dtype {
        Dtype::I8 => Some(every.map(|byte| f32::from(byte.cast_signed()))),
        Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F8_E4M3FNUZ | Dtype::F8_E5M2FNUZ => {
            decode(dtype, &every).ok()?.as_f32()?.try_into().ok()
        }
        _ => None,
    }
}

fn scales(reason: String) -> CheckpointError {
    CheckpointError::Scales { reason }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn goldens() -> Vec<Value> {
        let text = include_str!("../../fixtures/quantised_goldens.json");
        let goldens: Value = serde_json::from_str(text).unwrap();
        goldens["cases"].as_array().unwrap().clone()
    }

    fn bytes(hex: &Value) -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn extents(shape: &Value) -> Vec<u64> {
        shape.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect()
    }

    fn dtype(case: &Value, key: &str) -> Dtype {
        Dtype::from(case[key].as_str().unwrap())
    }

    fn dequantiser(case: &Value) -> Dequantiser {
        let block = case["block"].as_array().map(|_| extents(&case["block"]).try_into().unwrap());
        let grid = ScaleGrid::new(&extents(&case["shape"]), &extents(&case["scale_shape"]), block).unwrap();
        let zero_points = case["zero_point"].as_str().map(|_| bytes(&case["zero_point"]));
        let zero_points = zero_points.as_ref().map(|bytes| (&Dtype::I8, bytes.as_slice()));
        let scale = (&dtype(case, "scale_dtype"), &*bytes(&case["scale"]));
        Dequantiser::new(&dtype(case, "dtype"), grid, scale, zero_points, 1).unwrap()
    }

    /// Bits, with one NaN for all.
    fn bits(values: &[f32]) -> Vec<Option<u32>> {
        values.iter().map(|value| (!value.is_nan()).then(|| value.to_bits())).collect()
    }

    #[test]
    fn values_are_numpys_bit_for_bit_whole_and_in_runs() {
        for case in goldens() {
            let expected: Vec<Option<u32>> = case["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| value.as_u64().map(|bits| u32::try_from(bits).unwrap()))
                .collect();
            let (dequantiser, stored) = (dequantiser(&case), bytes(&case["stored"]));
            let name = &case["name"];
            let columns = usize::try_from(dequantiser.grid.columns()).unwrap();
            for length in [stored.len(), columns, 1, 3, 64] {
                let mut values = vec![0.0; stored.len()];
                for (run, (stored, into)) in stored.chunks(length).zip(values.chunks_mut(length)).enumerate() {
                    dequantiser.fill((run * length) as u64, stored, into).unwrap();
                }
                assert_eq!(bits(&values), expected, "{name} in runs of {length}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let grid = ScaleGrid::new(&[2, 2], &[2, 1], None).unwrap();
        let of = |dtype: &Dtype, scale: (&Dtype, &[u8]), zero_point| {
            Dequantiser::new(dtype, grid.clone(), scale, zero_point, 1)
        };
        let two = (&Dtype::F32, &[0; 8][..]);
        assert!(of(&Dtype::I8, (&Dtype::F32, &[0; 4]), None).is_err());
        assert!(of(&Dtype::I8, (&Dtype::F64, &[0; 16]), None).is_err());
        assert!(of(&Dtype::U8, two, None).is_err());
        assert!(of(&Dtype::I8, two, Some((&Dtype::I8, &[0; 3]))).is_err());
        assert!(of(&Dtype::F8_E4M3, two, Some((&Dtype::I8, &[0; 2]))).is_err());
        let sound = of(&Dtype::I8, two, Some((&Dtype::I8, &[0; 2]))).unwrap();
        assert!(sound.fill(2, &[0; 3], &mut [0.0; 3]).is_err());
        assert!(sound.fill(0, &[0; 2], &mut [0.0]).is_err());
        assert!(sound.fill(4, &[], &mut []).is_ok());
    }
}
