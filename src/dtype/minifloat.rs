//! Small floats, widened to `f32` by their definitions. Each function is exact, NaN payloads included where they fit.

/// BF16 is the upper half of an `f32`.
pub(super) fn bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE binary16. Done by hand because hardware conversion sets the quiet bit of a signalling NaN.
pub(super) fn f16(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    let widened = match magnitude {
        0x0400..0x7c00 => (magnitude << 13) + (112 << 23),
        0x7c00.. => (magnitude << 13) | 0x7f80_0000,
        // Subnormal: a whole multiple of 2^-24.
        _ => (magnitude as f32 * 2.0_f32.powi(-24)).to_bits(),
    };
    f32::from_bits(sign | widened)
}

/// OCP E5M2 is the upper half of a binary16.
pub(super) fn f8_e5m2(bits: u8) -> f32 {
    f16(u16::from(bits) << 8)
}

/// OCP E4M3: bias 7, no infinity, NaN at all ones.
pub(super) fn f8_e4m3(bits: u8) -> f32 {
    if bits & 0x7f == 0x7f {
        return signed(bits, f32::NAN);
    }
    finite(bits, 3, 7)
}

/// E4M3 of the FNUZ kind: bias 8, no infinity, no negative zero, NaN in its place.
pub(super) fn f8_e4m3fnuz(bits: u8) -> f32 {
    if bits == 0x80 { f32::NAN } else { finite(bits, 3, 8) }
}

/// E5M2 of the FNUZ kind: bias 16, no infinity, no negative zero, NaN in its place.
pub(super) fn f8_e5m2fnuz(bits: u8) -> f32 {
    if bits == 0x80 { f32::NAN } else { finite(bits, 2, 16) }
}

/// OCP E8M0: a power of two, 2^(bits − 127), NaN at all ones. A scale: it has neither sign nor zero.
pub(super) fn f8_e8m0(bits: u8) -> f32 {
    match bits {
        0xff => f32::NAN,
        0 => f32::from_bits(1 << 22),
        _ => f32::from_bits(u32::from(bits) << 23),
    }
}

/// A sign, an exponent of the given bias, and `fraction` bits below it, with subnormals and no special values.
fn finite(bits: u8, fraction: u32, bias: i32) -> f32 {
    let magnitude = bits & 0x7f;
    let exponent = i32::from(magnitude >> fraction);
    let significand = f32::from(magnitude & ((1 << fraction) - 1));
    let unit = 2.0_f32.powi(-i32::try_from(fraction).unwrap_or(0));
    let value = if exponent == 0 {
        significand * unit * 2.0_f32.powi(1 - bias)
    } else {
        (1.0 + significand * unit) * 2.0_f32.powi(exponent - bias)
    };
    signed(bits, value)
}

fn signed(bits: u8, magnitude: f32) -> f32 {
    f32::from_bits((magnitude.to_bits() & 0x7fff_ffff) | u32::from(bits & 0x80) << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sign × 2^(e − bias) × (1 + m / 2^fraction), or the subnormal form where e is 0.
    fn by_definition(bits: u8, fraction: i32, bias: i32) -> f64 {
        let sign = if bits >= 0x80 { -1.0 } else { 1.0 };
        let magnitude = i32::from(bits & 0x7f);
        let (e, m) = (magnitude >> fraction, magnitude % (1 << fraction));
        let scaled = f64::from(m) / 2.0_f64.powi(fraction);
        sign * if e == 0 { scaled * 2.0_f64.powi(1 - bias) } else { (1.0 + scaled) * 2.0_f64.powi(e - bias) }
    }

    fn same(a: f32, b: f64) -> bool {
        (a.is_nan() && b.is_nan()) || f64::from(a).to_bits() == b.to_bits()
    }

    #[test]
    fn every_f8_is_what_its_definition_says() {
        for bits in 0..=u8::MAX {
            let e4m3 = if bits & 0x7f == 0x7f { f64::NAN } else { by_definition(bits, 3, 7) };
            assert!(same(f8_e4m3(bits), e4m3), "E4M3 {bits:#04x}");
            let e5m2 = match bits & 0x7f {
                0x7c => f64::INFINITY.copysign(by_definition(bits, 2, 15)),
                0x7d.. => f64::NAN,
                _ => by_definition(bits, 2, 15),
            };
            assert!(same(f8_e5m2(bits), e5m2), "E5M2 {bits:#04x}");
            let fnuz = |bias, fraction| {
                if bits == 0x80 { f64::NAN } else { by_definition(bits, fraction, bias) }
            };
            assert!(same(f8_e4m3fnuz(bits), fnuz(8, 3)), "E4M3FNUZ {bits:#04x}");
            assert!(same(f8_e5m2fnuz(bits), fnuz(16, 2)), "E5M2FNUZ {bits:#04x}");
            let e8m0 = if bits == 0xff { f64::NAN } else { 2.0_f64.powi(i32::from(bits) - 127) };
            assert!(same(f8_e8m0(bits), e8m0), "E8M0 {bits:#04x}");
        }
    }
}
