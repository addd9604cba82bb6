//! A run of chunks as few nodes of the tree above the whole file: large ones in its midst, chunks near its ends, where the groups of
//! the tree depend on what stands beyond.

use crate::digest::xet::{Node, parents};

/// Nodes that cover a run of chunks. They stand in the order of the file: first those before the highest level, by rising level, then
/// those behind it, by falling level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subtree {
    pub(super) nodes: Vec<Node>,
    /// For each level, how many nodes stand before the next one and how many behind it.
    pub(super) levels: Vec<[usize; 2]>,
}

impl Subtree {
    /// Of chunks at the start or the end of the file, at both, or at neither.
    pub(super) fn of(chunks: &[Node], at_start: bool, at_end: bool) -> Self {
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        let mut level = chunks.to_vec();
        while !level.is_empty() {
            let from_start = at_start && before.iter().all(Vec::is_empty);
            let to_end = at_end && behind.iter().all(Vec::is_empty);
            let (first, middle, last) = split(&level, from_start, to_end);
            before.push(first.to_vec());
            behind.push(last.to_vec());
            level = parents(middle);
            if level.len() == 1 {
                before.push(level);
                behind.push(Vec::new());
                break;
            }
        }
        let levels = before.iter().zip(&behind).map(|(before, behind)| [before.len(), behind.len()]).collect();
        let nodes = before.into_iter().chain(behind.into_iter().rev()).flatten().collect();
        Self { nodes, levels }
    }
}

/// The nodes before, among and behind the groups that are the same whatever stands beyond these nodes.
fn split(level: &[Node], from_start: bool, to_end: bool) -> (&[Node], &[Node], &[Node]) {
    let none = (level, &[][..], &[][..]);
    if level.len() == 1 {
        return none;
    }
    let ends = |level: &[Node]| (0..level.len()).filter(|&at| level[at].hash.ends_group()).collect::<Vec<_>>();
    let Some(start) = (if from_start { Some(0) } else { behind_sure_end(&ends(level)) }) else { return none };
    let (first, rest) = level.split_at(start);
    let mut backwards = ends(rest);
    backwards.reverse();
    let Some(end) = (if to_end { Some(rest.len()) } else { behind_sure_end(&backwards) }) else { return none };
    let (middle, last) = rest.split_at(end);
    (first, middle, last)
}

/// Where a group begins for sure: behind the second of three nodes that may end one, neither too close to be in one group nor so far
/// from each other that one is full between them.
fn behind_sure_end(ends: &[usize]) -> Option<usize> {
    let fits = |a: usize, b: usize| (3..=7).contains(&a.abs_diff(b));
    let sure = ends.windows(3).find(|ends| fits(ends[0], ends[1]) && fits(ends[1], ends[2]));
    sure.map(|ends| ends[1] + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::digest::xet::{XetHash, root};

    /// Chunks of one byte each with hashes as good as random.
    fn chunks(count: u64, seed: u64) -> Vec<Node> {
        let text = |at: u64| blake3::hash(format!("{seed} {at}").as_bytes());
        (0..count).map(|at| Node { hash: XetHash::from(text(at)), size: 1 }).collect()
    }

    /// All nodes of the tree, each with the first byte below it.
    fn tree(chunks: &[Node]) -> HashSet<(u64, Node)> {
        let mut level = chunks.to_vec();
        let mut found = HashSet::new();
        loop {
            let mut start = 0;
            for node in &level {
                found.insert((start, *node));
                start += node.size;
            }
            if level.len() <= 1 {
                return found;
            }
            level = parents(&level);
        }
    }

    #[test]
    fn a_whole_file_is_one_node_its_root() {
        for count in [1, 2, 3, 10, 200] {
            let chunks = chunks(count, 0);
            let nodes = Subtree::of(&chunks, true, true).nodes;
            assert_eq!((nodes.len(), nodes[0].hash), (1, root(&chunks)), "{count}");
        }
    }

    #[test]
    fn a_long_run_is_few_nodes() {
        let chunks = chunks(10_000, 1);
        let subtree = Subtree::of(&chunks[1..9_999], false, false);
        // Some twenty at either end of each of six levels.
        assert!(subtree.nodes.len() < 400, "{}", subtree.nodes.len());
        let in_large: u64 = subtree.nodes.iter().map(|node| node.size).filter(|&size| size >= 64).sum();
        assert!(in_large > 5000, "{in_large}");
    }

    proptest! {
        #[test]
        fn all_nodes_are_of_the_files_own_tree(count in 1_usize..600, cuts in (0_usize..600, 0_usize..600), seed in 0_u64..1000) {
            let chunks = chunks(count as u64, seed);
            let (one, other) = (cuts.0 % count, cuts.1 % count);
            let (start, end) = (one.min(other), one.max(other) + 1);
            let subtree = Subtree::of(&chunks[start..end], start == 0, end == count);
            let tree = tree(&chunks);
            let mut position = start as u64;
            for node in &subtree.nodes {
                prop_assert!(tree.contains(&(position, *node)));
                position += node.size;
            }
            prop_assert_eq!(position, end as u64);
            prop_assert_eq!(subtree.levels.iter().flatten().sum::<usize>(), subtree.nodes.len());
        }
    }
}
