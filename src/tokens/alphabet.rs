//! The alphabet in which byte-level vocabularies write bytes: every byte is one visible character.

/// The bytes that a byte-level piece stands for; `None` where it has a character that is none of the alphabet.
///
/// Bytes that are visible in Latin-1 stand for themselves; the other 68 are written as the characters from U+0100 on, in
/// their order: a space is `Ġ` (U+0120), a line break `Ċ` (U+010A).
pub(super) fn bytes(piece: &str) -> Option<Vec<u8>> {
    piece.chars().map(byte).collect()
}

fn byte(c: char) -> Option<u8> {
    let code = u32::from(c);
    match u8::try_from(code) {
        Ok(byte) if is_visible(byte) => Some(byte),
        Ok(_) => None,
        Err(_) => hidden(code.checked_sub(0x100)?),
    }
}

fn is_visible(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The hidden byte of this number: 0..=32, 127..=160, 173.
fn hidden(number: u32) -> Option<u8> {
    let byte = match number {
        0..=32 => number,
        33..=66 => number - 33 + 127,
        67 => 173,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_byte_has_exactly_one_character() {
        let written: Vec<u8> =
            (0..0x200).filter_map(char::from_u32).filter_map(|c| bytes(&c.to_string())).flatten().collect();
        assert_eq!(written.len(), 256);
        assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), 256);
        for byte in 0..=u8::MAX {
            let visible = is_visible(byte);
            assert_eq!(bytes(&char::from(byte).to_string()), visible.then(|| vec![byte]));
        }
    }

    #[test]
    fn known_pieces_are_read() {
        assert_eq!(bytes("Ġthe").unwrap(), b" the");
        assert_eq!(bytes("Ċ").unwrap(), b"\n");
        assert_eq!(bytes("ĉ").unwrap(), b"\t");
        assert_eq!(bytes("ä¸Ń").unwrap(), "中".as_bytes());
        assert_eq!(bytes("▁the"), None);
        assert_eq!(bytes(" "), None);
    }
}
