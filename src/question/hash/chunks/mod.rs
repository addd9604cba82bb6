//! Which bytes of which tensors are the same, proven without reading one of them: the Hub stores large files in chunks, and tells of which.
//!
//! Equal files first, by the hashes that the Hub states. Of the others the content store tells the runs of chunks (terms); runs of one
//! stored block are the same bytes, and which tensors they lie in follows from the headers. Where that is asked for, also the Merkle nodes
//! between the borders of tensors: equal nodes are equal bytes, however they are stored.

mod answer;
mod ask;
mod close;
mod data;
mod fingerprints;
mod groups;
mod page;
mod positions;
mod probes;
#[cfg(test)]
mod proof_tests;
mod row;
mod tensors;
mod terms;
#[cfg(test)]
mod terms_tests;

pub use answer::{ChunkPair, ChunksAnswer, FEW_CHUNKS};
pub use ask::{ChunkCorpus, ChunkFile, ChunkModel, ChunksAsk, Content};
pub use data::chunk_tables;
pub use page::chunks_page;
pub use row::{ChunkTensor, Method, TensorRow, Verdict};
