//! One token, however its vocabulary spells it.

use std::fmt;

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Its bytes, without the one space that a word may begin with. They need not be UTF-8: a byte-level token may hold part of
    /// a character.
    pub bytes: Vec<u8>,
    /// Whether a word begins with it. Vocabularies with spaces in them say so by a space, `WordPiece` by the absence of `##`.
    pub begins_word: bool,
    /// Whether it is a marker such as `<s>` or `[CLS]`, which no text contains.
    pub special: bool,
}

impl Token {
    /// A token of running text, as it is in the text: one leading space begins a word.
    pub fn text(bytes: impl Into<Vec<u8>>) -> Self {
        let mut bytes = bytes.into();
        let begins_word = bytes.first() == Some(&b' ');
        if begins_word {
            bytes.remove(0);
        }
        Self { bytes, begins_word, special: false }
    }

    /// A token whose bytes are known apart from whether a word begins with them.
    pub fn piece(bytes: impl Into<Vec<u8>>, begins_word: bool) -> Self {
        Self { bytes: bytes.into(), begins_word, special: false }
    }

    /// A marker.
    pub fn marker(name: &str) -> Self {
        Self { bytes: name.as_bytes().to_vec(), begins_word: false, special: true }
    }
}

/// For people: a word's beginning is `▁`, what cannot be seen is escaped, a byte that is no text is `\xNN`. A backslash is
/// doubled, so that no two tokens look the same but a marker and a text of its name.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if self.begins_word {
            f.write_char('▁')?;
        }
        for chunk in self.bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '▁' => f.write_str("\\u{2581}")?,
                    // Quotes are plain text here.
                    '\'' | '"' => f.write_char(c)?,
                    c => write!(f, "{}", c.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_space_begins_a_word_and_only_one_does() {
        assert_eq!(Token::text(" the"), Token::piece("the", true));
        assert_eq!(Token::text("  x"), Token::piece(" x", true));
        assert_eq!(Token::text("the"), Token::piece("the", false));
    }

    #[test]
    fn tokens_are_shown_without_what_cannot_be_seen() {
        let shown = |token: Token| token.to_string();
        assert_eq!(shown(Token::text(" the")), "▁the");
        assert_eq!(shown(Token::text("\n\\")), "\\n\\\\");
        assert_eq!(shown(Token::text([0xe2, 0x96])), "\\xe2\\x96");
        assert_eq!(shown(Token::text("a\u{202e}\u{200b}b")), "a\\u{202e}\\u{200b}b");
        assert_eq!(shown(Token::text("▁")), "\\u{2581}");
        assert_eq!(shown(Token::marker("<s>")), "<s>");
    }
}
