//! A tensor's name taken apart: wrappers off, numbers out, and the last segment read for what it says.
//!
//! Names vary in ways that have nothing to do with what a tensor is: wrappers of training frameworks stand before or
//! within them, vision–language models put a prefix before their text model, quantisation puts several tensors in the
//! place of one. All of that is undone once per name, so that a family only needs to look up what is left.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// `names.toml` as data.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conventions {
    wrappers: Vec<String>,
    within: Vec<String>,
    text_models: Vec<String>,
    auxiliary: Vec<String>,
    buffers: Vec<String>,
    renamed: BTreeMap<String, String>,
    words: BTreeMap<String, String>,
}

static CONVENTIONS: LazyLock<Conventions> = LazyLock::new(|| {
    // The table is part of this crate and a test reads it, so that the default is never seen.
    toml::from_str(include_str!("names.toml")).unwrap_or_default()
});

impl Conventions {
    fn is_within(&self, segment: &str) -> bool {
        self.within.iter().any(|wrapper| wrapper == segment)
    }
}

/// Which tensor of a module a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Tail {
    /// `.weight`, its quantised forms, or a bare parameter.
    Weight,
    /// `.bias`.
    Bias,
    /// A scale, zero point or table that belongs to a quantised weight.
    Auxiliary,
}

/// A tensor's name in a form that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    /// The module's path with `#` for each number.
    pub(super) key: String,
    /// The numbers, in order.
    pub(super) numbers: Vec<u32>,
    /// Which tensor of the module.
    pub(super) tail: Tail,
}

impl Name {
    /// Takes a name apart. Every string can be; one that means nothing is simply not found by any family.
    pub(super) fn parse(raw: &str) -> Self {
        let (path, tail) = split_tail(without_prefixes(raw));
        let mut name = Self { key: String::with_capacity(path.len()), numbers: Vec::new(), tail };
        for segment in path.split('.').filter(|segment| !CONVENTIONS.is_within(segment)) {
            if !name.key.is_empty() {
                name.key.push('.');
            }
            match number(segment) {
                Some(number) => {
                    name.numbers.push(number);
                    name.key.push('#');
                }
                None => name.key.push_str(segment),
            }
        }
        name
    }
}

/// Whether a name holds no parameter: one that every family knows, or one of `own`.
pub(super) fn is_buffer(raw: &str, own: &[String]) -> bool {
    let ends = |suffix: &str| raw.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    CONVENTIONS.buffers.iter().chain(own).any(|suffix| ends(suffix))
}

/// Whether a name holds no parameter in any family.
pub(crate) fn is_known_buffer(raw: &str) -> bool {
    is_buffer(raw, &[])
}

/// A number as modules are counted: no sign, no leading zero, within `u32`.
pub(super) fn number(segment: &str) -> Option<u32> {
    let plain = segment.bytes().all(|byte| byte.is_ascii_digit()) && (segment == "0" || !segment.starts_with('0'));
    plain.then(|| segment.parse().ok()).flatten()
}

fn without_prefixes(mut path: &str) -> &str {
    let strip =
        |path: &'_ str, prefixes: &[String]| prefixes.iter().find(|prefix| path.starts_with(*prefix)).map(String::len);
    while let Some(length) = strip(path, &CONVENTIONS.wrappers) {
        path = &path[length..];
    }
    strip(path, &CONVENTIONS.text_models).map_or(path, |length| &path[length..])
}

/// A name without wrappers, and with its last segments under the name that most libraries use: equal for tensors that only
/// libraries name differently.
pub(crate) fn bare(raw: &str) -> String {
    let path = without_prefixes(raw);
    let ends = |end: &str| path.strip_suffix(end).filter(|rest| rest.is_empty() || rest.ends_with('.'));
    let renamed = CONVENTIONS.renamed.iter().find_map(|(end, name)| Some(format!("{}{name}", ends(end)?)));
    let path = renamed.as_deref().unwrap_or(path);
    let kept = path.split('.').filter(|segment| !CONVENTIONS.is_within(segment));
    let kept: Vec<&str> = kept.map(|word| CONVENTIONS.words.get(word).map_or(word, String::as_str)).collect();
    kept.join(".")
}

fn split_tail(path: &str) -> (&str, Tail) {
    let Some((module, last)) = path.rsplit_once('.') else {
        return (path, Tail::Weight);
    };
    match last {
        "weight" | "qweight" | "weight_packed" | "_weight_qdata" | "gamma" => (module, Tail::Weight),
        "bias" | "beta" => (module, Tail::Bias),
        "_data" if module.ends_with(".weight") => (module.strip_suffix(".weight").unwrap_or(module), Tail::Weight),
        "scale" | "_scale" | "_shift" if module.ends_with(".weight") => {
            (module.strip_suffix(".weight").unwrap_or(module), Tail::Auxiliary)
        }
        _ if CONVENTIONS.auxiliary.iter().any(|end| end == last) || last.starts_with("bitsandbytes__") => {
            let module = module.strip_suffix(".quant_state").unwrap_or(module);
            (module.strip_suffix(".weight").unwrap_or(module), Tail::Auxiliary)
        }
        _ => (path, Tail::Weight),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(raw: &str) -> (String, Vec<u32>, Tail) {
        let name = Name::parse(raw);
        (name.key, name.numbers, name.tail)
    }

    #[test]
    fn numbers_are_taken_out_of_the_path() {
        let expected = ("model.layers.#.mlp.experts.#.up_proj".into(), vec![3, 17], Tail::Weight);
        assert_eq!(key("model.layers.3.mlp.experts.17.up_proj.weight"), expected);
    }

    #[test]
    fn wrappers_are_taken_off_wherever_they_stand() {
        let plain = key("model.layers.3.self_attn.q_proj.weight");
        for wrapped in [
            "module.model.layers.3.self_attn.q_proj.weight",
            "_orig_mod.module.model.layers.3.self_attn.q_proj.weight",
            "base_model.model.model.layers.3.self_attn.q_proj.base_layer.weight",
            "model.layers.3._checkpoint_wrapped_module.self_attn.q_proj.weight",
            "language_model.model.layers.3.self_attn.q_proj.weight",
            "actor.model.layers.3.self_attn.q_proj.weight",
            "0.auto_model.model.layers.3.self_attn.q_proj.weight",
        ] {
            assert_eq!(key(wrapped), plain, "{wrapped}");
        }
    }

    #[test]
    fn a_bare_name_is_what_libraries_agree_on() {
        assert_eq!(bare("_forward_module.actor.visual.0.base_layer.weight"), "visual.0.weight");
        assert_eq!(bare("audio.conv.parametrizations.weight.original1"), "audio.conv.weight_v");
        assert_eq!(bare("parametrizations.weight.original0"), "weight_g");
        assert_eq!(bare("cls.transform.LayerNorm.gamma"), "cls.transform.LayerNorm.weight");
        assert_eq!(bare("blocks.0.att.time_mix_k"), bare("blocks.0.attention.time_mix_key"));
        assert!(!CONVENTIONS.text_models.is_empty());
    }

    #[test]
    fn quantised_tensors_are_told_from_what_describes_them() {
        for (raw, tail) in [
            ("a.b.qweight", Tail::Weight),
            ("a.b.weight_packed", Tail::Weight),
            ("a.b.weight_scale_inv", Tail::Auxiliary),
            ("a.b.scales", Tail::Auxiliary),
            ("a.b.weight.absmax", Tail::Auxiliary),
            ("a.b.weight.quant_state.bitsandbytes__nf4", Tail::Auxiliary),
            ("a.b.beta", Tail::Bias),
        ] {
            assert_eq!(key(raw), ("a.b".into(), vec![], tail), "{raw}");
        }
    }

    #[test]
    fn only_plain_indices_are_numbers() {
        assert_eq!(key("layers.007.x.99999999999.+1"), ("layers.007.x.99999999999.+1".into(), vec![], Tail::Weight));
    }
}
