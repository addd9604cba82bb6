//! A tensor's elements in memory, after exact widening.

/// Elements of one tensor, row-major. BF16, F16 and F8 widen to `F32`; F64 and integers stay what they are.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is its element type")]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
}
