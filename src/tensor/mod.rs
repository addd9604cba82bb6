//! Any tensor of an opened model as one thing, wherever its bytes lie: in a folder, in the cache, in the Hugging Face cache.

mod elements;
mod loaded;
mod orientation;
mod packed_rows;
mod row_reader;
mod view;

pub(crate) use elements::Elements;
pub use loaded::Loaded;
pub(crate) use loaded::{Floats, Prepared, floats};
pub(crate) use orientation::{Layout, layout, layout_or_plain, of_expert, parts, straight};
pub(crate) use packed_rows::PackedRows;
pub use row_reader::RowReader;
pub use view::View;
