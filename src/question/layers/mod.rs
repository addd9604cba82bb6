//! The layers of each model against each other.

mod answer;
pub mod page;

pub use answer::{Layers, layers};
pub(crate) use answer::{MOST_LAYERS, every_layer, stated};
