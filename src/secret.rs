//! What must not be shown, and the one function that takes it out of a text. Everything that the program prints, and every text
//! that it writes for people, passes [`hide`]: servers repeat what they were sent.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};

use parking_lot::Mutex;
use regex::{NoExpand, Regex};

/// Tokens that this process has been given.
static TOKENS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A shorter token may be any word, such as `anything` for a mirror; one that begins as the Hub's do is none.
const SHORTEST: usize = 12;
const SHORTEST_OF_THE_HUB: usize = 6;

/// Keeps `token` out of every text from now on.
pub(crate) fn keep(token: &str) {
    let shortest = if token.starts_with("hf_") { SHORTEST_OF_THE_HUB } else { SHORTEST };
    let mut tokens = TOKENS.lock();
    if token.len() >= shortest && !tokens.iter().any(|known| known == token) {
        tokens.push(token.to_owned());
        // One that begins another would leave the rest of it.
        tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
    }
}

/// `text` without tokens, without user names and passwords in addresses, and without signed queries.
pub fn hide(text: &str) -> Cow<'_, str> {
    static USER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"://[^\s/?\#"'<>`]*@"#).ok());
    static SIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let part = "(?:Signature|Policy|Key-Pair-Id|X-Amz-[A-Za-z-]+|X-Xet-[A-Za-z-]+)=";
        Regex::new(&format!(r#"(?:\?[^\s"'<>`]*)?{part}[^\s"'<>`]*"#)).ok()
    });
    let mut text = Cow::Borrowed(text);
    for (pattern, instead) in [(&USER, "://<hidden>@"), (&SIGNED, "<signed>")] {
        if let Some(pattern) = &**pattern
            && let Cow::Owned(without) = pattern.replace_all(&text, NoExpand(instead))
        {
            text = Cow::Owned(without);
        }
    }
    for token in TOKENS.lock().iter() {
        if let Some(without) = without(&text, token) {
            text = Cow::Owned(without);
        }
    }
    text
}

/// The same of a file, where it is text.
pub(crate) fn hide_in(file: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(file) {
        Ok(text) => match hide(&text) {
            Cow::Owned(without) => without.into_bytes(),
            Cow::Borrowed(_) => text.into_bytes(),
        },
        Err(binary) => binary.into_bytes(),
    }
}

/// Bytes of text that are held back until they are looked at together.
const CHUNK: usize = 1 << 16;

/// A writer of text that takes secrets out of it, some lines at a time: no secret goes over the end of a line.
#[derive(Debug)]
pub struct Hiding<W> {
    inner: W,
    pending: Vec<u8>,
    /// What else becomes of the text.
    then: fn(Cow<'_, str>) -> Cow<'_, str>,
}

impl<W: Write> Hiding<W> {
    /// Text that passes goes through [`hide`] and then through `then` into `inner`.
    pub fn new(inner: W, then: fn(Cow<'_, str>) -> Cow<'_, str>) -> Self {
        Self { inner, pending: Vec::new(), then }
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Looking for what is no UTF-8 takes several times as long as seeing that there is none.
        let text = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        self.inner.write_all((self.then)(hide(&text)).as_bytes())
    }

    /// Writes what is held back, whole lines or not.
    pub fn finish(mut self) -> io::Result<W> {
        let rest = std::mem::take(&mut self.pending);
        self.pass(&rest)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Hiding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_enough = self.pending.len() + bytes.len() >= CHUNK;
        let end = memchr::memrchr(b'\n', bytes).filter(|_| is_enough).map_or(0, |last| last + 1);
        if end > 0 {
            let mut lines = std::mem::take(&mut self.pending);
            if lines.is_empty() {
                self.pass(&bytes[..end])?;
            } else {
                lines.extend_from_slice(&bytes[..end]);
                self.pass(&lines)?;
            }
        }
        self.pending.extend_from_slice(&bytes[end..]);
        Ok(bytes.len())
    }

    /// Only what is a whole line: the rest may be half a secret.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `text` with something else for each `token`, in any letter case: a host's name is in small letters.
fn without(text: &str, token: &str) -> Option<String> {
    let (lower, token) = (text.to_ascii_lowercase(), token.to_ascii_lowercase());
    let mut found = memchr::memmem::find_iter(lower.as_bytes(), token.as_bytes()).peekable();
    found.peek()?;
    let mut without = String::with_capacity(text.len());
    let mut from = 0;
    for at in found {
        without.push_str(&text[from..at]);
        without.push_str("<token>");
        from = at + token.len();
    }
    without.push_str(&text[from..]);
    Some(without)
}

/// Whether `bytes`, which may be JSON, hold a token.
pub(crate) fn is_in(bytes: &[u8]) -> bool {
    let tokens = TOKENS.lock();
    let holds = |bytes: &[u8]| tokens.iter().any(|token| memchr::memmem::find(bytes, token.as_bytes()).is_some());
    !tokens.is_empty()
        && (holds(bytes) || (memchr::memmem::find(bytes, b"\\u00").is_some() && holds(&unescaped(bytes))))
}

/// JSON with its escapes of plain characters undone.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let escaped = after.strip_prefix(b"u00").and_then(|digits| std::str::from_utf8(digits.get(..2)?).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &after[5..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_hidden_in_whatever_letter_case() {
        keep("hf_Secret");
        keep("hf_SecretOfTheseTests");
        assert_eq!(hide("no hf_SecretOfTheseTests at hf_secretofthesetests.example"), "no <token> at <token>.example");
        assert!(matches!(hide("nothing to hide: a@b, c?d=e"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_word_that_stands_for_a_token_is_no_secret() {
        keep("anything");
        assert_eq!(hide("anything goes"), "anything goes");
        assert!(!is_in(b"anything goes"));
    }

    #[test]
    fn addresses_are_shown_without_user_and_signature() {
        assert_eq!(hide("at http://me:pass@host/a@b"), "at http://<hidden>@host/a@b");
        assert_eq!(hide("\"https://c/a?x=1&Signature=abc~&Key-Pair-Id=K\" ok"), "\"https://c/a<signed>\" ok");
        assert_eq!(hide("bad Signature=abc here"), "bad <signed> here");
        assert_eq!(hide("SignatureError: key, https://c/a?x=1"), "SignatureError: key, https://c/a?x=1");
    }

    #[test]
    fn a_token_that_comes_in_pieces_is_hidden_in_a_stream() {
        keep("hf_StreamedInTheseTests");
        let line = format!("{}hf_StreamedInTheseTests,ü\n", "x".repeat(1000));
        let mut hiding = Hiding::new(Vec::new(), |text| text);
        for piece in line.repeat(200).as_bytes().chunks(777) {
            hiding.write_all(piece).unwrap();
        }
        hiding.write_all(b"hf_Streamed").unwrap();
        hiding.flush().unwrap();
        hiding.write_all(b"InTheseTests").unwrap();
        let text = String::from_utf8(hiding.finish().unwrap()).unwrap();
        assert_eq!(text, line.repeat(200).replace("hf_StreamedInTheseTests", "<token>") + "<token>");
    }

    #[test]
    fn a_token_is_found_behind_escapes() {
        keep("hf_EscapedInTheseTests");
        assert!(is_in(b"{\"a\":\"hf_EscapedInTheseTests\"}"));
        assert!(is_in(br#"{"a":"\u0068f_Escaped\u0049nTheseTests"}"#));
        assert!(!is_in(br#"{"a":"\u0068f_Escaped\u004"}"#));
    }
}
