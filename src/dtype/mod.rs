//! Types of stored elements: their names and widths, the exact numbers that their bytes stand for, and the way back.

mod decode;
mod element;
mod minifloat;
mod narrow;

pub use decode::{DecodeError, decode};
pub use element::Dtype;
pub(crate) use narrow::Narrowing;
