//! How a vocabulary spells texts, and the way back from a spelling to a token.

use std::fmt;

use super::{alphabet, token::Token};

/// How a vocabulary spells the texts that its tokens stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spelling {
    /// One visible character a byte; a word begins with `Ġ`.
    ByteLevel,
    /// Plain text in which this mark stands for a space, `▁` as a rule; `<0xNN>` is a byte.
    Marked(String),
    /// A word begins without a prefix and goes on with this one, `##` as a rule.
    Continued(String),
    /// Plain text in which this suffix ends a word, such as `</w>`, over one visible character a byte where `bytes` holds.
    /// Where a word begins is not told, so that few tokens equal those of other spellings.
    Ended {
        /// The suffix.
        suffix: String,
        /// Whether what precedes it is byte-level.
        bytes: bool,
    },
    /// Whole words.
    Words,
    /// Plain text as it stands.
    Plain,
}

impl Spelling {
    /// The token that `piece` stands for.
    pub(super) fn read(&self, piece: &str) -> Token {
        match self {
            Self::ByteLevel => Token::text(byte_level(piece)),
            Self::Marked(mark) => match byte_fallback(piece) {
                Some(byte) => Token::text([byte]),
                None => Token::text(piece.replace(mark.as_str(), " ")),
            },
            Self::Continued(prefix) => match piece.strip_prefix(prefix.as_str()) {
                Some(rest) if !rest.is_empty() => Token::piece(rest, false),
                _ => Token::piece(piece, true),
            },
            Self::Ended { suffix, bytes } => {
                let (stem, ended) = match piece.strip_suffix(suffix.as_str()) {
                    Some(stem) => (stem, true),
                    None => (piece, false),
                };
                let mut text = if *bytes { byte_level(stem) } else { stem.as_bytes().to_vec() };
                if ended {
                    text.push(b' ');
                }
                Token::piece(text, false)
            }
            Self::Words => Token::piece(piece, true),
            Self::Plain => Token::text(piece),
        }
    }

    /// Whether the piece is a byte written as `<0xNN>`, which gives way to a piece that is the character itself.
    pub(super) fn is_fallback(&self, piece: &str) -> bool {
        matches!(self, Self::Marked(_)) && byte_fallback(piece).is_some()
    }
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteLevel => f.write_str("byte-level"),
            Self::Marked(mark) => write!(f, "`{}` for a space", mark.escape_debug()),
            Self::Continued(prefix) => write!(f, "`{}` inside a word", prefix.escape_debug()),
            Self::Ended { suffix, .. } => write!(f, "`{}` at a word's end", suffix.escape_debug()),
            Self::Words => f.write_str("whole words"),
            Self::Plain => f.write_str("plain text"),
        }
    }
}

/// A piece with a character that is not of the alphabet was added as it stands.
fn byte_level(piece: &str) -> Vec<u8> {
    alphabet::bytes(piece).unwrap_or_else(|| piece.as_bytes().to_vec())
}

/// The byte of `<0x0A>`.
fn byte_fallback(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_one_token_in_every_spelling() {
        let (bytes, marked, continued) =
            (Spelling::ByteLevel, Spelling::Marked("▁".to_owned()), Spelling::Continued("##".to_owned()));
        assert_eq!(bytes.read("Ġthe"), marked.read("▁the"));
        assert_eq!(bytes.read("Ġthe"), continued.read("the"));
        assert_eq!(bytes.read("the"), continued.read("##the"));
        assert_eq!(bytes.read("Ċ"), marked.read("<0x0A>"));
        assert_eq!(bytes.read("Ċ"), marked.read("\n"));
        assert_eq!(bytes.read("ĠĠ"), marked.read("▁▁"));
        assert_eq!(bytes.read("Ã©"), marked.read("é"));
        assert_ne!(bytes.read("the"), bytes.read("Ġthe"));
    }

    #[test]
    fn what_only_looks_like_a_byte_is_text() {
        let marked = Spelling::Marked("▁".to_owned());
        for piece in ["<0x0>", "<0x0AB>", "<0x+A>", "<0xZZ>", "x<0x0A>"] {
            assert_eq!(marked.read(piece), Token::text(piece), "{piece}");
        }
        assert_eq!(Spelling::Plain.read("<0x0A>"), Token::text("<0x0A>"));
        assert_eq!(Spelling::Continued("##".to_owned()).read("##"), Token::piece("##", true));
    }

    #[test]
    fn a_piece_beyond_the_alphabet_stands_for_itself() {
        assert_eq!(Spelling::ByteLevel.read("▁x"), Token::text("▁x"));
    }

    #[test]
    fn a_suffix_ends_a_word() {
        let ended = Spelling::Ended { suffix: "</w>".to_owned(), bytes: true };
        assert_eq!(ended.read("the</w>"), Token::piece("the ", false));
        assert_eq!(ended.read("the"), Token::piece("the", false));
    }
}
