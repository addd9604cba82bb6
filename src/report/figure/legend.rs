//! What the lines, bars and points of a picture stand for, and what it says of values that it cannot draw.

use super::{
    colormap::{INK, PAPER, Rgb, SERIES},
    font,
    labels::LIMIT,
    scene::{Mark, Scene, Stroke, Text},
};
use crate::report::{
    Digits,
    number::{counted, typeset},
};

/// A line to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Its name; the value is added to it.
    pub label: String,
    /// Where it stands.
    pub value: f64,
}

impl Reference {
    /// A line at `value`.
    pub fn new(label: impl Into<String>, value: f64) -> Self {
        Self { label: label.into(), value }
    }
}

const SIZE: f64 = 11.0;
const PITCH: f64 = 18.0;
const KEY: f64 = 22.0;

/// Dashes of the series after each round of colours.
const DASHES: [&[f64]; 4] = [&[], &[6.0, 3.0], &[2.0, 2.0], &[8.0, 3.0, 2.0, 3.0]];

/// The paint of the series at `index`: colour first, then dash, so that 32 differ.
pub(super) fn series_stroke(index: usize) -> Stroke {
    Stroke { color: series_color(index), width: 1.8, dash: DASHES[index / SERIES.len() % DASHES.len()] }
}

/// The colour of the series at `index`.
pub(super) fn series_color(index: usize) -> Rgb {
    Rgb(SERIES[index % SERIES.len()])
}

/// The key of the group of points at `index`: every second round of colours is hollow, so that 16 differ.
pub(super) fn point_key(index: usize) -> Key {
    if (index / SERIES.len()).is_multiple_of(2) {
        Key::Dot(series_color(index))
    } else {
        Key::Ring(series_color(index))
    }
}

/// A hollow dot.
pub(super) fn ring(x: f64, y: f64, color: Rgb) -> Mark {
    Mark::circle(x, y, 3.4).fill(PAPER).stroke(Stroke::solid(color, 1.8))
}

/// The paint of the reference line at `index`.
pub(super) fn reference_stroke(index: usize) -> Stroke {
    Stroke { color: INK, width: 1.3, dash: [DASHES[1], DASHES[2], DASHES[3]][index % 3] }
}

/// How an entry is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key {
    /// A line.
    Line(Stroke),
    /// A filled square.
    Swatch(Rgb),
    /// A dot.
    Dot(Rgb),
    /// A hollow dot.
    Ring(Rgb),
}

/// Entries, one a line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Legend {
    entries: Vec<(Key, String)>,
}

impl Legend {
    /// Adds an entry.
    pub(super) fn push(&mut self, key: Key, label: impl Into<String>) {
        self.entries.push((key, label.into()));
    }

    /// Adds lines to compare with and their values in `digits`; `remark` says more of one.
    pub(super) fn push_references(
        &mut self,
        references: &[Reference],
        digits: Digits,
        remark: impl Fn(&Reference) -> &'static str,
    ) {
        for (index, reference) in references.iter().enumerate() {
            let value = typeset(&digits.format(reference.value));
            let label = format!("{} = {value}{}", reference.label, remark(reference));
            self.push(Key::Line(reference_stroke(index)), label);
        }
    }

    /// Width in pixels; 0 where there are no entries.
    pub(super) fn width(&self) -> f64 {
        let widest =
            self.entries.iter().map(|(_, label)| font::width(label, SIZE, false).min(LIMIT)).fold(0.0, f64::max);
        if self.entries.is_empty() { 0.0 } else { KEY + 6.0 + widest }
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        self.entries.len() as f64 * PITCH
    }

    /// Draws the entries from (`x`, `y`) down.
    pub(super) fn draw(&self, scene: &mut Scene, x: f64, y: f64) {
        for (index, (key, label)) in self.entries.iter().enumerate() {
            let middle = y + (index as f64 + 0.5) * PITCH;
            match *key {
                Key::Line(stroke) => scene.mark(Mark::line((x, middle), (x + KEY, middle)).stroke(stroke)),
                Key::Swatch(color) => scene.mark(Mark::rect(x + 5.0, middle - 6.0, 12.0, 12.0).fill(color)),
                Key::Ring(color) => scene.mark(ring(x + KEY / 2.0, middle, color)),
                Key::Dot(color) => scene.mark(Mark::circle(x + KEY / 2.0, middle, 4.5).fill(color)),
            }
            scene.text(Text::centred(x + KEY + 6.0, middle, label, SIZE).elided(LIMIT));
        }
    }
}

/// Most reasons that are spelled out; the rest are counted.
const MOST_REASONS: usize = 3;

/// `2 cells undefined, hatched: Shape (1), ZeroNorm (1).` for the reasons of two cells; `None` where there are none.
pub(super) fn undefined<'a>(reasons: impl Iterator<Item = &'a str>, noun: &str, shown: &str) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    if counts.is_empty() {
        return None;
    }
    let total = counts.iter().map(|(_, count)| count).sum();
    let mut named: Vec<String> =
        counts.iter().take(MOST_REASONS).map(|(reason, count)| format!("{reason} ({count})")).collect();
    if counts.len() > MOST_REASONS {
        named.push(counted(counts.len() - MOST_REASONS, "other reason"));
    }
    Some(format!("{} undefined, {shown}: {}.", counted(total, noun), named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_the_many_are_summed_up() {
        assert_eq!(undefined(std::iter::empty(), "cell", "hatched"), None);
        let few = undefined(["Shape", "ZeroNorm", "Shape"].into_iter(), "cell", "hatched");
        assert_eq!(few.as_deref(), Some("3 cells undefined, hatched: Shape (2), ZeroNorm (1)."));
        let many = undefined("a b c d e".split(' '), "value", "left as gaps");
        assert_eq!(many.as_deref(), Some("5 values undefined, left as gaps: a (1), b (1), c (1), 2 other reasons."));
    }

    #[test]
    fn sixteen_groups_of_points_are_told_apart() {
        let keys: Vec<Key> = (0..16).map(point_key).collect();
        for (index, a) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn thirty_two_series_are_told_apart() {
        let strokes: Vec<Stroke> = (0..32).map(series_stroke).collect();
        for (index, a) in strokes.iter().enumerate() {
            assert!(strokes[index + 1..].iter().all(|b| a != b));
        }
    }
}
