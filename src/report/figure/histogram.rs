//! How many values fall where. What lies outside the bins is not dropped: it stands at the ends as bars of its own.

use super::{
    axis::{Axis, Plot},
    colormap::{HATCH, INK, PAPER},
    legend::{Legend, Reference, reference_stroke, series_color},
    scene::{Anchor, Drawing, Mark, Scene, Stroke, Text},
};
use crate::report::{Digits, number::typeset};

/// Counts of values in bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What the values are.
    pub x_label: String,
    /// Lower edge of the first bin.
    pub low: f64,
    /// Upper edge of the last bin.
    pub high: f64,
    /// Values in each bin `low..high`, half-open but for the last, which holds its upper edge.
    pub counts: Vec<u64>,
    /// Values below the first bin.
    pub below: u64,
    /// Values above the last bin.
    pub above: u64,
    /// Values that are not finite numbers.
    pub not_finite: u64,
    /// Vertical lines to compare with.
    pub references: Vec<Reference>,
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const END: f64 = 46.0;

impl Histogram {
    /// Counts `values` into `bins` bins over `low..high`.
    pub fn count(values: impl IntoIterator<Item = f64>, low: f64, high: f64, bins: usize) -> Self {
        let bins = bins.max(1);
        let mut histogram = Self {
            x_label: String::new(),
            low,
            high,
            counts: vec![0; bins],
            below: 0,
            above: 0,
            not_finite: 0,
            references: Vec::new(),
        };
        for value in values {
            if !value.is_finite() {
                histogram.not_finite += 1;
            } else if value < low {
                histogram.below += 1;
            } else if value > high {
                histogram.above += 1;
            } else {
                let bin = (value - low) / (high - low) * bins as f64;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a bin's number, not below 0"
                )]
                let bin = (bin as usize).min(bins - 1);
                histogram.counts[bin] += 1;
            }
        }
        histogram
    }

    fn spans(&self, reference: &Reference) -> bool {
        (self.low..=self.high).contains(&reference.value)
    }
}

impl Drawing for Histogram {
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.below + self.above > 0 {
            let (below, above) = (self.below, self.above);
            remarks.push(format!("{below} values below and {above} above the bins, hatched at the ends."));
        }
        if self.not_finite > 0 {
            remarks.push(format!("{} not a finite number, not drawn.", self.not_finite));
        }
        remarks
    }

    fn draw(&self) -> Scene {
        let most = self.counts.iter().copied().chain([self.below, self.above]).max().unwrap_or(0);
        let y = Axis::covering(0.0, (most as f64).max(1.0) * 1.05, 5);
        let x = Axis::within(self.low, self.high, 8, false);
        let ends = if self.below + self.above > 0 { END } else { 0.0 };
        let left = (y.label_width() + 12.0).max(x.label_width() / 2.0);
        let plot = Plot { left: left + ends, top: Plot::HEAD, width: WIDTH, height: HEIGHT, x, y, clear: 0.0 };
        let mut legend = Legend::default();
        let place = |reference: &Reference| if self.spans(reference) { "" } else { ", off the axis" };
        legend.push_references(&self.references, Digits::Significant(4), place);
        let legend_left = plot.right() + ends + (plot.x.label_width() / 2.0).max(18.0);
        let height = HEIGHT.max(legend.height()) + Plot::HEAD + Plot::FOOT;
        let mut scene = Scene::new(legend_left + legend.width() + 4.0, height);
        let wide = Plot { left, width: WIDTH + 2.0 * ends, ..plot.clone() };
        wide.draw_y(&mut scene, "count");
        let width = WIDTH / self.counts.len().max(1) as f64;
        for (index, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let edge = |index: usize| self.low + (self.high - self.low) * index as f64 / self.counts.len() as f64;
            let number = |value| typeset(&Digits::Significant(4).format(value));
            let tooltip = format!("{} to {}: {count}", number(edge(index)), number(edge(index + 1)));
            let (top, bottom) = (plot.y(count as f64), plot.bottom());
            let bar = Mark::rect(plot.left + width * index as f64, top, width, bottom - top).fill(series_color(0));
            scene.mark(bar.stroke(Stroke::solid(PAPER, 0.5)).tooltip(tooltip));
        }
        plot.draw_x(&mut scene, &self.x_label);
        if ends > 0.0 {
            draw_end(&mut scene, &plot, left, self.below, "below");
            draw_end(&mut scene, &plot, plot.right() + 14.0, self.above, "above");
        }
        for (index, reference) in self.references.iter().enumerate().filter(|(_, reference)| self.spans(reference)) {
            let x = plot.x(reference.value);
            scene.mark(Mark::line((x, plot.top), (x, plot.bottom())).stroke(reference_stroke(index)));
        }
        legend.draw(&mut scene, legend_left, plot.top);
        scene
    }
}

/// The bar of values outside the bins on one side.
fn draw_end(scene: &mut Scene, plot: &Plot, left: f64, count: u64, word: &str) {
    let (top, bottom, width) = (plot.y(count as f64), plot.bottom(), END - 14.0);
    let bar = Mark::rect(left, top, width, bottom - top).fill(HATCH).stroke(Stroke::solid(INK, 0.8));
    scene.mark(bar.tooltip(format!("{word} the bins: {count}")));
    scene.text(Text::new(left + width / 2.0, bottom + 35.0, word, 10.0).anchor(Anchor::Middle));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::legible::assert_legible;

    #[test]
    fn every_value_is_counted_once() {
        let values = [-1.0, 0.0, 0.49, 0.5, 1.0, 2.5, f64::NAN, f64::INFINITY];
        let histogram = Histogram::count(values, 0.0, 1.0, 2);
        assert_eq!((histogram.counts, histogram.below, histogram.above, histogram.not_finite), (vec![2, 2], 1, 1, 2));
    }

    #[test]
    fn values_outside_the_bins_are_drawn_and_said() {
        let mut histogram = Histogram::count([0.1, 0.2, 3.0, 4.0], 0.0, 2.0, 10);
        histogram.references = vec![Reference::new("mean", 1.825), Reference::new("null", -0.25)];
        let svg = super::super::svg::document(&histogram.draw(), "");
        assert!(svg.contains("above the bins: 2"));
        assert!(svg.contains("mean = 1.825<") && svg.contains("null = −0.2500, off the axis"), "{svg}");
        assert_eq!(histogram.remarks(), ["0 values below and 2 above the bins, hatched at the ends."]);
    }

    #[test]
    fn no_text_overlaps_in_histograms() {
        for (low, high) in [(0.0, 2.0), (-1e-7, 1e-7), (1e6, 2e6), (-0.001, 0.001), (1.0, 1.0)] {
            let values = (0..1000).map(|index| low + (high - low) * f64::from(index) / 900.0);
            let mut histogram = Histogram::count(values, low, high, 60);
            histogram.x_label = "γ".into();
            histogram.references = vec![Reference::new("mean", low), Reference::new("a".repeat(96), high)];
            assert_legible(&histogram.draw());
        }
    }
}
