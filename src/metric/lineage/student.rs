//! Student's t, as far as 95 % intervals need it.

use std::f64::consts::PI;

/// t with P(|T| ≤ t) = .95 at `freedom` ≥ 1 degrees of freedom, which need not be whole.
pub(super) fn t_95(freedom: f64) -> f64 {
    // P(|T| ≤ t) is concave in t > 0, so that Newton's steps from below never pass the root.
    let mut t = 1.959_963_984_540_054;
    for _ in 0..100 {
        let (within, density) = within(t, freedom);
        let step = (0.95 - within) / density;
        t += step;
        if step.abs() <= 1e-15 * t {
            break;
        }
    }
    t
}

/// P(|T| ≤ t) and its derivative. The probability is the regularised incomplete beta function I(x; ½, ν/2) at x = t²/(ν+t²), by its
/// series of positive terms.
fn within(t: f64, freedom: f64) -> (f64, f64) {
    let half = freedom / 2.0;
    let x = t * t / (freedom + t * t);
    let power = (-half * (t * t / freedom).ln_1p()).exp();
    let (mut term, mut sum, mut n) = (1.0, 1.0, 0.0);
    while term > 1e-17 * sum {
        term *= x * (half + 0.5 + n) / (1.5 + n);
        sum += term;
        n += 1.0;
    }
    let scale = gamma_ratio(half) * power / PI.sqrt();
    (2.0 * scale * x.sqrt() * sum, 2.0 * scale * (freedom + t * t).sqrt().recip())
}

/// Γ(z+½)/Γ(z): from an argument of at least 32, where the asymptotic series has every digit, down by recurrence.
fn gamma_ratio(z: f64) -> f64 {
    if z < 32.0 {
        return gamma_ratio(z + 1.0) * z / (z + 0.5);
    }
    let y = z.recip();
    let series = [-1.0 / 8.0, 1.0 / 128.0, 5.0 / 1024.0, -21.0 / 32_768.0, -399.0 / 262_144.0, 869.0 / 4_194_304.0];
    z.sqrt() * (1.0 + series.iter().rev().fold(0.0, |sum, c| (sum + c) * y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::lineage::goldens::goldens;

    #[test]
    fn quantiles_are_those_of_scipy() {
        for case in goldens()["students"].as_array().unwrap() {
            let (freedom, expected) = (case[0].as_f64().unwrap(), case[1].as_f64().unwrap());
            let t = t_95(freedom);
            assert!((t - expected).abs() < 1e-11 * expected, "{freedom}: {t} {expected}");
        }
    }
}
