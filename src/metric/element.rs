//! What a slice may hold to be measured: numbers that widen to `f64` without rounding.

/// A number that `f64` holds exactly. Statistics of any two slices of elements agree with those of the widened slices.
pub trait Element: Copy + PartialEq + Send + Sync {
    /// The same number as `f64`; booleans are 0 and 1.
    fn to_f64(self) -> f64;
}

macro_rules! elements {
    ($($type:ty)+) => {
        $(impl Element for $type {
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        })+
    };
}

// `i64` and `u64` are missing on purpose: beyond 2^53 they would be rounded.
elements!(f32 f64 i8 i16 i32 u8 u16 u32 bool);
