//! SHA-256 of stored bytes, the digest that survives a re-save, and tensors whose equality proves nothing.
//!
//! Two tensors with the same stored bytes are the same tensor, wherever they are found. A model saved again in another
//! type has other bytes for the same weights; rounding both to BF16 first makes them meet. And some tensors are the same
//! in unrelated models because there is nothing in them.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use crate::values::{Values, for_any};

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut digest = Sha256Hex::new();
    digest.update(bytes);
    digest.finish()
}

/// The id that git gives a file of these bytes: SHA-1 of `blob LENGTH\0` and the content, 40 lower-case hexadecimal digits.
/// It tells whether a small file is the one that a listing names; it is no evidence against somebody who makes collisions.
pub fn git_blob_id(bytes: &[u8]) -> String {
    let mut digest = sha1::Sha1::new();
    digest.update(format!("blob {}\0", bytes.len()).as_bytes());
    digest.update(bytes);
    hex(&digest.finalize())
}

/// SHA-256 of bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hex(Sha256);

impl Sha256Hex {
    /// The digest of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest
        .iter()
        .fold(String::with_capacity(2 * digest.len()), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// SHA-256 of the values rounded to BF16 (nearest, ties to even), little-endian.
///
/// Equal to the digest of the stored bytes for every BF16 tensor, NaN payloads included, and so equal for a BF16 tensor
/// and its copy in F32 or F64. `None` for integers and booleans, which are not rounded.
pub fn canonical_bf16_sha256(values: &Values) -> Option<String> {
    fn digest<T: Copy>(elements: &[T], round: impl Fn(T) -> u16) -> String {
        let mut digest = Sha256Hex::new();
        let mut rounded = Vec::with_capacity(8192);
        for chunk in elements.chunks(4096) {
            rounded.clear();
            rounded.extend(chunk.iter().flat_map(|&element| round(element).to_le_bytes()));
            digest.update(&rounded);
        }
        digest.finish()
    }
    match values {
        Values::F32(elements) => Some(digest(elements, bf16_from_f32)),
        Values::F64(elements) => Some(digest(elements, bf16_from_f64)),
        _ => None,
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

/// Fewer elements than this prove nothing by being equal.
const TINY: usize = 16;

/// Why a tensor's equality with another is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrivialClass {
    /// All elements are equal, as at initialisation: gains of one, biases of zero.
    Constant,
    /// There are fewer than 16 elements.
    Tiny,
}

impl TrivialClass {
    /// The class of `values`; `None` where equality would be evidence.
    pub fn of(values: &Values) -> Option<Self> {
        if values.len() < TINY {
            return Some(Self::Tiny);
        }
        for_any!(values, elements => is_constant(elements)).then_some(Self::Constant)
    }

    /// The class in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Tiny => "tiny",
        }
    }
}

/// A tensor of nothing but NaN is not called constant: it is broken, and reported as that.
fn is_constant<T: PartialEq>(elements: &[T]) -> bool {
    elements.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_blob_has_the_id_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(
            super::git_blob_id(b"hello\n"),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
    }

    use proptest::prelude::*;

    use super::*;

    const ONES_BF16: &str = "8676bed4ca36c6e3328f5eaebc71b2f1a6c760c56f7139942239a033fe776c5e";
    const ONES_F32: &str = "3035aac5fb87474c303702f9030301b4e6bb7aee93be3710b8ab8dcea201db70";
    const ZEROS: &str = "9f1dcbc35c350d6027f98be0f5c8b43b42ca52b7604459c0c42be3aa88913d47";

    #[test]
    fn the_golden_digests_hold() {
        assert_eq!(sha256_hex(&0x3f80_u16.to_le_bytes().repeat(4096)), ONES_BF16);
        assert_eq!(sha256_hex(&1.0_f32.to_le_bytes().repeat(4096)), ONES_F32);
        assert_eq!(sha256_hex(&[0; 8192]), ZEROS);
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let mut digest = Sha256Hex::new();
        digest.update(&[0; 8000]);
        digest.update(&[0; 192]);
        assert_eq!(digest.finish(), ZEROS);
    }

    #[test]
    fn a_copy_in_a_wider_type_has_the_same_canonical_digest() {
        assert_eq!(
            canonical_bf16_sha256(&Values::F32(vec![1.0; 4096])).as_deref(),
            Some(ONES_BF16)
        );
        assert_eq!(
            canonical_bf16_sha256(&Values::F64(vec![1.0; 4096])).as_deref(),
            Some(ONES_BF16)
        );
        assert_eq!(canonical_bf16_sha256(&Values::I8(vec![1; 4096])), None);
    }

    #[test]
    fn every_bf16_is_its_own_canonical_form() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let values = crate::checkpoint::decode(&crate::checkpoint::Dtype::BF16, &bytes).unwrap();
        assert_eq!(canonical_bf16_sha256(&values), Some(sha256_hex(&bytes)));
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

    #[test]
    fn tensors_that_prove_nothing_are_named() {
        assert_eq!(
            TrivialClass::of(&Values::F32(vec![1.0; 4096])),
            Some(TrivialClass::Constant)
        );
        assert_eq!(TrivialClass::of(&Values::F32(vec![0.5; 15])), Some(TrivialClass::Tiny));
        assert_eq!(TrivialClass::of(&Values::I64((0..16).collect())), None);
        assert_eq!(TrivialClass::of(&Values::F32(vec![f32::NAN; 16])), None);
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
