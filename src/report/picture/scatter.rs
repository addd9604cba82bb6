//! Points in a plane, coloured by group. Labels are written where they find room; every point says its own to a pointer.

use serde::Serialize;

use super::{
    axis::{Axis, Plot},
    colormap::{MUTED, PAPER},
    font,
    legend::{Key, Legend, point_key, reference_stroke, ring, series_color},
    lines::range,
    scene::{Anchor, Mark, Scene, Stroke, Text},
};
use crate::report::{
    Digits,
    number::{counted, typeset},
};

/// Points in a plane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scatter {
    /// What the horizontal axis is.
    pub x_label: String,
    /// What the vertical axis is.
    pub y_label: String,
    /// Names of the groups; a point's group is a position in it.
    pub groups: Vec<String>,
    /// The points. One whose coordinates are not finite is not drawn, and counted in the remarks.
    pub points: Vec<Point>,
    /// Whether the line y = x is drawn.
    pub identity: bool,
    /// Whether points are labelled where there is room.
    pub labelled: bool,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Its name.
    pub label: String,
    /// Position of its group.
    pub group: usize,
    /// Horizontal coordinate.
    pub x: f64,
    /// Vertical coordinate.
    pub y: f64,
}

const SIDE: f64 = 420.0;
const WIDTH: f64 = 560.0;
const LABEL: f64 = 10.0;

impl Scatter {
    /// How many points could not be drawn, for who reads the picture.
    pub fn remarks(&self) -> Vec<String> {
        let lost = self.points.len() - self.drawn().count();
        if lost > 0 {
            vec![format!("{} without finite coordinates, not drawn.", counted(lost, "point"))]
        } else {
            Vec::new()
        }
    }

    /// Draws it.
    pub fn draw(&self) -> Scene {
        let (x_low, x_high) = range(self.drawn().map(|point| point.x));
        let (y_low, y_high) = range(self.drawn().map(|point| point.y));
        let (x, y) = (Axis::covering(x_low, x_high, 6), Axis::covering(y_low, y_high, 6));
        let left = y.label_width() + 12.0;
        // The last tick's label reaches half its width past the plot.
        let right = x.label_width() / 2.0;
        let plot = Plot { left: left.max(right), top: Plot::HEAD, width: WIDTH, height: SIDE, x, y, clear: 0.0 };
        let mut legend = Legend::default();
        for (index, group) in self.groups.iter().enumerate() {
            legend.push(point_key(index), group);
        }
        if self.identity {
            legend.push(Key::Line(reference_stroke(0)), "y = x");
        }
        let legend_left = plot.right() + right.max(18.0);
        let height = SIDE.max(legend.height()) + Plot::HEAD + Plot::FOOT;
        let mut scene = Scene::new(legend_left + legend.width() + 4.0, height);
        plot.draw_y(&mut scene, &self.y_label);
        plot.draw_x(&mut scene, &plot.x.named(&self.x_label));
        if let Some((from, to)) = self.identity_line(&plot) {
            scene.mark(Mark::line(from, to).stroke(reference_stroke(0)));
        }
        for point in self.drawn() {
            let number = |value| typeset(&Digits::Significant(5).format(value));
            let tooltip = format!("{}: {}, {}", point.label, number(point.x), number(point.y));
            let (x, y) = (plot.x(point.x), plot.y(point.y));
            let dot = match point_key(point.group) {
                Key::Ring(color) => ring(x, y, color),
                _ => Mark::circle(x, y, 4.0).fill(series_color(point.group)).stroke(Stroke::solid(PAPER, 0.8)),
            };
            scene.mark(dot.tooltip(tooltip));
        }
        if self.labelled {
            self.draw_labels(&mut scene, &plot);
        }
        legend.draw(&mut scene, legend_left, plot.top);
        scene
    }

    fn drawn(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
    }

    /// The ends of y = x on `plot`; `None` where it is not asked for or does not cross the plot.
    fn identity_line(&self, plot: &Plot) -> Option<((f64, f64), (f64, f64))> {
        let low = plot.x.low().max(plot.y.low());
        let high = plot.x.high().min(plot.y.high());
        (self.identity && low < high).then(|| ((plot.x(low), plot.y(low)), (plot.x(high), plot.y(high))))
    }

    /// Tries right, left, above and below of each point, and leaves a label out where none is free.
    fn draw_labels(&self, scene: &mut Scene, plot: &Plot) {
        let dots = self.drawn().map(|p| (plot.x(p.x), plot.y(p.y))).map(|(x, y)| [x - 4.0, y - 4.0, x + 4.0, y + 4.0]);
        let mut taken: Vec<[f64; 4]> = dots.collect();
        if let Some((from, to)) = self.identity_line(plot) {
            let along = (0..=60).map(|step| f64::from(step) / 60.0);
            let points = along.map(|t| (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t));
            taken.extend(points.map(|(x, y)| [x - 4.0, y - 4.0, x + 4.0, y + 4.0]));
        }
        let mut texts = Vec::new();
        for point in self.drawn() {
            let (x, y) = (plot.x(point.x), plot.y(point.y));
            let label = font::elide(&point.label, LABEL, 150.0);
            let places = [
                Text::centred(x + 7.0, y, &label, LABEL),
                Text::centred(x - 7.0, y, &label, LABEL).anchor(Anchor::End),
                Text::centred(x, y - 11.0, &label, LABEL).anchor(Anchor::Middle),
                Text::centred(x, y + 11.0, &label, LABEL).anchor(Anchor::Middle),
            ];
            let free = places.into_iter().find_map(|text| {
                let corners = text.corners();
                let area = [corners[0].0, corners[0].1, corners[2].0, corners[2].1];
                let inside =
                    area[0] >= plot.left && area[2] <= plot.right() && area[1] >= plot.top && area[3] <= plot.bottom();
                let clear = taken.iter().all(|other| {
                    area[2] <= other[0] || other[2] <= area[0] || area[3] <= other[1] || other[3] <= area[1]
                });
                (inside && clear).then_some((text, area))
            });
            if let Some((text, area)) = free {
                taken.push(area);
                texts.push(text.color(MUTED));
            }
        }
        scene.inert_texts(texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::legible::assert_legible;

    fn scatter(count: usize, label: impl Fn(usize) -> String) -> Scatter {
        let point = |index: usize| Point {
            label: label(index),
            group: index % 3,
            x: ((index * 37) % 101) as f64 / 100.0,
            y: ((index * 53) % 97) as f64 / 120.0,
        };
        Scatter {
            x_label: "null".into(),
            y_label: "cosine".into(),
            groups: vec!["related".into(), "unrelated".into(), "self".into()],
            points: (0..count).map(point).collect(),
            identity: true,
            labelled: true,
        }
    }

    #[test]
    fn no_label_of_a_crowd_overlaps() {
        for count in [0, 1, 9, 60, 400] {
            assert_legible(&scatter(count, |index| format!("owner/model-{index}")).draw());
            assert_legible(&scatter(count, |index| format!("{index}{}", "n".repeat(95))).draw());
        }
    }

    #[test]
    fn a_point_without_coordinates_is_counted_and_not_drawn() {
        let mut scatter = scatter(3, |index| index.to_string());
        scatter.points[1].y = f64::NAN;
        assert_eq!(scatter.remarks(), ["1 point without finite coordinates, not drawn."]);
        assert!(!super::super::svg::document(&scatter.draw(), "").contains("NaN"));
    }
}
