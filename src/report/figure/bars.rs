//! Grouped bars with error bars, or dots where only the distance from zero counts. The axis holds zero, which is where bars start.

use super::{
    axis::{Axis, Plot, range},
    colormap::{INK, MUTED, PAPER},
    font,
    labels::ColumnLabels,
    legend::{Key, Legend, Reference, series_color, undefined},
    scene::{Anchor, Drawing, Mark, Scene, Stroke, Text},
};
use crate::report::{
    Datum, Digits,
    number::{common_digits, typeset},
};

/// Bars in groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// What the vertical axis is.
    pub y_label: String,
    /// Names of the groups, from left to right.
    pub groups: Vec<String>,
    /// The bars of one colour: one a group.
    pub series: Vec<BarSeries>,
    /// Horizontal lines to compare with.
    pub references: Vec<Reference>,
    /// Whether a dot stands at each value in place of a bar up to it.
    pub are_dots: bool,
}

/// Bars of one colour.
#[derive(Debug, Clone, PartialEq)]
pub struct BarSeries {
    /// What they have in common.
    pub label: String,
    /// One bar a group.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its end.
    pub value: Datum,
    /// Half the length of its error bar.
    pub error: Option<f64>,
}

impl Bar {
    /// A bar without an error bar.
    pub fn new(value: impl Into<Datum>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// A bar of `value` ± `error`.
    pub fn with_error(value: impl Into<Datum>, error: f64) -> Self {
        Self { value: value.into(), error: Some(error) }
    }

    /// Lower and upper end of what is drawn.
    fn span(&self) -> Option<(f64, f64)> {
        let value = self.value.value()?;
        let error = self.error.filter(|error| error.is_finite()).unwrap_or(0.0).abs();
        Some((value - error, value + error))
    }

    /// The bar from zero on, `width` wide from `x` on, or a dot in its middle, and its name.
    fn body(&self, plot: &Plot, [x, width]: [f64; 2], is_dot: bool, name: &str) -> Mark {
        let value = match self.value.get() {
            Ok(value) => value,
            Err(reason) => {
                // An unseen mark, so that the reason can still be asked for.
                let mark = Mark::rect(x, plot.bottom() - 14.0, width, 14.0).fill(PAPER);
                return mark.tooltip(format!("{name}: undefined, {reason}"));
            }
        };
        let (from, to) = (plot.y(0.0), plot.y(value));
        let error = self.error.map(|error| format!(" ± {}", Digits::Significant(3).format(error))).unwrap_or_default();
        let tooltip = format!("{name}: {}{error}", typeset(&Digits::Significant(5).format(value)));
        let mark = if is_dot {
            Mark::circle(x + width / 2.0, to, DOT)
        } else {
            Mark::rect(x, from.min(to), width, (from - to).abs())
        };
        mark.tooltip(tooltip)
    }

    /// Its error bar, if it has one.
    fn whisker(&self, plot: &Plot, middle: f64, width: f64) -> Option<Mark> {
        self.error?;
        let (low, high) = self.span()?;
        let (low, high, cap) = (plot.y(low), plot.y(high), (width * 0.25).min(5.0));
        let lines = vec![
            vec![(middle, low), (middle, high)],
            vec![(middle - cap, low), (middle + cap, low)],
            vec![(middle - cap, high), (middle + cap, high)],
        ];
        Some(Mark::path(lines).stroke(Stroke::solid(INK, 1.2)))
    }
}

const HEIGHT: f64 = 260.0;
const LABEL: f64 = 11.0;
/// Radius of a dot.
const DOT: f64 = 4.5;
const NUMBER: f64 = 9.0;
/// Room above and below the plot for level numbers at the ends of bars, so that no axis runs past its last value for them.
const CLEAR: f64 = 14.0;
/// Bars grow up to this width for the sake of their numbers, where they are few.
const WIDEST: f64 = 46.0;

/// How the numbers at the ends of bars are written.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    digits: Digits,
    /// Width of the widest.
    widest: f64,
    /// Whether there is room for them at all.
    shown: bool,
    /// Whether they stand upright, where bars are too narrow for them.
    upright: bool,
}

impl Numbers {
    fn text(&self, value: f64) -> String {
        typeset(&self.digits.format(value))
    }

    /// Room that they take past the plot.
    fn clear(&self) -> f64 {
        if self.upright { self.widest + 8.0 } else { CLEAR }
    }
}

impl Drawing for Bars {
    fn remarks(&self) -> Vec<String> {
        undefined(self.bars().filter_map(|bar| bar.value.reason()), "value", "shown as —").into_iter().collect()
    }

    fn draw(&self) -> Scene {
        let axis = self.axis();
        let count = self.series.len().max(1);
        let digits = common_digits(self.values());
        let widest = self.values().map(|value| font::width(&typeset(&digits.format(value)), NUMBER, false));
        let widest = widest.fold(0.0, f64::max);
        let bar = match count * self.groups.len() {
            // A bar alone in its group has the group's room.
            0..=24 if count > 1 => (widest + 4.0).clamp(30.0, WIDEST),
            0..=24 => 30.0,
            25..=60 => 16.0,
            _ => 9.0,
        };
        let pitch = (bar * count as f64 + bar.max(10.0) * 0.7).max(LABEL * 1.3);
        let fits = widest + 1.0 <= if count == 1 { pitch } else { bar };
        let numbers =
            Numbers { digits, widest, shown: fits || bar >= NUMBER * 1.5, upright: !fits && bar >= NUMBER * 1.5 };
        let clear = numbers.clear();
        let width = (pitch * self.groups.len() as f64).max(220.0);
        let labels = ColumnLabels::new(&self.groups, pitch, LABEL);
        let left = (axis.label_width() + 12.0).max(labels.left());
        let x = Axis::within(0.0, 1.0, 1, false);
        let plot = Plot { left, top: Plot::HEAD + clear, width, height: HEIGHT, x, y: axis, clear };
        let legend = self.legend();
        let below = if plot.y.low < 0.0 { clear } else { 0.0 };
        let height = (HEIGHT + below + labels.height()).max(legend.height()) + Plot::HEAD + clear + 4.0;
        let mut scene = Scene::new(plot.right() + 18.0 + legend.width() + 4.0, height);
        plot.draw_y(&mut scene, &self.y_label);
        for (index, series) in self.series.iter().enumerate() {
            for (group, (name, item)) in self.groups.iter().zip(&series.bars).enumerate() {
                let x = left + pitch * (group as f64 + 0.5) + bar * (index as f64 - count as f64 / 2.0) + 1.0;
                let width = bar - 2.0;
                let body = item.body(&plot, [x, width], self.are_dots, &format!("{name}, {}", series.label));
                let body = if item.value.value().is_some() { body.fill(series_color(index)) } else { body };
                let mut marks = vec![body];
                marks.extend(item.whisker(&plot, x + width / 2.0, width));
                if self.are_dots {
                    // A whisker would hide the dot.
                    marks.reverse();
                }
                for mark in marks {
                    scene.mark(mark);
                }
            }
        }
        plot.draw_references(&mut scene, &self.references);
        self.draw_numbers(&mut scene, &plot, numbers, [bar, pitch]);
        scene.mark(Mark::line((left, plot.bottom()), (plot.right(), plot.bottom())).stroke(Stroke::solid(MUTED, 1.0)));
        labels.draw(&mut scene, left, plot.bottom() + below);
        legend.draw(&mut scene, plot.right() + 18.0, plot.top);
        scene
    }
}

impl Bars {
    /// Bars of `series`, one a group each.
    pub fn new(y_label: impl Into<String>, groups: Vec<String>, series: Vec<BarSeries>) -> Self {
        Self { y_label: y_label.into(), groups, series, references: Vec::new(), are_dots: false }
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.series.iter().flat_map(|series| &series.bars)
    }

    fn axis(&self) -> Axis {
        let ends = self.bars().filter_map(Bar::span).flat_map(|(low, high)| [low, high]);
        let (low, high) = range(ends.chain(self.references.iter().map(|reference| reference.value)));
        if low > high { Axis::covering(0.0, 1.0, 5) } else { Axis::covering(low.min(0.0), high.max(0.0), 5) }
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        if self.series.len() > 1 || self.series.iter().any(|series| !series.label.is_empty()) {
            for (index, series) in self.series.iter().enumerate() {
                let color = series_color(index);
                legend.push(if self.are_dots { Key::Dot(color) } else { Key::Swatch(color) }, &series.label);
            }
        }
        legend.push_references(&self.references, Digits::Significant(3), |_| "");
        legend
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.bars().filter_map(|bar| bar.value.value())
    }

    /// Writes each bar's number past its end where there is room; a dash where there is none to write.
    fn draw_numbers(&self, scene: &mut Scene, plot: &Plot, numbers: Numbers, [bar, pitch]: [f64; 2]) {
        let count = self.series.len().max(1) as f64;
        for (index, series) in self.series.iter().enumerate() {
            for (group, item) in series.bars.iter().enumerate().take(self.groups.len()) {
                let x = plot.left + pitch * (group as f64 + 0.5) + bar * (index as f64 + 0.5 - count / 2.0);
                let text = match (item.value.value(), item.span()) {
                    (Some(value), Some((low, high))) if numbers.shown => {
                        let (end, is_below) = if value < 0.0 { (plot.y(low), true) } else { (plot.y(high), false) };
                        // Below the axis rather than across it: the room there is its own.
                        let crosses = is_below && plot.bottom() - end < numbers.clear();
                        let end = if crosses { plot.bottom() } else { end };
                        let text = numbers.text(value);
                        match (numbers.upright, is_below) {
                            (true, true) => Text::new(x + NUMBER * 0.36, end + 4.0, text, NUMBER).anchor(Anchor::End),
                            (true, false) => {
                                Text::new(x + NUMBER * 0.36, end - 4.0, text, NUMBER).anchor(Anchor::Start)
                            }
                            (false, true) => Text::new(x, end + NUMBER + 2.0, text, NUMBER).anchor(Anchor::Middle),
                            (false, false) => Text::new(x, end - 4.0, text, NUMBER).anchor(Anchor::Middle),
                        }
                    }
                    (Some(_), _) => continue,
                    (None, _) => Text::new(x, plot.y(0.0) - 4.0, "—", 13.0).anchor(Anchor::Middle),
                };
                let turn = if numbers.upright && item.value.value().is_some() { -90.0 } else { 0.0 };
                scene.text(text.turn(turn));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::{
        legible::{assert_legible, text_boxes},
        svg,
    };

    fn bars(groups: usize, series: usize, label: impl Fn(usize) -> String) -> Bars {
        let value = |group: usize, s: usize| ((group * 7 + s * 3) % 11) as f64 * 0.1 - 0.2;
        let one = |s: usize| BarSeries {
            label: format!("series {s}"),
            bars: (0..groups).map(|group| Bar::with_error(value(group, s), 0.03)).collect(),
        };
        Bars {
            references: vec![Reference::new("threshold", 0.95)],
            ..Bars::new("mean cosine", (0..groups).map(label).collect(), (0..series).map(one).collect())
        }
    }

    #[test]
    fn no_text_overlaps_in_bars() {
        for (groups, series) in [(0, 0), (1, 1), (2, 3), (9, 2), (6, 4), (24, 2), (60, 1), (36, 3)] {
            assert_legible(&bars(groups, series, |group| format!("owner/model-{group}")).draw());
            let dots = Bars { are_dots: true, ..bars(groups, series, |group| format!("owner/model-{group}")) };
            assert_legible(&dots.draw());
            assert_legible(&bars(groups, series, |group| format!("{group}{}", "w".repeat(95))).draw());
        }
    }

    #[test]
    fn the_number_of_a_bar_that_nearly_reaches_the_axis_stands_below_it() {
        let series = vec![BarSeries { label: String::new(), bars: vec![Bar::new(-1.9), Bar::new(0.5)] }];
        let bars = Bars::new("z", vec!["a".into(), "b".into()], series);
        let scene = bars.draw();
        let boxes = text_boxes(&scene);
        let top = |text: &str| {
            boxes.iter().find(|(written, _)| written.text.starts_with(text)).map(|(text, _)| text.y - NUMBER)
        };
        let axis =
            boxes.iter().filter(|(text, _)| text.text.starts_with("−2")).map(|(text, _)| text.y).fold(0.0, f64::max);
        assert!(top("−1.9").is_some_and(|top| top > axis - NUMBER), "{boxes:?}");
    }

    #[test]
    fn bars_start_at_zero_however_close_their_ends() {
        let series = vec![BarSeries { label: String::new(), bars: vec![Bar::new(0.95), Bar::new(0.99)] }];
        let close = Bars::new("cosine", vec!["a".into(), "b".into()], series);
        assert!(close.axis().low.abs() < 1e-12);
        assert!(!svg::document(&close.draw(), "").contains("axis cut"));
    }

    #[test]
    fn an_undefined_bar_is_a_dash_with_its_reason() {
        let mut bars = bars(2, 1, |group| group.to_string());
        bars.series[0].bars[1].value = Datum::undefined("ZeroNorm");
        let svg = svg::document(&bars.draw(), "");
        assert!(svg.contains("undefined, ZeroNorm") && svg.contains(">—</text>"));
        assert_eq!(bars.remarks(), ["1 value undefined, shown as —: ZeroNorm (1)."]);
    }

    #[test]
    fn a_dot_stands_at_each_value_above_its_whisker() {
        let dots = Bars { are_dots: true, ..bars(2, 1, |group| group.to_string()) };
        let svg = svg::document(&dots.draw(), "");
        // Two values, and one key.
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.find(r#"stroke-width="1.2""#).unwrap() < svg.find("<circle").unwrap());
        assert!(!svg.contains("<rect"));
    }

    #[test]
    fn numbers_stand_at_the_ends_of_bars_level_or_upright() {
        let named = |groups: usize, series: usize| {
            let bars = bars(groups, series, |group| group.to_string());
            let scene = bars.draw();
            let numbers = common_digits(bars.values());
            let written: Vec<String> = text_boxes(&scene).iter().map(|(text, _)| text.text.clone()).collect();
            bars.values().all(|value| written.contains(&typeset(&numbers.format(value))))
        };
        assert!([(4, 4), (6, 2), (3, 3), (1, 1), (24, 2)].into_iter().all(|(groups, series)| named(groups, series)));
        assert!(!named(36, 3), "bars of nine pixels have no room");
    }
}
