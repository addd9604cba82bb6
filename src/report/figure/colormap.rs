//! Colours: a sequential scale for quantities, a diverging one for signed quantities, and what is readable on them.
//!
//! Both scales are told apart by people with any of the common kinds of colour blindness and stay ordered in grey. A
//! diverging scale is symmetric in its range and never in its colours: +r and −r differ.

use crate::table::Matrix;

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Text and axes.
pub const INK: Rgb = Rgb(0x1f, 0x23, 0x28);
/// Secondary text; 6:1 on white.
pub const MUTED: Rgb = Rgb(0x57, 0x60, 0x6a);
/// Grid lines.
pub const GRID: Rgb = Rgb(0xe4, 0xe7, 0xeb);
/// The canvas.
pub const PAPER: Rgb = Rgb(0xff, 0xff, 0xff);
/// Ground of cells without a value, below their hatching.
pub const ABSENT: Rgb = Rgb(0xf3, 0xf4, 0xf6);
/// Hatching of cells without a value.
pub const HATCH: Rgb = Rgb(0xa3, 0xab, 0xb5);
/// The banner on synthetic data; 6:1 on white.
pub const WARNING: Rgb = Rgb(0xa4, 0x3a, 0x00);

/// Okabe and Ito's palette without its yellow, which is lost on white.
pub const SERIES: [Rgb; 8] = [
    Rgb(0x00, 0x72, 0xb2),
    Rgb(0xd5, 0x5e, 0x00),
    Rgb(0x00, 0x9e, 0x73),
    Rgb(0xcc, 0x79, 0xa7),
    Rgb(0xe6, 0x9f, 0x00),
    Rgb(0x56, 0xb4, 0xe9),
    Rgb(0x33, 0x33, 0x33),
    Rgb(0x8c, 0x56, 0x4b),
];

/// Viridis, at ninths.
const VIRIDIS: [Rgb; 10] = [
    Rgb(0x44, 0x01, 0x54),
    Rgb(0x48, 0x28, 0x78),
    Rgb(0x3e, 0x49, 0x89),
    Rgb(0x31, 0x68, 0x8e),
    Rgb(0x26, 0x82, 0x8e),
    Rgb(0x1f, 0x9e, 0x89),
    Rgb(0x35, 0xb7, 0x79),
    Rgb(0x6e, 0xce, 0x58),
    Rgb(0xb5, 0xde, 0x2b),
    Rgb(0xfd, 0xe7, 0x25),
];

/// Blue, white, orange.
const BLUE_ORANGE: [Rgb; 7] = [
    Rgb(0x05, 0x30, 0x61),
    Rgb(0x2b, 0x7b, 0xba),
    Rgb(0x9c, 0xc9, 0xe3),
    Rgb(0xf7, 0xf7, 0xf7),
    Rgb(0xfd, 0xc0, 0x86),
    Rgb(0xe0, 0x7b, 0x1a),
    Rgb(0x7f, 0x3b, 0x08),
];

/// Which colours, over which values. Values outside are marked by the picture, never taken for the nearest end.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorScale {
    diverging: bool,
    low: f64,
    high: f64,
    reason: &'static str,
}

impl ColorScale {
    /// Dark to bright from `low` to `high`.
    pub fn sequential(low: f64, high: f64) -> Self {
        Self::new(false, low, high, "")
    }

    /// Blue to orange from `-limit` to `limit`, white at zero.
    pub fn diverging(limit: f64) -> Self {
        Self::new(true, -limit.abs(), limit.abs(), "symmetric about 0")
    }

    /// For cosines: from the smallest cell to 1, so that high cosines are told apart and none is cut off.
    pub fn cosine(matrix: &Matrix) -> Self {
        let low = values(matrix).fold(1.0, f64::min);
        Self::new(false, low, 1.0, "from the smallest cell to 1")
    }

    /// For correlations: −1 to 1.
    pub fn correlation() -> Self {
        Self::diverging(1.0)
    }

    /// Sequential over the values that `matrix` has.
    pub fn fit(matrix: &Matrix) -> Self {
        let (low, high) =
            values(matrix).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        Self::new(false, low, high, "from the smallest to the largest cell")
    }

    /// Diverging over the values that `matrix` has.
    pub fn fit_signed(matrix: &Matrix) -> Self {
        let limit = values(matrix).fold(0.0, |limit: f64, v| limit.max(v.abs()));
        Self::new(true, -limit, limit, "symmetric about 0, to the largest cell")
    }

    fn new(diverging: bool, low: f64, high: f64, reason: &'static str) -> Self {
        // A range without extent (one value, or none at all) still needs two ends.
        let (low, high) = match (low.is_finite() && high.is_finite(), high > low) {
            (true, true) => (low, high),
            (true, false) if diverging => (-1.0, 1.0),
            (true, false) => (high - 1.0, high),
            (false, _) => (if diverging { -1.0 } else { 0.0 }, 1.0),
        };
        Self { diverging, low, high, reason }
    }

    /// The value of the first colour.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The value of the last colour.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// How the range was chosen, as words for a subtitle; empty where the caller chose it.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether `value` has a colour of its own.
    pub fn covers(&self, value: f64) -> bool {
        // Rounding may put the cosine of a tensor with itself a few units above 1.
        let slack = (self.high - self.low) * 1e-9;
        value >= self.low - slack && value <= self.high + slack
    }

    /// The colour of `value`; beyond the range, that of the nearest end.
    pub fn color(&self, value: f64) -> Rgb {
        let stops: &[Rgb] = if self.diverging { &BLUE_ORANGE } else { &VIRIDIS };
        // Halves first: the width of the widest range is not a finite number.
        let t = ((value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)).clamp(0.0, 1.0);
        let at = t * (stops.len() - 1) as f64;
        let index = (0..stops.len() - 1).rev().find(|&index| at >= index as f64).unwrap_or(0);
        mix(stops[index], stops[index + 1], at - index as f64)
    }
}

/// Black or white, whichever contrasts more with `ground` by WCAG.
pub fn ink_on(ground: Rgb) -> Rgb {
    let (dark, light) = (Rgb(0, 0, 0), PAPER);
    if contrast(dark, ground) >= contrast(light, ground) { dark } else { light }
}

/// WCAG 2 contrast ratio, 1 to 21.
pub fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn values(matrix: &Matrix) -> impl Iterator<Item = f64> {
    matrix.iter().filter_map(|(.., cell)| cell.as_ref().ok().copied()).filter(|value| value.is_finite())
}

fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes is a byte")]
    let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    Rgb(channel(a.0, b.0), channel(a.1, b.1), channel(a.2, b.2))
}

fn luminance(Rgb(r, g, b): Rgb) -> f64 {
    let linear = |channel: u8| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Undefined;

    fn steps() -> impl Iterator<Item = f64> {
        (0..=200).map(|step| f64::from(step) / 100.0 - 1.0)
    }

    #[test]
    fn every_cell_colour_has_an_ink_of_at_least_4_5_to_1() {
        for scale in [ColorScale::sequential(-1.0, 1.0), ColorScale::correlation()] {
            for value in steps() {
                let ground = scale.color(value);
                assert!(contrast(ink_on(ground), ground) >= 4.5, "{value} on {ground:?}");
            }
        }
    }

    #[test]
    fn a_correlation_and_its_negative_differ_in_colour() {
        let scale = ColorScale::correlation();
        for value in steps().filter(|value| value.abs() > 0.05) {
            assert_ne!(scale.color(value), scale.color(-value));
        }
        assert_eq!(scale.color(0.0), Rgb(0xf7, 0xf7, 0xf7));
    }

    #[test]
    fn the_sequential_scale_brightens_all_the_way() {
        let scale = ColorScale::sequential(0.0, 1.0);
        let light: Vec<f64> = (0..=90).map(|step| luminance(scale.color(f64::from(step) / 90.0))).collect();
        assert!(light.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((scale.color(0.0), scale.color(1.0)), (VIRIDIS[0], VIRIDIS[9]));
    }

    #[test]
    fn the_cosine_scale_covers_every_cell_and_ends_at_one() {
        let matrix = Matrix::from_fn(vec!["a".into()], vec!["x".into(), "y".into(), "z".into()], |_, column| {
            [Ok(0.2), Ok(1.0 + 1e-15), Err(Undefined::ZeroNorm)][column].clone()
        });
        let scale = ColorScale::cosine(&matrix);
        assert_eq!((scale.low(), scale.high()), (0.2, 1.0));
        assert!(scale.covers(1.0 + 1e-15) && scale.covers(0.2) && !scale.covers(0.1) && !scale.covers(1.1));
    }

    #[test]
    fn a_matrix_without_extent_or_values_still_has_a_scale() {
        for cell in [Ok(0.5), Ok(f64::MAX), Err(Undefined::Constant)] {
            let matrix = Matrix::from_fn(vec!["a".into()], vec!["x".into()], |_, _| cell.clone());
            for scale in [ColorScale::fit(&matrix), ColorScale::cosine(&matrix), ColorScale::fit_signed(&matrix)] {
                assert!(scale.low() < scale.high() || scale.low().abs() > 1e300);
                scale.color(0.5);
            }
        }
    }
}
