//! A hash of Xet storage, and its text, in which each of four little-endian words is written as a number.

use std::fmt;

/// Names a chunk, a stored block of chunks, or a file by its content. It is no digest that another tool would compute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct XetHash([u64; 4]);

impl XetHash {
    /// The hash of a file without content.
    pub const EMPTY: Self = Self([0; 4]);

    /// Of 64 hexadecimal digits. `None` for all else, such as the asterisks that the Hub lists where it withholds a hash.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut words = [0; 4];
        for (at, word) in words.iter_mut().enumerate() {
            *word = u64::from_str_radix(&text[16 * at..16 * (at + 1)], 16).ok()?;
        }
        Some(Self(words))
    }

    pub(super) fn keyed(key: &[u8; 32], bytes: &[u8]) -> Self {
        Self::from(blake3::keyed_hash(key, bytes))
    }

    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Whether the index of all uploads is asked of a chunk with this hash, one in 1,024.
    pub fn is_indexed(self) -> bool {
        self.0[3].is_multiple_of(1024)
    }

    /// Whether a group of nodes ends with this one, by chance one in four.
    pub fn ends_group(self) -> bool {
        self.0[3].is_multiple_of(4)
    }
}

impl From<blake3::Hash> for XetHash {
    fn from(hash: blake3::Hash) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(hash.as_bytes().as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(words)
    }
}

impl fmt::Display for XetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl fmt::Debug for XetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_written_as_a_number() {
        let hash = XetHash::from(blake3::Hash::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap())));
        let text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918";
        assert_eq!(hash.to_string(), text);
        assert_eq!(XetHash::parse(text), Some(hash));
        assert_eq!(XetHash::parse(&text.to_uppercase()), Some(hash));
        assert_eq!(hash.to_bytes()[..4], [0, 1, 2, 3]);
    }

    #[test]
    fn what_is_withheld_or_no_hash_is_none() {
        let signed = format!("+{}", "a".repeat(63));
        let wide = "é".repeat(32);
        for text in ["", &"*".repeat(64), &"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &signed, &wide] {
            assert_eq!(XetHash::parse(text), None, "{text}");
        }
    }
}
