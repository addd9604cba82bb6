//! Colours: a sequential scale for quantities, a diverging one for signed quantities, and what is readable on them.
//!
//! Both scales are told apart by people with any of the common kinds of colour blindness and stay ordered in grey. A
//! diverging scale is symmetric in its range and never in its colours: +r and −r differ.

#![expect(clippy::unreadable_literal, reason = "colours are written as on the web")]

use crate::table::Matrix;

/// An sRGB colour, `0xRRGGBB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u32);

/// Text and axes.
pub const INK: Rgb = Rgb(0x1f2328);
/// Secondary text; 6:1 on white.
pub const MUTED: Rgb = Rgb(0x57606a);
/// Grid lines.
pub const GRID: Rgb = Rgb(0xe4e7eb);
/// The canvas.
pub const PAPER: Rgb = Rgb(0xffffff);
/// Ground of cells without a value, below their hatching.
pub const ABSENT: Rgb = Rgb(0xf3f4f6);
/// The band within which chance alone lies.
pub const BAND: Rgb = Rgb(0xe8eef4);
/// Hatching of cells without a value.
pub const HATCH: Rgb = Rgb(0xa3abb5);
/// The banner on synthetic data; 6:1 on white.
pub const WARNING: Rgb = Rgb(0xa43a00);

/// Okabe and Ito's palette without its yellow, which is lost on white.
pub const SERIES: [u32; 8] = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x333333, 0x8c564b];

/// Viridis, at ninths.
const VIRIDIS: [u32; 10] =
    [0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725];

/// Blue, white, orange.
const BLUE_ORANGE: [u32; 7] = [0x053061, 0x2b7bba, 0x9cc9e3, 0xf7f7f7, 0xfdc086, 0xe07b1a, 0x7f3b08];

/// Which colours, over which values. Values outside are marked by the picture, never taken for the nearest end.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorScale {
    diverging: bool,
    /// The value of the first colour.
    pub low: f64,
    /// The value of the last colour.
    pub high: f64,
    /// How the range was chosen, as words for a subtitle; empty where the caller chose it.
    pub reason: &'static str,
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

    /// Whether `value` has a colour of its own.
    pub fn covers(&self, value: f64) -> bool {
        // Rounding may put the cosine of a tensor with itself a few units above 1.
        let slack = (self.high - self.low) * 1e-9;
        value >= self.low - slack && value <= self.high + slack
    }

    /// The colour of `value`; beyond the range, that of the nearest end.
    pub fn color(&self, value: f64) -> Rgb {
        let stops: &[u32] = if self.diverging { &BLUE_ORANGE } else { &VIRIDIS };
        // Halves first: the width of the widest range is not a finite number.
        let t = ((value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)).clamp(0.0, 1.0);
        let at = t * (stops.len() - 1) as f64;
        let index = (0..stops.len() - 1).rev().find(|&index| at >= index as f64).unwrap_or(0);
        mix(Rgb(stops[index]), Rgb(stops[index + 1]), at - index as f64)
    }
}

/// Black or white, whichever contrasts more with `ground` by WCAG.
pub fn ink_on(ground: Rgb) -> Rgb {
    let (dark, light) = (Rgb(0), PAPER);
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

/// `color` so pale that a line of the colour itself can be seen on it.
pub(super) fn pale(color: Rgb) -> Rgb {
    mix(color, PAPER, 0.65)
}

fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes is a byte")]
    let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    let [a, b] = [a, b].map(|color| color.0.to_be_bytes());
    Rgb(u32::from_be_bytes(std::array::from_fn(|at| channel(a[at], b[at]))))
}

fn luminance(color: Rgb) -> f64 {
    let [_, r, g, b] = color.0.to_be_bytes();
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
        assert_eq!(scale.color(0.0), Rgb(0xf7f7f7));
    }

    #[test]
    fn the_sequential_scale_brightens_all_the_way() {
        let scale = ColorScale::sequential(0.0, 1.0);
        let light: Vec<f64> = (0..=90).map(|step| luminance(scale.color(f64::from(step) / 90.0))).collect();
        assert!(light.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((scale.color(0.0), scale.color(1.0)), (Rgb(VIRIDIS[0]), Rgb(VIRIDIS[9])));
    }

    #[test]
    fn the_cosine_scale_covers_every_cell_and_ends_at_one() {
        let matrix = Matrix::from_fn(vec!["a".into()], vec!["x".into(), "y".into(), "z".into()], |_, column| {
            [Ok(0.2), Ok(1.0 + 1e-15), Err(Undefined::ZeroNorm)][column].clone()
        });
        let scale = ColorScale::cosine(&matrix);
        assert_eq!((scale.low, scale.high), (0.2, 1.0));
        assert!(scale.covers(1.0 + 1e-15) && scale.covers(0.2) && !scale.covers(0.1) && !scale.covers(1.1));
    }

    #[test]
    fn a_matrix_without_extent_or_values_still_has_a_scale() {
        for cell in [Ok(0.5), Ok(f64::MAX), Err(Undefined::Constant)] {
            let matrix = Matrix::from_fn(vec!["a".into()], vec!["x".into()], |_, _| cell.clone());
            for scale in [ColorScale::fit(&matrix), ColorScale::cosine(&matrix), ColorScale::fit_signed(&matrix)] {
                assert!(scale.low < scale.high || scale.low.abs() > 1e300);
                scale.color(0.5);
            }
        }
    }
}
