//! What a tensor does and where: roles are named as Llama-family checkpoints name them, and mean the function.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Index of a layer within its stack, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerIndex(pub u32);

impl fmt::Display for LayerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The broad class of a role, as `--role norms|matrices` selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleKind {
    /// A normalisation's gain: nearly constant, so its cosine is high by construction.
    Norm,
    /// A weight matrix.
    Matrix,
    /// A table of rows looked up by id.
    Embedding,
    /// Any other learned vector or scalar.
    Vector,
}

/// One module of several that a model may hold side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// The only stack, or the text decoder of a decoder-only model.
    Main,
    /// The encoder of an encoder–decoder model.
    Encoder,
    /// The decoder of an encoder–decoder model.
    Decoder,
}

/// Which parameter of a module a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `.weight`, or a bare parameter.
    Weight,
    /// `.bias`.
    Bias,
}

/// What one tensor is: its role, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// What it does.
    pub role: Role,
    /// Weight or bias.
    pub part: Part,
    /// Which stack it belongs to.
    pub stack: Stack,
    /// Which layer; `None` outside the layers.
    pub layer: Option<LayerIndex>,
    /// Which expert; `None` where there is one, or where all experts are packed in one tensor.
    pub expert: Option<u32>,
    /// Whether the layer is a multi-token-prediction block, at or past `num_hidden_layers`.
    pub mtp: bool,
}

macro_rules! roles {
    ($($variant:ident $name:literal $kind:ident $doc:literal;)+) => {
        /// What a tensor does, by any name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Role { $(#[doc = $doc] #[serde(rename = $name)] $variant,)+ }

        impl Role {
            /// Every role, in the order in which reports list them.
            pub const ALL: &'static [Role] = &[$(Role::$variant,)+];

            /// The role's name in options, columns and file names.
            pub fn name(self) -> &'static str {
                match self { $(Role::$variant => $name,)+ }
            }

            /// Its broad class.
            pub fn kind(self) -> RoleKind {
                match self { $(Role::$variant => RoleKind::$kind,)+ }
            }
        }
    };
}

roles! {
    InputLayernorm "input_layernorm" Norm "Norm on the attention block's input.";
    PostAttentionLayernorm "post_attention_layernorm" Norm "Norm on the MLP's input.";
    AttnOutputNorm "attn_output_norm" Norm "Norm on the attention block's output.";
    MlpOutputNorm "mlp_output_norm" Norm "Norm on the MLP's output.";
    CrossAttnLayernorm "cross_attn_layernorm" Norm "Norm on the cross-attention block's input (decoders of encoder–decoder models).";
    CrossAttnOutputNorm "cross_attn_output_norm" Norm "Norm on the cross-attention block's output (decoders of encoder–decoder models).";
    QNorm "q_norm" Norm "Norm on the queries.";
    KNorm "k_norm" Norm "Norm on the keys.";
    QANorm "q_a_norm" Norm "Norm on the compressed query (multi-head latent attention).";
    KvANorm "kv_a_norm" Norm "Norm on the compressed key and value (multi-head latent attention).";
    MixerNorm "mixer_norm" Norm "Norm inside a linear-attention or state-space mixer.";
    EmbedNorm "embed_norm" Norm "Norm on the embeddings.";
    FinalNorm "final_norm" Norm "Norm after the last layer.";
    MtpNorm "mtp_norm" Norm "Norms that only a multi-token-prediction block has (`enorm`, `hnorm`, `shared_head.norm`).";
    QProj "q_proj" Matrix "Query projection.";
    KProj "k_proj" Matrix "Key projection.";
    VProj "v_proj" Matrix "Value projection.";
    QkvProj "qkv_proj" Matrix "Query, key and value projections fused in one tensor.";
    OProj "o_proj" Matrix "Output projection of attention.";
    QAProj "q_a_proj" Matrix "Query down-projection (multi-head latent attention).";
    QBProj "q_b_proj" Matrix "Query up-projection (multi-head latent attention).";
    KvAProj "kv_a_proj" Matrix "Key and value down-projection (multi-head latent attention).";
    KvBProj "kv_b_proj" Matrix "Key and value up-projection (multi-head latent attention).";
    CrossQProj "cross_q_proj" Matrix "Query projection of cross-attention.";
    CrossKProj "cross_k_proj" Matrix "Key projection of cross-attention.";
    CrossVProj "cross_v_proj" Matrix "Value projection of cross-attention.";
    CrossOProj "cross_o_proj" Matrix "Output projection of cross-attention.";
    MixerInProj "mixer_in_proj" Matrix "Input projections of a linear-attention or state-space mixer.";
    MixerOutProj "mixer_out_proj" Matrix "Output projection of a linear-attention or state-space mixer.";
    MixerOther "mixer_other" Vector "Other parameters of a linear-attention or state-space mixer.";
    GateProj "gate_proj" Matrix "Gate projection of the MLP.";
    UpProj "up_proj" Matrix "Up projection of the MLP (the only first matrix where there is no gate).";
    GateUpProj "gate_up_proj" Matrix "Gate and up projections fused in one tensor.";
    DownProj "down_proj" Matrix "Down projection of the MLP.";
    Router "router" Matrix "Router over the experts.";
    RouterBias "router_bias" Vector "Correction bias of the router (`e_score_correction_bias`).";
    ExpertGateProj "expert_gate_proj" Matrix "Gate projection of a routed expert.";
    ExpertUpProj "expert_up_proj" Matrix "Up projection of a routed expert.";
    ExpertGateUpProj "expert_gate_up_proj" Matrix "Gate and up projections of routed experts, fused.";
    ExpertDownProj "expert_down_proj" Matrix "Down projection of a routed expert.";
    SharedExpertGateProj "shared_expert_gate_proj" Matrix "Gate projection of the shared expert.";
    SharedExpertUpProj "shared_expert_up_proj" Matrix "Up projection of the shared expert.";
    SharedExpertDownProj "shared_expert_down_proj" Matrix "Down projection of the shared expert.";
    SharedExpertGate "shared_expert_gate" Matrix "Gate on the shared expert's output.";
    AttnSinks "attn_sinks" Vector "Learned attention sinks.";
    RelativeBias "relative_attention_bias" Embedding "Relative position bias table.";
    EmbedTokens "embed_tokens" Embedding "Token embeddings.";
    EmbedPositions "embed_positions" Embedding "Learned position embeddings.";
    EmbedTokenTypes "embed_token_types" Embedding "Token-type (segment) embeddings.";
    EmbedPatches "embed_patches" Matrix "Patch or convolutional input embeddings.";
    LmHead "lm_head" Embedding "Output embeddings.";
    MtpProj "mtp_proj" Matrix "Projection that joins hidden state and embedding in a multi-token-prediction block (`eh_proj`).";
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|role| role.name() == name).ok_or_else(|| format!("`{name}` is not a role"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_found_by_its_own_name() {
        for &role in Role::ALL {
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
        assert!("attention_norm".parse::<Role>().is_err());
    }
}
