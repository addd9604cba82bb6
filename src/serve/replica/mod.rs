//! A synthetic replica of a published study: nine models with the real names, shard counts, tensor names, shapes and
//! element types, and invented values. The bytes of a tensor are a function of (model, tensor, offset), computed when they
//! are asked for, so that some 690 GB of checkpoints need neither a network nor a disk. What the values imitate is what a
//! comparison of norms sees: means and spreads by layer, layers of one model that resemble each other, an odd layer 0, and
//! two planted pairs of relatives. Every repository says in its config, its README and its tags that it is synthetic.

mod collection;
mod documents;
mod file;
mod model;
mod tensors;
mod tokenizer;
mod values;

pub use collection::Replica;
