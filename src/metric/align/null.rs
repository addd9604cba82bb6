//! What alignments leave of unrelated Gaussian matrices: expected overlaps, that is mean cosines after alignment.
//!
//! A residual is √(2 − 2·overlap). The overlap of a rotation shared by m matrices of hd × h is (8/3π)·√(hd/h)/√m as long as
//! hd is small beside m·h; where it is not, the law of products of two Wishart matrices gives it in closed form.

use std::f64::consts::{FRAC_PI_2, PI};

/// Expected overlap of matrices of n rows under one n × n rotation, where y is the number of columns that share it over n:
/// (2/π)·∫₀^min(1, 1/y) √((1−φ)/φ)·(1−yφ) dφ, which is 1 − y/4 up to y = 1, and tends to (8/3π)/√y.
///
/// Σ of the singular values of A·Bᵀ is all that a rotation can gain. Their squares follow the free product of two
/// Marchenko–Pastur laws, whose mean root is this integral over the inverse of its moment function.
pub fn rotation(y: f64) -> f64 {
    if y <= 1.0 {
        return 1.0 - y / 4.0;
    }
    if y > 1e6 {
        // Here the closed form subtracts what is nearly equal.
        return 8.0 / (3.0 * PI) / y.sqrt();
    }
    let theta = y.sqrt().recip().asin();
    let (first, second) = (theta + theta.sin() * theta.cos(), theta / 4.0 - (4.0 * theta).sin() / 16.0);
    (first - y * second) / FRAC_PI_2
}

/// Expected overlap of m matrices under one rotation of `width` rows, where matrix f holds `blocks[f]` blocks of
/// `width` × `inputs` that all turn together: y = m²·inputs/(width·Σ 1/blocks). With one block each, y = m·inputs/width.
///
/// From y = 16 on (8/3π)/√y, which is then within 0.0014 of the closed form, and what others print; below it the closed form.
pub fn shared_rotation(width: usize, inputs: usize, blocks: &[usize]) -> f64 {
    let (weight, m) = (inverse_sum(blocks), blocks.len() as f64);
    let y = m * m * inputs as f64 / (width as f64 * weight);
    if y >= 16.0 { 8.0 / (3.0 * PI) / y.sqrt() } else { rotation(y) }
}

/// The same, where only the `pairs` pairs of rows turn, each in its plane: (√π/2)/√inputs · √(Σ 1/blocks)/m for all rows in
/// pairs, and the rest of the rows by one rotation among themselves.
pub fn rotary(width: usize, pairs: usize, inputs: usize, blocks: &[usize]) -> f64 {
    let (weight, m) = (inverse_sum(blocks), blocks.len() as f64);
    let scale = weight.sqrt() / (m * width as f64 * (inputs as f64).sqrt());
    let rest = width.saturating_sub(2 * pairs) as f64;
    scale * (PI.sqrt() * pairs as f64 + 8.0 / (3.0 * PI) * rest.powf(1.5))
}

/// Expected overlap of m matrices of `units` × `inputs` under the best permutation of units: w(units)/√(m·inputs), where w is
/// the mean of the best assignment in a square of standard normal scores.
pub fn permutation(units: usize, inputs: usize, m: usize) -> f64 {
    best_assignment(units) / (m as f64 * inputs as f64).sqrt()
}

/// Expected effective rank exp(H) of the residual of unrelated Gaussian matrices: n·exp(−n/2p), n the smaller and p the larger
/// extent (Page's formula for the mean entropy).
pub fn effective_rank(rows: usize, columns: usize) -> f64 {
    let (small, large) = (rows.min(columns) as f64, rows.max(columns) as f64);
    small * (-small / (2.0 * large)).exp()
}

fn inverse_sum(blocks: &[usize]) -> f64 {
    blocks.iter().map(|&blocks| (blocks as f64).recip()).sum()
}

/// Means over simulated squares of standard normal scores, solved exactly (`fixtures/structure_nulls.py`). Standard errors
/// are 0.004 at the top and 0.002 further down.
const ASSIGNMENT: [(f64, f64); 14] = [
    (1.0, 0.0),
    (2.0, 0.399),
    (4.0, 0.813),
    (8.0, 1.199),
    (16.0, 1.557),
    (32.0, 1.874),
    (64.0, 2.172),
    (128.0, 2.435),
    (256.0, 2.677),
    (512.0, 2.904),
    (1024.0, 3.118),
    (2048.0, 3.321),
    (4096.0, 3.510),
    (9728.0, 3.688),
];

/// w(n), linear in ln n between the simulated sizes; beyond them √(2 ln n) less what it exceeds the last one by.
fn best_assignment(units: usize) -> f64 {
    let n = units.max(1) as f64;
    let above = ASSIGNMENT.iter().position(|&(size, _)| size >= n);
    match above {
        None => {
            let excess = |size: f64| (2.0 * size.ln()).sqrt();
            let (last, value) = ASSIGNMENT[ASSIGNMENT.len() - 1];
            excess(n) - (excess(last) - value)
        }
        Some(0) => 0.0,
        Some(at) => {
            let ((low, below), (high, above)) = (ASSIGNMENT[at - 1], ASSIGNMENT[at]);
            below + (above - below) * (n / low).ln() / (high / low).ln()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::overlap::residual;

    #[test]
    fn rotations_have_the_nulls_that_the_formula_for_small_heads_gives() {
        for (width, inputs, m, expected) in [(128, 2560, 4, 1.345), (128, 2560, 1, 1.273), (16, 320, 4, 1.345)] {
            let found = residual(shared_rotation(width, inputs, &vec![1; m]));
            assert!((found - expected).abs() < 5e-4, "{width} × {inputs}, m {m}: {found}");
        }
    }

    #[test]
    fn the_two_branches_meet_and_tend_to_the_formula_for_small_heads() {
        assert!((rotation(1.0 + 1e-9) - 0.75).abs() < 1e-8);
        assert!((rotation(1e6) * 1e3 - 8.0 / (3.0 * PI)).abs() < 1e-4);
        assert!((rotation(1.1e6) / rotation(0.9e6) - (0.9_f64 / 1.1).sqrt()).abs() < 1e-4);
        assert!((rotation(16.0) - 8.0 / (12.0 * PI)).abs() < 0.0014);
        assert!((1..400).all(|y| rotation(f64::from(y) / 4.0) > rotation(f64::from(y + 1) / 4.0)));
    }

    #[test]
    fn pairs_of_rows_that_turn_alone_gain_less_than_all_rows_together() {
        let (pairs, all) = (rotary(128, 64, 2560, &[4, 1]), shared_rotation(128, 2560, &[4, 1]));
        assert!(pairs < all / 4.0);
        assert!((rotary(128, 0, 2560, &[4, 1]) - all).abs() < 1e-12);
    }

    #[test]
    fn the_best_assignment_grows_with_the_square_without_a_step() {
        let values: Vec<f64> = (1..20_000).map(best_assignment).collect();
        assert!(values.windows(2).all(|pair| pair[1] > pair[0] && pair[1] - pair[0] < 0.41));
        assert!((best_assignment(9728) - 3.688).abs() < 1e-12);
    }
}
