//! From packed codes of four bits to the values that they stand for, row by row.

use serde::Deserialize;

use super::{CheckpointError, Packing, packing::Codes};
use crate::{
    dtype::{Dtype, decode},
    values::Values,
};

/// What the codes of FP4 (E2M1) stand for.
const FP4: [f32; 16] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// What bitsandbytes keeps as JSON beside a weight.
#[derive(Debug, Deserialize)]
struct QuantState {
    quant_type: String,
    blocksize: u64,
    shape: Vec<u64>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f32>,
}

/// Makes values of the codes of one packed matrix.
#[derive(Debug, Clone)]
pub struct Unpacker {
    packing: Packing,
    /// What each code stands for before it is scaled.
    table: [f32; 16],
    scales: Vec<f32>,
    /// As stored: two in a byte.
    zeros: Vec<u8>,
    /// The group of each column; empty where groups are stretches of equal length.
    order: Vec<u64>,
    /// Elements that share a scale where groups are stretches.
    stretch: u64,
}

impl Unpacker {
    /// Of a packing, with type and bytes of each tensor that it names beside the codes. What does not fit, or has two readings, is
    /// [`CheckpointError::Scales`].
    pub fn new(packing: &Packing, beside: &[(Dtype, Vec<u8>)]) -> Result<Self, CheckpointError> {
        if beside.len() != packing.beside.len() {
            return Err(unclear("a tensor beside it is missing"));
        }
        let ([rows, columns], groups) = (packing.shape, packing.groups);
        let integers = std::array::from_fn(|code| f32::from(u8::try_from(code).unwrap_or_default()));
        let mut unpacker = Self {
            packing: packing.clone(),
            table: integers,
            scales: Vec::new(),
            zeros: Vec::new(),
            order: Vec::new(),
            stretch: columns.checked_div(groups).unwrap_or(0),
        };
        match packing.codes {
            Codes::Gptq { zeros_less_one } => {
                unpacker.order = order(&beside[2].1, groups)?;
                unpacker.zeros = zeros(&beside[1].1, zeros_less_one)?;
                unpacker.scales = floats(&beside[0])?;
            }
            Codes::Awq => {
                unpacker.zeros.clone_from(&beside[1].1);
                unpacker.scales = floats(&beside[0])?;
            }
            Codes::Mxfp4 => {
                unpacker.table = FP4;
                unpacker.scales = floats(&(Dtype::F8_E8M0, beside[0].1.clone()))?;
            }
            Codes::Nf4 { nested } => {
                let state: QuantState = serde_json::from_slice(&beside[2].1)
                    .map_err(|error| unclear(format!("its `quant_state` is not understood: {error}")))?;
                if state.quant_type != "nf4" || state.shape != packing.shape || state.blocksize == 0 {
                    let QuantState { quant_type, blocksize, shape, .. } = &state;
                    let told = format!("{} of shape {shape:?} in blocks of {blocksize}", quant_type.escape_debug());
                    return Err(unclear(format!("its `quant_state` tells {told}, its bytes {:?}", packing.shape)));
                }
                unpacker.stretch = state.blocksize;
                unpacker.table = floats(&beside[1])?.try_into().map_err(|_| unclear("its table is not one of 16"))?;
                unpacker.scales = if nested { nested_scales(beside, &state)? } else { floats(&beside[0])? };
            }
        }
        let expected = match packing.codes {
            Codes::Nf4 { .. } => (rows * columns).div_ceil(unpacker.stretch),
            _ => rows * groups,
        };
        if unpacker.scales.len() as u64 != expected {
            return Err(unclear(format!("{expected} scales are needed, {} are there", unpacker.scales.len())));
        }
        let (zeros, order) = (unpacker.zeros.len() as u64, unpacker.order.len() as u64);
        if packing.is_by_columns() && zeros != rows * groups / 2 || order != 0 && order != columns {
            return Err(unclear("its zero points, or the order of its columns, do not fit it"));
        }
        Ok(unpacker)
    }

    /// The values of a row at these columns; `stored` tells a byte of the codes by its place. `None` where one is not there. A value is
    /// one product, rounded once to f32.
    pub fn row(&self, row: u64, columns: &[u64], stored: impl Fn(u64) -> Option<u8>) -> Option<Vec<f32>> {
        let [rows, width] = self.packing.shape;
        let value = |&column: &u64| {
            let place = self.packing.place(row, column);
            let code = nibble(stored(place / 2)?, place);
            let group = match self.order.get(usize::try_from(column).ok()?) {
                Some(group) => *group,
                None => column / self.stretch,
            };
            let scale = match self.packing.codes {
                Codes::Gptq { .. } | Codes::Awq => group * rows + row,
                Codes::Mxfp4 => row * self.packing.groups + group,
                Codes::Nf4 { .. } => (row * width + column) / self.stretch,
            };
            let scale = self.scales.get(usize::try_from(scale).ok()?)?;
            Some((self.table[code] - self.zero(row, group)?) * scale)
        };
        columns.iter().map(value).collect()
    }

    fn zero(&self, row: u64, group: u64) -> Option<f32> {
        let Some(place) = self.packing.zero_place(row, group) else { return Some(0.0) };
        let stored = self.table[nibble(*self.zeros.get(usize::try_from(place / 2).ok()?)?, place)];
        Some(if self.packing.codes == (Codes::Gptq { zeros_less_one: true }) { stored + 1.0 } else { stored })
    }
}

/// The code of an odd place stands in the high bits.
fn nibble(byte: u8, place: u64) -> usize {
    usize::from(if place.is_multiple_of(2) { byte & 15 } else { byte >> 4 })
}

fn floats((dtype, bytes): &(Dtype, Vec<u8>)) -> Result<Vec<f32>, CheckpointError> {
    match decode(dtype, bytes)? {
        Values::F32(values) => Ok(values),
        _ => Err(unclear(format!("scales are of type {dtype}"))),
    }
}

/// Zero points as stored. One that was 0 is stored as -1 by the layout that takes one off, which overflows into its neighbours; readers
/// take the 15 that is left for 0 or for 16.
fn zeros(bytes: &[u8], less_one: bool) -> Result<Vec<u8>, CheckpointError> {
    if less_one && bytes.iter().any(|byte| byte & 15 == 15 || byte >> 4 == 15) {
        return Err(unclear("a zero point of 15 in the first layout of GPTQ is read as 0 by some and as 16 by others"));
    }
    Ok(bytes.to_vec())
}

/// The group of each column.
fn order(bytes: &[u8], groups: u64) -> Result<Vec<u64>, CheckpointError> {
    let group = |&word: &[u8; 4]| u64::try_from(i32::from_le_bytes(word)).ok().filter(|group| *group < groups);
    let order: Option<Vec<u64>> = bytes.as_chunks::<4>().0.iter().map(group).collect();
    order.ok_or_else(|| unclear(format!("`g_idx` names a group that is none of its {groups}")))
}

/// Scales that are indices into a table of their own, scaled themselves and moved: each step is rounded to f32, as bitsandbytes does.
fn nested_scales(beside: &[(Dtype, Vec<u8>)], state: &QuantState) -> Result<Vec<f32>, CheckpointError> {
    let (Some(length), Some(offset)) = (state.nested_blocksize.filter(|length| *length > 0), state.nested_offset)
    else {
        return Err(unclear("its `quant_state` does not say how its scales are quantised"));
    };
    let (codes, factors, table) = (&beside[0].1, floats(&beside[3])?, floats(&beside[4])?);
    let scale = |(at, code): (usize, &u8)| Some(table.get(usize::from(*code))? * factors.get(at / length)? + offset);
    let scales: Option<Vec<f32>> = codes.iter().enumerate().map(scale).collect();
    scales.ok_or_else(|| unclear("the scales of its scales do not fit them"))
}

fn unclear(reason: impl Into<String>) -> CheckpointError {
    CheckpointError::Scales { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        checkpoint::{Quantisation, TensorInfo},
        family::ModelConfig,
        range::ByteRange,
    };

    struct Case {
        name: String,
        packing: Packing,
        beside: Vec<(Dtype, Vec<u8>)>,
        codes: Vec<u8>,
        values: Vec<u32>,
    }

    fn bytes(hex: &Value) -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn cases() -> Vec<Case> {
        let goldens: Value = serde_json::from_str(include_str!("../../fixtures/packed/goldens.json")).unwrap();
        let case = |case: &Value| {
            let stored = case["tensors"].as_object().unwrap();
            let name = |end: &str| format!("model.layers.0.mlp.up_proj.{end}");
            let info = |(end, tensor): (&String, &Value)| TensorInfo {
                name: name(end),
                dtype: Dtype::from(tensor["dtype"].as_str().unwrap()),
                shape: serde_json::from_value(tensor["shape"].clone()).unwrap(),
                range: ByteRange::new(0, 0),
            };
            let tensors: Vec<TensorInfo> = stored.iter().map(info).collect();
            let config = ModelConfig::parse(case["config"].to_string().as_bytes()).unwrap();
            let quantisation = Quantisation::of(&tensors, &config);
            let packed = tensors.iter().find(|tensor| quantisation.packing(&tensor.name).is_some()).unwrap();
            let packing = quantisation.packing(&packed.name).unwrap().unwrap().clone();
            let of = |full: &String| {
                let (end, tensor) = stored.iter().find(|(end, _)| name(end) == *full).unwrap();
                (Dtype::from(tensor["dtype"].as_str().unwrap()), bytes(&stored[end]["bytes"]))
            };
            let beside = packing.beside.iter().map(of).collect();
            let values = serde_json::from_value(case["values"].clone()).unwrap();
            Case { name: case["name"].to_string(), codes: of(&packed.name).1, packing, beside, values }
        };
        goldens["cases"].as_array().unwrap().iter().map(case).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn values_are_numpys_bit_for_bit_at_all_columns_and_at_some() {
        let cases = cases();
        assert_eq!(cases.len(), 9);
        for Case { name, packing, beside, codes, values } in &cases {
            let unpacker = Unpacker::new(packing, beside).unwrap();
            let [rows, width] = packing.shape;
            let all: Vec<u64> = (0..width).collect();
            let stored = |at: u64| codes.get(usize::try_from(at).unwrap()).copied();
            for (row, expected) in (0..rows).zip(values.chunks(usize::try_from(width).unwrap())) {
                assert_eq!(bits(&unpacker.row(row, &all, stored).unwrap()), expected, "{name}, row {row}");
                let some = unpacker.row(row, &[3, 40, 41], stored).unwrap();
                assert_eq!(bits(&some), [expected[3], expected[40], expected[41]], "{name}, row {row}");
            }
            assert_eq!(unpacker.row(0, &[0], |_| None), None);
        }
    }

    #[test]
    fn what_stands_beside_codes_is_checked() {
        for mut case in cases() {
            let refused = |beside: &[(Dtype, Vec<u8>)]| Unpacker::new(&case.packing, beside).unwrap_err().to_string();
            assert!(refused(&case.beside[1..]).contains("missing"), "{}", case.name);
            let mut short = case.beside.clone();
            short[0].1.truncate(8);
            assert!(Unpacker::new(&case.packing, &short).is_err(), "{}", case.name);
            match case.packing.codes {
                Codes::Gptq { zeros_less_one } => {
                    let mut zeros = case.beside.clone();
                    zeros[1].1[0] = 0xF1;
                    assert_eq!(Unpacker::new(&case.packing, &zeros).is_err(), zeros_less_one);
                    case.beside[2].1[0] = 9;
                    assert!(Unpacker::new(&case.packing, &case.beside).unwrap_err().to_string().contains("g_idx"));
                }
                Codes::Nf4 { .. } => {
                    case.packing.shape = [case.packing.shape[1], case.packing.shape[0]];
                    let error = Unpacker::new(&case.packing, &case.beside).unwrap_err().to_string();
                    assert!(error.contains("nf4 of shape"), "{error}");
                }
                Codes::Awq | Codes::Mxfp4 => {}
            }
        }
    }
}
