//! What is shown of a tensor, and by what.

use crate::{
    dtype::Dtype,
    family::{LayerIndex, Slot},
    named::named,
    range::ByteRange,
};

/// A tensor of a model.
#[derive(Debug, Clone)]
pub struct ChunkTensor {
    /// Its name.
    pub name: String,
    /// The file that holds it, by its place among the model's.
    pub file: usize,
    /// Its bytes in the file.
    pub range: ByteRange,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// What it is, where a family knows.
    pub slot: Option<Slot>,
    /// Its layer.
    pub layer: Option<LayerIndex>,
    /// Whether it is no parameter: a mask, frequencies and the like.
    pub is_buffer: bool,
}

named! {
    /// What is shown of a tensor, as tables name it, in the order of their columns.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Verdict {
        /// All of its bytes are those of the other.
        Identical = "identical",
        /// Some of its bytes also stand in the other model; of the rest nothing is known.
        Partly = "partly",
        /// Nothing. That is no evidence of difference.
        NotShown = "not_shown",
        /// Bytes that were read differ.
        Different = "different",
        /// Its file, or that of the other, could not be examined.
        NotExamined = "not_examined",
    }
}

named! {
    /// By what it is shown, as tables name it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Method {
        /// The files are equal, by the SHA-256 or the Xet hash that the Hub states.
        File = "file",
        /// The same stored chunks.
        Chunks = "chunks",
        /// The same Merkle nodes of both files, beside the same stored chunks if there are any.
        Fingerprints = "fingerprints",
        /// One of these, and the rest was read.
        ChunksAndBytes = "chunks+bytes",
        /// All of it was read.
        Bytes = "bytes",
    }
}

/// A tensor of the second model beside the one of the first that it shares most with.
#[derive(Debug, Clone)]
pub struct TensorRow {
    /// Place among the tensors of the first model; `None` where none belongs to it.
    pub a: Option<usize>,
    /// Place among those of the second.
    pub b: usize,
    /// Bytes that are equal in the same place.
    pub same: u64,
    /// Bytes that are in the first model at another place, or at one that is not known; at least.
    pub moved: u64,
    /// What follows.
    pub verdict: Verdict,
    /// By what; `None` where nothing is shown.
    pub method: Option<Method>,
    /// Why its equality would be no evidence.
    pub trivial: Option<&'static str>,
    /// Bytes in the file of the second that are not shown to be the same in place, where they are few enough to be read.
    pub undecided: Vec<ByteRange>,
}
