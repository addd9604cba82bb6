//! Tables of pairs: which tensors meet, the metrics of each pair, and what lists of pairs amount to.

mod condition;
pub(crate) mod crossing;
pub(crate) mod groups;
mod ladder;
mod matrix;
mod outliers;
pub(crate) mod panel;
mod strand;

pub use condition::Condition;
pub use crossing::Crossing;
pub use groups::{GroupFigures, GroupPair, LeftOut, empty_groups};
pub use ladder::{Found, Ladder, Place, Rung};
pub use matrix::{Cells, Extent, Matrix, Statistics};
pub use outliers::{Relation, Relations};
pub(crate) use panel::missing;
pub use panel::{Alignment, Panel, PanelKey, Side};
pub use strand::{Cell, Strand, mtp_strands, strands};
