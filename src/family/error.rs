//! Names, selections and configurations that cannot be understood.

use super::{Role, UnknownRole};
use crate::hint::Hint;

/// Names, selections and configurations that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FamilyError {
    /// A role that does not exist.
    #[error(transparent)]
    UnknownRole(#[from] UnknownRole),
    /// A configuration that is not JSON.
    #[error("the model's configuration is not JSON")]
    Config {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A configuration in an encoding that JSON does not allow.
    #[error("the model's configuration is UTF-16 text; JSON is UTF-8")]
    ConfigUtf16,
    /// A configuration that is JSON, but no object.
    #[error("the model's configuration is not a JSON object")]
    ConfigNotObject,
    /// A piece of a selection of roles.
    #[error("`{piece}` is neither a role nor a class of roles")]
    RoleSelection {
        /// The piece.
        piece: String,
        /// A role's name that is nearly it.
        similar: Option<&'static str>,
    },
    /// A piece of a selection of layers.
    #[error("`{piece}` does not select layers: {reason}")]
    LayerSelection {
        /// The piece.
        piece: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A fused tensor with another number of axes than its layout.
    #[error("a fused tensor of shape {shape:?} cannot be divided: it has {} axes", shape.len())]
    FusedShape {
        /// The tensor's shape.
        shape: Vec<u64>,
    },
    /// A fused tensor that has no equal parts.
    #[error("{extent} rows of a fused tensor cannot be divided into {parts} equal parts")]
    FusedParts {
        /// Rows, or columns where it is stored transposed.
        extent: u64,
        /// How many parts there should be.
        parts: u64,
    },
    /// A fused tensor whose parts do not add up.
    #[error("the parts of a fused tensor do not add up to its {extent} rows: {}", list(parts))]
    FusedSum {
        /// Rows, or columns where it is stored transposed.
        extent: u64,
        /// Each part's rows by the configuration.
        parts: Vec<(Role, u64)>,
    },
    /// Numbers of heads that do not fit one another.
    #[error("{heads} query heads cannot be shared among {groups} key and value heads")]
    FusedHeads {
        /// Query heads.
        heads: u64,
        /// Key and value heads.
        groups: u64,
    },
    /// A fused weight whose input is not the residual stream: it is stored the other way round, or is no such weight.
    #[error("a fused tensor has {input} inputs where the model's hidden_size is {hidden}")]
    FusedInput {
        /// Extent of the input axis.
        input: u64,
        /// `hidden_size` of the configuration.
        hidden: u64,
    },
    /// A figure without which a fused tensor cannot be divided.
    #[error("a fused tensor cannot be divided without `{figure}`")]
    FusedConfig {
        /// The figure's name in `config.json`.
        figure: &'static str,
    },
}

fn list(parts: &[(Role, u64)]) -> String {
    let parts: Vec<_> = parts.iter().map(|(role, rows)| format!("`{role}` {rows}")).collect();
    parts.join(", ")
}

impl Hint for FamilyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::RoleSelection { similar: Some(role), .. } => Some(format!("did you mean `{role}`?")),
            Self::RoleSelection { .. } => {
                Some("write all, norms, matrices or names of roles such as input_layernorm,q_proj".to_owned())
            }
            Self::LayerSelection { .. } => Some(
                "write all, last, layers as 0,10,20, a range as 5-30, a range with a step as 5-30:5, or a mix"
                    .to_owned(),
            ),
            Self::FusedSum { .. } | Self::FusedInput { .. } | Self::FusedConfig { .. } => Some(
                "the fused tensor can still be compared whole; check the figures in the model's config.json".to_owned(),
            ),
            _ => None,
        }
    }
}
