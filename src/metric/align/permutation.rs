//! The changes of basis that leave a gated MLP as it is: units may be renumbered, and each may be scaled by a positive
//! factor in up and by its inverse in down.
//!
//! The factor is taken off by balancing every unit, so that its rows in up and down have one length; the numbering, by
//! an exact assignment on the products of all units. What is reported is the best that was found of: balanced and renumbered,
//! renumbered alone, and as stored; each is a member of the family, so the residual never exceeds the raw one.

use super::{
    aligned::Aligned,
    assignment::assignment,
    costs::{Costs, Gain},
    null,
    units::{Factors, UnitPair},
};
use crate::metric::{Undefined, Weights};

/// The residual of layer `b` after the units of layer `a` are renumbered and scaled onto it: joint, and in gate, up and down.
///
/// Undefined where shapes disagree, or a side is not finite or all zeros. Memory: 5 bytes for each pair of units.
///
/// The assignment is the best for products in steps of 2⁻³⁹ of the greatest that their units' lengths allow.
pub fn permutation(pair: &UnitPair<'_>) -> Result<Aligned, Undefined> {
    let (units, hidden) = pair.extents()?;
    let (raw, norms) = pair.raw()?;
    let balances = [0, 1].map(|side| Balance::of(pair.up[side], pair.down[side]));
    let balanced = balances[0].size * balances[1].size;
    let (up, down) = (
        balances.each_ref().map(|balance| balance.up.as_slice()),
        balances.each_ref().map(|balance| balance.down.as_slice()),
    );
    let mut gains = vec![Gain {
        sides: pair.gate,
        in_rows: true,
        factors: None,
        scale: norms[0].recip(),
        bound: longest(pair.gate[0]) * longest(pair.gate[1]) / norms[0],
    }];
    if balanced > 0.0 {
        let scaled = |sides, in_rows, factors| Gain {
            sides,
            in_rows,
            factors: Some(factors),
            scale: balanced.recip(),
            bound: balances[0].longest * balances[1].longest / balanced,
        };
        gains.extend([scaled(pair.up, true, up), scaled(pair.down, false, down)]);
    }
    let onto = assignment(&Costs::of(units, &gains));
    let gate = in_rows(pair.gate, &onto, None) / norms[0];
    let renumbered = [gate, in_rows(pair.up, &onto, None) / norms[1], in_columns(pair.down, &onto, None) / norms[2]];
    let scaled = (balanced > 0.0).then(|| {
        [gate, in_rows(pair.up, &onto, Some(up)) / balanced, in_columns(pair.down, &onto, Some(down)) / balanced]
    });
    let best = [Some(renumbered), scaled]
        .into_iter()
        .flatten()
        .fold(raw, |best, found| if total(&found) > total(&best) { found } else { best });
    let parts: Vec<[f64; 2]> = raw.into_iter().zip(best).map(|(raw, best)| [raw, best.clamp(-1.0, 1.0)]).collect();
    let null = null::permutation(units, hidden, 3);
    Ok(Aligned::of(&parts, null, &[null; 3]))
}

fn total(overlaps: &[f64; 3]) -> f64 {
    overlaps.iter().sum()
}

/// Factors that give each unit one length in up and down.
struct Balance {
    up: Vec<f64>,
    down: Vec<f64>,
    /// The norm that up and down both have then.
    size: f64,
    /// The length of the longest unit of either then.
    longest: f64,
}

/// The length of the longest row.
fn longest(weights: &Weights) -> f64 {
    let mut row = vec![0.0; weights.columns()];
    let squares = (0..weights.rows()).map(|unit| {
        weights.widen(unit, 0, &mut row);
        row.iter().map(|x| x * x).sum::<f64>()
    });
    squares.fold(0.0, f64::max).sqrt()
}

impl Balance {
    fn of(up: &Weights, down: &Weights) -> Self {
        let units = up.rows();
        let (mut of_up, mut of_down) = (vec![0.0; units], vec![0.0; units]);
        let mut row = vec![0.0; up.columns()];
        for (unit, square) in of_up.iter_mut().enumerate() {
            up.widen(unit, 0, &mut row);
            *square = row.iter().map(|x| x * x).sum();
        }
        let mut row = vec![0.0; units];
        for at in 0..down.rows() {
            down.widen(at, 0, &mut row);
            for (square, x) in of_down.iter_mut().zip(&row) {
                *square += x * x;
            }
        }
        let factor = |own: f64, other: f64| {
            if own > 0.0 && other > 0.0 { (other / own).powf(0.25) } else { 0.0 }
        };
        let pairs = || of_up.iter().zip(&of_down);
        Self {
            // A unit that is dead on one side contributes nothing to the MLP, and nothing here.
            up: pairs().map(|(&up, &down)| factor(up, down)).collect(),
            down: pairs().map(|(&up, &down)| factor(down, up)).collect(),
            size: pairs().map(|(up, down)| (up * down).sqrt()).sum::<f64>().sqrt(),
            longest: pairs().map(|(up, down)| (up * down).sqrt()).fold(0.0, f64::max).sqrt(),
        }
    }
}

/// Σ over units of the product of unit i of `a` with unit onto(i) of `b`, times the factors of both.
fn in_rows([a, b]: [&Weights; 2], onto: &[usize], factors: Factors<'_>) -> f64 {
    let (mut of_a, mut of_b) = (vec![0.0; a.columns()], vec![0.0; a.columns()]);
    let products = onto.iter().enumerate().map(|(i, &j)| {
        a.widen(i, 0, &mut of_a);
        b.widen(j, 0, &mut of_b);
        factor(factors, i, j) * of_a.iter().zip(&of_b).map(|(x, y)| x * y).sum::<f64>()
    });
    products.sum()
}

fn factor(factors: Factors<'_>, i: usize, j: usize) -> f64 {
    factors.map_or(1.0, |[of_a, of_b]| of_a[i] * of_b[j])
}

fn in_columns([a, b]: [&Weights; 2], onto: &[usize], factors: Factors<'_>) -> f64 {
    let (mut of_a, mut of_b) = (vec![0.0; a.columns()], vec![0.0; a.columns()]);
    let scales: Vec<f64> = onto.iter().enumerate().map(|(i, &j)| factor(factors, i, j)).collect();
    let rows = (0..a.rows()).map(|row| {
        a.widen(row, 0, &mut of_a);
        b.widen(row, 0, &mut of_b);
        let units = onto.iter().enumerate();
        units.map(|(i, &j)| scales[i] * of_a[i] * of_b[j]).sum::<f64>()
    });
    rows.sum()
}

#[cfg(test)]
mod tests {
    use faer::Mat;
    use proptest::prelude::*;

    use super::{
        super::planted::{gaussian, weights},
        *,
    };

    pub(crate) fn pair_of(a: &[Weights; 3], b: &[Weights; 3]) -> Result<Aligned, Undefined> {
        permutation(&UnitPair { gate: [&a[0], &b[0]], up: [&a[1], &b[1]], down: [&a[2], &b[2]] })
    }

    fn mlp(units: usize, hidden: usize, seed: u64) -> [Mat<f64>; 3] {
        [gaussian(units, hidden, seed), gaussian(units, hidden, seed + 1), gaussian(hidden, units, seed + 2)]
    }

    #[test]
    fn a_permutation_with_positive_scaling_is_recovered() {
        let (units, hidden) = (50, 12);
        let a = mlp(units, hidden, 3);
        // Unit i of the first layer is unit 7·i + 3 mod 50 of the second, with a factor between 1/8 and 8.
        let onto = |i: usize| (7 * i + 3) % units;
        let factor = |i: usize| 2.0_f64.powf(3.0 * ((i as f64) * 1.3).sin());
        let mut b = a.clone();
        for i in 0..units {
            for j in 0..hidden {
                b[0][(onto(i), j)] = a[0][(i, j)];
                b[1][(onto(i), j)] = a[1][(i, j)] * factor(i);
                b[2][(j, onto(i))] = a[2][(j, i)] / factor(i);
            }
        }
        let found = pair_of(&a.each_ref().map(weights), &b.each_ref().map(weights)).unwrap();
        assert!(found.joint.aligned < 1e-5 && found.joint.raw > 1.0, "{found:?}");
        assert!(found.each.iter().all(|each| each.aligned < 1e-5));
    }

    #[test]
    fn unrelated_units_meet_the_null() {
        for (units, hidden) in [(100, 80), (300, 60)] {
            let of = |seed| mlp(units, hidden, seed).each_ref().map(weights);
            let found = pair_of(&of(1), &of(40)).unwrap();
            for residual in std::iter::once(&found.joint).chain(&found.each) {
                assert!((residual.aligned - residual.null).abs() < 0.01, "{found:?}");
            }
        }
    }

    #[test]
    fn matrices_that_do_not_fit_or_hold_nothing_are_refused() {
        let a = mlp(6, 4, 1).each_ref().map(weights);
        let wrong = [a[0].clone(), a[2].clone(), a[1].clone()];
        let reason = pair_of(&wrong, &a).unwrap_err().to_string();
        assert!(reason.contains("up_proj is 4 × 6"), "{reason}");
        let zero = [Weights::f64(6, 4, vec![0.0; 24]).unwrap(), a[1].clone(), a[2].clone()];
        assert_eq!(pair_of(&zero, &a), Err(Undefined::ZeroNorm));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_aligned_residual_never_exceeds_the_raw_one(seed in 0..1000_u64, likeness in 0.0..1.0_f64) {
            let (a, noise) = (mlp(9, 5, seed), mlp(9, 5, seed + 5000));
            let b: Vec<Weights> = a.iter().zip(&noise).map(|(a, noise)| {
                weights(&Mat::from_fn(a.nrows(), a.ncols(), |i, j| likeness * a[(i, j)] + (1.0 - likeness) * noise[(i, j)].powi(3)))
            }).collect();
            let found = pair_of(&a.each_ref().map(weights), &b.try_into().unwrap()).unwrap();
            prop_assert!(found.joint.aligned <= found.joint.raw);
        }
    }
}
