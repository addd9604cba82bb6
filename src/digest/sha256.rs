//! SHA-256 of bytes, whole or in pieces, as hexadecimal text.

use sha2::{Digest, Sha256};

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut digest = Sha256Hex::new();
    digest.update(bytes);
    digest.finish()
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
        use std::fmt::Write;
        self.0
            .finalize()
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}

#[cfg(test)]
mod tests {
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
}
