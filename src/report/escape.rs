//! Text that others wrote (names of tensors, models, tokens), made harmless in each format. Every format escapes through
//! here and nowhere else. Characters that act without being seen (controls, bidirectional overrides, zero-width marks)
//! are shown as `\u{…}` everywhere.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock};

use regex::{Captures, Regex};

/// An address on this machine, with a scheme or a port.
static LOOPBACK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let host = r"(?:\blocalhost|\b127(?:\.\d{1,3}){3}|\b0\.0\.0\.0|\[::1\])";
    Regex::new(&format!(r"(?i)https?://{host}(?::\d+)?|{host}:\d+")).ok()
});

/// `text` with every character that acts without being seen written as `\u{…}`. Line breaks and tabs become spaces.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `page` without the addresses of this machine, which say nothing to who reads it elsewhere and differ from run to run. Those
/// that `asked` (the command line) names stay.
pub fn without_loopback<'a>(page: &'a str, asked: &[String]) -> Cow<'a, str> {
    let Some(loopback) = LOOPBACK.as_ref() else { return Cow::Borrowed(page) };
    loopback.replace_all(page, |found: &Captures<'_>| {
        let address = &found[0];
        if asked.iter().any(|word| word.contains(address)) { address.to_owned() } else { "this machine".to_owned() }
    })
}

/// `text` for the content or a double-quoted attribute of HTML and SVG.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `text` as plain text within a line of Markdown on GitHub, table cells included.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// `text` as the label of a link or picture of Markdown. Brackets are written as references, so that no reader ends the label
/// at one of them.
pub fn markdown_label(text: &str) -> String {
    markdown(text).replace("\\[", "&#91;").replace("\\]", "&#93;")
}

/// A line of Markdown as a paragraph of its own: one that begins like a list or a rule would turn into it.
pub fn markdown_paragraph(line: &str) -> String {
    let line = line.trim_start();
    if line.starts_with(['-', '+', '=']) || starts_like_an_ordered_list(line) {
        format!("&#8203;{line}")
    } else {
        line.to_owned()
    }
}

/// `text` as a code span of Markdown, fenced by more backticks than it holds. Inside a table cell a pipe ends the cell
/// even in code, so it is written `\|`, which GitHub shows as a pipe.
pub fn markdown_code(text: &str, in_table: bool) -> String {
    let text = visible(text);
    if in_table && text.contains("\\|") {
        // A backslash before a pipe cannot be written as code in a table: whether it escapes the pipe is not agreed upon.
        return markdown(&text);
    }
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) || text.is_empty() { " " } else { "" };
    let text = if in_table { text.replace('|', "\\|") } else { text.into_owned() };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// `text` as a text field of CSV, before quoting: a field that a spreadsheet would run as a formula gets an apostrophe in
/// front, also where white space or characters that are not seen stand before its sign. A plain sign alone is none. Numbers do not
/// come through here.
pub fn csv(text: &str) -> Cow<'_, str> {
    if matches!(text, "+" | "-") {
        return Cow::Borrowed(text);
    }
    let seen = text.trim_start_matches(|c: char| c.is_whitespace() || is_hidden(c));
    // Spreadsheets of East Asian locales take the wide signs for the narrow ones.
    if seen.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(['\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `text` as the stem of a file name: letters, digits, `.`, `_` and `-` stay, all else becomes `-`; no leading dot, never
/// empty.
pub fn file_stem(text: &str) -> String {
    let stem: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
    let stem = stem.trim_start_matches('.');
    if stem.is_empty() { "picture".to_owned() } else { stem.to_owned() }
}

/// The stem of `text`, with a number behind it where it is among the `taken` ones already, whatever a file system makes of case.
pub(crate) fn new_stem(taken: &mut BTreeSet<String>, text: &str) -> String {
    let first = file_stem(text);
    let numbered = (2..).map(|number| format!("{first}-{number}"));
    let mut stems = std::iter::once(first.clone()).chain(numbered);
    stems.find(|stem| taken.insert(anchor(stem))).unwrap_or_default()
}

/// A stem as the anchor of a section: lower-case letters, digits and hyphens.
pub(crate) fn anchor(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    stem.chars().map(plain).collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E007F}')
}

fn starts_like_an_ordered_list(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && (rest.starts_with(". ") || rest.starts_with(") "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_can_leave_its_element_or_attribute(text in any::<String>()) {
            let escaped = xml(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']) && !escaped.contains(is_hidden), "{}", escaped);
        }

        #[test]
        fn no_text_can_end_a_table_cell_of_markdown(text in any::<String>()) {
            for cell in [markdown(&text), markdown_code(&text, true)] {
                let unescaped = cell.replace("\\|", "");
                prop_assert!(!unescaped.contains('|') && !cell.contains(['\n', '\r']), "{}", cell);
            }
        }

        #[test]
        fn a_file_stem_is_always_one_plain_component(text in any::<String>()) {
            let stem = file_stem(&text);
            prop_assert!(!stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\\']));
        }
    }

    #[test]
    fn a_script_in_a_name_stays_text() {
        assert_eq!(xml(r#"<script>"a"&'b'"#), "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;");
        assert_eq!(markdown("<b>|*x*"), "&lt;b&gt;\\|\\*x\\*");
    }

    #[test]
    fn addresses_of_this_machine_are_not_published_unless_asked() {
        let page =
            "at http://127.0.0.1:4321/api, LOCALHOST:80, https://[::1]:1 and 0.0.0.0:9; 127.0.0.1 and localhost/x stay";
        let hidden = "at this machine/api, this machine, this machine and this machine; 127.0.0.1 and localhost/x stay";
        assert_eq!(without_loopback(page, &[]), hidden);
        let asked = ["--endpoint=http://127.0.0.1:4321".to_owned()];
        assert!(without_loopback(page, &asked).starts_with("at http://127.0.0.1:4321/api, this machine,"));
        assert!(matches!(without_loopback("10.127.0.0.15 at https://huggingface.co:443", &[]), Cow::Borrowed(_)));
    }

    #[test]
    fn brackets_do_not_end_a_label() {
        assert_eq!(markdown_label("a[0](x) \\ b]"), "a&#91;0&#93;(x) \\\\ b&#93;");
    }

    #[test]
    fn characters_that_act_unseen_are_shown() {
        assert_eq!(visible("a\u{1b}[31m\u{202e}b\nc"), "a\\u{1b}[31m\\u{202e}b c");
        assert!(matches!(visible("plain – text"), Cow::Borrowed(_)));
    }

    #[test]
    fn code_spans_survive_backticks_and_pipes() {
        assert_eq!(markdown_code("a`b``c", false), "```a`b``c```");
        assert_eq!(markdown_code("`a", false), "`` `a ``");
        assert_eq!(markdown_code("a|b", true), "`a\\|b`");
        assert_eq!(markdown_code("a\\|b", true), "a\\\\\\|b");
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_made_text() {
        for text in
            ["=HYPERLINK(1)", " =1", "\u{a0}\u{3000}+1", "\u{feff}-1", "\u{200b} @x", "\n=1", "\t1", "\r1", "＝1"]
        {
            assert_eq!(csv(text), format!("'{text}"));
        }
        assert_eq!(csv(" a=b"), " a=b");
        assert_eq!((csv("+"), csv("-")), ("+".into(), "-".into()));
        assert_eq!(csv(""), "");
        assert_eq!(csv("model.layers.0"), "model.layers.0");
    }

    #[test]
    fn a_paragraph_that_begins_like_a_list_stays_a_paragraph() {
        assert_eq!(markdown_paragraph("1. first"), "&#8203;1. first");
        assert_eq!(markdown_paragraph("- item"), "&#8203;- item");
        assert_eq!(markdown_paragraph("0.98"), "0.98");
    }

    #[test]
    fn a_file_stem_cannot_leave_its_folder() {
        assert_eq!(file_stem("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(file_stem("a/b c"), "a-b-c");
        assert_eq!(file_stem("..."), "picture");
    }
}
