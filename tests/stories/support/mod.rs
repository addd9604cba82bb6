//! What the stories stand on: checkpoints made by hand, a Hub that writes down what it was asked, and the real program.

mod architecture;
mod checkpoint;
mod hub;
mod outcome;
mod workspace;

pub(crate) use architecture::{Array, Layout, Sized, Weights, architectures, tell_all};
pub(crate) use checkpoint::{Shard, Tensor, gain, index, llama, llama_config, shard, shard_with};
pub(crate) use hub::{Asked, always, first, reply};
pub(crate) use outcome::{Outcome, rows};
pub(crate) use workspace::{COMMIT, PROGRAM, Workspace, is_one_of};
