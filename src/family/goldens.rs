//! The built-in families against what their models' code says: `fixtures/family_names.toml` has the names and their meanings.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Classified, Family, LayerIndex, ModelConfig, Part, Registry, Role, RoleKind, Slot, Stack};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    layers: Option<u32>,
    names: BTreeMap<String, String>,
}

fn expected() -> BTreeMap<String, Expected> {
    toml::from_str(include_str!("../../fixtures/family_names.toml")).unwrap()
}

fn family(name: &str) -> &'static Family {
    Registry::builtin().families.iter().find(|family| family.name() == name).unwrap()
}

fn with_layers(layers: Option<u32>) -> ModelConfig {
    ModelConfig { num_hidden_layers: layers, ..ModelConfig::default() }
}

/// Reads a meaning as `fixtures/family_names.toml` writes it.
fn meaning(text: &str) -> Classified {
    match text {
        "buffer" => return Classified::Buffer,
        "unclassified" => return Classified::Unclassified,
        _ => {}
    }
    let (text, auxiliary) = text.strip_prefix("auxiliary ").map_or((text, false), |rest| (rest, true));
    let mut words = text.split(' ');
    let mut slot = Slot {
        role: words.next().unwrap().parse().unwrap(),
        part: Part::Weight,
        stack: Stack::Main,
        layer: None,
        expert: None,
        mtp: false,
    };
    for word in words {
        match word {
            "bias" => slot.part = Part::Bias,
            "encoder" => slot.stack = Stack::Encoder,
            "decoder" => slot.stack = Stack::Decoder,
            "mtp" => slot.mtp = true,
            _ => match word.strip_prefix('e') {
                Some(expert) => slot.expert = Some(expert.parse().unwrap()),
                None => slot.layer = Some(LayerIndex(word.parse().unwrap())),
            },
        }
    }
    if auxiliary { Classified::Auxiliary(slot) } else { Classified::Slot(slot) }
}

#[test]
fn every_familys_names_mean_what_its_models_code_says() {
    let expected = expected();
    let mut wrong = Vec::new();
    for (family_name, expected) in &expected {
        let family = family(family_name);
        for (name, text) in &expected.names {
            let found = family.classify(name, &with_layers(expected.layers));
            if found != meaning(text) {
                wrong.push(format!("{family_name}: {name}: {text}, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_family_has_names_to_be_tested_by() {
    let expected = expected();
    for family in &Registry::builtin().families {
        let names = expected.get(family.name()).map_or(0, |expected| expected.names.len());
        assert!(names >= 6, "{} has {names} names in fixtures/family_names.toml", family.name());
    }
}

#[test]
fn zero_centred_norms_are_exactly_these() {
    use Role::{
        AttnOutputNorm, CrossAttnLayernorm, CrossAttnOutputNorm, FinalNorm, InputLayernorm, KNorm, MlpOutputNorm,
        MtpNorm, PostAttentionLayernorm, QNorm,
    };
    let two = [InputLayernorm, PostAttentionLayernorm];
    let expected: BTreeMap<&str, Vec<Role>> = [
        ("gemma", [&two[..], &[FinalNorm]].concat()),
        ("gemma2", [&two[..], &[AttnOutputNorm, MlpOutputNorm, QNorm, KNorm, FinalNorm]].concat()),
        (
            "t5gemma",
            [&two[..], &[AttnOutputNorm, MlpOutputNorm, CrossAttnLayernorm, CrossAttnOutputNorm, FinalNorm]].concat(),
        ),
        ("recurrent_gemma", [&two[..], &[FinalNorm]].concat()),
        ("minimax_m3", [&two[..], &[QNorm, KNorm, FinalNorm]].concat()),
        ("step3p7", [&two[..], &[QNorm, KNorm, FinalNorm]].concat()),
        ("muse", [&two[..], &[AttnOutputNorm, MlpOutputNorm]].concat()),
        ("nemotron", [&two[..], &[FinalNorm]].concat()),
        ("qwen3_next", [&two[..], &[QNorm, KNorm, FinalNorm, MtpNorm]].concat()),
    ]
    .into();
    for family in &Registry::builtin().families {
        let mut centred = expected.get(family.name()).cloned().unwrap_or_default();
        centred.sort();
        let found: Vec<_> = Role::ALL.iter().copied().filter(|&role| family.is_zero_centred(role)).collect();
        assert_eq!(found, centred, "{}", family.name());
        assert!(centred.iter().all(|role| role.kind() == RoleKind::Norm && family.roles().contains(role)));
    }
}

#[test]
fn a_missing_role_has_its_reason() {
    let reason = |name: &str, role| family(name).absent_reason(role).unwrap_or_default();
    assert!(reason("olmo", Role::InputLayernorm).contains("no parameters"));
    assert!(reason("olmo2", Role::InputLayernorm).contains("no norm on the attention block's input"));
    for name in ["phi", "gptj", "cohere", "falcon"] {
        assert!(reason(name, Role::PostAttentionLayernorm).contains("beside attention"), "{name}");
    }
    for name in ["gpt2", "gpt_neox", "opt", "bloom", "falcon", "phi", "gpt_bigcode", "starcoder2"] {
        assert_eq!(reason(name, Role::GateProj), "its MLP has no gate", "{name}");
    }
    assert_eq!(family("llama").absent_reason(Role::InputLayernorm), None);
    assert!(!family("olmo").roles().contains(&Role::InputLayernorm));
}

#[test]
fn what_a_family_has_no_names_for_beside_its_kin_has_a_reason() {
    for family in &Registry::builtin().families {
        let has = |role: Role| family.roles().contains(&role);
        let told = |role: Role| has(role) || family.absent_reason(role).is_some();
        if has(Role::UpProj) || has(Role::GateUpProj) {
            assert!(told(Role::GateProj) && told(Role::UpProj), "{}", family.name());
        }
        if has(Role::QkvProj) {
            let parts = [Role::QProj, Role::KProj, Role::VProj];
            assert!(parts.into_iter().all(told), "{}", family.name());
        }
    }
}
