//! What a file is, when it is not safetensors.
//!
//! A safetensors file begins with a length, so any other content read as one gives an absurd figure. The figure does not help;
//! the name of the thing does.

use crate::named::named;

named! {
    /// Content that is often found where a safetensors file was expected.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum Foreign {
        /// A web page: usually an error page or a log-in form.
        Html = "a web page",
        /// The pointer that git keeps in place of a file in LFS.
        LfsPointer = "a git-lfs pointer",
        /// GGUF weights.
        Gguf = "a GGUF file",
        /// A zip archive: `PyTorch` (`.bin`, `.pt`, `.pth`), NumPy (`.npz`), Keras 3.
        Zip = "a zip archive (PyTorch or NumPy)",
        /// A bare Python pickle: `PyTorch` before 1.6.
        Pickle = "a Python pickle",
        /// gzip-compressed content.
        Gzip = "gzip-compressed",
        /// HDF5, as Keras writes it.
        Hdf5 = "an HDF5 file",
        /// JSON, usually an error message.
        Json = "a JSON document",
    }
}

impl Foreign {
    /// Whether a small file is git's pointer to the one that is meant.
    pub(crate) fn is_lfs_pointer(bytes: &[u8]) -> bool {
        bytes.starts_with(b"version https://git-lfs")
    }

    /// Recognises `prefix`, the first bytes of a file.
    pub fn sniff(prefix: &[u8]) -> Option<Self> {
        let text = prefix.trim_ascii_start();
        let opens = |tag: &[u8]| text.len() >= tag.len() && text[..tag.len()].eq_ignore_ascii_case(tag);
        let is_it = |kind: &Self| match kind {
            Self::Html => [&b"<!doc"[..], b"<html", b"<?xml", b"<head"].into_iter().any(opens),
            Self::LfsPointer => prefix.starts_with(b"version "),
            Self::Gguf => prefix.starts_with(b"GGUF"),
            Self::Zip => prefix.starts_with(b"PK\x03\x04"),
            Self::Gzip => prefix.starts_with(b"\x1f\x8b"),
            Self::Hdf5 => prefix.starts_with(b"\x89HDF"),
            Self::Pickle => matches!(prefix, [0x80, 2..=5, ..]),
            Self::Json => text.starts_with(b"{\"") || text.starts_with(b"["),
        };
        Self::ALL.into_iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_found_instead_is_named() {
        let table: [(&[u8], Foreign); 10] = [
            (b"<!DOCTYPE html>", Foreign::Html),
            (b"\n  <HTML>", Foreign::Html),
            (b"version https://git-lfs.github.com/spec/v1", Foreign::LfsPointer),
            (b"GGUF\x03\0\0\0", Foreign::Gguf),
            (b"PK\x03\x04\0\0\x08\x08", Foreign::Zip),
            (b"\x80\x02\x8a\x0al\xfc\x9cF", Foreign::Pickle),
            (b"\x1f\x8b\x08\0\0\0\0\0", Foreign::Gzip),
            (b"\x89HDF\r\n\x1a\n", Foreign::Hdf5),
            (b"{\"error\":\"x\"}", Foreign::Json),
            (b" [1]    ", Foreign::Json),
        ];
        for (prefix, what) in table {
            assert_eq!(Foreign::sniff(prefix), Some(what));
        }
        assert_eq!(Foreign::sniff(b"\x10\0\0\0\0\0\0\0{\"a\":"), None);
        assert_eq!(Foreign::sniff(b""), None);
    }
}
