//! Axes: round ticks, and the frame they stand on. An axis covers every value it is given; one that leaves zero out says so
//! with a mark.

use super::{
    colormap::{GRID, INK, MUTED, PAPER},
    font,
    legend::{Reference, reference_stroke},
    scene::{Anchor, Mark, Scene, Stroke, Text},
};
use crate::report::number::{Digits, typeset};

/// Size of tick labels.
pub const TICK: f64 = 11.0;

/// A range of values and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    step: f64,
}

impl Axis {
    /// An axis over `low..high`, widened to round numbers, with about `wanted` ticks.
    pub fn covering(low: f64, high: f64, wanted: usize) -> Self {
        let (low, high) = extent(low, high);
        let step = round_step(high - low, wanted);
        // The tolerance keeps an end that is a tick up to rounding from gaining another one.
        Self { low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step, step }
    }

    /// An axis over exactly `low..high`, with ticks at round numbers inside; only whole ones where `whole`.
    pub fn within(low: f64, high: f64, wanted: usize, whole: bool) -> Self {
        let (low, high) = extent(low, high);
        let step = round_step(high - low, wanted);
        Self { low, high, step: if whole { step.max(1.0) } else { step } }
    }

    /// Whether zero lies on it.
    pub fn holds_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }

    /// Where `value` stands on a line from `from` (the smallest value) to `to`.
    pub fn at(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }

    /// `name`, with the value at which the axis begins where it leaves zero out.
    pub fn named(&self, name: &str) -> String {
        if self.holds_zero() {
            return name.to_owned();
        }
        let edge = if self.low > 0.0 { self.low } else { self.high };
        format!("{name} (axis cut at {})", self.label(edge))
    }

    /// The ticks, in ascending order, with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let first = (self.low / self.step - 1e-9).ceil();
        (0..40)
            .map(|index| (first + f64::from(index)) * self.step)
            .take_while(|&tick| tick <= self.high + self.step * 1e-9)
            .map(|tick| (tick, self.label(tick)))
            .collect()
    }

    /// Width of the widest tick label.
    pub fn label_width(&self) -> f64 {
        self.ticks().iter().map(|(_, label)| font::width(label, TICK, false)).fold(0.0, f64::max)
    }

    fn label(&self, tick: f64) -> String {
        let size = self.low.abs().max(self.high.abs());
        let tick = if tick.abs() < self.step * 1e-6 { 0.0 } else { tick };
        if (1e-4..1e6).contains(&size) {
            let digits = (0..9).find(|&digits| self.step * 10_f64.powi(digits) > 0.999_999).unwrap_or(9);
            typeset(&Digits::Fixed(u8::try_from(digits).unwrap_or(9)).format(tick))
        } else {
            typeset(&Digits::Significant(3).format(tick))
        }
    }
}

/// Smallest and largest of the finite `values`; (∞, −∞) where there are none.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// A rectangle with a horizontal and a vertical axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Room kept free between the plot and the name above it.
    pub clear: f64,
}

impl Plot {
    /// Room above the plot for the name of its vertical axis.
    pub const HEAD: f64 = 26.0;
    /// Room below the plot for tick labels and the name of its horizontal axis.
    pub const FOOT: f64 = 42.0;

    /// Where `x` stands.
    pub fn x(&self, x: f64) -> f64 {
        self.x.at(x, self.left, self.left + self.width)
    }

    /// Where `y` stands.
    pub fn y(&self, y: f64) -> f64 {
        self.y.at(y, self.top + self.height, self.top)
    }

    /// Lower edge.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Right edge.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Draws the vertical axis: grid, ticks, its name above, and a mark where zero is left out.
    pub fn draw_y(&self, scene: &mut Scene, name: &str) {
        for (tick, label) in self.y.ticks() {
            let y = self.y(tick);
            scene.mark(Mark::line((self.left, y), (self.right(), y)).stroke(Stroke::solid(GRID, 1.0)));
            scene.text(Text::centred(self.left - 7.0, y, label, TICK).anchor(Anchor::End).color(MUTED));
        }
        if self.y.holds_zero() {
            let y = self.y(0.0);
            scene.mark(Mark::line((self.left, y), (self.right(), y)).stroke(Stroke::solid(INK, 1.0)));
        }
        scene.mark(Mark::line((self.left, self.top), (self.left, self.bottom())).stroke(Stroke::solid(INK, 1.0)));
        if !self.y.holds_zero() {
            let y = if self.y.low > 0.0 { self.bottom() - 12.0 } else { self.top + 4.0 };
            scene.mark(zigzag_down(self.left, y, PAPER, 5.0));
            scene.mark(zigzag_down(self.left, y, INK, 1.2));
        }
        let name = Text::new(self.left, self.top - self.clear - 12.0, self.y.named(name), 12.0);
        scene.text(name.elided(self.width));
    }

    /// Draws the horizontal axis: ticks and its name below.
    pub fn draw_x(&self, scene: &mut Scene, name: &str) {
        let y = self.bottom();
        scene.mark(Mark::line((self.left, y), (self.right(), y)).stroke(Stroke::solid(INK, 1.0)));
        let ticks = self.x.ticks();
        // Where labels are wider than their ticks are apart, only some are written.
        let apart = self.width * self.x.step / (self.x.high - self.x.low);
        let need = self.x.label_width() + 8.0;
        let every = (1..ticks.len()).find(|&every| every as f64 * apart >= need).unwrap_or(ticks.len().max(1));
        for (index, (tick, label)) in ticks.into_iter().enumerate() {
            let x = self.x(tick);
            scene.mark(Mark::line((x, y), (x, y + 4.0)).stroke(Stroke::solid(INK, 1.0)));
            if index % every == 0 {
                scene.text(Text::new(x, y + 17.0, label, TICK).anchor(Anchor::Middle).color(MUTED));
            }
        }
        self.name_x(scene, name, 35.0);
    }

    /// Draws level lines to compare with.
    pub(super) fn draw_references(&self, scene: &mut Scene, references: &[Reference]) {
        for (index, reference) in references.iter().enumerate().filter(|(_, reference)| reference.value.is_finite()) {
            let y = self.y(reference.value);
            scene.mark(Mark::line((self.left, y), (self.right(), y)).stroke(reference_stroke(index)));
        }
    }

    /// Writes the horizontal axis's name `below` pixels under the plot.
    pub fn name_x(&self, scene: &mut Scene, name: &str, below: f64) {
        let middle = self.left + self.width / 2.0;
        scene.text(Text::new(middle, self.bottom() + below, name, 12.0).anchor(Anchor::Middle).elided(self.width));
    }
}

/// A zigzag of 8 pixels down from (`x`, `y`), the sign of an axis that is cut.
fn zigzag_down(x: f64, y: f64, color: super::colormap::Rgb, width: f64) -> Mark {
    let points = vec![(x, y), (x - 4.0, y + 2.0), (x + 4.0, y + 6.0), (x, y + 8.0)];
    Mark::path(vec![points]).stroke(Stroke::solid(color, width))
}

/// A range with an extent, of finite width.
fn extent(low: f64, high: f64) -> (f64, f64) {
    // Half of the widest range, so that its width is a number.
    let bound = |value: f64| value.clamp(-f64::MAX / 4.0, f64::MAX / 4.0);
    match (low.is_finite() && high.is_finite(), low < high) {
        (true, true) if (high - low) > high.abs().max(low.abs()) * 1e-12 => (bound(low), bound(high)),
        (true, _) => {
            let pad = if low == 0.0 { 1.0 } else { bound(low).abs() * 0.1 };
            (bound(low.min(high)) - pad, bound(low.max(high)) + pad)
        }
        (false, _) => (0.0, 1.0),
    }
}

/// 1, 2 or 5 times a power of ten, so that `width` has about `wanted` steps.
fn round_step(width: f64, wanted: usize) -> f64 {
    let raw = width / wanted.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|&step| step >= raw * 0.7);
    step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_labels_have_just_enough_digits() {
        assert_eq!(labels(&Axis::covering(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::covering(-0.04, 0.05, 4)), ["−0.04", "−0.02", "0.00", "0.02", "0.04", "0.06"]);
        assert_eq!(labels(&Axis::within(0.0, 47.0, 5, true)), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(&Axis::within(0.0, 2.0, 10, true)), ["0", "1", "2"]);
    }

    #[test]
    fn an_axis_of_one_value_or_none_has_an_extent() {
        for axis in [
            Axis::covering(0.5, 0.5, 5),
            Axis::covering(f64::INFINITY, f64::NEG_INFINITY, 5),
            Axis::covering(0.0, 0.0, 5),
        ] {
            assert!(axis.low < axis.high);
            assert!(axis.ticks().len() >= 2);
        }
    }

    proptest! {
        #[test]
        fn an_axis_covers_its_values_with_a_handful_of_ticks(a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assume!(high.abs() < 1e300 && low.abs() < 1e300);
            let axis = Axis::covering(low, high, 5);
            let slack = (axis.high - axis.low) * 1e-6;
            prop_assert!(axis.low <= low + slack && axis.high >= high - slack, "{axis:?}");
            prop_assert!(axis.ticks().len() <= 12);
            prop_assert!(axis.at(low, 0.0, 1.0) >= -1e-6 && axis.at(high, 0.0, 1.0) <= 1.0 + 1e-6);
        }
    }
}
