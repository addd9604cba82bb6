//! The digest that survives a re-save: of values rounded to BF16.
//!
//! A model saved again in another type has other bytes for the same weights; rounding both to BF16 first makes them meet.

use std::cmp::Ordering;

use super::Sha256Hex;
use crate::values::Values;

/// SHA-256 of values rounded to BF16 (nearest, ties to even), little-endian.
///
/// Equal to the digest of the stored bytes for every BF16 tensor, NaN payloads included, and so equal for a BF16 tensor
/// and its copy in F32 or F64.
#[derive(Debug, Default)]
pub(super) struct CanonicalBf16(Sha256Hex);

impl CanonicalBf16 {
    /// Adds the next values. `false`, and nothing is added, where they are integers or booleans: those are not rounded.
    pub(super) fn update(&mut self, values: &Values) -> bool {
        match values {
            Values::F32(elements) => self.add(elements, bf16_from_f32),
            Values::F64(elements) => self.add(elements, bf16_from_f64),
            _ => return false,
        }
        true
    }

    fn add<T: Copy>(&mut self, elements: &[T], round: impl Fn(T) -> u16) {
        let mut rounded = [0; 8192];
        for chunk in elements.chunks(4096) {
            let (pairs, _) = rounded.as_chunks_mut::<2>();
            for (pair, &element) in pairs.iter_mut().zip(chunk) {
                *pair = round(element).to_le_bytes();
            }
            self.0.update(&rounded[..2 * chunk.len()]);
        }
    }

    pub(super) fn finish(self) -> String {
        self.0.finish()
    }
}

fn bf16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let [low, high] = [bits & 0xffff, bits >> 16];
    let rounded = if value.is_nan() {
        // The payload's upper bits stay; where only lower bits were set, one is set so that it stays a NaN.
        let payload = high & 0x7f;
        if payload == 0 { high | 0x40 } else { high }
    } else {
        high + u32::from(low > 0x8000 || (low == 0x8000 && high & 1 == 1))
    };
    u16::try_from(rounded).unwrap_or(u16::MAX)
}

/// Rounds once: to `f32` towards odd, which keeps what the second step needs to know.
fn bf16_from_f64(value: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "corrected below")]
    let near = value as f32;
    let size = f64::from(near).abs().partial_cmp(&value.abs());
    let toward_zero = match size {
        Some(Ordering::Less) => near.to_bits(),
        Some(Ordering::Greater) => near.to_bits() - 1,
        // Exact, or NaN.
        Some(Ordering::Equal) | None => return bf16_from_f32(near),
    };
    bf16_from_f32(f32::from_bits(toward_zero | 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        digest::sha256_hex,
        dtype::{Dtype, decode},
    };

    const ONES_BF16: &str = "8676bed4ca36c6e3328f5eaebc71b2f1a6c760c56f7139942239a033fe776c5e";

    fn canonical(values: &Values) -> Option<String> {
        let mut digest = CanonicalBf16::default();
        digest.update(values).then(|| digest.finish())
    }

    #[test]
    fn a_copy_in_a_wider_type_has_the_same_canonical_digest() {
        assert_eq!(canonical(&Values::F32(vec![1.0; 4096])).as_deref(), Some(ONES_BF16));
        assert_eq!(canonical(&Values::F64(vec![1.0; 4096])).as_deref(), Some(ONES_BF16));
        assert_eq!(canonical(&Values::I8(vec![1; 4096])), None);
    }

    #[test]
    fn every_bf16_is_its_own_canonical_form() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let values = decode(&Dtype::BF16, &bytes).unwrap();
        assert_eq!(canonical(&values), Some(sha256_hex(&bytes)));
    }

    #[test]
    fn ties_go_to_even_and_double_rounding_is_avoided() {
        assert_eq!(bf16_from_f32(f32::from_bits(0x3f80_8000)), 0x3f80);
        assert_eq!(bf16_from_f32(f32::from_bits(0x3f81_8000)), 0x3f82);
        assert_eq!(bf16_from_f32(f32::MAX), 0x7f80);
        // Just above a tie, by less than an f32 can tell.
        let above = f64::from(f32::from_bits(0x3f80_8000)) + 2.0_f64.powi(-40);
        assert_eq!(bf16_from_f64(above), 0x3f81);
        assert_eq!(bf16_from_f64(-above), 0xbf81);
        assert_eq!(bf16_from_f64(f64::MAX), 0x7f80);
        assert_eq!(bf16_from_f64(f64::MIN_POSITIVE), 0);
    }

    proptest! {
        #[test]
        fn rounding_is_that_of_the_half_crate(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(bf16_from_f32(value), half::bf16::from_f32(value).to_bits());
            prop_assert_eq!(bf16_from_f64(f64::from(value)), bf16_from_f32(value));
        }
    }
}
