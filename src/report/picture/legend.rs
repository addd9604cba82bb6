//! What the lines, bars and points of a picture stand for.

use super::{
    colormap::{INK, PAPER, Rgb, SERIES},
    font,
    labels::LIMIT,
    scene::{Mark, Scene, Stroke, Text},
};

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
    SERIES[index % SERIES.len()]
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

#[cfg(test)]
mod tests {
    use super::*;

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
