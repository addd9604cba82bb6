//! Where chunks begin inside their stored blocks, as far as answers tell: a term says how far apart its two ends lie, and ends that
//! terms share join what they say.

use std::collections::HashMap;

/// A weighted union–find over the borders of chunks.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    nodes: HashMap<(u32, u32), usize>,
    /// The parent of each border, how far behind the parent it lies, and how many borders are below it.
    parents: Vec<(usize, i64, u32)>,
}

impl Positions {
    /// Takes in that in `block` the border before chunk `to` lies `len` bytes behind that before chunk `from`. `false` where it
    /// contradicts what was said before.
    pub(crate) fn add(&mut self, block: u32, [from, to]: [u32; 2], len: u64) -> bool {
        let Ok(len) = i64::try_from(len) else { return false };
        let [from, to] = [from, to].map(|border| self.node(block, border));
        let ((mut above, at_from), (mut below, at_to)) = (self.root(from), self.root(to));
        if above == below {
            return at_to - at_from == len;
        }
        // What `below` is behind `above`.
        let mut offset = at_from + len - at_to;
        if self.parents[above].2 < self.parents[below].2 {
            (above, below, offset) = (below, above, -offset);
        }
        self.parents[above].2 += self.parents[below].2;
        (self.parents[below].0, self.parents[below].1) = (above, offset);
        true
    }

    /// Bytes of `block` from the border before chunk `from` to that before chunk `to`, where terms tell.
    pub(crate) fn between(&self, block: u32, from: u32, to: u32) -> Option<u64> {
        if from == to {
            return Some(0);
        }
        let place = |border| Some(self.root(*self.nodes.get(&(block, border))?));
        let ((one, start), (other, end)) = (place(from)?, place(to)?);
        if one != other {
            return None;
        }
        u64::try_from(end - start).ok()
    }

    fn node(&mut self, block: u32, border: u32) -> usize {
        let next = self.parents.len();
        let node = *self.nodes.entry((block, border)).or_insert(next);
        if node == next {
            self.parents.push((node, 0, 1));
        }
        node
    }

    /// The root above a border, and how far behind it the border lies. Roots stay near, since the larger tree takes the smaller.
    fn root(&self, mut node: usize) -> (usize, i64) {
        let mut offset = 0;
        while self.parents[node].0 != node {
            offset += self.parents[node].1;
            node = self.parents[node].0;
        }
        (node, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terms_join_is_known_and_nothing_else() {
        let mut positions = Positions::default();
        assert!(positions.add(0, [0, 4], 400) && positions.add(0, [2, 4], 150) && positions.add(0, [7, 9], 90));
        assert_eq!(positions.between(0, 0, 2), Some(250));
        assert_eq!(positions.between(0, 2, 0), None, "backwards there is no length");
        assert_eq!(positions.between(0, 4, 7), None);
        assert_eq!(positions.between(1, 0, 4), None);
        assert_eq!(positions.between(1, 3, 3), Some(0));
        assert!(positions.add(0, [4, 7], 200));
        assert_eq!(positions.between(0, 2, 9), Some(440));
        assert!(!positions.add(0, [0, 9], 691));
        assert!(positions.add(0, [0, 9], 690));
    }

    proptest::proptest! {
        #[test]
        fn lengths_of_true_terms_agree_in_any_order(
            sizes in proptest::collection::vec(1_u64..100, 8),
            terms in proptest::collection::vec((0_usize..8, 0_usize..8), 1..20),
        ) {
            let at = |border: usize| sizes[..border].iter().sum::<u64>();
            let mut positions = Positions::default();
            for (a, b) in terms {
                let (from, to) = (a.min(b), a.max(b) + 1);
                let borders = [from, to].map(|border| u32::try_from(border).unwrap());
                proptest::prop_assert!(positions.add(0, borders, at(to) - at(from)));
            }
            for from in 0..8_u32 {
                for to in from..=8 {
                    if let Some(len) = positions.between(0, from, to) {
                        proptest::prop_assert_eq!(len, at(to as usize) - at(from as usize));
                    }
                }
            }
        }
    }
}
