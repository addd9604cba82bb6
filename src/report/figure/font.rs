//! How wide text is. Widths are sums of the bundled font's advances, so that layout needs neither a browser nor a
//! rasteriser, and is the same on every machine.

use std::sync::LazyLock;

/// The first code point of a run, and the widths from there.
type Run = (u32, Vec<u16>);

/// Advance widths in 1/2048 em by runs of consecutive code points, for the regular face and then the bold one. Written by
/// `assets/subset.py`.
static ADVANCES: LazyLock<[Vec<Run>; 2]> = LazyLock::new(|| {
    let (regular, bold) = include_str!("../assets/advances.txt").split_once("bold\n").unwrap_or_default();
    [regular, bold].map(|face| face.lines().filter_map(run).collect())
});

/// The families that pictures ask for. Verdana shares `DejaVu`'s widths; other sans-serif faces are narrower.
pub const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Units per em of the advance tables.
const UNITS: f64 = 2048.0;

/// Most characters that an elided text keeps; more fit no label.
const MOST_KEPT: usize = 400;

/// Height of capitals and digits, in em.
pub const CAP_HEIGHT: f64 = 0.73;

/// Depth of descenders, in em.
pub const DESCENT: f64 = 0.24;

/// Width of `text` in pixels at `size` pixels per em.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = &ADVANCES[usize::from(bold)];
    text.chars().map(|c| advance(face, c)).sum::<f64>() * size
}

/// `text`, or its beginning and end around `…` where it is wider than `limit` pixels. The end stays because names of
/// models and tensors differ there.
pub fn elide(text: &str, size: f64, limit: f64) -> String {
    if width(text, size, false) <= limit {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    // Shorten until it fits: two thirds in front, one third at the end.
    for kept in (1..chars.len().min(MOST_KEPT)).rev() {
        let tail = kept / 3;
        let head = kept - tail;
        let candidate: String =
            chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).copied().collect();
        if width(&candidate, size, false) <= limit {
            return candidate;
        }
    }
    "…".to_owned()
}

/// Breaks `text` at spaces into lines of at most `limit` pixels; a longer word is elided.
pub fn wrap(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        // Bold is up to a tenth wider than the regular face that `elide` measures.
        let word = elide(word, if bold { size * 1.1 } else { size }, limit);
        match lines.last_mut() {
            Some(line) if width(line, size, bold) + width(" ", size, bold) + width(&word, size, bold) <= limit => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// `0391 1401 1405 …`: the first code point, and the advances from there on.
fn run(line: &str) -> Option<(u32, Vec<u16>)> {
    let (start, advances) = line.split_once(' ')?;
    Some((u32::from_str_radix(start, 16).ok()?, advances.split(' ').filter_map(|units| units.parse().ok()).collect()))
}

/// Whether the bundled font has `c`.
#[cfg(feature = "png")]
pub(super) fn has(c: char) -> bool {
    units(&ADVANCES[0], c).is_some()
}

fn units(face: &[Run], c: char) -> Option<u16> {
    let code = u32::from(c);
    let (start, advances) = &face[face.partition_point(|(start, _)| *start <= code).checked_sub(1)?];
    advances.get((code - start) as usize).copied()
}

fn advance(face: &[Run], c: char) -> f64 {
    match (units(face, c), u32::from(c)) {
        (Some(units), _) => f64::from(units) / UNITS,
        // Outside the font another face is used: full width for CJK and emoji, a wide letter for the rest.
        (None, 0x1100..=0x11FF | 0x2E80..=0xD7FF | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFFEF | 0x1F000..) => {
            1.2
        }
        (None, _) => 0.8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_add_up_from_the_advances() {
        // `A` is 1401 units and a space 651 in DejaVu Sans.
        assert!((width("A A", 2048.0, false) - (1401.0 * 2.0 + 651.0)).abs() < 1e-9);
        assert!(width("A", 10.0, true) > width("A", 10.0, false));
        assert!(width("\u{2212}", 10.0, false) > 8.0, "the minus sign is in the font");
        // A mark stands on its letter.
        assert!((width("b\u{302}", 10.0, false) - width("b", 10.0, false)).abs() < 1e-9);
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        let name = "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B-Instruct-GPTQ-Int4";
        let short = elide(name, 10.0, 150.0);
        assert!(width(&short, 10.0, false) <= 150.0);
        assert!(short.starts_with("deepseek-ai") && short.ends_with("Int4"), "{short}");
        assert_eq!(elide("short", 10.0, 150.0), "short");
        assert_eq!(elide("anything", 10.0, 1.0), "…");
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_word() {
        let text = "Cosine similarity of the attention block's input norm at layer 10";
        let lines = wrap(text, 12.0, false, 160.0);
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| width(line, 12.0, false) <= 160.0));
        assert_eq!(lines.join(" "), text);
    }
}
