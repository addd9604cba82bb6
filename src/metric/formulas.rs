//! The formula of every metric, from what the passes over a pair gave.

use super::{
    Metric, Moments, Summary, Undefined,
    null::{cos_null, cos_null_sd, log10_two_sided, z_perm},
    pair_sums::{Centred, Differences},
};

/// The probabilities at which quantiles of |a−b| are asked for.
pub(super) const QUANTILES: [f64; 5] = [0.01, 0.05, 0.5, 0.95, 0.99];

/// What the formulas below are made of: both sides are finite and as long as each other.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) moments: [&'a Moments; 2],
    pub(super) sides: [&'a Summary; 2],
    pub(super) differences: &'a Differences,
    pub(super) centred: Centred,
    pub(super) spearman: Result<f64, Undefined>,
    /// The 99 % quantiles of |a| and |b|.
    pub(super) abs_q99: [Result<f64, Undefined>; 2],
    /// Those of |a−b| at [`QUANTILES`].
    pub(super) quantiles: Result<Vec<f64>, Undefined>,
}

impl Pair<'_> {
    pub(super) fn value(&self, metric: Metric) -> Result<f64, Undefined> {
        let Self { sides: [a, b], differences, .. } = *self;
        let n = self.n();
        let distance = differences.squares.sqrt();
        match metric {
            Metric::CosSim => self.cos_sim(),
            Metric::CosNull => cos_null(a.mean_sd(), b.mean_sd()),
            Metric::CosNullSd => cos_null_sd(a.mean_sd(), b.mean_sd(), n),
            Metric::Pearson => self.pearson(),
            Metric::ZPerm => self.z(),
            Metric::Log10PPerm => self.z().map(log10_two_sided),
            Metric::Spearman => self.both_vary().and_then(|()| self.spearman.clone()),
            Metric::L2 => Ok(distance),
            Metric::RelL2Err => ratio(distance, a.norm),
            Metric::RelL2ErrB => ratio(distance, b.norm),
            Metric::RelL2Sym => ratio(2.0 * distance, a.norm + b.norm),
            Metric::MeanAbsDiff => Ok(differences.absolute / n as f64),
            Metric::MaxAbsDiff => Ok(differences.largest),
            Metric::Q01AbsDiff => self.quantile(0),
            Metric::Q05AbsDiff => self.quantile(1),
            Metric::Q50AbsDiff => self.quantile(2),
            Metric::Q95AbsDiff => self.quantile(3),
            Metric::Q99AbsDiff => self.quantile(4),
            Metric::MeanRelDiff => ratio(differences.relative, differences.not_both_zero as f64),
            Metric::MaxRelDiff => ratio(differences.largest_relative, f64::from(differences.not_both_zero > 0)),
            Metric::NormRatio => ratio(b.norm, a.norm),
            Metric::MeanRatio => self.mean_ratio(),
            Metric::StdRatio if a.is_constant() => Err(Undefined::Constant),
            Metric::StdRatio => Ok(b.sd / a.sd),
            Metric::CvGap => Ok((a.cv()? - b.cv()?).abs()),
            Metric::AbsValueQ99Gap => {
                let [of_a, of_b] = self.abs_q99.clone();
                Ok((of_a? - of_b?).abs())
            }
            Metric::Residual => self.both_norms().map(|()| self.centred.apart.min(2.0)),
            // sin θ = 2 sin(θ/2) cos(θ/2), with ‖â−b̂‖ = 2 sin(θ/2) and ‖â+b̂‖ = 2 cos(θ/2).
            Metric::ResidualScaled => {
                self.both_norms().map(|()| (self.centred.apart * self.centred.together / 2.0).min(1.0))
            }
            Metric::SignAgreement => Ok(differences.same_sign as f64 / n as f64),
            Metric::ZeroFracA | Metric::ZeroFracB | Metric::ChangedFrac => Ok(share(metric, self.moments, differences)),
        }
    }

    fn n(&self) -> u64 {
        self.moments[0].n
    }

    fn both_norms(&self) -> Result<(), Undefined> {
        if self.sides.iter().all(|side| side.squares > 0.0) { Ok(()) } else { Err(Undefined::ZeroNorm) }
    }

    fn both_vary(&self) -> Result<(), Undefined> {
        if self.sides.iter().any(|side| side.is_constant()) { Err(Undefined::Constant) } else { Ok(()) }
    }

    fn cos_sim(&self) -> Result<f64, Undefined> {
        cos_sim(self.differences.dot, self.sides)
    }

    fn pearson(&self) -> Result<f64, Undefined> {
        pearson(self.centred.products, self.sides)
    }

    fn z(&self) -> Result<f64, Undefined> {
        Ok(z_perm(self.pearson()?, self.n()))
    }

    fn mean_ratio(&self) -> Result<f64, Undefined> {
        let [a, b] = self.sides;
        let vague = |side: &Summary| side.mean.abs() < 3.0 * side.sd / (self.n() as f64).sqrt();
        if a.mean == 0.0 || vague(a) || vague(b) { Err(Undefined::MeanNearZero) } else { Ok(b.mean / a.mean) }
    }

    fn quantile(&self, index: usize) -> Result<f64, Undefined> {
        self.quantiles.as_ref().map(|quantiles| quantiles[index]).map_err(Clone::clone)
    }
}

/// The cosine, from a·b.
pub(super) fn cos_sim(dot: f64, [a, b]: [&Summary; 2]) -> Result<f64, Undefined> {
    if a.squares > 0.0 && b.squares > 0.0 {
        // The root of the product, not the product of roots: √(x·x) is x, so equal sides have cosine 1 exactly.
        Ok((dot / (a.squares * b.squares).sqrt()).clamp(-1.0, 1.0))
    } else {
        Err(Undefined::ZeroNorm)
    }
}

/// Pearson's r, from Σ(a−μa)(b−μb) about the rounded means.
pub(super) fn pearson(products: f64, [a, b]: [&Summary; 2]) -> Result<f64, Undefined> {
    if a.is_constant() || b.is_constant() {
        Err(Undefined::Constant)
    } else {
        let products = products - a.n * a.mean_rest * b.mean_rest;
        Ok((products / (a.centred_squares * b.centred_squares).sqrt()).clamp(-1.0, 1.0))
    }
}

/// A quotient over something that is 0 only where elements are.
fn ratio(value: f64, denominator: f64) -> Result<f64, Undefined> {
    if denominator > 0.0 { Ok(value / denominator) } else { Err(Undefined::ZeroNorm) }
}

/// A count over n: all that is left of a pair whose sums are not finite.
pub(super) fn share(metric: Metric, [in_a, in_b]: [&Moments; 2], differences: &Differences) -> f64 {
    let count = match metric {
        Metric::ZeroFracA => in_a.zeros,
        Metric::ZeroFracB => in_b.zeros,
        _ => differences.changed,
    };
    count as f64 / in_a.n as f64
}
