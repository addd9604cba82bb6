//! Names, selections and configurations that cannot be understood.

use crate::hint::Hint;

/// Names, selections and configurations that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FamilyError {
    #[error("the model's configuration is not JSON")]
    Config { source: serde_json::Error },
    #[error("the model's configuration is UTF-16 text; JSON is UTF-8")]
    ConfigUtf16,
    #[error("the model's configuration is not a JSON object")]
    ConfigNotObject,
    #[error("`{piece}` is neither a role nor a class of roles")]
    RoleSelection { piece: String, similar: Option<&'static str> },
    #[error("`{piece}` does not select layers: {reason}")]
    LayerSelection { piece: String, reason: &'static str },
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
            _ => None,
        }
    }
}
