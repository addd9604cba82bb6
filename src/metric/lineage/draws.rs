//! Integers that never change: a counter stream and keys from SHA-256. No generator crate is involved.

use sha2::{Digest, Sha256};

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of `SplitMix64` (Steele, Lea, Flood 2014).
pub(super) const fn mix64(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The word at `counter` of the stream `key`.
pub(super) const fn word(key: u64, counter: u64) -> u64 {
    mix64(key.wrapping_add(GAMMA.wrapping_mul(counter.wrapping_add(1))))
}

/// Maps a word to 0..n by the high half of the product; n < 2³².
#[expect(clippy::cast_possible_truncation, reason = "less than n")]
pub(super) fn below(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}

/// The first eight bytes, big-endian, of the SHA-256 of `pieces`, one after the other.
pub(super) fn key(pieces: &[&[u8]]) -> u64 {
    let mut digest = Sha256::new();
    for piece in pieces {
        digest.update(piece);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let (words, _) = digest.as_chunks::<8>();
    u64::from_be_bytes(words[0])
}

/// The key of the draws of one test.
pub(crate) fn draw_key(seed: u64, test: &str) -> u64 {
    key(&[format!("hub-audit draws 1\n{seed}\n{test}\n").as_bytes()])
}
