//! Groups of tensors whose indices may be permuted.

use std::{fmt, str::FromStr};

use crate::model::AuditError;

/// What is tested: three groups of units, two of the residual basis, and for disguised copies three that were matched before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Units of MLPs.
    Mlp,
    /// Value dimensions within a key-value head.
    Heads,
    /// Experts of a router.
    Experts,
    /// Hidden coordinates, by the gains of norms.
    Norms,
    /// Hidden coordinates, by the embeddings of shared tokens.
    Embeddings,
    /// Units that were matched by some hidden coordinates, tested by others.
    MatchedUnits,
    /// Units of MLPs, with hidden coordinates matched by the embeddings of shared tokens.
    MatchedBasis,
    /// Units that were matched by hidden coordinates which were matched themselves. Nothing is left that no matching used, so this
    /// is calibrated against unrelated pairs, never exact, and links nobody.
    MatchedBoth,
}

impl Group {
    /// Every group that is tested index by index, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::Mlp, Self::Heads, Self::Experts, Self::Norms, Self::Embeddings];

    pub(crate) const UNITS: [Self; 3] = [Self::Mlp, Self::Heads, Self::Experts];

    /// What is tested exactly after matching.
    pub(crate) const MATCHED: [Self; 2] = [Self::MatchedUnits, Self::MatchedBasis];

    /// Its name in options, columns and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Heads => "heads",
            Self::Experts => "experts",
            Self::Norms => "norms",
            Self::Embeddings => "embeddings",
            Self::MatchedUnits => "matched units",
            Self::MatchedBasis => "matched basis",
            Self::MatchedBoth => "matched both",
        }
    }

    /// Whether each layer has its own order of what is permuted.
    pub(crate) fn is_of_units(self) -> bool {
        Self::UNITS.contains(&self) || self.is_matched()
    }

    /// Whether it is tested after matching, which finds copies in another order.
    pub(crate) fn is_matched(self) -> bool {
        self == Self::MatchedBoth || Self::MATCHED.contains(&self)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Groups as a person writes them: names with commas, or `all`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups(Vec<Group>);

impl Groups {
    pub(crate) fn all() -> Self {
        Self(Group::ALL.to_vec())
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
            match Group::ALL.into_iter().find(|group| group.name() == piece) {
                Some(group) => groups.push(group),
                None if piece == "all" => groups.extend(Group::ALL),
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
