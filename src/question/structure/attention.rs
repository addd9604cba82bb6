//! What an architecture says of its heads: how many, how wide, and what may turn in them.

use crate::{
    checkpoint::ShardIndex,
    family::{Classified, ModelConfig, Role},
    metric::{
        Undefined,
        align::{AttentionGauge, HeadLayout},
    },
    model::Model,
};

/// Families without rotary embeddings, unless a configuration speaks of them. Any other is taken to have them: a smaller
/// family of changes of basis claims less.
const WITHOUT_ROTARY: [&str; 14] = [
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "bloom",
    "mpt",
    "opt",
    "bert",
    "distilbert",
    "vit",
    "dinov2",
    "whisper",
    "bart",
    "mbart",
    "t5",
];

/// Families whose rotary pairs are neighbouring rows; in all others they are half a head apart.
const INTERLEAVED: [&str; 6] = ["glm", "chatglm", "gptj", "cohere", "llama4", "mistral_consolidated"];

/// The heads, as the configuration states them.
pub(crate) fn layout(config: &ModelConfig) -> Result<HeadLayout, Undefined> {
    let stated = |figure: Option<u64>, name: &str| {
        figure
            .and_then(|figure| usize::try_from(figure).ok())
            .ok_or_else(|| Undefined::NotComparable(format!("the model's configuration does not state {name}")))
    };
    Ok(HeadLayout {
        heads: stated(config.num_attention_heads, "num_attention_heads")?,
        groups: stated(config.key_value_heads(), "num_key_value_heads")?,
        width: stated(config.width_of_head(), "head_dim")?,
    })
}

/// What may turn in queries and keys.
pub(crate) fn gauge(model: &Model, layout: &HeadLayout) -> AttentionGauge {
    let family = model.family.family.map_or("", |family| family.name());
    if has_query_norms(model) {
        AttentionGauge::Fixed
    } else if WITHOUT_ROTARY.contains(&family) && !model.config.rope {
        AttentionGauge::Rotation
    } else {
        let stated = model.config.rotary_dim.and_then(|dims| usize::try_from(dims).ok());
        AttentionGauge::Rotary {
            // ChatGLM's configurations do not say that it turns half a head.
            dims: stated.unwrap_or(if family == "chatglm" { layout.width / 2 } else { layout.width }),
            interleaved: INTERLEAVED.contains(&family),
        }
    }
}

/// Whether queries or keys pass a norm, whose weight is one per channel in every architecture that is known.
fn has_query_norms(model: &Model) -> bool {
    let Some(family) = model.family.family else {
        return false;
    };
    let in_headers = model.headers.values().flat_map(|header| &header.tensors).map(|tensor| tensor.name.as_str());
    let in_index = model.index.iter().flat_map(ShardIndex::tensors).map(|(name, _)| name);
    in_headers.chain(in_index).any(|name| {
        matches!(family.classify(name, &model.config), Classified::Slot(slot) if matches!(slot.role, Role::QNorm | Role::KNorm))
    })
}

/// What the true family of changes of basis is for this model, in words.
pub(crate) fn explained(model: &Model) -> String {
    let Ok(layout) = layout(&model.config) else {
        return "the configuration does not state the heads.".to_owned();
    };
    let shared = layout.heads.checked_div(layout.groups).unwrap_or(1);
    let sharing = if shared > 1 {
        format!(" Each key and value head shares its change of basis with the {shared} query heads that it serves.")
    } else {
        String::new()
    };
    let turning = match gauge(model, &layout) {
        AttentionGauge::Fixed => {
            "queries and keys pass norms with a weight per channel, which no rotation commutes with: for them there is nothing to \
             take off, the aligned residual is the raw one, and its null is √2."
                .to_owned()
        }
        AttentionGauge::Rotation => "queries and keys turn by any rotation of a head.".to_owned(),
        AttentionGauge::Rotary { dims, interleaved } => {
            let pairs = if interleaved {
                "2i and 2i + 1".to_owned()
            } else {
                format!("i and i + {}", dims / 2)
            };
            let rest = if dims < layout.width {
                format!(", and the other {} rows among each other", layout.width - dims)
            } else {
                String::new()
            };
            format!(
                "queries and keys turn within rotary pairs only (rows {pairs} of the first {dims} of each head){rest}: a general \
                 rotation does not pass through rotary embeddings."
            )
        }
    };
    format!("{turning} Values and outputs turn by any rotation of a head.{sharing}")
}
