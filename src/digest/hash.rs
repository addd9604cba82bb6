//! Digests of bytes as hexadecimal text: SHA-256, whole or in pieces, and the id that git gives a small file.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use sha1::Sha1;
use sha2::{Digest, Sha256, digest};

use crate::snapshot::RepoFile;

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hex(Sha256);

impl Sha256Hex {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest as 64 lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// SHA-1 of `blob LENGTH\0` and the content, 40 lower-case hexadecimal digits, as a listing of the Hub states it. It tells
/// whether a small file is the one that a listing names; it is no evidence against somebody who makes collisions.
pub fn git_blob_id(bytes: &[u8]) -> String {
    hex(&blob(bytes.len() as u64).chain_update(bytes).finalize())
}

fn blob(len: u64) -> Sha1 {
    Sha1::new().chain_update(format!("blob {len}\0"))
}

/// What computes the hash of the kind that is listed of a file, of content of so many bytes.
pub(crate) fn digest_of_kind(listed: &RepoFile, len: u64) -> Box<dyn digest::DynDigest> {
    if listed.lfs_sha256.is_some() { Box::new(Sha256::new()) } else { Box::new(blob(len)) }
}

/// The hash that is listed of a file and the one that `bytes` have, where that is another.
pub(crate) fn other_hash(listed: &RepoFile, bytes: &[u8]) -> Option<(String, String)> {
    let stated = listed.stated_hash()?;
    let found = if listed.lfs_sha256.is_some() { sha256_hex(bytes) } else { git_blob_id(bytes) };
    (found != *stated).then(|| (stated.clone(), found))
}

/// What passes through is digested and counted.
pub(crate) struct Digesting<W> {
    inner: W,
    digest: Sha256Hex,
    bytes: u64,
}

impl<W> Digesting<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, digest: Sha256Hex::default(), bytes: 0 }
    }

    /// What it passed to, with the digest and the length.
    pub(crate) fn finish(self) -> (W, String, u64) {
        (self.inner, self.digest.finish(), self.bytes)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A digest as text.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
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

    #[test]
    fn a_blob_has_the_id_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(git_blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
