//! One rotation of all units of an MLP, shared by gate, up and down.
//!
//! An MLP does not allow it: its activation stands between the units. The rotation is so free that unrelated layers look
//! alike under it, which its null says; it is here because the figure has been published.

use faer::MatRef;

use super::{
    aligned::Aligned,
    null,
    procrustes::{PRECISE_TO, gains, nuclear_norm_of_large},
    units::{UnitPair, add_products},
};
use crate::metric::Undefined;

/// The residual of layer `b` after the units of layer `a` are rotated onto it. Up to 2,048 units that of each matrix too;
/// beyond, the joint one only: the sum of the singular values of the cross-product is all that it needs, and the rotation
/// itself is never formed.
///
/// Undefined where shapes disagree, a side is not finite or all zeros, or the cross-product lacks rank. Memory: 8 bytes for
/// each pair of units, twice over, or eight times where the rotation is formed.
pub fn rotation(pair: &UnitPair<'_>) -> Result<Aligned, Undefined> {
    let (units, hidden) = pair.extents()?;
    let (raw, norms) = pair.raw()?;
    let stride = units + 8;
    let parts = || pair.matrices().into_iter().zip(norms).zip([true, true, false]);
    let rank = units.min(3 * hidden);
    let null = null::rotation(3.0 * hidden as f64 / units as f64);
    if units > PRECISE_TO {
        let mut products = vec![0.0; units * stride];
        for ((sides, norm), in_rows) in parts() {
            add_products(&mut products, stride, sides, in_rows, norm.recip());
        }
        let gain = nuclear_norm_of_large(products, units, stride, rank)?;
        let raw = raw.iter().sum::<f64>() / 3.0;
        let aligned = (gain / 3.0).min(1.0);
        return Ok(Aligned { each: Vec::new(), ..Aligned::of(&[[raw, aligned]], null, &[null]) });
    }
    let mut products = [const { Vec::new() }; 3];
    for (product, ((sides, norm), in_rows)) in products.iter_mut().zip(parts()) {
        *product = vec![0.0; units * stride];
        add_products(product, stride, sides, in_rows, norm.recip());
    }
    let parts = products.each_ref().map(|part| MatRef::from_column_major_slice_with_stride(part, units, units, stride));
    let gains = gains(parts, rank)?;
    let each = [0, 1, 2].map(|matrix| [raw[matrix], gains[matrix].min(1.0)]);
    // The three are of one shape, so that what unrelated ones gain together is a third each.
    Ok(Aligned::of(&each, null, &[null; 3]))
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::{
        super::planted::{gaussian, orthogonal, turn_columns, turn_rows, weights},
        *,
    };
    use crate::metric::Weights;

    fn mlp(units: usize, hidden: usize, seed: u64) -> [Mat<f64>; 3] {
        [gaussian(units, hidden, seed), gaussian(units, hidden, seed + 1), gaussian(hidden, units, seed + 2)]
    }

    fn aligned(a: &[Mat<f64>; 3], b: &[Mat<f64>; 3]) -> Result<Aligned, Undefined> {
        let (a, b): ([Weights; 3], [Weights; 3]) = (a.each_ref().map(weights), b.each_ref().map(weights));
        rotation(&UnitPair { gate: [&a[0], &b[0]], up: [&a[1], &b[1]], down: [&a[2], &b[2]] })
    }

    #[test]
    fn a_rotation_of_all_units_is_recovered() {
        // More units than inputs, and fewer.
        for (units, hidden) in [(40, 8), (20, 16)] {
            let a = mlp(units, hidden, 3);
            let turn = orthogonal(units, 9);
            let b = [turn_rows(&a[0], 0, &turn), turn_rows(&a[1], 0, &turn), turn_columns(&a[2], 0, &turn)];
            let found = aligned(&a, &b).unwrap();
            assert!(found.joint.aligned < 1e-5 && found.joint.raw > 1.0, "{found:?}");
            assert!(found.each.len() == 3 && found.each.iter().all(|each| each.aligned < 1e-5), "{found:?}");
        }
    }

    #[test]
    fn unrelated_units_meet_the_null_on_both_sides_of_a_square() {
        for (units, hidden) in [(160, 40), (120, 60)] {
            let found = aligned(&mlp(units, hidden, 1), &mlp(units, hidden, 30)).unwrap();
            assert!((found.joint.aligned - found.joint.null).abs() < 0.01, "{found:?}");
            assert!(found.joint.aligned <= found.joint.raw);
            assert!(found.each.iter().all(|each| (each.aligned - each.null).abs() < 0.03), "{found:?}");
        }
    }

    #[test]
    fn gains_under_the_best_rotation_and_roots_of_eigenvalues_have_one_sum() {
        let parts = [gaussian(60, 60, 4), gaussian(60, 60, 5)];
        let sum = &parts[0] + &parts[1];
        let columns: Vec<f64> = (0..60)
            .flat_map(|j| (0..68).map(move |i| (i, j)))
            .map(|(i, j)| if i < 60 { sum[(i, j)] } else { f64::NAN })
            .collect();
        let precise: f64 = gains(parts.each_ref().map(Mat::as_ref), 60).unwrap().iter().sum();
        let large = nuclear_norm_of_large(columns, 60, 68, 60).unwrap();
        assert!((precise - large).abs() < 1e-9 * precise);
    }

    #[test]
    fn a_cross_product_that_lacks_rank_is_refused() {
        let a = mlp(10, 6, 1);
        let mut b = mlp(10, 6, 9);
        for matrix in &mut b[..2] {
            matrix.submatrix_mut(0, 0, 3, 6).fill(0.0);
        }
        b[2].submatrix_mut(0, 0, 6, 3).fill(0.0);
        let reason = aligned(&a, &b).unwrap_err().to_string();
        assert!(reason.contains("rank 7 where 10"), "{reason}");
    }
}
