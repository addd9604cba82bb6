//! Buffers that a formula fills: every model that uses the formula holds the same numbers, and none has learnt them.
//!
//! A pattern says what each element has to be; the first element that is something else ends it. Weights end all of them
//! within a few elements, so that looking for patterns costs next to nothing.

use std::f64::consts::{PI, TAU};

use crate::{dtype::Dtype, named::named};

named! {
    /// Why a tensor's equality with another is no evidence.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum TrivialClass {
        /// All elements are equal, as at initialisation: gains of one, biases of zero.
        Constant = "constant",
        /// There are fewer than 16 elements.
        Tiny = "tiny",
        /// 0, 1, 2, … along the last axis: position ids.
        Positions = "fixed-buffer:positions",
        /// A unit matrix, with rows of zeros above it where there are more rows than columns: one-hot embeddings.
        OneHot = "fixed-buffer:one-hot",
        /// One on and below the diagonal, zero (or −∞) above it: a causal mask.
        CausalMask = "fixed-buffer:causal-mask",
        /// 1, q, q², …: the inverse frequencies of a rotary embedding.
        Frequencies = "fixed-buffer:frequencies",
        /// Sines and cosines of positions at geometric frequencies: sinusoidal position embeddings.
        Sinusoids = "fixed-buffer:sinusoids",
        /// A Hann window, or a Fourier basis under one.
        Window = "fixed-buffer:window",
    }
}

/// A formula for every element of a tensor of a known shape.
pub(super) struct Pattern {
    pub(super) class: TrivialClass,
    columns: u64,
    formula: Box<Formula>,
}

/// From the first element seen at index 1, row and column to the value and how far from it an element may lie.
type Formula = dyn Fn(f64, u64, u64) -> (f64, f64) + Send;

impl Pattern {
    /// All patterns that a tensor of this type and shape could hold. Needs two elements at least.
    pub(super) fn candidates(dtype: &Dtype, shape: &[u64]) -> Vec<Self> {
        let columns = shape.last().copied().unwrap_or(1).max(1);
        let numel: u64 = shape.iter().product();
        if numel < 2 || columns < 2 && shape.len() < 2 {
            return Vec::new();
        }
        let rows = numel / columns;
        let unit = unit_roundoff(dtype);
        let mut patterns = Vec::new();
        let mut add = |class, formula: Box<Formula>| patterns.push(Self { class, columns, formula });
        if columns >= 2 {
            add(TrivialClass::Positions, Box::new(|_, _, column| exactly(column as f64)));
        }
        if rows >= 2 && columns >= 2 {
            let above = rows.saturating_sub(columns);
            let one_hot = move |_, row: u64, column: u64| exactly(f64::from(row == column + above));
            add(TrivialClass::OneHot, Box::new(one_hot));
        }
        if shape.len() >= 2 && shape[shape.len() - 2] == columns && columns >= 2 {
            for outside in [0.0, f64::NEG_INFINITY] {
                let inside = f64::from(outside == 0.0);
                let mask =
                    move |_, row: u64, column: u64| exactly(if column <= row % columns { inside } else { outside });
                add(TrivialClass::CausalMask, Box::new(mask));
            }
        }
        if rows == 1 {
            add(TrivialClass::Frequencies, Box::new(move |second, _, i| frequency(second, i, unit)));
            for period in [columns, columns - 1] {
                let hann = move |_, _, i: u64| (hann(i, period), 4.0 * unit + 1e-6);
                add(TrivialClass::Window, Box::new(hann));
            }
        }
        if rows >= 2 && columns >= 4 && columns.is_multiple_of(2) {
            for split in [true, false] {
                for steps in [columns / 2, columns / 2 - 1] {
                    let sinusoid = move |_, row: u64, column: u64| {
                        // An angle made in f32 is off by some of its last places.
                        (sinusoid(row, column, columns, split, steps), 2.0 * unit + 1e-6 * (1.0 + row as f64))
                    };
                    add(TrivialClass::Sinusoids, Box::new(sinusoid));
                }
            }
        }
        if rows == columns + 2 && columns >= 4 && columns.is_multiple_of(2) {
            for sign in [1.0, -1.0] {
                let basis = move |_, row: u64, column: u64| (fourier(row, column, columns, sign), 4.0 * unit + 1e-5);
                add(TrivialClass::Window, Box::new(basis));
            }
        }
        patterns
    }

    /// Whether `value` is what stands at `index`, in a tensor whose second element is `second`.
    pub(super) fn agrees(&self, second: f64, index: u64, value: f64) -> bool {
        let (expected, tolerance) = (self.formula)(second, index / self.columns, index % self.columns);
        // Infinities have no difference; NaN is nowhere expected.
        #[expect(clippy::float_cmp, reason = "the same infinity")]
        let same = value == expected;
        same || (value - expected).abs() <= tolerance
    }
}

fn exactly(value: f64) -> (f64, f64) {
    (value, 0.0)
}

/// Half the gap between 1 and the next number of the type.
fn unit_roundoff(dtype: &Dtype) -> f64 {
    match *dtype {
        Dtype::BF16 => 2.0_f64.powi(-8),
        Dtype::F16 => 2.0_f64.powi(-11),
        Dtype::F64 => 2.0_f64.powi(-53),
        _ => 2.0_f64.powi(-24),
    }
}

/// The `i`-th power of the second element, which itself is rounded.
fn frequency(second: f64, i: u64, unit: f64) -> (f64, f64) {
    let power = second.abs().powf(i as f64);
    let falls = second > 0.0 && second < 1.0;
    let tolerance = if falls { power * 4.0 * unit * (i + 1) as f64 } else { -1.0 };
    (if falls { power } else { f64::NAN }, tolerance)
}

fn hann(i: u64, period: u64) -> f64 {
    0.5 - 0.5 * (TAU * i as f64 / period as f64).cos()
}

/// Sines in the first half and cosines in the second, or the two in turn; frequencies 10000^(−k/steps).
fn sinusoid(row: u64, column: u64, columns: u64, split: bool, steps: u64) -> f64 {
    let half = columns / 2;
    let (k, is_sine) = if split { (column % half, column < half) } else { (column / 2, column.is_multiple_of(2)) };
    let angle = row as f64 * 10_000_f64.powf(-(k as f64) / steps as f64);
    if is_sine { angle.sin() } else { angle.cos() }
}

/// Cosines of all frequencies, then sines, under a Hann window as long as they are.
fn fourier(row: u64, column: u64, columns: u64, sign: f64) -> f64 {
    let frequencies = columns / 2 + 1;
    // Reduced first: the product of a row and a column would cost the sine its accuracy.
    let angle = 2.0 * PI * ((row % frequencies * column) % columns) as f64 / columns as f64;
    let wave = if row < frequencies { angle.cos() } else { sign * angle.sin() };
    wave * hann(column, columns)
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").field(&self.class).finish()
    }
}
