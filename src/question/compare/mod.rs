//! Two whole checkpoints, tensor by tensor: what corresponds to what, how every pair compares, and what has no counterpart.
//!
//! Tensors meet by a table of names where one is given, else by name, else by what they do: role, layer, weight or bias; what no
//! family knows, by the groups of a pattern or by how the names end; what a file leaves out as tied, by its notes. Where one side fuses what the other keeps
//! apart, or stores `[in, out]` where the other stores `[out, in]`, the elements that mean the same are read in one order.
//! Nothing is guessed: a division that does not add up is a reason, not a comparison.

mod answer;
pub(crate) mod bands;
mod compared_pair;
mod counterpart;
mod coverage;
mod groups;
mod matching;
mod name_map;
mod names;
pub mod page;

pub use answer::{Comparison, compare};
pub use bands::{Band, HIGH_AND_LOW, Overall, Pattern, Third};
pub use compared_pair::ComparedPair;
pub use counterpart::{Counterpart, Match, Obstacle, TensorPart};
pub use coverage::{Coverage, Status, Uncompared};
pub(crate) use groups::groups;
pub use groups::{CLOSE, Closeness, Describe, Group, GroupFigures};
pub use matching::{Guide, Matching};
pub use name_map::NameMap;
