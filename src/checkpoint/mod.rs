//! What a model's files say about themselves: safetensors headers, shard indexes, layouts and quantisation.
//!
//! Everything here is pure but for the reading of local folders, and nothing that a file claims is believed before it has
//! been checked: these files are untrusted input.

mod companions;
mod dequantise;
mod error;
mod folder;
mod header;
mod header_error;
mod index;
mod json;
mod layout;
#[cfg(test)]
mod layout_tests;
mod packed;
mod packing;
mod quantisation;
mod scale_grid;
mod scaling;
mod shard_name;
mod sniff;
mod stamp;
mod storage;
mod tensor_info;
mod unpack;
mod weights;

pub use dequantise::Dequantiser;
pub use error::{CheckpointError, IndexError};
pub use folder::{FolderFile, folder_snapshot};
pub use header::{HARD_MAX_HEADER_BYTES, Header, MAX_HEADER_BYTES};
pub use header_error::HeaderError;
pub use index::{MAX_INDEX_BYTES, ShardIndex};
pub use json::MAX_TENSORS;
pub use layout::{Layout, Unused, UnusedFile};
pub use packed::PackedFormat;
pub use packing::Packing;
pub use quantisation::Quantisation;
pub use scale_grid::ScaleGrid;
pub use shard_name::MAX_SHARDS;
pub use sniff::Foreign;
pub use stamp::Stamp;
pub use storage::{Scaling, Storage};
pub use tensor_info::TensorInfo;
pub use unpack::Unpacker;
