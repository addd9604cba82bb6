//! What an alignment finds: residuals of overlaps.

use crate::metric::{Overlap, Undefined, Weights, overlap::residual};

/// The cosine of both sides as stored, and the product of their norms.
pub(super) fn cosine([a, b]: [&Weights; 2]) -> Result<(f64, f64), Undefined> {
    let overlap = Overlap::of(a, b)?;
    Ok((overlap.cos_sim()?, overlap.norms().iter().product()))
}

/// A residual before and after alignment, and what the latter is for unrelated Gaussian matrices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// ‖â − b̂‖ as stored.
    pub raw: f64,
    /// The smallest found over the family of changes of basis.
    pub aligned: f64,
    /// What `aligned` is on average for unrelated Gaussian matrices of these shapes.
    pub null: f64,
}

impl Residual {
    /// From overlaps, each the mean cosine of the matrices concerned.
    fn of(raw: f64, aligned: f64, null: f64) -> Self {
        Self { raw: residual(raw), aligned: residual(aligned), null: residual(null) }
    }
}

/// What an alignment finds of a pair of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// All matrices that share the change of basis, each divided by its norm, as one.
    pub joint: Residual,
    /// Each matrix under the shared change of basis, in the order in which they were given; empty where only the joint
    /// residual is worked out. One matrix alone may end further off than it began: the change of basis is the best for all.
    pub each: Vec<Residual>,
}

impl Aligned {
    /// From overlaps before and after of each matrix, and the null overlaps.
    pub(super) fn of(parts: &[[f64; 2]], joint_null: f64, nulls: &[f64]) -> Self {
        let mean = |which: usize| parts.iter().map(|part| part[which]).sum::<f64>() / parts.len() as f64;
        // The best change of basis is no worse than none; rounding must not say otherwise.
        let (raw, aligned) = (mean(0), mean(1).max(mean(0)));
        Self {
            joint: Residual::of(raw, aligned, joint_null),
            each: parts.iter().zip(nulls).map(|(part, &null)| Residual::of(part[0], part[1], null)).collect(),
        }
    }
}
