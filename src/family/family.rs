//! The naming scheme of an architecture: what each tensor of a checkpoint does, and which tensors there cannot be.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem::take,
};

use super::{
    FusedLayout, LayerIndex, ModelConfig, Part, Role, Slot, Stack,
    name::{Name, Tail, is_buffer},
    table::{Entry as Written, Names},
    template::Template,
};

/// What stands before blocks of multi-token prediction, and what would stand there in a layer.
const MTP: [(&str, &str); 3] = [("mtp.", ""), ("mtp_layers.", "layers."), ("mtp_block.", "layers.")];

/// What a name means in a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Classified {
    /// A parameter with a role.
    Slot(Slot),
    /// A scale, zero point or table beside that parameter's quantised weight: no parameter itself.
    Auxiliary(Slot),
    /// A causal mask, rotary frequencies and the like: stored, but not learned.
    Buffer,
    /// Anything else. Reports list it; nothing drops it.
    Unclassified,
}

impl Classified {
    /// The slot of a parameter; `None` for everything else.
    pub fn slot(self) -> Option<Slot> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::Auxiliary(_) | Self::Buffer | Self::Unclassified => None,
        }
    }
}

/// A naming scheme.
#[derive(Debug)]
pub struct Family {
    /// What its table says; its templates are in `entries`.
    written: Written,
    entries: HashMap<String, Vec<Entry>>,
    roles: Vec<Role>,
}

#[derive(Debug)]
struct Entry {
    template: Template,
    role: Role,
    stack: Stack,
    mtp: bool,
}

impl Family {
    /// The family's name, as reports print it.
    pub fn name(&self) -> &str {
        &self.written.name
    }

    /// Every role for which the family has names, in the order in which reports list them.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether the stored gain of this norm is the effective gain minus one.
    pub fn is_zero_centred(&self, role: Role) -> bool {
        self.written.zero_centred.as_ref().is_some_and(|roles| roles.contains(&role))
    }

    /// Whether MLX, where it saves a model of this family, adds the one to the gains that are stored less one.
    pub fn is_centred_by_mlx(&self) -> bool {
        self.written.mlx_keeps_centre != Some(true)
    }

    /// Whether the weight of this role is stored as `[in, out]`, where a Linear has `[out, in]`.
    pub fn is_transposed(&self, role: Role) -> bool {
        self.written.transposed.as_ref().is_some_and(|roles| roles.contains(&role))
    }

    /// Whether packed experts of this role, `[expert, in, out]` as published, are also saved as `[expert, out, in]`.
    pub fn is_either_way(&self, role: Role) -> bool {
        self.written.either_way.contains(&role)
    }

    /// Whether the rows of this role are ordered for rotary embeddings that turn neighbours, where Transformers turns halves.
    pub fn is_interleaved(&self, role: Role) -> bool {
        self.written.interleaved.contains(&role)
    }

    /// Whether blocks of multi-token prediction are numbered as layers past the last.
    pub(crate) fn predicts_past_the_last(&self) -> bool {
        let is_block = |(key, entries): (&String, &Vec<Entry>)| {
            !key.starts_with("mtp") && entries.iter().any(|entry| entry.role == Role::MtpProj)
        };
        self.entries.iter().any(is_block)
    }

    /// Why a model of this family may have no tensor of this role; `None` where there is no known reason.
    pub fn absent_reason(&self, role: Role) -> Option<&str> {
        self.written.absent.get(&role).map(String::as_str)
    }

    /// How a fused tensor of this role is divided; `None` where it is not fused, or not known.
    pub fn fused(&self, role: Role) -> Option<FusedLayout> {
        self.written.fused.get(&role).copied()
    }

    /// What a tensor is, by its name.
    ///
    /// Wrappers, prefixes of multimodal models and a root that is there or not make no difference. The layer is the
    /// number that the name holds: a block under `mtp.layers.0.` has layer 0 and `mtp` set. A layer of the main stack at
    /// or past `config.num_hidden_layers`, where that is known, has `mtp` set too.
    pub fn classify(&self, name: &str, config: &ModelConfig) -> Classified {
        match self.find(&Name::parse(name), config) {
            Some((slot, Tail::Auxiliary)) => Classified::Auxiliary(slot),
            Some((slot, _)) => Classified::Slot(slot),
            None if is_buffer(name, self.written.buffers.as_deref().unwrap_or_default()) => Classified::Buffer,
            None => Classified::Unclassified,
        }
    }

    /// The slot of a name that is already taken apart, and which tensor of it the name means.
    pub(super) fn find(&self, name: &Name, config: &ModelConfig) -> Option<(Slot, Tail)> {
        let path = self.without_roots(&name.key);
        if let Some(slot) = self.look_up(path, &name.numbers, name.tail, config) {
            return Some((slot, name.tail));
        }
        for (suffix, tail) in PARTS {
            if let Some(slot) =
                path.strip_suffix(suffix).and_then(|path| self.look_up(path, &name.numbers, tail, config))
            {
                return Some((slot, tail));
            }
        }
        None
    }

    /// The paths that it knows, with `#` for each number.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    pub(super) fn model_types(&self) -> &[String] {
        &self.written.model_types
    }

    pub(super) fn architectures(&self) -> &[String] {
        &self.written.architectures
    }

    pub(super) fn compile(mut written: Written) -> Result<Self, String> {
        let mut entries = HashMap::new();
        let mut roles = BTreeSet::new();
        for (stack, prefix, templates) in [
            (Stack::Main, "", take(&mut written.names)),
            (Stack::Encoder, "encoder.", take(&mut written.encoder)),
            (Stack::Decoder, "decoder.", take(&mut written.decoder)),
        ] {
            roles.extend(templates.keys().copied());
            let layers = written.layer.as_ref().map_or(&[][..], Names::as_slice);
            let layers: Vec<String> = layers.iter().map(|layer| format!("{prefix}{layer}")).collect();
            add(&mut entries, stack, &layers, &templates).map_err(|fault| format!("`{}`: {fault}", written.name))?;
        }
        Ok(Self { written, entries, roles: roles.into_iter().collect() })
    }

    fn without_roots<'n>(&self, mut path: &'n str) -> &'n str {
        let stripped = |path: &'n str| {
            self.written.roots.iter().flatten().find_map(|root| path.strip_prefix(root.as_str())?.strip_prefix('.'))
        };
        while let Some(rest) = stripped(path) {
            path = rest;
        }
        path
    }

    fn look_up(&self, path: &str, numbers: &[u32], tail: Tail, config: &ModelConfig) -> Option<Slot> {
        self.look_up_written(path, numbers, tail, config).or_else(|| {
            let (inner, layers) = MTP.iter().find_map(|(prefix, layers)| Some((path.strip_prefix(prefix)?, layers)))?;
            let inner = format!("{layers}{}", self.without_roots(inner));
            let slot = self.look_up_written(&inner, numbers, tail, config)?;
            Some(Slot { mtp: true, ..slot })
        })
    }

    fn look_up_written(&self, path: &str, numbers: &[u32], tail: Tail, config: &ModelConfig) -> Option<Slot> {
        let (entry, [layer, expert]) =
            self.entries.get(path)?.iter().find_map(|entry| Some((entry, entry.template.capture(numbers)?)))?;
        let past_the_last = entry.stack == Stack::Main
            && layer.zip(config.num_hidden_layers).is_some_and(|(layer, layers)| layer >= layers);
        Some(Slot {
            role: in_order(entry.role, config),
            part: if tail == Tail::Bias { Part::Bias } else { Part::Weight },
            stack: entry.stack,
            layer: layer.map(LayerIndex),
            expert,
            mtp: entry.mtp || past_the_last,
        })
    }
}

/// Adds the templates of one stack.
fn add(
    entries: &mut HashMap<String, Vec<Entry>>,
    stack: Stack,
    layers: &[String],
    templates: &BTreeMap<Role, Names>,
) -> Result<(), String> {
    for (&role, texts) in templates {
        let written = texts.as_slice().iter().flat_map(|text| match text.strip_prefix('@') {
            Some(rest) => layers.iter().map(|layer| format!("{layer}{rest}")).collect(),
            None => vec![text.clone()],
        });
        for written in written {
            let template = Template::parse(&written).map_err(|reason| format!("template `{written}`: {reason}"))?;
            let alike = entries.entry(template.key.clone()).or_default();
            if let Some(other) = alike.iter().find(|other| other.template.overlaps(&template)) {
                return Err(format!("`{}` and `{role}` have one name, `{}`", other.role, template.key));
            }
            let mtp = written.starts_with("mtp") || matches!(role, Role::MtpNorm | Role::MtpProj);
            alike.push(Entry { template, role, stack, mtp });
        }
    }
    Ok(())
}

/// Packed experts are bare parameters, so that their biases and MXFP4 halves have no segment of their own.
const PARTS: [(&str, Tail); 3] = [("_bias", Tail::Bias), ("_blocks", Tail::Weight), ("_scales", Tail::Auxiliary)];

/// A path without the end of such a part.
pub(super) fn without_part(path: &str) -> &str {
    PARTS.iter().find_map(|(suffix, _)| path.strip_suffix(suffix)).unwrap_or(path)
}

/// OPT has one set of names for two orders: with `do_layer_norm_before = false` its norms stand after the blocks.
fn in_order(role: Role, config: &ModelConfig) -> Role {
    match (role, config.do_layer_norm_before) {
        (Role::InputLayernorm, Some(false)) => Role::AttnOutputNorm,
        (Role::PostAttentionLayernorm, Some(false)) => Role::MlpOutputNorm,
        _ => role,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::Registry;

    fn family(name: &str) -> &'static Family {
        Registry::builtin().families.iter().find(|family| family.name() == name).unwrap()
    }

    fn with_layers(layers: Option<u32>) -> ModelConfig {
        ModelConfig { num_hidden_layers: layers, ..ModelConfig::default() }
    }

    #[test]
    fn wrappers_and_prefixes_make_no_difference() {
        let config = with_layers(Some(32));
        let plain = family("llama").classify("model.layers.5.self_attn.q_proj.weight", &config);
        assert!(plain.slot().is_some());
        for name in [
            "layers.5.self_attn.q_proj.weight",
            "model.model.layers.5.self_attn.q_proj.weight",
            "module.model.layers.5.self_attn.q_proj.weight",
            "_orig_mod.model.layers.5.self_attn.q_proj.weight",
            "base_model.model.model.layers.5.self_attn.q_proj.base_layer.weight",
            "language_model.model.layers.5.self_attn.q_proj.weight",
            "model.language_model.layers.5.self_attn.q_proj.weight",
            "model.language_model.model.layers.5.self_attn.q_proj.weight",
            "model.text_model.layers.5.self_attn.q_proj.weight",
            "thinker.model.layers.5.self_attn.q_proj.weight",
            "llm.model.layers.5.self_attn.q_proj.weight",
        ] {
            assert_eq!(family("llama").classify(name, &config), plain, "{name}");
        }
    }

    #[test]
    fn layers_past_the_last_are_multi_token_prediction_only_where_the_depth_is_known() {
        let mtp = |layers, name| {
            let slot = family("deepseek").classify(name, &with_layers(layers)).slot();
            slot.map(|slot| slot.mtp)
        };
        let norm = "model.layers.61.input_layernorm.weight";
        assert_eq!(mtp(Some(61), norm), Some(true));
        assert_eq!(mtp(Some(62), norm), Some(false));
        assert_eq!(mtp(None, norm), Some(false));
        assert_eq!(mtp(None, "model.layers.61.enorm.weight"), Some(true));
    }

    #[test]
    fn opts_norms_stand_after_the_blocks_where_its_configuration_says_so() {
        let config = ModelConfig { do_layer_norm_before: Some(false), ..ModelConfig::default() };
        let role = |name| family("opt").classify(name, &config).slot().map(|slot| slot.role);
        assert_eq!(role("decoder.layers.0.final_layer_norm.weight"), Some(Role::MlpOutputNorm));
        assert_eq!(role("decoder.layers.0.self_attn_layer_norm.weight"), Some(Role::AttnOutputNorm));
        assert_eq!(role("decoder.final_layer_norm.weight"), Some(Role::FinalNorm));
    }

    #[test]
    fn fused_layouts_belong_to_roles_that_the_family_has() {
        for family in &Registry::builtin().families {
            for role in family.written.fused.keys() {
                assert!(family.roles().contains(role), "{}: {role}", family.name());
            }
            let fuses = family.roles().contains(&Role::QkvProj);
            assert!(!fuses || family.fused(Role::QkvProj).is_some() || family.name() == "bert", "{}", family.name());
        }
    }

    proptest! {
        #[test]
        fn classify_never_panics(
            name in ".*", dotted in r"(mtp\.|model\.|h\.|layers\.|[0-9]{1,12}\.|#\.|\.|weight|_bias|norm){0,8}",
        ) {
            for family in &Registry::builtin().families {
                family.classify(&name, &ModelConfig::default());
                family.classify(&dotted, &with_layers(Some(2)));
            }
        }

        #[test]
        fn a_name_with_a_number_sign_of_its_own_is_unclassified(layer in 0_u32..9) {
            let config = ModelConfig::default();
            let name = format!("model.layers.#.mlp.experts.{layer}.up_proj.weight");
            prop_assert_eq!(family("deepseek").classify(&name, &config), Classified::Unclassified);
        }
    }
}
