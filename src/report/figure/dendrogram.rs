//! A tree of merges: what is alike joins early.

use super::{
    axis::{Axis, Plot, range},
    labels,
    legend::series_stroke,
    scene::{Drawing, Mark, Scene},
};
use crate::report::{
    Digits,
    number::{counted, typeset},
};

/// A hierarchical clustering of `labels`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dendrogram {
    /// What the heights of merges are.
    pub x_label: String,
    /// Names of the leaves, in an order in which no line crosses another.
    pub labels: Vec<String>,
    /// Merges in order. Clusters are numbered as SciPy and kodama do: the leaves first, then one new number a merge.
    pub merges: Vec<Merge>,
}

/// Two clusters joined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// One cluster.
    pub a: usize,
    /// The other.
    pub b: usize,
    /// Their dissimilarity.
    pub height: f64,
}

const PITCH: f64 = 18.0;
const WIDTH: f64 = 520.0;

impl Drawing for Dendrogram {
    fn remarks(&self) -> Vec<String> {
        let lost = self.merges.len() - self.brackets().len();
        let remark =
            (lost > 0).then(|| format!("{} of clusters that do not exist, not drawn.", counted(lost, "merge")));
        remark.into_iter().collect()
    }

    /// Leaves at the left, heights to the right.
    fn draw(&self) -> Scene {
        let (_, high) = range(self.merges.iter().map(|merge| merge.height));
        let x = Axis::covering(0.0, high.max(0.0), 6);
        let left = labels::widest(&self.labels, 11.0) + 14.0;
        let height = PITCH * self.labels.len().max(1) as f64;
        let y = Axis::covering(0.0, 1.0, 1);
        let plot = Plot { left, top: 2.0, width: WIDTH, height, x, y, clear: 0.0 };
        let mut scene = Scene::new(plot.right() + plot.x.label_width() / 2.0 + 4.0, height + 4.0 + Plot::FOOT);
        labels::row_labels(&mut scene, &self.labels, left - 7.0, plot.top, PITCH, 11.0);
        plot.draw_x(&mut scene, &self.x_label);
        for (height, [a, b]) in self.brackets() {
            let end = plot.x(height.max(0.0));
            let [(a_row, a_height), (b_row, b_height)] = [a, b].map(|(row, height)| (plot.top + row, plot.x(height)));
            let points = vec![(a_height, a_row), (end, a_row), (end, b_row), (b_height, b_row)];
            let tooltip = format!("{} {}", self.x_label, typeset(&Digits::Significant(4).format(height)));
            scene.mark(Mark::path(vec![points]).stroke(series_stroke(0)).tooltip(tooltip));
        }
        scene
    }
}

impl Dendrogram {
    /// The heights of merges that join two clusters which exist, each with row position and height of both. A merge that
    /// names a cluster twice or one that is not there draws less, and nothing wrong.
    fn brackets(&self) -> Vec<(f64, [(f64, f64); 2])> {
        let mut clusters: Vec<Option<(f64, f64)>> =
            (0..self.labels.len()).map(|row| Some(((row as f64 + 0.5) * PITCH, 0.0))).collect();
        let mut brackets = Vec::new();
        for merge in &self.merges {
            let mut take = |index: usize| clusters.get_mut(index).and_then(Option::take);
            let joined = match (take(merge.a), take(merge.b)) {
                (Some(a), Some(b)) if merge.height.is_finite() => {
                    brackets.push((merge.height, [a, b]));
                    Some((f64::midpoint(a.0, b.0), merge.height.max(0.0)))
                }
                _ => None,
            };
            clusters.push(joined);
        }
        brackets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::legible::assert_legible;

    /// A chain: 0 joins 1, the result joins 2, and so on.
    fn chain(count: usize, label: impl Fn(usize) -> String) -> Dendrogram {
        let merge = |step: usize| Merge {
            a: if step == 0 { 0 } else { count + step - 1 },
            b: step + 1,
            height: (step + 1) as f64 * 0.013,
        };
        Dendrogram {
            x_label: "1 − r".into(),
            labels: (0..count).map(label).collect(),
            merges: (0..count.saturating_sub(1)).map(merge).collect(),
        }
    }

    #[test]
    fn no_text_overlaps_in_trees_of_nine_and_sixty() {
        for count in [0, 1, 2, 9, 60] {
            assert_legible(&chain(count, |leaf| format!("owner/model-{leaf}")).draw());
            assert_legible(&chain(count, |leaf| format!("{leaf}{}", "d".repeat(95))).draw());
        }
    }

    #[test]
    fn broken_merges_are_counted_and_do_not_panic() {
        let mut tree = chain(4, |leaf| leaf.to_string());
        tree.merges = vec![Merge { a: 0, b: 99, height: f64::NAN }, Merge { a: 0, b: 0, height: -1.0 }];
        assert_legible(&tree.draw());
        assert_eq!(tree.remarks(), ["2 merges of clusters that do not exist, not drawn."]);
    }
}
