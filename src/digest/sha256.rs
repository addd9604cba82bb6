//! SHA-256 of bytes, whole or in pieces, as hexadecimal text.

use std::fmt;

use sha2::{Digest, Sha256};

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut digest = Sha256Hex::new();
    digest.update(bytes);
    digest.finish()
}

/// SHA-256 of bytes that come in pieces.
#[derive(Clone)]
pub struct Sha256Hex(Sha256);

impl Sha256Hex {
    /// The digest of nothing yet.
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        use std::fmt::Write;
        self.0.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl Default for Sha256Hex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256Hex").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        // FIPS 180-4: the empty message, "abc", and a million of the letter a.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sha256_hex(b""), empty);
        assert_eq!(sha256_hex(b"abc"), abc);
        let mut pieces = Sha256Hex::default();
        for piece in vec![b'a'; 1_000_000].chunks(777) {
            pieces.update(piece);
        }
        assert_eq!(pieces.clone().finish(), million);
        assert_eq!(pieces.finish(), million);
    }
}
