//! One side's element type: how stored bytes become numbers, and what orders them.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    dtype::{Dtype, decode},
    metric::{Element, Undefined, rank::key_of_bits, sums::BLOCK},
    values::Values,
};

/// Room for a code of two bytes.
pub(super) const CODES: usize = 1 << 16;

/// How elements of a type are read.
#[derive(Debug)]
pub(super) enum Column {
    /// The upper half of an `f32`.
    Bf16(Arc<[f64]>),
    /// One of 65,536 values.
    Word(Arc<[f64]>),
    /// One of 256 values.
    Byte(Arc<[f64]>),
    F32,
    I32,
    U32,
}

impl Column {
    /// For a type of up to 32 bits that has exact values; else why there is none.
    pub(super) fn new(dtype: &Dtype) -> Result<Self, Undefined> {
        Ok(match (dtype, dtype.bits()) {
            (&Dtype::F32, _) => Self::F32,
            (&Dtype::I32, _) => Self::I32,
            (&Dtype::U32, _) => Self::U32,
            (&Dtype::BF16, _) => Self::Bf16(table(dtype, 1 << 16)?),
            (_, Some(16)) => Self::Word(table(dtype, 1 << 16)?),
            (_, Some(8)) => Self::Byte(table(dtype, 1 << 8)?),
            _ => {
                let reason = format!("{dtype} elements are not streamed");
                return Err(Undefined::NotComparable(reason));
            }
        })
    }

    /// Bytes of an element.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::Bf16(_) | Self::Word(_) => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
        }
    }

    /// The values of all codes, where elements are codes.
    pub(super) fn codes(&self) -> Option<&[f64]> {
        match self {
            Self::Bf16(table) | Self::Word(table) | Self::Byte(table) => Some(table),
            Self::F32 | Self::I32 | Self::U32 => None,
        }
    }

    /// The numbers of one block.
    #[inline(always)]
    pub(super) fn widen<'b>(&self, stored: &[u8], buffer: &'b mut [f64; BLOCK]) -> &'b [f64] {
        let count = match self {
            Self::Bf16(_) => {
                each(stored, buffer, |raw| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(raw)) << 16)))
            }
            Self::Word(table) => each(stored, buffer, |raw| at(table, usize::from(u16::from_le_bytes(raw)))),
            Self::Byte(table) => each(stored, buffer, |[raw]| at(table, usize::from(raw))),
            Self::F32 => each(stored, buffer, |raw| f64::from(f32::from_le_bytes(raw))),
            Self::I32 => each(stored, buffer, |raw| f64::from(i32::from_le_bytes(raw))),
            Self::U32 => each(stored, buffer, |raw| f64::from(u32::from_le_bytes(raw))),
        };
        &buffer[..count]
    }

    /// Whether `f32` holds every element.
    pub(super) fn is_narrow(&self) -> bool {
        !matches!(self, Self::I32 | Self::U32)
    }

    /// The numbers of a block of narrow elements, in place of what `into` holds.
    #[inline(always)]
    pub(super) fn narrow(&self, stored: &[u8], into: &mut Vec<f32>) {
        into.clear();
        match self {
            Self::Bf16(_) => {
                let (words, _) = stored.as_chunks::<2>();
                into.extend(words.iter().map(|&word| f32::from_bits(u32::from(u16::from_le_bytes(word)) << 16)));
            }
            Self::F32 | Self::I32 | Self::U32 => {
                let (words, _) = stored.as_chunks::<4>();
                into.extend(words.iter().map(|&word| f32::from_le_bytes(word)));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the values of narrow types fit")]
            Self::Word(table) | Self::Byte(table) => self.classes(stored, |code| {
                into.push(at(table, usize::from(code)) as f32);
            }),
        }
    }

    /// What is counted of each element of a block: its code, or the upper half of its key.
    #[inline(always)]
    pub(super) fn classes(&self, stored: &[u8], mut visit: impl FnMut(u16)) {
        match self {
            Self::Byte(_) => {
                for &code in stored {
                    visit(u16::from(code));
                }
            }
            Self::Bf16(_) | Self::Word(_) => {
                let (codes, _) = stored.as_chunks::<2>();
                for &code in codes {
                    visit(u16::from_le_bytes(code));
                }
            }
            Self::F32 | Self::I32 | Self::U32 => self.keys(stored, |key| visit(upper_half(key))),
        }
    }

    /// Counts each element of a block by its class.
    pub(super) fn count(&self, stored: &[u8], counts: &mut [u32]) {
        if let Ok(counts) = <&mut [u32; CODES]>::try_from(counts) {
            self.classes(stored, |class| counts[usize::from(class)] += 1);
        }
    }

    /// The elements' keys in their order: whole numbers that compare as the elements do, −0.0 and 0.0 as one. Of types of 32
    /// bits only.
    pub(super) fn keys(&self, stored: &[u8], mut visit: impl FnMut(u32)) {
        let (words, _) = stored.as_chunks::<4>();
        for &word in words {
            let bits = u32::from_le_bytes(word);
            visit(match self {
                Self::F32 => key_of_bits(bits),
                Self::I32 => bits ^ (1 << 31),
                _ => bits,
            });
        }
    }
}

/// The 16 leading bits.
fn upper_half(key: u32) -> u16 {
    let [.., third, fourth] = key.to_le_bytes();
    u16::from_le_bytes([third, fourth])
}

/// Every index below the table's length comes from as many bits as it has entries.
#[inline(always)]
fn at(table: &[f64], code: usize) -> f64 {
    table.get(code).copied().unwrap_or(f64::NAN)
}

#[inline(always)]
fn each<const N: usize>(stored: &[u8], buffer: &mut [f64; BLOCK], read: impl Fn([u8; N]) -> f64) -> usize {
    let (elements, _) = stored.as_chunks::<N>();
    for (wide, &raw) in buffer.iter_mut().zip(elements) {
        *wide = read(raw);
    }
    elements.len().min(BLOCK)
}

/// The same numbers as `f64`; `None` of integers that it does not hold.
pub(super) fn widened(values: &Values) -> Option<Vec<f64>> {
    fn each<E: Element>(elements: &[E]) -> Vec<f64> {
        elements.iter().map(|element| element.to_f64()).collect()
    }
    Some(match values {
        Values::F32(elements) => each(elements),
        Values::F64(elements) => each(elements),
        Values::I8(elements) => each(elements),
        Values::I16(elements) => each(elements),
        Values::I32(elements) => each(elements),
        Values::U8(elements) => each(elements),
        Values::U16(elements) => each(elements),
        Values::U32(elements) => each(elements),
        Values::Bool(elements) => each(elements),
        Values::I64(_) | Values::U64(_) => return None,
    })
}

/// The value of every code; NaN where a code has none (a boolean of 2).
fn table(dtype: &Dtype, codes: u32) -> Result<Arc<[f64]>, Undefined> {
    // A few types, each of which a checkpoint has hundreds of tensors of.
    static KEPT: Mutex<Vec<(Dtype, Arc<[f64]>)>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock();
    if let Some((_, table)) = kept.iter().find(|(of, _)| of == dtype) {
        return Ok(Arc::clone(table));
    }
    let width = if codes > 256 { 2 } else { 1 };
    // Not every byte is a boolean, and those that are come first.
    let valid = if *dtype == Dtype::BOOL { 2 } else { codes };
    let stored: Vec<u8> = (0..valid).flat_map(|code| code.to_le_bytes().into_iter().take(width)).collect();
    let values = decode(dtype, &stored).map_err(|error| Undefined::NotComparable(error.to_string()))?;
    let mut table = widened(&values).unwrap_or_default();
    table.resize(codes as usize, f64::NAN);
    let table: Arc<[f64]> = table.into();
    kept.push((dtype.clone(), Arc::clone(&table)));
    Ok(table)
}
