//! The id that git gives a small file, which is what a listing of the Hub states for it.

use std::fmt::Write;

use sha1::{Digest, Sha1};

/// SHA-1 of `blob LENGTH\0` and the content, 40 lower-case hexadecimal digits. It tells whether a small file is the one that
/// a listing names; it is no evidence against somebody who makes collisions.
pub fn git_blob_id(bytes: &[u8]) -> String {
    let mut digest = Sha1::new();
    digest.update(format!("blob {}\0", bytes.len()).as_bytes());
    digest.update(bytes);
    digest.finalize().iter().fold(String::with_capacity(40), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_the_id_that_git_gives_it() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(git_blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
