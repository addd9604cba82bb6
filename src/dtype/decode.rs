//! From stored bytes to numbers, exactly.
//!
//! Every float type of up to 16 bits widens to `f32` without rounding, and every bit of a NaN's payload is kept where the
//! wider type has room: two tensors with the same bytes have the same values, and the other way round within a type.
//! Types that would need a rule from outside the file (packed sub-byte formats, block scales, complex numbers) are
//! refused with the reason.

use super::{Dtype, minifloat};
use crate::values::Values;

/// Bytes that are no values of their type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum DecodeError {
    /// Elements of a type that has no exact value in memory here.
    #[error("{dtype} elements are not decoded: {reason}")]
    Undecodable { dtype: Dtype, reason: &'static str },
    /// A byte count that is not a whole number of elements.
    #[error("{len} bytes are no whole number of {dtype} elements")]
    PartialElement { dtype: Dtype, len: usize },
    /// A boolean that is neither 0 nor 1.
    #[error("element {index} of a BOOL tensor is byte 0x{found:02x}, neither 0 nor 1")]
    NotBoolean { index: usize, found: u8 },
}

impl DecodeError {
    /// The same error of elements that so many others come before.
    #[must_use]
    pub(crate) fn behind(self, elements: u64) -> Self {
        match self {
            Self::NotBoolean { index, found } => {
                Self::NotBoolean { index: index.saturating_add(usize::try_from(elements).unwrap_or(usize::MAX)), found }
            }
            other => other,
        }
    }
}

/// Decodes the little-endian elements of one tensor.
///
/// BF16, F16 and all F8 types give [`Values::F32`]; F32, F64, integers and booleans stay what they are. A length that is
/// no whole number of elements, a boolean other than 0 and 1, and types without exact values are errors.
pub fn decode(dtype: &Dtype, bytes: &[u8]) -> Result<Values, DecodeError> {
    let undecodable = |reason| DecodeError::Undecodable { dtype: dtype.clone(), reason };
    let table = |widen: fn(u8) -> f32| {
        let table: [f32; 256] = std::array::from_fn(|byte| widen(byte.to_le_bytes()[0]));
        Values::F32(bytes.iter().map(|&byte| table[usize::from(byte)]).collect())
    };
    Ok(match *dtype {
        Dtype::BF16 => Values::F32(elements(dtype, bytes, |raw| minifloat::bf16(u16::from_le_bytes(raw)))?),
        Dtype::F16 => Values::F32(elements(dtype, bytes, |raw| minifloat::f16(u16::from_le_bytes(raw)))?),
        Dtype::F32 => Values::F32(elements(dtype, bytes, f32::from_le_bytes)?),
        Dtype::F64 => Values::F64(elements(dtype, bytes, f64::from_le_bytes)?),
        Dtype::F8_E4M3 => table(minifloat::f8_e4m3),
        Dtype::F8_E5M2 => table(minifloat::f8_e5m2),
        Dtype::F8_E4M3FNUZ => table(minifloat::f8_e4m3fnuz),
        Dtype::F8_E5M2FNUZ => table(minifloat::f8_e5m2fnuz),
        Dtype::F8_E8M0 => table(minifloat::f8_e8m0),
        Dtype::I8 => Values::I8(elements(dtype, bytes, i8::from_le_bytes)?),
        Dtype::I16 => Values::I16(elements(dtype, bytes, i16::from_le_bytes)?),
        Dtype::I32 => Values::I32(elements(dtype, bytes, i32::from_le_bytes)?),
        Dtype::I64 => Values::I64(elements(dtype, bytes, i64::from_le_bytes)?),
        Dtype::U8 => Values::U8(bytes.to_vec()),
        Dtype::U16 => Values::U16(elements(dtype, bytes, u16::from_le_bytes)?),
        Dtype::U32 => Values::U32(elements(dtype, bytes, u32::from_le_bytes)?),
        Dtype::U64 => Values::U64(elements(dtype, bytes, u64::from_le_bytes)?),
        Dtype::BOOL => Values::Bool(booleans(bytes)?),
        Dtype::F4 | Dtype::F6_E2M3 | Dtype::F6_E3M2 => {
            return Err(undecodable("its elements share bytes, and their values hang on a scale elsewhere"));
        }
        Dtype::C64 => return Err(undecodable("complex numbers have no place in a real comparison")),
        // A type of a later safetensors is as unknown as one that none defines.
        Dtype::Known(_) | Dtype::Other(_) => return Err(undecodable("the format does not define this type")),
    })
}

fn elements<const N: usize, T>(
    dtype: &Dtype,
    bytes: &[u8],
    read: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, DecodeError> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() {
        Ok(chunks.iter().map(|&raw| read(raw)).collect())
    } else {
        Err(DecodeError::PartialElement { dtype: dtype.clone(), len: bytes.len() })
    }
}

fn booleans(bytes: &[u8]) -> Result<Vec<bool>, DecodeError> {
    let boolean = |(index, &found)| match found {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(DecodeError::NotBoolean { index, found }),
    };
    bytes.iter().enumerate().map(boolean).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floats(dtype: &Dtype, bytes: &[u8]) -> Vec<f32> {
        let Values::F32(values) = decode(dtype, bytes).unwrap() else {
            panic!("{dtype} widens to f32");
        };
        values
    }

    fn every_u16() -> Vec<u8> {
        (0..=u16::MAX).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_bf16_decodes_exactly() {
        for (bits, value) in (0..=u16::MAX).zip(floats(&Dtype::BF16, &every_u16())) {
            assert_eq!(value.to_bits(), u32::from(bits) << 16);
            let reference = half::bf16::from_bits(bits).to_f32();
            assert!(value.to_bits() == reference.to_bits() || (value.is_nan() && reference.is_nan()));
        }
    }

    #[test]
    fn every_f16_decodes_exactly_and_keeps_its_payload() {
        for (bits, value) in (0..=u16::MAX).zip(floats(&Dtype::F16, &every_u16())) {
            let reference = half::f16::from_bits(bits);
            assert_eq!(value.is_nan(), reference.is_nan());
            if value.is_nan() {
                let [sign, payload] = [u32::from(bits >> 15), u32::from(bits & 0x3ff)];
                assert_eq!(value.to_bits(), sign << 31 | 0xff << 23 | payload << 13);
            } else {
                assert_eq!(value.to_bits(), reference.to_f32().to_bits(), "{bits:#06x}");
            }
        }
    }

    #[test]
    fn the_golden_values_hold() {
        assert_eq!(floats(&Dtype::BF16, &[0x01, 0x00]), [f32::from_bits(0x0001_0000)]);
        assert_eq!(format!("{:.4e}", floats(&Dtype::BF16, &[0x01, 0x00])[0]), "9.1835e-41");
        assert_eq!(floats(&Dtype::BF16, &[0x80, 0x7f]), [f32::INFINITY]);
        assert_eq!(format!("{:.4e}", floats(&Dtype::F16, &[0x01, 0x00])[0]), "5.9605e-8");
    }

    #[test]
    fn the_rest_stays_what_it_is() {
        let bytes: Vec<u8> = (0..16).collect();
        let table = [
            (
                Dtype::F32,
                Values::F32(vec![
                    f32::from_bits(0x0302_0100),
                    f32::from_bits(0x0706_0504),
                    f32::from_bits(0x0b0a_0908),
                    f32::from_bits(0x0f0e_0d0c),
                ]),
            ),
            (
                Dtype::F64,
                Values::F64(vec![f64::from_bits(0x0706_0504_0302_0100), f64::from_bits(0x0f0e_0d0c_0b0a_0908)]),
            ),
            (Dtype::I64, Values::I64(vec![0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908])),
            (Dtype::U64, Values::U64(vec![0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908])),
            (Dtype::I32, Values::I32(vec![0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c])),
            (Dtype::U32, Values::U32(vec![0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c])),
            (Dtype::U8, Values::U8(bytes.clone())),
            (Dtype::I8, Values::I8((0..16).collect())),
        ];
        for (dtype, expected) in table {
            assert_eq!(decode(&dtype, &bytes).unwrap(), expected);
        }
        assert_eq!(decode(&Dtype::I8, &[0xff]).unwrap(), Values::I8(vec![-1]));
        assert_eq!(decode(&Dtype::I16, &[0xfe, 0xff]).unwrap(), Values::I16(vec![-2]));
        assert_eq!(decode(&Dtype::U16, &[0xfe, 0xff]).unwrap(), Values::U16(vec![0xfffe]));
        assert_eq!(decode(&Dtype::BOOL, &[0, 1]).unwrap(), Values::Bool(vec![false, true]));
        assert!(decode(&Dtype::F64, &[]).unwrap().is_empty());
    }

    #[test]
    fn what_has_no_exact_value_is_refused() {
        assert!(matches!(decode(&Dtype::BOOL, &[0, 2]), Err(DecodeError::NotBoolean { index: 1, found: 2 })));
        for dtype in [Dtype::BF16, Dtype::F32, Dtype::I64] {
            assert!(matches!(decode(&dtype, &[0; 9]), Err(DecodeError::PartialElement { len: 9, .. })));
        }
        for dtype in [Dtype::F4, Dtype::F6_E2M3, Dtype::F6_E3M2, Dtype::C64, Dtype::Other("F2".into())] {
            assert!(matches!(decode(&dtype, &[0; 16]), Err(DecodeError::Undecodable { .. })));
        }
    }

    /// Written and widened by NumPy, `ml_dtypes` and the Python package: see `fixtures/headers/make.py`.
    #[test]
    fn a_file_of_every_type_reads_as_in_numpy() {
        let file = include_bytes!("../../fixtures/headers/dtypes.safetensors");
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/headers/dtypes.json")).unwrap();
        let header = crate::checkpoint::Header::parse(file, file.len() as u64).unwrap();
        assert_eq!(header.tensors.len(), 18);
        assert_eq!(header.metadata["format"], "np");
        for tensor in &header.tensors {
            let expected = &golden[&tensor.name];
            let [start, end] = [tensor.range.start, tensor.range.end].map(|at| usize::try_from(at).unwrap());
            let values = decode(&tensor.dtype, &file[start..end]).unwrap();
            assert_eq!(serde_json::json!(tensor.shape), expected["shape"], "{}", tensor.name);
            let found: Vec<String> = if expected["f32"].is_array() {
                let widened = values.as_f32().unwrap();
                let word = |v: &f32| {
                    if v.is_nan() { "nan".to_owned() } else { format!("{:08x}", v.to_bits()) }
                };
                widened.iter().map(word).collect()
            } else {
                python(&values)
            };
            let expected = expected["f32"].as_array().or(expected["values"].as_array()).unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(Some(found.as_str()), expected.as_str(), "{}", tensor.name);
            }
        }
    }

    /// The values as Python writes them.
    fn python(values: &Values) -> Vec<String> {
        match values {
            Values::F32(v) => v.iter().map(|&v| format!("{:?}", f64::from(v))).collect(),
            Values::F64(v) => v.iter().map(|v| format!("{v:?}")).collect(),
            Values::Bool(v) => v.iter().map(|&v| if v { "True".to_owned() } else { "False".to_owned() }).collect(),
            Values::I8(v) => v.iter().map(ToString::to_string).collect(),
            Values::I16(v) => v.iter().map(ToString::to_string).collect(),
            Values::I32(v) => v.iter().map(ToString::to_string).collect(),
            Values::I64(v) => v.iter().map(ToString::to_string).collect(),
            Values::U8(v) => v.iter().map(ToString::to_string).collect(),
            Values::U16(v) => v.iter().map(ToString::to_string).collect(),
            Values::U32(v) => v.iter().map(ToString::to_string).collect(),
            Values::U64(v) => v.iter().map(ToString::to_string).collect(),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_value_an_element_or_an_error(
            name in "BOOL|[UIF](8|16|32|64)|BF16|F8_E(4M3|5M2|8M0)(FNUZ)?|F[46](_E2M3)?|C64",
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let dtype = Dtype::from(name);
            if let Ok(values) = decode(&dtype, &bytes) {
                prop_assert_eq!(values.len() as u64 * dtype.bits().unwrap(), bytes.len() as u64 * 8);
            }
        }
    }
}
