//! Tables of pairs: which tensors meet, the metrics of each pair, and what lists of pairs amount to.

mod across;
mod chance;
mod condition;
pub(crate) mod groups;
mod key;
mod layers;
mod matrix;
mod outliers;
mod packed;
pub(crate) mod pairs;
mod scratch;
mod sources;

pub use across::BestLayers;
pub use chance::{Chance, ChanceCell, LEVEL, Tests};
pub use condition::Condition;
pub use groups::{GroupFigures, GroupPair, empty_groups};
pub(crate) use key::role_name;
pub use key::{Alignment, Place, TableKey};
pub use matrix::Matrix;
pub use outliers::{Relation, Relations};
pub(crate) use pairs::{Cell, Held, all_pairs, strongest};
pub use pairs::{Entry, PairTable, Side, pairs_of};
pub(crate) use scratch::Scratch;
pub(crate) use sources::{Sources, missing_role, unreadable};
