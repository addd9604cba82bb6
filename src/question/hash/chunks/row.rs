//! What is shown of a tensor, and by what.

use crate::{
    dtype::Dtype,
    family::{LayerIndex, Slot},
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

/// What is shown of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All of its bytes are those of the other.
    Identical,
    /// Some of its bytes also stand in the other model; of the rest nothing is known.
    Partly,
    /// Nothing. That is no evidence of difference.
    NotShown,
    /// Bytes that were read differ.
    Different,
    /// Its file, or that of the other, could not be examined.
    NotExamined,
}

impl Verdict {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Partly => "partly",
            Self::NotShown => "not_shown",
            Self::Different => "different",
            Self::NotExamined => "not_examined",
        }
    }
}

/// By what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The files are equal, by the SHA-256 or the Xet hash that the Hub states.
    File,
    /// The same stored chunks.
    Chunks,
    /// The same Merkle nodes of both files, beside the same stored chunks if there are any.
    Fingerprints,
    /// One of these, and the rest was read.
    ChunksAndBytes,
    /// All of it was read.
    Bytes,
}

impl Method {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Chunks => "chunks",
            Self::Fingerprints => "fingerprints",
            Self::ChunksAndBytes => "chunks+bytes",
            Self::Bytes => "bytes",
        }
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
