//! One number of one pair of layers, or of one layer.

use std::fmt;

use crate::metric::{Undefined, align::Gauge};

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// The Frobenius norm of one layer's matrix.
    FrobeniusNorm,
    /// The cosine of two layers' matrices.
    CosSim,
    /// ‖â − b̂‖, √(2 − 2c).
    Residual,
    /// min ‖s·â − b̂‖, √(1 − c²).
    ResidualScaled,
    /// exp(H) of the residual's energies.
    EffectiveRank,
    /// H of the residual's energies.
    SpectralEntropy,
    /// The residual after the best change of basis of a family.
    Aligned(Gauge),
}

impl Quantity {
    /// Its name in `structure.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FrobeniusNorm => "frobenius_norm",
            Self::CosSim => "cos_sim",
            Self::Residual => "residual",
            Self::ResidualScaled => "residual_scaled",
            Self::EffectiveRank => "effective_rank",
            Self::SpectralEntropy => "spectral_entropy",
            Self::Aligned(Gauge::Heads) => "aligned_heads",
            Self::Aligned(Gauge::Attention) => "aligned_attention",
            Self::Aligned(Gauge::MlpRotation) => "aligned_mlp_rotation",
            Self::Aligned(Gauge::MlpPermutation) => "aligned_mlp_permutation",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A number, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureRow {
    /// Number of the model in the list of models.
    pub model: usize,
    /// The role, or several that share a change of basis, joined by `+`.
    pub role: String,
    /// The earlier layer, or the only one; `None` where the whole model lacks the role.
    pub layer_a: Option<u32>,
    /// The later layer; `None` for what belongs to one layer.
    pub layer_b: Option<u32>,
    /// What the value is.
    pub quantity: Quantity,
    /// The value.
    pub value: Result<f64, Undefined>,
    /// What the value is on average when nothing is shared; `None` where there is no such figure.
    pub null: Option<f64>,
}
