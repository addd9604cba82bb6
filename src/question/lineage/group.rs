//! Groups of tensors whose indices may be permuted.

use std::str::FromStr;

use crate::{model::AuditError, named::named};

named! {
    /// What is tested, by its name in options, columns and file names: three groups of units, two of the residual basis, and for
    /// disguised copies three that were matched before.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Group {
        /// Units of MLPs.
        Mlp = "mlp",
        /// Value dimensions within a key-value head.
        Heads = "heads",
        /// Experts of a router.
        Experts = "experts",
        /// Hidden coordinates, by the gains of norms.
        Norms = "norms",
        /// Hidden coordinates, by the embeddings of shared tokens.
        Embeddings = "embeddings",
        /// Units that were matched by some hidden coordinates, tested by others.
        MatchedUnits = "matched units",
        /// Units of MLPs, with hidden coordinates matched by the embeddings of shared tokens.
        MatchedBasis = "matched basis",
        /// Units that were matched by hidden coordinates which were matched themselves. Nothing is left that no matching used, so this
        /// is calibrated against unrelated pairs, never exact, and links nobody.
        MatchedBoth = "matched both",
    }
}

impl Group {
    /// Every group that is tested index by index, in the order in which reports list them.
    pub const IN_PLACE: [Self; 5] = [Self::Mlp, Self::Heads, Self::Experts, Self::Norms, Self::Embeddings];

    pub(crate) const UNITS: [Self; 3] = [Self::Mlp, Self::Heads, Self::Experts];

    /// What is tested exactly after matching.
    pub(crate) const MATCHED: [Self; 2] = [Self::MatchedUnits, Self::MatchedBasis];

    /// Whether each layer has its own order of what is permuted.
    pub(crate) fn is_of_units(self) -> bool {
        Self::UNITS.contains(&self) || self.is_matched()
    }

    /// Whether it is tested after matching, which finds copies in another order.
    pub(crate) fn is_matched(self) -> bool {
        !Self::IN_PLACE.contains(&self)
    }
}

/// Groups as a person writes them: names with commas, or `all`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups(Vec<Group>);

impl Groups {
    pub(crate) fn all() -> Self {
        Self(Group::IN_PLACE.to_vec())
    }

    pub(crate) fn contains(&self, group: Group) -> bool {
        self.0.contains(&group)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Groups {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let mut groups = Vec::new();
        for piece in text.split(',').map(str::trim) {
            match Group::IN_PLACE.into_iter().find(|group| group.name() == piece) {
                Some(group) => groups.push(group),
                None if piece == "all" => groups.extend(Group::IN_PLACE),
                None => return Err(AuditError::LineageGroup { text: piece.to_owned() }),
            }
        }
        groups.sort_unstable();
        groups.dedup();
        Ok(Self(groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn groups_are_read_once_each_and_in_order() {
        assert_eq!("norms,mlp,norms".parse::<Groups>().unwrap(), Groups(vec![Group::Mlp, Group::Norms]));
        assert_eq!("all".parse::<Groups>().unwrap().len(), 5);
        let error = "mlps".parse::<Groups>().unwrap_err();
        assert!(error.to_string().contains("`mlps`"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("embeddings")));
    }
}
