//! One rotation per query head, shared by its query, key, value and output: the seed's alignment, with the right transpose.
//!
//! A key and value head serves several query heads; it is repeated over them, and turns with each. Matrices are divided
//! by the norms that they have when repeated, so that the raw residual is the plain one.

use super::{
    aligned::Aligned,
    layout::{HeadLayout, Projections},
    null,
    procrustes::rotated,
};
use crate::{metric::Undefined, parallel};

/// The residual of layer `b` after the heads of layer `a` are rotated onto it.
///
/// Joint and in q, k, v, o. Undefined where shapes and heads disagree, a side is not finite or all zeros, or a head's
/// cross-product lacks rank, which leaves its rotation open.
pub fn heads(layout: &HeadLayout, a: &Projections<'_>, b: &Projections<'_>) -> Result<Aligned, Undefined> {
    let [queries, keys, values, outputs] = layout.divide(a, b)?;
    let (shared, width) = (layout.shared_by()?, layout.width);
    let scale = |norms: f64, repeat: usize| 1.0 / (norms * repeat as f64);
    let scales = [
        scale(queries.norms()?, 1),
        scale(keys.norms()?, shared),
        scale(values.norms()?, shared),
        scale(outputs.norms()?, 1),
    ];
    let groups: Vec<Vec<[[f64; 2]; 4]>> = parallel::numbers(layout.groups, |group| {
        let (key, value) = (keys.cross(group, width, scales[1]), values.cross(group, width, scales[2]));
        (group * shared..(group + 1) * shared)
            .map(|head| {
                let (query, output) = (queries.cross(head, width, scales[0]), outputs.cross(head, width, scales[3]));
                rotated([query.as_ref(), key.as_ref(), value.as_ref(), output.as_ref()])
                    .map_err(|reason| Undefined::NotComparable(format!("head {head}: {reason}")))
            })
            .collect()
    })
    .into_iter()
    .collect::<Result<_, Undefined>>()?;
    let total = |part: usize, which: usize| groups.iter().flatten().map(|head| head[part][which]).sum::<f64>();
    let null = null::shared_rotation(width, a.q.columns(), &[1; 4]);
    Ok(Aligned::of(&[0, 1, 2, 3].map(|part| [total(part, 0), total(part, 1)]), null, &[null; 4]))
}

#[cfg(test)]
mod tests {
    use super::{
        super::planted::{Attention, orthogonal, turn_columns, turn_rows},
        *,
    };

    fn aligned(layout: &HeadLayout, a: &Attention, b: &Attention) -> Result<Aligned, Undefined> {
        let (a, b) = (a.weights(), b.weights());
        let of = |[q, k, v, o]: &[crate::metric::Weights; 4]| -> Result<Aligned, Undefined> {
            let (left, right) = (Projections { q: &a[0], k: &a[1], v: &a[2], o: &a[3] }, Projections { q, k, v, o });
            heads(layout, &left, &right)
        };
        of(&b)
    }

    #[test]
    fn a_rotation_of_each_head_is_recovered() {
        let layout = HeadLayout { heads: 3, groups: 3, width: 8 };
        let a = Attention::gaussian(3, 3, 8, 40, 1);
        let mut b = a.clone();
        for head in 0..3 {
            let rotation = orthogonal(8, 100 + head as u64);
            for matrix in &mut b.0[..3] {
                *matrix = turn_rows(matrix, head, &rotation);
            }
            b.0[3] = turn_columns(&b.0[3], head, &rotation);
        }
        let found = aligned(&layout, &a, &b).unwrap();
        assert!(found.joint.aligned < 1e-5 && found.joint.raw > 1.0, "{found:?}");
        assert!(found.each.iter().all(|each| each.aligned < 1e-5));
    }

    #[test]
    fn unrelated_heads_meet_the_null_and_alignment_never_makes_it_worse() {
        let layout = |groups| HeadLayout { heads: 8, groups, width: 16 };
        for groups in [1, 2, 4, 8] {
            let of = |seed| Attention::gaussian(8, groups, 16, 320, seed);
            let found = aligned(&layout(groups), &of(1), &of(50)).unwrap();
            assert!((found.joint.null - 1.345).abs() < 1e-3);
            for residual in std::iter::once(&found.joint).chain(&found.each) {
                assert!((residual.aligned - residual.null).abs() < 0.01, "{groups}: {found:?}");
            }
            assert!(found.joint.aligned <= found.joint.raw);
        }
    }

    #[test]
    fn heads_that_do_not_fit_are_refused_with_the_figures() {
        let a = Attention::gaussian(4, 2, 4, 20, 1);
        let with = |heads, groups, width| aligned(&HeadLayout { heads, groups, width }, &a, &a);
        let reason = |found: Result<Aligned, Undefined>| found.unwrap_err().to_string();
        assert!(reason(with(4, 3, 4)).contains("4 query heads of 4 rows cannot be shared among 3"));
        assert!(reason(with(4, 4, 4)).contains("k_proj is 8 × 20"));
        assert!(reason(with(0, 0, 4)).contains("0 query heads"));
        let mut dead = a.clone();
        dead.0[0].submatrix_mut(4, 0, 4, 20).fill(0.0);
        dead.0[1].submatrix_mut(0, 0, 4, 20).fill(0.0);
        dead.0[2].submatrix_mut(0, 0, 4, 20).fill(0.0);
        dead.0[3].submatrix_mut(0, 4, 20, 4).fill(0.0);
        let layout = HeadLayout { heads: 4, groups: 2, width: 4 };
        assert!(reason(aligned(&layout, &dead, &a)).starts_with("head 1: the cross-product has rank 0 of 4"));
        let mut broken = a.clone();
        broken.0[2][(0, 0)] = f64::NAN;
        assert_eq!(aligned(&layout, &a, &broken), Err(Undefined::NonFinite { count: 1 }));
    }
}
