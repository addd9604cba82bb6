//! The colour bar of a heatmap: its colours, its ticks and the name of the quantity.

use super::{
    axis::Axis,
    colormap::MUTED,
    font,
    heatmap::{BAR_WIDTH, Heatmap},
    scene::{Anchor, Mark, Scene, Stroke, Text},
};
use crate::report::{Digits, number::typeset};

impl Heatmap {
    pub(super) fn draw_bar(&self, scene: &mut Scene, left: f64, top: f64, height: f64) {
        let (low, high, right) = (self.scale.low, self.scale.high, left + BAR_WIDTH);
        let steps = 64;
        let slice = height / f64::from(steps);
        for step in 0..steps {
            let value = low + (high - low) * ((f64::from(step) + 0.5) / f64::from(steps));
            let y = top + height - f64::from(step + 1) * slice;
            // Slices overlap by half a pixel, so that no seam shows between them.
            let overlap = if step > 0 { 0.5 } else { 0.0 };
            scene.mark(Mark::rect(left, y, BAR_WIDTH, slice + overlap).fill(self.scale.color(value)));
        }
        scene.mark(Mark::rect(left, top, BAR_WIDTH, height).stroke(Stroke::solid(MUTED, 1.0)));
        for (value, label) in self.bar_ticks(height) {
            let y = top + height * (1.0 - (value - low) / (high - low));
            scene.mark(Mark::line((right, y), (right + 4.0, y)).stroke(Stroke::solid(MUTED, 1.0)));
            scene.text(Text::centred(right + 7.0, y, label, 10.0).color(MUTED));
        }
        let x = right + 7.0 + self.bar_label_width() + 15.0;
        let text = Text::new(x, top + height / 2.0, &self.quantity, 11.0).anchor(Anchor::Middle);
        scene.text(text.elided(height).turn(-90.0));
    }

    /// Both ends exactly, and round numbers between where they have room.
    fn bar_ticks(&self, height: f64) -> Vec<(f64, String)> {
        let (low, high) = (self.scale.low, self.scale.high);
        let room = (high - low) * 16.0 / height;
        let (below, above) = self.beyond();
        let end = |value, sign: &str, beyond| {
            let number = typeset(&Digits::Significant(3).format(value));
            if beyond > 0 { format!("{sign} {number}") } else { number }
        };
        let mut ticks = Axis::within(low, high, 5, false).ticks();
        ticks.retain(|(tick, _)| tick - low > room && high - tick > room);
        ticks.extend([(low, end(low, "≤", below)), (high, end(high, "≥", above))]);
        ticks
    }

    pub(super) fn bar_label_width(&self) -> f64 {
        self.bar_ticks(200.0).iter().map(|(_, label)| font::width(label, 10.0, false)).fold(0.0, f64::max)
    }
}
