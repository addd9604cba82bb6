//! The way back from `f32` to the narrow float that it was widened from.

use super::{Dtype, decode};
use crate::values::Values;

/// Finds the code of a value of one type of 8 or 16 bits.
#[derive(Debug, Clone)]
pub(crate) enum Narrowing {
    Bf16,
    F16,
    /// Bits of every code's value, sorted, each with its code.
    Byte(Box<[(u32, u8); 256]>),
}

impl Narrowing {
    /// For a type that [`decode`] widens to `f32`; `None` for every other.
    pub(crate) fn of(dtype: &Dtype) -> Option<Self> {
        Some(match (dtype, dtype.bits()?) {
            (&Dtype::BF16, _) => Self::Bf16,
            (&Dtype::F16, _) => Self::F16,
            (_, 8) => {
                let codes: [u8; 256] = std::array::from_fn(|code| code.to_le_bytes()[0]);
                let Ok(Values::F32(values)) = decode(dtype, &codes) else {
                    return None;
                };
                let mut table = Box::new([(0, 0); 256]);
                for (entry, (value, code)) in table.iter_mut().zip(values.iter().zip(codes)) {
                    *entry = (value.to_bits(), code);
                }
                table.sort_unstable();
                Self::Byte(table)
            }
            _ => return None,
        })
    }

    /// Bytes of a code.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::Byte(_) => 1,
        }
    }

    /// The code that `value` was widened from, exactly for every value but a NaN, which stays some NaN. A value that no code
    /// has is rounded towards zero (BF16), to the nearest (F16), or to the next code in the order of bits.
    pub(crate) fn code(&self, value: f32) -> u16 {
        match self {
            Self::Bf16 => {
                let [_, _, third, fourth] = value.to_bits().to_le_bytes();
                u16::from_le_bytes([third, fourth])
            }
            Self::F16 => half::f16::from_f32(value).to_bits(),
            Self::Byte(table) => {
                let bits = value.to_bits();
                let at = table.partition_point(|&(known, _)| known < bits).min(255);
                u16::from(table[at].1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_every_narrow_float_comes_back() {
        for dtype in [
            Dtype::BF16,
            Dtype::F16,
            Dtype::F8_E4M3,
            Dtype::F8_E5M2,
            Dtype::F8_E4M3FNUZ,
            Dtype::F8_E5M2FNUZ,
            Dtype::F8_E8M0,
        ] {
            let narrowing = Narrowing::of(&dtype).unwrap();
            let width = narrowing.width();
            for code in 0..1_u32 << (8 * width) {
                let stored = &code.to_le_bytes()[..width];
                let Values::F32(value) = decode(&dtype, stored).unwrap() else {
                    panic!("{dtype} is not widened");
                };
                let back = narrowing.code(value[0]).to_le_bytes();
                if value[0].is_nan() {
                    let Values::F32(again) = decode(&dtype, &back[..width]).unwrap() else {
                        panic!("{dtype} is not widened");
                    };
                    assert!(again[0].is_nan(), "{dtype} {code:#x}");
                } else {
                    assert_eq!(&back[..width], stored, "{dtype} {code:#x}");
                }
            }
        }
        assert!(Narrowing::of(&Dtype::F32).is_none() && Narrowing::of(&Dtype::U8).is_none());
    }
}
