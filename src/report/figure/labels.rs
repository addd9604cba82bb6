//! Labels below the columns of a picture: level where they fit, thinned where they are numbers, turned where they are names.

use super::{
    font,
    scene::{Anchor, Scene, Text},
};

/// Widest label in pixels; longer ones are elided and keep the whole as a tooltip.
pub(super) const LIMIT: f64 = 190.0;

const SIN_45: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// How far labels are turned to fit their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Level = 0,
    Slanted = -45,
    Upright = -90,
}

/// How the labels of equally wide columns are laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ColumnLabels<'a> {
    labels: &'a [String],
    pitch: f64,
    size: f64,
    turn: Turn,
    every: usize,
    widest: f64,
}

impl<'a> ColumnLabels<'a> {
    /// Lays `labels` out below columns `pitch` pixels wide; `size` pixels per em.
    pub(super) fn new(labels: &'a [String], pitch: f64, size: f64) -> Self {
        let widest = labels.iter().map(|label| font::width(label, size, false).min(LIMIT)).fold(0.0, f64::max);
        let level = |every| Self { labels, pitch, size, turn: Turn::Level, every, widest };
        if widest + 5.0 <= pitch {
            return level(1);
        }
        if are_numbers(labels) {
            return level(thinning(widest + 7.0, pitch));
        }
        let turn = if pitch >= size * 1.5 { Turn::Slanted } else { Turn::Upright };
        Self { labels, pitch, size, turn, every: 1, widest }
    }

    /// Height of the labels, with the gap above them.
    pub(super) fn height(&self) -> f64 {
        match self.turn {
            Turn::Level => self.size + 7.0,
            Turn::Slanted => self.size * 0.8 + (self.widest + self.size * font::DESCENT) * SIN_45 + 2.0,
            Turn::Upright => self.widest + 6.0,
        }
    }

    /// How far the labels reach left of the first column.
    pub(super) fn left(&self) -> f64 {
        let reach = match self.turn {
            Turn::Level => self.widest / 2.0,
            Turn::Slanted => (self.widest + self.size * font::CAP_HEIGHT) * SIN_45,
            Turn::Upright => self.size,
        };
        (reach - self.pitch / 2.0).max(0.0)
    }

    /// How far they reach right of the last column.
    pub(super) fn right(&self) -> f64 {
        let reach = if self.turn == Turn::Level { self.widest / 2.0 } else { self.size };
        (reach - self.pitch / 2.0).max(0.0)
    }

    /// Writes them below the height `top`, for columns that begin at `left`.
    pub(super) fn draw(&self, scene: &mut Scene, left: f64, top: f64) {
        for (index, label) in self.labels.iter().enumerate().step_by(self.every) {
            let x = left + (index as f64 + 0.5) * self.pitch;
            let text = match self.turn {
                Turn::Level => Text::new(x, top + self.size + 3.0, label, self.size).anchor(Anchor::Middle),
                Turn::Slanted => {
                    Text::new(x + self.size * 0.3, top + self.size * 0.9, label, self.size).anchor(Anchor::End)
                }
                Turn::Upright => Text::new(x + self.size * 0.36, top + 5.0, label, self.size).anchor(Anchor::End),
            };
            scene.text(text.elided(LIMIT).turn(f64::from(self.turn as i16)));
        }
    }
}

/// Writes the labels of rows `pitch` pixels high, right-aligned at `right`. Numbers are thinned where the rows are low.
pub(super) fn row_labels(scene: &mut Scene, labels: &[String], right: f64, top: f64, pitch: f64, size: f64) {
    let every = if are_numbers(labels) { thinning(size, pitch) } else { 1 };
    for (index, label) in labels.iter().enumerate().step_by(every) {
        let middle = top + (index as f64 + 0.5) * pitch;
        scene.text(Text::centred(right, middle, label, size).anchor(Anchor::End).elided(LIMIT));
    }
}

/// Whether `labels` are whole numbers, such as layers: then a reader can fill in those that are left out.
pub(super) fn are_numbers(labels: &[String]) -> bool {
    labels.iter().all(|label| label.parse::<u32>().is_ok())
}

/// Width of the widest of `labels` as they are drawn.
pub(super) fn widest(labels: &[String], size: f64) -> f64 {
    labels.iter().map(|label| font::width(&font::elide(label, size, LIMIT), size, false)).fold(0.0, f64::max)
}

/// The smallest round step at which labels `need` pixels apart fit columns of `pitch` pixels.
fn thinning(need: f64, pitch: f64) -> usize {
    let steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
    steps.into_iter().find(|&step| step as f64 * pitch >= need).unwrap_or(5000)
}

#[cfg(test)]
mod tests {
    use super::{super::legible::text_boxes, *};

    fn numbers(count: usize) -> Vec<String> {
        (0..count).map(|index| index.to_string()).collect()
    }

    #[test]
    fn numbers_are_thinned_and_names_are_turned() {
        let layers = numbers(48);
        let labels = ColumnLabels::new(&layers, 6.0, 10.0);
        assert_eq!((labels.turn, labels.every), (Turn::Level, 5));
        let names = vec!["Qwen/Qwen2.5-7B".to_owned(); 3];
        assert_eq!(ColumnLabels::new(&names, 300.0, 10.0).turn, Turn::Level);
        assert_eq!(ColumnLabels::new(&names, 30.0, 10.0).turn, Turn::Slanted);
        assert_eq!(ColumnLabels::new(&names, 13.0, 10.0).turn, Turn::Upright);
    }

    #[test]
    fn turned_names_stay_within_their_own_measure() {
        let names = vec!["a-long-name/of-a-model-with-a-long-name".to_owned(); 4];
        for pitch in [13.0, 30.0] {
            let labels = ColumnLabels::new(&names, pitch, 10.0);
            let mut scene = Scene::new(0.0, 0.0);
            labels.draw(&mut scene, labels.left(), 0.0);
            for (_, corners) in text_boxes(&scene) {
                for (x, y) in corners {
                    assert!(x >= -0.5 && y <= labels.height() + 0.5, "{x} {y} {}", labels.height());
                }
            }
        }
    }
}
