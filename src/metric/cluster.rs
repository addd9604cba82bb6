//! Which models belong together: average linkage over 1 − |r|.
//!
//! A clustering puts rows and columns of a heatmap in an order in which relatives are neighbours. It shows, and proves
//! nothing: unrelated models merge as well, at heights near 1.

use kodama::{Method, linkage};

use super::Undefined;

/// A tree of merges, lowest first, over the items that can be compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dendrogram {
    /// One less than there are leaves, by height.
    pub merges: Vec<Merge>,
    /// The leaves from left to right: items by their place in the list that was given.
    pub order: Vec<usize>,
    /// Items without a defined r to any other; they are no leaves.
    pub left_out: Vec<usize>,
    /// Pairs of leaves whose r is undefined; they entered with distance 1, as if unrelated.
    pub assumed_unrelated: Vec<(usize, usize)>,
}

/// Two subtrees becoming one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The side that holds the smallest item: a leaf by its place in [`Dendrogram::order`], or, numbered after all leaves, an earlier
    /// merge.
    pub left: usize,
    /// The other side.
    pub right: usize,
    /// Mean distance 1 − |r| between items of the two sides.
    pub height: f64,
    /// Leaves in both.
    pub size: usize,
}

impl Dendrogram {
    /// Clusters `items` things by average linkage. `pearson(i, j)` is asked for i < j only, and must be a
    /// function of the two.
    pub fn of(items: usize, pearson: impl Fn(usize, usize) -> Result<f64, Undefined>) -> Self {
        let distance = |i: usize, j: usize| {
            pearson(i.min(j), i.max(j)).ok().filter(|r| r.is_finite()).map(|r| 1.0 - r.abs().min(1.0))
        };
        let is_alone = |i: usize| (0..items).all(|j| i == j || distance(i, j).is_none());
        let (left_out, leaves): (Vec<usize>, Vec<usize>) = (0..items).partition(|&i| items > 1 && is_alone(i));
        let mut assumed_unrelated = Vec::new();
        let mut condensed = Vec::new();
        for (place, &i) in leaves.iter().enumerate() {
            for &j in &leaves[place + 1..] {
                condensed.push(distance(i, j).unwrap_or_else(|| {
                    assumed_unrelated.push((i, j));
                    1.0
                }));
            }
        }
        if leaves.len() < 2 {
            return Self { merges: Vec::new(), order: leaves, left_out, assumed_unrelated };
        }
        let steps = linkage(&mut condensed, leaves.len(), Method::Average);
        let (mut merges, mut members): (Vec<Merge>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        for step in steps.steps() {
            let side = |cluster: usize| match cluster.checked_sub(leaves.len()) {
                Some(merge) => (cluster, members[merge].clone()),
                None => (cluster, vec![leaves[cluster]]),
            };
            let (mut left, mut right) = (side(step.cluster1), side(step.cluster2));
            if right.1.iter().min() < left.1.iter().min() {
                std::mem::swap(&mut left, &mut right);
            }
            merges.push(Merge { left: left.0, right: right.0, height: step.dissimilarity, size: step.size });
            members.push([left.1, right.1].concat());
        }
        let order = members.pop().unwrap_or_default();
        let place = |cluster: usize| {
            let is_it = |item: &usize| leaves.get(cluster) == Some(item);
            order.iter().position(is_it).unwrap_or(cluster)
        };
        for merge in &mut merges {
            (merge.left, merge.right) = (place(merge.left), place(merge.right));
        }
        Self { merges, order, left_out, assumed_unrelated }
    }
}

/// For each of `count` members the first of all that links lead to from it.
pub(crate) fn components(count: usize, links: impl IntoIterator<Item = [usize; 2]>) -> Vec<usize> {
    let mut group: Vec<usize> = (0..count).collect();
    for link in links {
        let both = link.map(|member| group[member]);
        let first = both[0].min(both[1]);
        group.iter_mut().filter(|group| both.contains(group)).for_each(|group| *group = first);
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items 0 and 3 related, 1 and 4 more so, 2 alone.
    #[expect(clippy::unnecessary_wraps, reason = "stands for a matrix of cells")]
    fn pearson(i: usize, j: usize) -> Result<f64, Undefined> {
        Ok(match (i, j) {
            (0, 3) => 0.9,
            (1, 4) => -0.95,
            (1, 3) => 0.2,
            _ => 0.0,
        })
    }

    #[test]
    fn relatives_become_neighbours_whatever_the_sign() {
        let tree = Dendrogram::of(5, pearson);
        assert_eq!([tree.merges[0].left, tree.merges[0].right].map(|leaf| tree.order[leaf]), [1, 4]);
        assert!((tree.merges[0].height - 0.05).abs() < 1e-15);
        assert_eq!((tree.merges[2].left, tree.merges[2].right), (5 + 1, 5));
        assert!((tree.merges[2].height - 0.95).abs() < 1e-15);
        assert_eq!(tree.merges[3].size, 5);
        assert_eq!(tree.order, [0, 3, 1, 4, 2]);
        assert_eq!(tree, Dendrogram::of(5, pearson));
    }

    #[test]
    fn an_item_that_compares_with_none_is_left_out_and_named() {
        let tree = Dendrogram::of(5, |i, j| if i == 2 || j == 2 { Err(Undefined::Shape) } else { pearson(i, j) });
        assert_eq!(tree.left_out, [2]);
        assert_eq!(tree.order, [0, 3, 1, 4]);
        assert!(tree.assumed_unrelated.is_empty());
    }

    #[test]
    fn a_pair_without_a_correlation_counts_as_unrelated_and_is_named() {
        let tree = Dendrogram::of(5, |i, j| if (i, j) == (0, 4) { Err(Undefined::Constant) } else { pearson(i, j) });
        assert_eq!(tree.assumed_unrelated, [(0, 4)]);
        assert_eq!(tree.merges, Dendrogram::of(5, pearson).merges);
    }

    #[test]
    fn few_items_make_small_trees() {
        assert_eq!(Dendrogram::of(0, pearson), Dendrogram::default());
        assert_eq!(Dendrogram::of(1, pearson).order, [0]);
        assert_eq!(Dendrogram::of(2, pearson).order, [0, 1]);
        let unrelated = Dendrogram::of(2, |_, _| Err(Undefined::Shape));
        assert_eq!((unrelated.order, unrelated.left_out), (vec![], vec![0, 1]));
    }
}
