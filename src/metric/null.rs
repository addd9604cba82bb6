//! What a cosine is when nothing is shared: the permutation null in closed form.
//!
//! If the n channels of one side are permuted at random, the cosine of two vectors has mean `μaμb/(rms_a rms_b)` and standard
//! deviation `σaσb/(rms_a rms_b √(n−1)`), and Pearson's r has mean 0 and standard deviation 1/√(n−1): exactly, for any
//! values. The same z = r√(n−1) therefore says how unusual either of them is. Channels are not quite exchangeable in
//! trained models, so the tail at z is a lower bound on doubt, not a verdict.

use std::f64::consts::{FRAC_1_SQRT_2, LN_10};

use super::{MeanSd, Undefined};

/// Mean cosine under permutation, `μaμb/(rms_a rms_b)`; `ZeroNorm` where a side is all zeros.
pub fn cos_null(a: MeanSd, b: MeanSd) -> Result<f64, Undefined> {
    let norms = a.rms() * b.rms();
    if norms == 0.0 { Err(Undefined::ZeroNorm) } else { Ok((a.mean * b.mean / norms).clamp(-1.0, 1.0)) }
}

/// Standard deviation of the cosine under permutation of `n` channels, `σaσb/(rms_a rms_b √(n−1)`); `ZeroNorm` where a
/// side is all zeros, `TooFew` below two channels.
pub fn cos_null_sd(a: MeanSd, b: MeanSd, n: u64) -> Result<f64, Undefined> {
    let norms = a.rms() * b.rms();
    if norms == 0.0 {
        Err(Undefined::ZeroNorm)
    } else if n < 2 {
        Err(Undefined::TooFew)
    } else {
        Ok(a.sd * b.sd / (norms * ((n - 1) as f64).sqrt()))
    }
}

/// How many of its standard deviations `pearson` over `n` channels lies from its mean under permutation: r√(n−1).
pub fn z_perm(pearson: f64, n: u64) -> f64 {
    pearson * (n.saturating_sub(1) as f64).sqrt()
}

/// log10 of the share of a standard normal that lies beyond ±|z|, that is log10 erfc(|z|/√2). Never underflows: at z = 1000
/// it is about −217150.
///
/// Relative error below 1e-13. Up to |z| = 2 by the series of erf, whose terms are all positive; from there by the continued
/// fraction of erfc, with the factor exp(−z²/2) taken out and its exponent added.
pub fn log10_two_sided(z: f64) -> f64 {
    let x = z.abs() * FRAC_1_SQRT_2;
    let ln_tail = if x < SERIES_BELOW { (-erf_series(x)).ln_1p() } else { ln_erfc_fraction(x, z * z / 2.0) };
    // `+ 0.0` makes 0 of −0.
    ln_tail / LN_10 + 0.0
}

const SERIES_BELOW: f64 = std::f64::consts::SQRT_2;

/// erf x = 2x/√π · exp(−x²) · Σ (2x²)^k / (1·3·5···(2k+1)).
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for odd in (3..80).step_by(2) {
        term *= 2.0 * x * x / f64::from(odd);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * x * (-x * x).exp() * sum
}

/// ln erfc x = −x² − ln(√π · (x + (1/2)/(x + 1/(x + (3/2)/(x + …))))), with x² given apart, where it is known exactly.
fn ln_erfc_fraction(x: f64, squared: f64) -> f64 {
    let fraction = (1..=200).rev().fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
    -squared - (fraction / std::f64::consts::FRAC_2_SQRT_PI * 2.0).ln()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "these figures are exact")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_null_of_a_published_layer_is_the_published_cosine() {
        // Two norms with CV 0.1: 1/(1 + 0.01).
        let norm = MeanSd { mean: 1.0, sd: 0.1 };
        assert!((cos_null(norm, norm).unwrap() - 1.0 / 1.01).abs() < 1e-15);
        assert!((cos_null_sd(norm, norm, 4096).unwrap() - 0.01 / 1.01 / 4095_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn zeros_have_no_null_and_one_channel_has_no_spread() {
        let (zero, one) = (MeanSd { mean: 0.0, sd: 0.0 }, MeanSd { mean: 1.0, sd: 1.0 });
        assert_eq!(cos_null(zero, one), Err(Undefined::ZeroNorm));
        assert_eq!(cos_null_sd(one, zero, 9), Err(Undefined::ZeroNorm));
        assert_eq!(cos_null_sd(one, one, 1), Err(Undefined::TooFew));
    }

    #[test]
    fn the_tail_at_zero_is_everything() {
        assert_eq!(log10_two_sided(0.0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(log10_two_sided(-0.0).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn series_and_fraction_meet() {
        let x = SERIES_BELOW;
        let (series, fraction) = ((-erf_series(x)).ln_1p(), ln_erfc_fraction(x, x * x));
        assert!((series / fraction - 1.0).abs() < 1e-13, "{series} {fraction}");
    }

    proptest! {
        #[test]
        fn the_tail_shrinks_as_z_grows_and_is_the_same_on_both_sides(z in 0.0..1e4_f64, step in 1e-6..1.0_f64) {
            prop_assert!(log10_two_sided(z + step) < log10_two_sided(z));
            prop_assert_eq!(log10_two_sided(-z), log10_two_sided(z));
        }
    }
}
