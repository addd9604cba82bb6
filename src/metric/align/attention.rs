//! The changes of basis that leave an attention as it is: queries and keys turn together, values and outputs together, one
//! rotation each per key and value head, which all its query heads share.
//!
//! Rotary embeddings turn pairs of rows by the token's position, and only rotations of those very pairs pass through them;
//! norms of queries and keys with a weight per channel let none pass.

use std::ops::Range;

use faer::{Mat, MatRef};

use super::{
    aligned::Aligned,
    layout::{Divided, HeadLayout, Projections},
    null,
    procrustes::{rotated, trace},
};
use crate::{metric::Undefined, parallel};

/// What may turn in queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionGauge {
    /// All rows of a head among each other.
    Rotation,
    /// The first `dims` rows of a head in pairs, the others among each other.
    Rotary {
        /// Rows that rotary embeddings turn; even.
        dims: usize,
        /// Whether rows 2i and 2i + 1 are a pair; else rows i and i + dims/2 are.
        interleaved: bool,
    },
    /// Nothing: queries and keys pass norms with a weight per channel.
    Fixed,
}

/// The residuals of layer `b` after the heads of layer `a` are turned onto it: of queries and keys, and of values and outputs.
///
/// Each joint, then in its two matrices. Undefined where shapes and heads disagree, a side is not finite or all zeros, or a
/// cross-product lacks rank, which leaves its rotation open.
pub fn attention(
    layout: &HeadLayout,
    gauge: AttentionGauge,
    a: &Projections<'_>,
    b: &Projections<'_>,
) -> Result<[Result<Aligned, Undefined>; 2], Undefined> {
    let [queries, keys, values, outputs] = layout.divide(a, b)?;
    let (shared, hidden) = (layout.shared_by()?, a.q.columns());
    let null = match gauge {
        AttentionGauge::Rotary { dims, .. } if dims > layout.width || !dims.is_multiple_of(2) => {
            let reason = format!("rotary embeddings of {dims} rows do not fit heads of {}", layout.width);
            return Err(Undefined::NotComparable(reason));
        }
        AttentionGauge::Rotation => null::shared_rotation(layout.width, hidden, &[shared, 1]),
        AttentionGauge::Rotary { dims, .. } => null::rotary(layout.width, dims / 2, hidden, &[shared, 1]),
        AttentionGauge::Fixed => 0.0,
    };
    let of_keys = turned(layout, gauge, [queries, keys], null);
    let null = null::shared_rotation(layout.width, hidden, &[shared, 1]);
    let of_values = turned(layout, AttentionGauge::Rotation, [outputs, values], null);
    // In the order of names: values, then outputs.
    let of_values = of_values.map(|aligned| Aligned { each: aligned.each.into_iter().rev().collect(), ..aligned });
    Ok([of_keys, of_values])
}

/// The best common change of basis of a matrix of all heads and of one of groups.
fn turned(
    layout: &HeadLayout,
    gauge: AttentionGauge,
    matrices: [Divided<'_>; 2],
    joint_null: f64,
) -> Result<Aligned, Undefined> {
    let (shared, width) = (layout.shared_by()?, layout.width);
    let scales = [matrices[0].norms()?.recip(), matrices[1].norms()?.recip()];
    let cross = |which: usize, heads: Range<usize>| {
        let mut sum = Mat::<f64>::zeros(width, width);
        for head in heads {
            sum += matrices[which].cross(head, width, scales[which]);
        }
        sum
    };
    let groups: Vec<[[f64; 2]; 2]> = parallel::numbers(layout.groups, |group| {
        let of_heads = cross(0, group * shared..(group + 1) * shared);
        let of_group = cross(1, group..group + 1);
        gains(gauge, [of_heads.as_ref(), of_group.as_ref()])
            .map_err(|reason| Undefined::NotComparable(format!("key and value head {group}: {reason}")))
    })
    .into_iter()
    .collect::<Result<_, Undefined>>()?;
    let total = |part: usize, which: usize| groups.iter().map(|group| group[part][which]).sum::<f64>();
    // A matrix of more heads a group has more terms that cancel: its share of the joint gain is smaller.
    let weights = [(shared as f64).recip(), 1.0];
    let nulls = weights.map(|weight| 2.0 * joint_null * weight / (weights[0] + weights[1]));
    Ok(Aligned::of(&[0, 1].map(|part| [total(part, 0), total(part, 1)]), joint_null, &nulls))
}

/// What each part gains as it stands, and under the best common change of basis.
fn gains(gauge: AttentionGauge, parts: [MatRef<'_, f64>; 2]) -> Result<[[f64; 2]; 2], Undefined> {
    let (dims, interleaved) = match gauge {
        AttentionGauge::Fixed => return Ok(parts.map(|part| [trace(part); 2])),
        AttentionGauge::Rotation => return rotated(parts),
        AttentionGauge::Rotary { dims, interleaved } => (dims, interleaved),
    };
    let mut gained = [0.0; 2];
    for pair in 0..dims / 2 {
        let (p, q) = if interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + dims / 2) };
        // tr(R·M) of a rotation by φ is cos φ·(Mpp + Mqq) + sin φ·(Mpq − Mqp).
        let [first, second] = parts.map(|m| (m[(p, p)] + m[(q, q)], m[(p, q)] - m[(q, p)]));
        let (cosine, sine) = (first.0 + second.0, first.1 + second.1);
        let length = cosine.hypot(sine);
        let (cosine, sine) = if length > 0.0 { (cosine / length, sine / length) } else { (1.0, 0.0) };
        for (gained, (along, across)) in gained.iter_mut().zip([first, second]) {
            *gained += cosine * along + sine * across;
        }
    }
    let rest = parts[0].nrows() - dims;
    if rest > 0 {
        for (gained, [_, of_rest]) in
            gained.iter_mut().zip(rotated(parts.map(|m| m.submatrix(dims, dims, rest, rest)))?)
        {
            *gained += of_rest;
        }
    }
    Ok([[trace(parts[0]), gained[0]], [trace(parts[1]), gained[1]]])
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            heads,
            planted::{Attention, orthogonal, turn_columns, turn_rows},
        },
        *,
    };
    use crate::metric::Weights;

    fn of(weights: &[Weights; 4]) -> Projections<'_> {
        let [q, k, v, o] = weights;
        Projections { q, k, v, o }
    }

    fn aligned(layout: &HeadLayout, gauge: AttentionGauge, a: &Attention, b: &Attention) -> [Aligned; 2] {
        let (a, b) = (a.weights(), b.weights());
        attention(layout, gauge, &of(&a), &of(&b)).unwrap().map(Result::unwrap)
    }

    /// Query and key heads turned by one rotation a group, values and outputs by another.
    fn turned(layout: &HeadLayout, a: &Attention, rotations: impl Fn(usize, usize) -> Mat<f64>) -> Attention {
        let mut b = a.clone();
        let shared = layout.heads / layout.groups;
        for group in 0..layout.groups {
            let (of_qk, of_vo) = (rotations(group, 0), rotations(group, 1));
            b.0[1] = turn_rows(&b.0[1], group, &of_qk);
            b.0[2] = turn_rows(&b.0[2], group, &of_vo);
            for head in group * shared..(group + 1) * shared {
                b.0[0] = turn_rows(&b.0[0], head, &of_qk);
                b.0[3] = turn_columns(&b.0[3], head, &of_vo);
            }
        }
        b
    }

    #[test]
    fn rotations_of_query_and_key_apart_from_value_and_output_are_recovered_here_and_not_by_heads() {
        for groups in [1, 2, 4] {
            let layout = HeadLayout { heads: 4, groups, width: 8 };
            let a = Attention::gaussian(4, groups, 8, 48, 7);
            let b = turned(&layout, &a, |group, which| orthogonal(8, (10 * group + which) as u64));
            for found in aligned(&layout, AttentionGauge::Rotation, &a, &b) {
                assert!(found.joint.aligned < 1e-5 && found.joint.raw > 1.0, "{found:?}");
                assert!(found.each.iter().all(|each| each.aligned < 1e-5));
            }
            let (a, b) = (a.weights(), b.weights());
            let tied = heads(&layout, &of(&a), &of(&b)).unwrap();
            assert!(tied.joint.aligned > 0.5, "{tied:?}");
        }
    }

    #[test]
    fn under_rotary_embeddings_only_rotations_within_pairs_are_recovered() {
        let layout = HeadLayout { heads: 2, groups: 1, width: 8 };
        let a = Attention::gaussian(2, 1, 8, 48, 7);
        for interleaved in [false, true] {
            let in_pairs = |group: usize, which: usize| {
                if which == 1 {
                    return orthogonal(8, 99);
                }
                // Pairs of the first six rows turn by angles of their own; the last two rows turn freely.
                let mut rotation = Mat::<f64>::identity(8, 8);
                for pair in 0..3 {
                    let (p, q) = if interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + 3) };
                    let (sine, cosine) = (1.0 + (group + pair) as f64).sin_cos();
                    (rotation[(p, p)], rotation[(q, q)]) = (cosine, cosine);
                    (rotation[(p, q)], rotation[(q, p)]) = (-sine, sine);
                }
                rotation.submatrix_mut(6, 6, 2, 2).copy_from(orthogonal(2, 5));
                rotation
            };
            let b = turned(&layout, &a, in_pairs);
            let with = |dims, interleaved| aligned(&layout, AttentionGauge::Rotary { dims, interleaved }, &a, &b);
            assert!(with(6, interleaved).iter().all(|found| found.joint.aligned < 1e-5));
            assert!(with(6, !interleaved)[0].joint.aligned > 0.3);
            let fixed = aligned(&layout, AttentionGauge::Fixed, &a, &b);
            assert_eq!(fixed[0].joint.aligned.to_bits(), fixed[0].joint.raw.to_bits());
            assert!((fixed[0].joint.null - std::f64::consts::SQRT_2).abs() < 1e-12);
            assert!(fixed[1].joint.aligned < 1e-5);
        }
        let weights = a.weights();
        let odd = AttentionGauge::Rotary { dims: 9, interleaved: false };
        assert!(attention(&layout, odd, &of(&weights), &of(&weights)).is_err());
    }

    #[test]
    fn unrelated_attentions_meet_the_null_whatever_is_shared() {
        for groups in [1, 2, 4, 8] {
            let layout = HeadLayout { heads: 8, groups, width: 16 };
            let of = |seed| Attention::gaussian(8, groups, 16, 320, seed);
            let rotary = AttentionGauge::Rotary { dims: 16, interleaved: false };
            for gauge in [AttentionGauge::Rotation, rotary, AttentionGauge::Fixed] {
                for found in aligned(&layout, gauge, &of(1), &of(60)) {
                    for residual in std::iter::once(&found.joint).chain(&found.each) {
                        assert!((residual.aligned - residual.null).abs() < 0.012, "{groups} {gauge:?}: {found:?}");
                    }
                    assert!(found.joint.aligned <= found.joint.raw);
                }
            }
        }
    }
}
