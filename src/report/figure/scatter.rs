//! Points in a plane, coloured by group. Every point says its name to a pointer.

use super::{
    axis::{Axis, Plot, range},
    colormap::PAPER,
    legend::{Key, Legend, point_key, ring, series_color},
    scene::{Drawing, Mark, Scene, Stroke},
};
use crate::report::{
    Digits,
    number::{counted, typeset},
};

/// Points in a plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What the horizontal axis is.
    pub x_label: String,
    /// What the vertical axis is.
    pub y_label: String,
    /// Names of the groups; a point's group is a position in it.
    pub groups: Vec<String>,
    /// The points. One whose coordinates are not finite is not drawn, and counted in the remarks.
    pub points: Vec<Point>,
}

/// A point.
#[derive(Debug, Clone, PartialEq)]
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

impl Drawing for Scatter {
    fn remarks(&self) -> Vec<String> {
        let lost = self.points.len() - self.drawn().count();
        let remark = (lost > 0).then(|| format!("{} without finite coordinates, not drawn.", counted(lost, "point")));
        remark.into_iter().collect()
    }

    fn draw(&self) -> Scene {
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
        let legend_left = plot.right() + right.max(18.0);
        let height = SIDE.max(legend.height()) + Plot::HEAD + Plot::FOOT;
        let mut scene = Scene::new(legend_left + legend.width() + 4.0, height);
        plot.draw_y(&mut scene, &self.y_label);
        plot.draw_x(&mut scene, &plot.x.named(&self.x_label));
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
        legend.draw(&mut scene, legend_left, plot.top);
        scene
    }
}

impl Scatter {
    fn drawn(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::legible::assert_legible;

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
        }
    }

    #[test]
    fn no_text_of_a_crowd_overlaps() {
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
