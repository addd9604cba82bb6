//! The structure of weight matrices along depth: how each role's matrix changes from layer to layer, raw and after the
//! freedom of its basis is taken off, and how its scale runs through the model.
//!
//! Matrices are read one pair of layers at a time and dropped, so that memory is that of a pair, whatever the model's depth.

mod aligned;
mod attention;
mod estimate;
mod group;
mod matrix_index;
mod options;
pub mod page;
mod pairs;
mod row;
mod run;
mod scale;
mod source;
mod strips;

pub use estimate::{Estimate, estimate, rehearse};
pub(crate) use estimate::{extents, work};
pub(crate) use group::Group;
pub(crate) use matrix_index::{Kind, MatrixIndex, Piece};
pub use options::StructureOptions;
pub(crate) use options::{ATTENTION, MLP, chosen, parts};
pub(crate) use pairs::layer_pairs;
pub use row::{Quantity, StructureRow};
pub use run::{Structure, structure};
pub use scale::ScaleTrack;
pub(crate) use source::{LocalRange, Read, Source};
pub(crate) use strips::Overlaps;
