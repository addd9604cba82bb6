//! The markup of prose: `` `code` `` and `**strong**`, nothing else. Parsed once, so that each format renders spans and none
//! parses.

/// A stretch of prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span<'a> {
    /// As it is.
    Text(&'a str),
    /// A name, in a fixed-width face.
    Code(&'a str),
    /// Emphasised.
    Strong(&'a str),
}

/// Splits `text` into spans. A mark that is not closed is text.
pub fn spans(text: &str) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let (mut plain_from, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let found = enclosed(rest, "`").map(|inner| (Span::Code(inner), inner.len() + 2));
        let found = found.or_else(|| enclosed(rest, "**").map(|inner| (Span::Strong(inner), inner.len() + 4)));
        if let Some((span, length)) = found {
            if plain_from < at {
                spans.push(Span::Text(&text[plain_from..at]));
            }
            spans.push(span);
            at += length;
            plain_from = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    if plain_from < text.len() {
        spans.push(Span::Text(&text[plain_from..]));
    }
    spans
}

/// `name` as a code span of prose. A backtick cannot stand inside one and becomes an apostrophe.
pub fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

/// `text` without its marks.
pub fn plain(text: &str) -> String {
    spans(text).into_iter().map(|(Span::Text(text) | Span::Code(text) | Span::Strong(text))| text).collect()
}

fn enclosed<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let inner = text.strip_prefix(mark)?;
    let end = inner.find(mark)?;
    (end > 0).then(|| &inner[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_strong_are_told_from_text() {
        assert_eq!(
            spans("a `b*` é **c d** e"),
            [Span::Text("a "), Span::Code("b*"), Span::Text(" é "), Span::Strong("c d"), Span::Text(" e")]
        );
    }

    #[test]
    fn marks_that_are_not_closed_are_text() {
        assert_eq!(spans("2 ** 3 ` x"), [Span::Text("2 ** 3 ` x")]);
        assert_eq!(spans("``"), [Span::Text("``")]);
        assert_eq!(plain("a `b` **c**"), "a b c");
    }

    #[test]
    fn a_name_with_a_backtick_stays_one_span() {
        assert_eq!(spans(&code("a`b")), [Span::Code("a'b")]);
    }
}
