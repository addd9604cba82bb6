//! A tree of merges: what is alike joins early. Leaves stand in the order in which no line crosses another.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    axis::{Axis, Plot},
    labels,
    legend::series_stroke,
    lines::range,
    scene::{Mark, Scene},
};
use crate::report::{
    Digits,
    number::{counted, typeset},
};

/// A hierarchical clustering of `labels`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dendrogram {
    /// What the heights of merges are.
    pub x_label: String,
    /// Names of the leaves.
    pub labels: Vec<String>,
    /// Merges in order. Clusters are numbered as SciPy and kodama do: the leaves first, then one new number a merge.
    pub merges: Vec<Merge>,
}

/// Two clusters joined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

impl Dendrogram {
    /// Leaves from top to bottom. Every leaf is in it once, whatever the merges say; a heatmap in this order shows its
    /// clusters as blocks.
    pub fn leaf_order(&self) -> Vec<usize> {
        let count = self.labels.len();
        let mut members: Vec<Vec<usize>> = (0..count).map(|leaf| vec![leaf]).collect();
        for merge in &self.merges {
            let take = |members: &mut Vec<Vec<usize>>, index: usize| {
                members.get_mut(index).map(std::mem::take).unwrap_or_default()
            };
            let mut joined = take(&mut members, merge.a);
            joined.extend(take(&mut members, merge.b));
            members.push(joined);
        }
        members.into_iter().rev().flatten().collect()
    }

    /// How many merges could not be drawn, for who reads the picture.
    pub fn remarks(&self) -> Vec<String> {
        let lost = self.merges.len() - self.brackets(&HashMap::new()).len();
        if lost > 0 {
            vec![format!("{} of clusters that do not exist, not drawn.", counted(lost, "merge"))]
        } else {
            Vec::new()
        }
    }

    /// Draws it: leaves at the left, heights to the right.
    pub fn draw(&self) -> Scene {
        let order = self.leaf_order();
        let ordered: Vec<String> = order.iter().map(|&leaf| self.labels[leaf].clone()).collect();
        let (_, high) = range(self.merges.iter().map(|merge| merge.height));
        let x = Axis::covering(0.0, high.max(0.0), 6);
        let left = labels::widest(&ordered, 11.0) + 14.0;
        let height = PITCH * ordered.len().max(1) as f64;
        let plot =
            Plot { left, top: 2.0, width: WIDTH, height, x: x.clone(), y: Axis::covering(0.0, 1.0, 1), clear: 0.0 };
        let mut scene = Scene::new(plot.right() + x.label_width() / 2.0 + 4.0, height + 4.0 + Plot::FOOT);
        labels::row_labels(&mut scene, &ordered, left - 7.0, plot.top, PITCH, 11.0);
        plot.draw_x(&mut scene, &self.x_label);
        let rows: HashMap<usize, f64> =
            order.iter().enumerate().map(|(row, &leaf)| (leaf, (row as f64 + 0.5) * PITCH)).collect();
        for Bracket { merge, a, b } in self.brackets(&rows) {
            let end = plot.x(merge.height.max(0.0));
            let (a_row, b_row) = (plot.top + a.0, plot.top + b.0);
            let points = vec![(plot.x(a.1), a_row), (end, a_row), (end, b_row), (plot.x(b.1), b_row)];
            let tooltip = format!("{} {}", self.x_label, typeset(&Digits::Significant(4).format(merge.height)));
            scene.mark(Mark::path(vec![points]).stroke(series_stroke(0)).tooltip(tooltip));
        }
        scene
    }

    /// The merges that join two clusters which exist, each with row position and height of both. A merge that names a
    /// cluster twice or one that is not there draws less, and nothing wrong.
    fn brackets(&self, rows: &HashMap<usize, f64>) -> Vec<Bracket> {
        let leaves = (0..self.labels.len()).map(|leaf| Some((rows.get(&leaf).copied().unwrap_or_default(), 0.0)));
        let mut clusters: Vec<Option<(f64, f64)>> = leaves.collect();
        let mut brackets = Vec::new();
        for &merge in &self.merges {
            let mut take = |index: usize| clusters.get_mut(index).and_then(Option::take);
            let joined = match (take(merge.a), take(merge.b)) {
                (Some(a), Some(b)) if merge.height.is_finite() => {
                    brackets.push(Bracket { merge, a, b });
                    Some((f64::midpoint(a.0, b.0), merge.height.max(0.0)))
                }
                _ => None,
            };
            clusters.push(joined);
        }
        brackets
    }
}

/// A merge between two clusters, each at (row position, height).
struct Bracket {
    merge: Merge,
    a: (f64, f64),
    b: (f64, f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::legible::assert_legible;

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
    fn leaves_that_merge_first_stand_together() {
        let mut tree = chain(4, |leaf| leaf.to_string());
        tree.merges = vec![
            Merge { a: 0, b: 3, height: 0.1 },
            Merge { a: 1, b: 2, height: 0.2 },
            Merge { a: 4, b: 5, height: 0.5 },
        ];
        assert_eq!(tree.leaf_order(), [0, 3, 1, 2]);
    }

    #[test]
    fn broken_merges_lose_no_leaf_and_do_not_panic() {
        let mut tree = chain(4, |leaf| leaf.to_string());
        tree.merges = vec![Merge { a: 0, b: 99, height: f64::NAN }, Merge { a: 0, b: 0, height: -1.0 }];
        let mut order = tree.leaf_order();
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3]);
        assert_legible(&tree.draw());
        assert_eq!(tree.remarks(), ["2 merges of clusters that do not exist, not drawn."]);
    }
}
