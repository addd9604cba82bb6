//! A tree of merges: what is alike joins early. Leaves stand in the order in which no line crosses another.

use serde::Serialize;

use super::{
    axis::{Axis, Plot},
    labels,
    legend::series_stroke,
    lines::range,
    scene::{Mark, Scene},
};
use crate::report::{Digits, number::typeset};

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

    /// Nothing is left out of a tree.
    pub fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Draws it: leaves at the left, heights to the right.
    pub fn draw(&self) -> Scene {
        let order = self.leaf_order();
        let ordered: Vec<String> = order.iter().map(|&leaf| self.labels[leaf].clone()).collect();
        let (_, high) = range(self.merges.iter().map(|merge| merge.height));
        let x = Axis::covering(0.0, high.max(0.0), 6);
        let left = labels::widest(&ordered, 11.0) + 14.0;
        let height = PITCH * ordered.len().max(1) as f64;
        let plot = Plot {
            left,
            top: 2.0,
            width: WIDTH,
            height,
            x: x.clone(),
            y: Axis::covering(0.0, 1.0, 1),
            clear: 0.0,
        };
        let mut scene = Scene::new(plot.right() + x.label_width() / 2.0 + 4.0, height + 4.0 + Plot::FOOT);
        labels::row_labels(&mut scene, &ordered, left - 7.0, plot.top, PITCH, 11.0);
        plot.draw_x(&mut scene, &self.x_label);
        // Position and height of each cluster; `None` once it is merged, so that broken input draws less and nothing wrong.
        let mut clusters: Vec<Option<(f64, f64)>> = vec![None; self.labels.len()];
        for (row, &leaf) in order.iter().enumerate() {
            clusters[leaf] = Some((plot.top + (row as f64 + 0.5) * PITCH, 0.0));
        }
        for merge in &self.merges {
            let mut take = |index: usize| clusters.get_mut(index).and_then(Option::take);
            let (Some(a), Some(b), true) = (take(merge.a), take(merge.b), merge.height.is_finite()) else {
                clusters.push(None);
                continue;
            };
            let end = plot.x(merge.height.max(0.0));
            let points = vec![(plot.x(a.1), a.0), (end, a.0), (end, b.0), (plot.x(b.1), b.0)];
            let tooltip = format!(
                "{} {}",
                self.x_label,
                typeset(&Digits::Significant(4).format(merge.height))
            );
            scene.mark(Mark::path(vec![points]).stroke(series_stroke(0)).tooltip(tooltip));
            clusters.push(Some((f64::midpoint(a.0, b.0), merge.height.max(0.0))));
        }
        scene
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::scene::legible::assert_legible;

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
            Merge {
                a: 0,
                b: 3,
                height: 0.1,
            },
            Merge {
                a: 1,
                b: 2,
                height: 0.2,
            },
            Merge {
                a: 4,
                b: 5,
                height: 0.5,
            },
        ];
        assert_eq!(tree.leaf_order(), [0, 3, 1, 2]);
    }

    #[test]
    fn broken_merges_lose_no_leaf_and_do_not_panic() {
        let mut tree = chain(4, |leaf| leaf.to_string());
        tree.merges = vec![
            Merge {
                a: 0,
                b: 99,
                height: f64::NAN,
            },
            Merge {
                a: 0,
                b: 0,
                height: -1.0,
            },
        ];
        let mut order = tree.leaf_order();
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3]);
        assert_legible(&tree.draw());
    }
}
