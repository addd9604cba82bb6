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

/// Evaluates `$body` with `$elements` bound to the vector inside, for every element type.
macro_rules! for_any {
    ($values:expr, $elements:ident => $body:expr) => {
        match $values {
            $crate::values::Values::F32($elements) => $body,
            $crate::values::Values::F64($elements) => $body,
            $crate::values::Values::I8($elements) => $body,
            $crate::values::Values::I16($elements) => $body,
            $crate::values::Values::I32($elements) => $body,
            $crate::values::Values::I64($elements) => $body,
            $crate::values::Values::U8($elements) => $body,
            $crate::values::Values::U16($elements) => $body,
            $crate::values::Values::U32($elements) => $body,
            $crate::values::Values::U64($elements) => $body,
            $crate::values::Values::Bool($elements) => $body,
        }
    };
}
pub(crate) use for_any;

/// How many elements a shape has: the product of its extents, 1 for a scalar; `None` where 64 bits cannot count them.
pub(crate) fn elements(shape: &[u64]) -> Option<u64> {
    shape.iter().try_fold(1_u64, |product, &extent| product.checked_mul(extent))
}

impl Values {
    /// Number of elements.
    pub fn len(&self) -> usize {
        for_any!(self, elements => elements.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, where they are `f32`.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::F32(elements) => Some(elements),
            _ => None,
        }
    }

    /// The effective gain `1 + w` of a norm whose weight is stored zero-centred, as `F64`.
    ///
    /// In `f32` the sum would round: for w = 0.001 it loses 10 bits. In `f64` it is exact for every `f32` with |w| ≥ 2⁻²⁹
    /// (or w = 0) and rounded once otherwise. `None` for integers and booleans, which are no gains.
    #[must_use]
    pub fn plus_one(self) -> Option<Self> {
        match self {
            Self::F32(elements) => Some(Self::F64(elements.into_iter().map(|w| 1.0 + f64::from(w)).collect())),
            Self::F64(elements) => Some(Self::F64(elements.into_iter().map(|w| 1.0 + w).collect())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_centred_gain_keeps_every_bit_of_its_weight() {
        for w in [0.001_f32, -0.25, 3.0, f32::from_bits(0x3100_0001), 0.0] {
            let Some(Values::F64(gain)) = Values::F32(vec![w]).plus_one() else {
                panic!("floats have a gain");
            };
            assert_eq!((gain[0] - 1.0).to_bits(), f64::from(w).to_bits());
        }
        assert_eq!(Values::I8(vec![1]).plus_one(), None);
    }

    #[test]
    fn lengths_are_counted_in_elements() {
        assert_eq!(Values::F64(vec![0.0; 3]).len(), 3);
        assert!(Values::Bool(vec![]).is_empty());
        assert_eq!(Values::F32(vec![1.0]).as_f32(), Some(&[1.0][..]));
    }
}
