//! What a model's files say about themselves: safetensors headers, shard indexes, layouts, quantisation, and exact decoding.
//!
//! Everything here is pure but for the reading of local folders, and nothing that a file claims is believed before it has
//! been checked: these files come from strangers.

mod decode;
mod dequantise;
mod dtype;
mod error;
mod escaped;
mod field_value;
mod header;
mod header_error;
mod header_json;
mod index;
mod layout;
mod minifloat;
mod narrow;
mod packed_format;
mod quantisation;
mod scale_grid;
mod shard_name;
mod sniff;
mod source;

pub use decode::decode;
pub use dequantise::{Dequantiser, Stored, dequantise};
pub use dtype::Dtype;
pub use error::{CheckpointError, OtherWeights};
pub use escaped::Escaped;
pub use header::{HARD_MAX_HEADER_BYTES, Header, MAX_HEADER_BYTES, TensorInfo};
pub use header_error::HeaderError;
pub use index::{Disagreement, IndexError, MAX_INDEX_BYTES, MAX_SHARDS, MAX_TENSORS, ShardIndex};
pub use layout::{Layout, Unused, UnusedFile};
pub use narrow::Narrowing;
pub use packed_format::PackedFormat;
pub use quantisation::{Quantisation, QuantisationHints, Scaling, Storage};
pub use scale_grid::ScaleGrid;
pub use sniff::Foreign;
pub use source::{FolderFile, RangeRead, RangeReader, folder_snapshot};
