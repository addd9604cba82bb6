//! Series over a shared horizontal axis, such as a quantity by layer. A value that is undefined leaves a gap; nothing is
//! drawn across it. A null lies below its line, and where r is drawn the band that chance alone fills.

use super::{
    axis::{Axis, Plot, range},
    colormap::{BAND, MUTED, PAPER, pale},
    legend::{Key, Legend, Reference, series_color, series_stroke, undefined},
    scene::{Drawing, Mark, Scene, Stroke},
};
use crate::report::{Datum, Digits, number::typeset};

/// Lines in one panel or several above each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// What the horizontal axis is.
    pub x_label: String,
    /// Positions, one a value of each series, ascending.
    pub x: Vec<f64>,
    /// Panels, from top to bottom.
    pub panels: Vec<LinePanel>,
}

/// One panel of lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinePanel {
    /// What the vertical axis is.
    pub y_label: String,
    /// The lines.
    pub series: Vec<Series>,
    /// Horizontal lines to compare with, such as a null's mean.
    pub references: Vec<Reference>,
    /// Values that the vertical axis covers at least; it always covers every value and reference.
    pub at_least: Option<(f64, f64)>,
    /// Elements n of the tensors at each position, where the lines are correlations: chance alone keeps these within ±2/√n. Empty
    /// for other quantities.
    pub elements: Vec<Option<u64>>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub label: String,
    /// One value a position.
    pub values: Vec<Datum>,
    /// Half the length of a vertical bar through each value, such as its standard deviation; empty for no bars.
    pub spread: Vec<Datum>,
    /// What each value would be without a relation, drawn broad and pale below the line; empty where nobody knows.
    pub null: Vec<Datum>,
}

const HEIGHT: f64 = 230.0;
const GAP: f64 = 18.0;
/// Width of a null, so that a line that lies on it leaves it visible on both sides.
const BROAD: f64 = 6.0;

impl Drawing for Lines {
    fn remarks(&self) -> Vec<String> {
        let series = self.panels.iter().flat_map(|panel| &panel.series);
        let reasons = series.flat_map(|series| &series.values).filter_map(Datum::reason);
        undefined(reasons, "value", "left as gaps").into_iter().collect()
    }

    fn draw(&self) -> Scene {
        let axes: Vec<Axis> = self.panels.iter().map(LinePanel::axis).collect();
        let legends: Vec<Legend> = self.panels.iter().map(LinePanel::legend).collect();
        let left = axes.iter().map(Axis::label_width).fold(0.0, f64::max) + 12.0;
        let width = (self.x.len() as f64 * 14.0).clamp(420.0, 680.0);
        let whole = self.x.iter().all(|x| x.fract() == 0.0);
        let (low, high) = range(self.x.iter().copied());
        let x = Axis::within(low, high, 12, whole);
        let legend_width = legends.iter().map(Legend::width).fold(0.0, f64::max);
        let legend_left = left + width + GAP;
        let mut scene = Scene::new(legend_left + legend_width + 4.0, 0.0);
        let mut top = 0.0;
        for ((panel, y), legend) in self.panels.iter().zip(axes).zip(&legends) {
            let plot = Plot { left, top: top + Plot::HEAD, width, height: HEIGHT, x: x.clone(), y, clear: 0.0 };
            panel.draw_band(&mut scene, &plot, &self.x);
            plot.draw_y(&mut scene, &panel.y_label);
            plot.draw_x(&mut scene, &self.x_label);
            panel.draw(&mut scene, &plot, &self.x, &self.x_label);
            legend.draw(&mut scene, legend_left, plot.top);
            top += Plot::HEAD + HEIGHT.max(legend.height()) + Plot::FOOT + GAP;
        }
        scene.height = (top - GAP).max(1.0);
        scene
    }
}

impl LinePanel {
    /// A panel of `series`.
    pub fn new(y_label: impl Into<String>, series: Vec<Series>) -> Self {
        Self { y_label: y_label.into(), series, ..Self::default() }
    }

    /// The panel of correlations of tensors with so many elements at each position.
    #[must_use]
    pub fn with_elements(mut self, elements: impl IntoIterator<Item = Option<u64>>) -> Self {
        self.elements = elements.into_iter().collect();
        self
    }

    /// ±2/√n at each position.
    fn chance(&self) -> impl Iterator<Item = Option<f64>> {
        self.elements.iter().map(|n| n.filter(|&n| n > 0).map(|n| 2.0 / (n as f64).sqrt()))
    }

    fn axis(&self) -> Axis {
        let of_series = |series: &Series| series.values.iter().chain(&series.null).filter_map(Datum::value).collect();
        let values = self.series.iter().flat_map(|series| -> Vec<f64> { of_series(series) });
        let values = values.chain(self.chance().flatten().flat_map(|half| [-half, half]));
        let references = self.references.iter().map(|reference| reference.value);
        let least = self.at_least.into_iter().flat_map(|(low, high)| [low, high]);
        let bars = self.series.iter().flat_map(Series::bars);
        let ends = bars.flat_map(|(_, value, spread)| [value - spread, value + spread]);
        let (low, high) = range(values.chain(references).chain(least).chain(ends));
        Axis::covering(low, high, 5)
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for (index, series) in self.series.iter().enumerate() {
            legend.push(Key::Line(series_stroke(index)), &series.label);
        }
        if self.series.iter().any(|series| !series.null.is_empty()) {
            legend.push(Key::Line(Stroke::solid(pale(MUTED), BROAD)), "null, below its line");
        }
        let mut sizes: Vec<u64> = self.elements.iter().flatten().copied().collect();
        sizes.dedup();
        match sizes.as_slice() {
            [] => {}
            [n] => legend.push(Key::Swatch(BAND), format!("chance: ±2/√{n}")),
            _ => legend.push(Key::Swatch(BAND), "chance: ±2/√n"),
        }
        legend.push_references(&self.references, Digits::Significant(3), |_| "");
        legend
    }

    /// The band of chance, below everything else.
    fn draw_band(&self, scene: &mut Scene, plot: &Plot, x: &[f64]) {
        let halves: Vec<Datum> =
            self.chance().map(|half| half.map_or_else(|| Datum::undefined("no size"), Datum::new)).collect();
        let zero = plot.y(0.0);
        for upper in visible(stretches(&halves, plot, x)) {
            let lower = upper.iter().rev().map(|&(x, y)| (x, 2.0 * zero - y));
            scene.mark(Mark::polygon(upper.iter().copied().chain(lower).collect()).fill(BAND));
        }
    }

    fn draw(&self, scene: &mut Scene, plot: &Plot, x: &[f64], x_label: &str) {
        for (index, series) in self.series.iter().enumerate().filter(|(_, series)| !series.null.is_empty()) {
            let null = visible(stretches(&series.null, plot, x));
            scene.mark(Mark::path(null).stroke(Stroke::solid(pale(series_color(index)), BROAD)));
        }
        plot.draw_references(scene, &self.references);
        for (index, series) in self.series.iter().enumerate() {
            let bars = series.bars().filter_map(|(at, value, spread)| {
                let (x, low, high) = (plot.x(*x.get(at)?), plot.y(value - spread), plot.y(value + spread));
                Some([
                    vec![(x, low), (x, high)],
                    vec![(x - 2.0, low), (x + 2.0, low)],
                    vec![(x - 2.0, high), (x + 2.0, high)],
                ])
            });
            let bars: Vec<_> = bars.flatten().collect();
            if !bars.is_empty() {
                scene.mark(Mark::path(bars).stroke(Stroke::solid(series_color(index), 0.9)));
            }
            let line = stretches(&series.values, plot, x).into_iter().filter(|run| run.len() > 1).collect();
            scene.mark(Mark::path(line).stroke(series_stroke(index)));
        }
        for (index, series) in self.series.iter().enumerate() {
            for (at, (&x, value)) in x.iter().zip(&series.values).enumerate() {
                let Some(value) = value.value() else { continue };
                let mut shown = typeset(&Digits::Significant(5).format(value));
                if let Some(spread) = series.spread.get(at).and_then(Datum::value) {
                    shown = format!("{shown} ± {}", typeset(&Digits::Significant(3).format(spread)));
                }
                if let Some(null) = series.null.get(at).and_then(Datum::value) {
                    shown = format!("{shown}, null {}", typeset(&Digits::Significant(5).format(null)));
                }
                let tooltip = format!("{}, {x_label} {}: {shown}", series.label, typeset(&Digits::Exact.format(x)));
                let dot = Mark::circle(plot.x(x), plot.y(value), 2.2).fill(series_color(index));
                scene.mark(dot.stroke(Stroke::solid(PAPER, 0.5)).tooltip(tooltip));
            }
        }
    }
}

impl Series {
    /// A line of `values`.
    pub fn new(label: impl Into<String>, values: Vec<Datum>) -> Self {
        Self { label: label.into(), values, spread: Vec::new(), null: Vec::new() }
    }

    /// The line above its null.
    #[must_use]
    pub fn with_null(mut self, null: Vec<Datum>) -> Self {
        let is_known = null.iter().any(|null| null.value().is_some());
        self.null = if is_known { null } else { Vec::new() };
        self
    }

    /// The line with a bar of `spread` above and below each value.
    #[must_use]
    pub fn with_spread(mut self, spread: Vec<Datum>) -> Self {
        self.spread = spread;
        self
    }

    /// Value and half the length of its bar, where both are defined.
    fn bars(&self) -> impl Iterator<Item = (usize, f64, f64)> {
        let pairs = self.values.iter().zip(&self.spread).enumerate();
        pairs.filter_map(|(index, (value, spread))| Some((index, value.value()?, spread.value()?)))
    }
}

/// Runs of defined values, as points of `plot`.
fn stretches(values: &[Datum], plot: &Plot, x: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<_> =
        x.iter().zip(values).map(|(&x, value)| value.value().map(|y| (plot.x(x), plot.y(y)))).collect();
    let runs = points.split(Option::is_none).map(|run| run.iter().flatten().copied().collect());
    runs.filter(|run: &Vec<_>| !run.is_empty()).collect()
}

/// Stretches of which a point alone is a short line, since no dot marks it.
fn visible(mut stretches: Vec<Vec<(f64, f64)>>) -> Vec<Vec<(f64, f64)>> {
    for run in &mut stretches {
        if let [(x, y)] = run[..] {
            *run = vec![(x - 5.0, y), (x + 5.0, y)];
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::{legible::assert_legible, svg};

    fn lines(series: usize, layers: usize, panels: usize, label: impl Fn(usize) -> String) -> Lines {
        let one = |s: usize| {
            let value = |layer: usize| Datum::new(0.8 + ((layer * (s + 3)) % 17) as f64 * 0.01);
            Series::new(label(s), (0..layers).map(value).collect())
        };
        let panel = |panel: usize| LinePanel {
            references: vec![Reference::new("null mean", 0.91), Reference::new("0.99 threshold of a long name", 0.99)],
            ..LinePanel::new(format!("cosine {panel}"), (0..series).map(one).collect())
        };
        Lines {
            x_label: "layer".into(),
            x: (0..layers).map(|l| l as f64).collect(),
            panels: (0..panels).map(panel).collect(),
        }
    }

    #[test]
    fn no_text_overlaps_in_nine_series_over_forty_eight_layers() {
        for (series, layers, panels) in
            [(1, 1, 1), (2, 2, 2), (9, 48, 2), (9, 128, 1), (20, 48, 2), (0, 0, 1), (0, 0, 0)]
        {
            assert_legible(&lines(series, layers, panels, |s| format!("organisation/Model-{s}")).draw());
            assert_legible(&lines(series, layers, panels, |s| format!("{s}{}", "m".repeat(95))).draw());
        }
    }

    #[test]
    fn an_undefined_value_is_a_gap_and_is_counted() {
        let mut lines = lines(1, 7, 1, |_| "m".into());
        lines.panels[0].series[0].values[3] = Datum::undefined("Constant");
        let svg = svg::document(&lines.draw(), "");
        let path = svg.lines().find(|line| line.contains(r##"stroke="#0072b2" stroke-width="1.8""##)).unwrap();
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(lines.remarks(), ["1 value undefined, left as gaps: Constant (1)."]);
    }

    #[test]
    fn the_axis_covers_the_bars_and_a_bar_without_a_value_is_not_drawn() {
        let mut lines = lines(1, 3, 1, |_| "m".into());
        lines.panels[0].references.clear();
        let spread = vec![Datum::new(5.0), Datum::undefined("TooFew"), Datum::new(0.1)];
        lines.panels[0].series[0].values[2] = Datum::undefined("Constant");
        lines.panels[0].series[0].spread = spread;
        let axis = lines.panels[0].axis();
        assert!(axis.low <= -4.2 && axis.high >= 5.8, "{axis:?}");
        let svg = svg::document(&lines.draw(), "");
        let bars = svg.lines().find(|line| line.contains(r#"stroke-width="0.9""#)).unwrap();
        assert_eq!(bars.matches('M').count(), 3);
        assert!(svg.contains("± 5.00"));
    }

    #[test]
    fn an_axis_without_zero_says_where_it_is_cut() {
        let svg = svg::document(&lines(1, 7, 1, |_| "m".into()).draw(), "");
        assert!(svg.contains("cosine 0 (axis cut at 0.80)"), "{svg}");
    }

    #[test]
    fn a_null_lies_below_its_line_and_the_axis_covers_both() {
        let mut lines = lines(2, 5, 1, |_| "m".into());
        lines.panels[0].series[0].null = (0..5).map(|layer| Datum::new(if layer == 2 { 0.3 } else { 0.9 })).collect();
        assert!(lines.panels[0].axis().low < 0.3 + 1e-9);
        let scene = lines.draw();
        assert_legible(&scene);
        let svg = svg::document(&scene, "");
        let place = |needle: &str| svg.lines().position(|line| line.contains(needle)).unwrap();
        assert!(place(r##"stroke="#a6cee4" stroke-width="6""##) < place(r##"stroke="#0072b2" stroke-width="1.8""##));
        assert!(svg.contains(", null 0.30000") && svg.contains(">null, below its line</text>"));
    }

    #[test]
    fn the_band_of_chance_is_two_over_the_root_of_n_and_has_gaps_where_n_is_not_known() {
        let mut lines = lines(1, 5, 1, |_| "r".into());
        lines.panels[0].references.clear();
        lines.panels[0].elements = [Some(64), Some(64), None, Some(64), None].to_vec();
        let axis = lines.panels[0].axis();
        assert!(axis.low <= -0.25 && axis.high >= 0.25, "{axis:?}");
        let svg = svg::document(&lines.draw(), "");
        assert_eq!(svg.lines().filter(|line| line.starts_with("<path") && line.contains("#e8eef4")).count(), 2);
        assert!(svg.contains(">chance: ±2/√64</text>"), "{svg}");
    }
}
