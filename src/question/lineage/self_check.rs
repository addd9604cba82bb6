//! Whether the null holds on this very list: z of pairs that show no link, against N(0, 1).

use super::{Group, pair::PairAnswer};
use crate::metric::{
    lineage::verdict::{Sign, Verdict},
    null::log10_two_sided,
};

/// Pairs below which nothing is said of the null.
const ENOUGH: usize = 30;

/// A spread above which an index of the group is not exchangeable.
const WIDEST: f64 = 1.15;

/// z of one group over the pairs without a link.
#[derive(Debug, Clone)]
pub(crate) struct SelfCheck {
    pub(crate) group: Group,
    pub(crate) z: Vec<f64>,
    pub(crate) mean: f64,
    /// `None` of one pair.
    pub(crate) sd: Option<f64>,
    /// Largest distance between the distribution of z and N(0, 1) (Kolmogorov and Smirnov).
    pub(crate) distance: f64,
}

impl SelfCheck {
    /// `None` without a pair.
    pub(crate) fn of(group: Group, pairs: &[PairAnswer]) -> Option<Self> {
        let unlinked = pairs.iter().filter(|pair| pair.verdict() == Verdict::Independent);
        let z = unlinked.filter_map(|pair| pair.group(group).ok().filter(|group| group.sign == Sign::Minus));
        let mut z: Vec<f64> = z.map(|group| group.evidence.z).collect();
        if z.is_empty() {
            return None;
        }
        z.sort_by(f64::total_cmp);
        let n = z.len() as f64;
        let mean = z.iter().sum::<f64>() / n;
        let squares: f64 = z.iter().map(|z| (z - mean) * (z - mean)).sum();
        let below = |z: f64| {
            let tail = 10_f64.powf(log10_two_sided(z)) / 2.0;
            if z < 0.0 { tail } else { 1.0 - tail }
        };
        let apart = z.iter().enumerate().map(|(at, &z)| {
            let of_normal = below(z);
            (of_normal - at as f64 / n).max((at as f64 + 1.0) / n - of_normal)
        });
        let distance = apart.fold(0.0, f64::max);
        Some(Self { group, sd: (z.len() > 1).then(|| (squares / (n - 1.0)).sqrt()), mean, distance, z })
    }

    /// Whether an index of the group is not exchangeable on this list.
    pub(crate) fn is_broken(&self) -> bool {
        self.z.len() >= ENOUGH && self.sd.is_some_and(|sd| sd > WIDEST)
    }

    /// What z is divided by before it gets a sign.
    pub(crate) fn divisor(&self) -> f64 {
        self.sd.filter(|_| self.is_broken()).unwrap_or(1.0)
    }
}
