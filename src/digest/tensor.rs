//! Everything that identifies one tensor, from its stored bytes as they pass by.

use super::{Sha256Hex, TrivialClass, TrivialTest, canonical::CanonicalBf16};
use crate::dtype::{DecodeError, Dtype, decode};

/// Bytes decoded at once: few enough that values stay in the cache, and that what is settled is settled early.
const DECODED_AT_ONCE: usize = 16 * 1024;

/// What identifies a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorHash {
    /// SHA-256 of the stored bytes.
    pub sha256: String,
    /// SHA-256 of the values rounded to BF16; `None` for integers, booleans, and types that are not decoded.
    pub canonical: Option<String>,
    /// Why its equality with another tensor is no evidence, if it is none.
    pub trivial: Option<TrivialClass>,
}

/// Digests one tensor piece by piece; memory does not grow with the tensor.
#[derive(Debug)]
pub struct TensorDigest {
    sha256: Sha256Hex,
    dtype: Dtype,
    canonical: Option<CanonicalBf16>,
    /// `None` of a type without exact values.
    trivial: Option<TrivialTest>,
    /// Bytes that have come.
    seen: u64,
}

impl TensorDigest {
    /// Of a tensor of this type and shape, no byte of which has come yet.
    pub fn new(dtype: &Dtype, shape: &[u64]) -> Self {
        let none = decode(dtype, &[]).ok();
        let mut canonical = CanonicalBf16::default();
        // The stored bytes of BF16 are its canonical form already.
        let rounds = *dtype != Dtype::BF16 && none.as_ref().is_some_and(|none| canonical.update(none));
        Self {
            sha256: Sha256Hex::default(),
            dtype: dtype.clone(),
            canonical: rounds.then_some(canonical),
            trivial: none.map(|_| TrivialTest::new(dtype, shape)),
            seen: 0,
        }
    }

    /// Adds the next stored bytes: whole elements. What has no exact values is digested as bytes alone; bytes that are no
    /// values of a type that has them (a boolean of 2, half an element) are an error.
    pub fn update(&mut self, stored: &[u8]) -> Result<(), DecodeError> {
        self.sha256.update(stored);
        let mut at = self.seen;
        self.seen += stored.len() as u64;
        let Some(trivial) = &mut self.trivial else { return Ok(()) };
        for piece in stored.chunks(DECODED_AT_ONCE) {
            // Not every byte is a boolean, so that each must be looked at; every element of the other types has a value.
            if self.canonical.is_none() && !trivial.is_open() && self.dtype != Dtype::BOOL {
                break;
            }
            let values = decode(&self.dtype, piece).map_err(|error| error.behind(at))?;
            at += piece.len() as u64;
            if let Some(canonical) = &mut self.canonical {
                canonical.update(&values);
            }
            if trivial.is_open() {
                trivial.update(&values);
            }
        }
        Ok(())
    }

    /// What identifies the tensor whose bytes have all come.
    pub fn finish(self) -> TensorHash {
        let sha256 = self.sha256.finish();
        let canonical = match self.canonical {
            Some(canonical) => Some(canonical.finish()),
            None => (self.dtype == Dtype::BF16).then(|| sha256.clone()),
        };
        TensorHash { sha256, canonical, trivial: self.trivial.and_then(TrivialTest::finish) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::sha256_hex, values::Values};

    fn canonical(values: &Values) -> String {
        let mut digest = CanonicalBf16::default();
        assert!(digest.update(values));
        digest.finish()
    }

    fn hash(dtype: &Dtype, shape: &[u64], stored: &[u8], piece: usize) -> TensorHash {
        let mut digest = TensorDigest::new(dtype, shape);
        for piece in stored.chunks(piece) {
            digest.update(piece).unwrap();
        }
        digest.finish()
    }

    #[test]
    fn a_tensor_in_pieces_is_the_tensor_as_a_whole() {
        let stored: Vec<u8> = (0..100_000_u32).flat_map(|i| (i as f32).sqrt().to_le_bytes()).collect();
        let whole = hash(&Dtype::F32, &[100_000], &stored, stored.len());
        let values = decode(&Dtype::F32, &stored).unwrap();
        assert_eq!(whole.sha256, sha256_hex(&stored));
        assert_eq!(whole.canonical, Some(canonical(&values)));
        assert_eq!(whole.trivial, None);
        for piece in [8, 4096, 16 * 1024 + 8] {
            assert_eq!(hash(&Dtype::F32, &[100_000], &stored, piece), whole);
        }
    }

    #[test]
    fn the_canonical_digest_of_bf16_is_that_of_its_bytes() {
        let stored: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let hash = hash(&Dtype::BF16, &[1 << 16], &stored, 1000);
        assert_eq!(hash.canonical.as_ref(), Some(&hash.sha256));
        assert_eq!(hash.canonical, Some(canonical(&decode(&Dtype::BF16, &stored).unwrap())));
    }

    #[test]
    fn types_without_exact_values_have_a_digest_of_their_bytes_alone() {
        let found = hash(&Dtype::F4, &[64], &[0; 32], 8);
        assert_eq!(found.sha256, sha256_hex(&[0; 32]));
        assert_eq!((found.canonical, found.trivial), (None, None));
        let found = hash(&Dtype::I8, &[64], &[3; 64], 8);
        assert_eq!((found.canonical, found.trivial), (None, Some(TrivialClass::Constant)));
    }

    #[test]
    fn bytes_that_are_no_values_are_refused() {
        assert!(TensorDigest::new(&Dtype::BOOL, &[2]).update(&[0, 2]).is_err());
        // Wherever it stands.
        let mut late = [0, 1].repeat(50_000);
        late[70_001] = 255;
        let mut digest = TensorDigest::new(&Dtype::BOOL, &[100_000]);
        let found = late.chunks(1 << 15).find_map(|piece| digest.update(piece).err()).unwrap();
        assert_eq!(found.to_string(), "element 70001 of a BOOL tensor is byte 0xff, neither 0 nor 1");
        assert!(TensorDigest::new(&Dtype::F32, &[2]).update(&[0; 7]).is_err());
    }
}
