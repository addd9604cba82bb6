//! All families, and which of them a model belongs to.
//!
//! A configuration names its architecture, but the files beside it may be laid out otherwise (Mistral publishes the same
//! model under two sets of names), and a bare folder has no configuration at all. So the configuration proposes and the
//! names decide: by how many of them each family explains.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{
    Family, FamilyChoice, ModelConfig, Role,
    choice::ChosenBy,
    family::without_part,
    name::{Name, is_buffer},
    table::Table,
};

/// The share of names below which a family that the configuration proposes must stand a comparison with the others, and
/// that a family chosen by names alone must exceed.
const HALF: f64 = 0.5;

/// Every known family, in the order in which ties are decided.
#[derive(Debug, Default)]
pub struct Registry {
    pub(crate) families: Vec<Family>,
    /// Last segments of the names that some family knows: no other name is worth trying in each of them.
    ends: HashSet<String>,
}

static BUILTIN: LazyLock<Registry> = LazyLock::new(|| {
    // The table is part of this crate and a test reads it, so that the default is never seen.
    Registry::parse(include_str!("families.toml")).unwrap_or_default()
});

impl Registry {
    /// The families that this crate knows.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Which family a model belongs to, by its configuration and the names of its tensors.
    ///
    /// Proposed by `model_type`, then by `architectures`; among several families of one `model_type`, the one that
    /// explains most names. A proposal that explains less than half of the names yields to a family that explains at
    /// least twice as many (another layout of the same model). Without a proposal, the names choose: a family must
    /// explain more than half of them, something within the layers among them; a tie goes to the family that expects no norm
    /// which the model lacks, then to the earlier one, and
    /// [`FamilyChoice::rivals`] holds the families that explain as much and disagree on what it means. Without names
    /// (before any header is read) the configuration alone decides.
    pub fn choose<'n>(&'static self, config: &ModelConfig, names: impl Iterator<Item = &'n str>) -> FamilyChoice {
        let shapes = Shapes::count(names, &self.ends);
        let by_type = || proposals(&self.families, &config.model_types, normal_type, Family::model_types);
        let by_class = || proposals(&self.families, &config.architectures, stem, Family::architectures);
        let proposed = [(ChosenBy::ModelType, by_type()), (ChosenBy::Architecture, by_class())]
            .into_iter()
            .filter_map(|(by, families)| Some((by, shapes.best(families, config)?)))
            .find(|(_, best)| best.share > 0.0 || shapes.is_empty());
        if let Some((by, best)) = proposed
            && (best.share >= HALF || shapes.is_empty())
        {
            return FamilyChoice::of(best.family, by);
        }
        let voted = shapes.best(self.families.iter().collect(), config);
        match (proposed, voted) {
            (Some((by, best)), Some(vote)) if vote.share < 2.0 * best.share || vote.layers == 0 => {
                FamilyChoice::of(best.family, by)
            }
            (_, Some(vote)) if vote.share > HALF && vote.layers > 0 => FamilyChoice {
                rivals: self.rivals(&shapes, config, &vote),
                ..FamilyChoice::of(vote.family, ChosenBy::Names)
            },
            (Some((by, best)), _) => FamilyChoice::of(best.family, by),
            _ => FamilyChoice::default(),
        }
    }

    /// Reads a table of families.
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let families = table.resolve()?.into_iter().map(Family::compile);
        let families: Vec<Family> = families.collect::<Result<_, _>>()?;
        let ends = families.iter().flat_map(Family::keys).map(|key| last_segment(key).to_owned()).collect();
        Ok(Self { families, ends })
    }

    fn rivals(&'static self, shapes: &Shapes, config: &ModelConfig, vote: &Vote<'static>) -> Vec<&'static Family> {
        let meaning = |family: &Family| -> Vec<Option<(Role, bool)>> {
            let role = |name: &Name| family.find(name, config).map(|(slot, _)| slot.role);
            let mean = |(name, _): &(Name, u64)| role(name).map(|role| (role, family.is_zero_centred(role)));
            shapes.counts.iter().map(mean).collect()
        };
        let chosen = meaning(vote.family);
        self.families
            .iter()
            .filter(|family| shapes.vote(family, config).rank() == vote.rank() && meaning(family) != chosen)
            .collect()
    }
}

/// Names with their numbers left out, and how many names have each shape: half a million names have a few dozen.
struct Shapes {
    /// Of those that some family may know.
    counts: Vec<(Name, u64)>,
    total: u64,
}

/// How well a family explains a model's names.
#[derive(Clone, Copy)]
struct Vote<'f> {
    family: &'f Family,
    classified: u64,
    layers: u64,
    share: f64,
    /// Norms of a layer for which the family has names and the model has none.
    missing: usize,
}

/// The norms that tell families with otherwise equal names apart, by being there or not.
const TELLING: [Role; 4] =
    [Role::InputLayernorm, Role::PostAttentionLayernorm, Role::AttnOutputNorm, Role::MlpOutputNorm];

impl Vote<'_> {
    /// The greater, the better.
    fn rank(&self) -> (u64, Reverse<usize>) {
        (self.classified, Reverse(self.missing))
    }
}

impl Shapes {
    fn count<'n>(names: impl Iterator<Item = &'n str>, ends: &HashSet<String>) -> Self {
        let mut seen: HashMap<String, (Name, u64)> = HashMap::new();
        let mut total = 0;
        for raw in names.filter(|raw| !is_buffer(raw, &[])) {
            let name = Name::parse(raw);
            total += 1;
            let is_known = |path: &str| ends.contains(last_segment(path));
            if !is_known(&name.key) && !is_known(without_part(&name.key)) {
                continue;
            }
            match seen.get_mut(&name.key) {
                Some((_, count)) => *count += 1,
                None => {
                    seen.insert(name.key.clone(), (name, 1));
                }
            }
        }
        let mut counts: Vec<_> = seen.into_values().collect();
        counts.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        Self { counts, total }
    }

    fn is_empty(&self) -> bool {
        self.total == 0
    }

    fn vote<'f>(&self, family: &'f Family, config: &ModelConfig) -> Vote<'f> {
        let (mut classified, mut layers) = (0, 0);
        let mut missing: Vec<Role> = TELLING.into_iter().filter(|role| family.roles().contains(role)).collect();
        for (name, count) in &self.counts {
            if let Some((slot, _)) = family.find(name, config) {
                classified += count;
                missing.retain(|&role| role != slot.role);
                layers += if slot.layer.is_some() { *count } else { 0 };
            }
        }
        Vote {
            family,
            classified,
            layers,
            share: if self.is_empty() { 0.0 } else { classified as f64 / self.total as f64 },
            missing: missing.len(),
        }
    }

    /// The family that explains most; the earliest of equals.
    fn best<'f>(&self, families: Vec<&'f Family>, config: &ModelConfig) -> Option<Vote<'f>> {
        families
            .into_iter()
            .map(|family| self.vote(family, config))
            .reduce(|best, vote| if vote.rank() > best.rank() { vote } else { best })
    }
}

fn last_segment(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}

/// Families that list one of the words, all of them, in the registry's order.
fn proposals<'f>(
    families: &'f [Family],
    written: &[String],
    normal: impl Fn(&str) -> String,
    listed: impl Fn(&'f Family) -> &'f [String],
) -> Vec<&'f Family> {
    let words: Vec<String> = written.iter().map(|word| normal(word)).collect();
    families.iter().filter(|family| listed(family).iter().any(|word| words.contains(word))).collect()
}

fn normal_type(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
}

/// The architecture within the name of a class: `Qwen2` of `Qwen2ForCausalLM`, `GPT2` of `GPT2LMHeadModel`.
fn stem(class: &str) -> String {
    let before_for = class.match_indices("For").find_map(|(at, word)| {
        let after = class[at + word.len()..].bytes().next()?;
        (at > 0 && after.is_ascii_uppercase()).then_some(&class[..at])
    });
    let stem = before_for
        .or_else(|| ["LMHeadModel", "PreTrainedModel", "Model"].iter().find_map(|end| class.strip_suffix(end)))
        .unwrap_or(class);
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA: [&str; 6] = [
        "model.embed_tokens.weight",
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.post_attention_layernorm.weight",
        "model.norm.weight",
    ];

    const CONSOLIDATED: [&str; 5] = [
        "tok_embeddings.weight",
        "layers.0.attention_norm.weight",
        "layers.0.attention.wq.weight",
        "layers.0.feed_forward.w1.weight",
        "norm.weight",
    ];

    fn choose(config: &str, names: &[&str]) -> (Option<&'static str>, ChosenBy) {
        let config = ModelConfig::parse(config.as_bytes()).unwrap();
        let choice = Registry::builtin().choose(&config, names.iter().copied());
        (choice.family.map(Family::name), choice.by)
    }

    #[test]
    fn the_table_is_valid() {
        let registry = Registry::parse(include_str!("families.toml")).unwrap();
        assert!(registry.families.len() >= 45);
        let mut names: Vec<_> = registry.families.iter().map(Family::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), registry.families.len());
    }

    #[test]
    fn a_model_type_belongs_to_one_family_unless_its_files_come_in_two_layouts() {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for family in Registry::builtin().families.iter().filter(|family| family.name() != "mistral_consolidated") {
            for word in family.model_types() {
                assert_eq!(normal_type(word), *word);
                let other = seen.insert(word, family.name());
                assert!(other.is_none(), "{word}: {other:?} and {}", family.name());
            }
        }
    }

    #[test]
    fn collisions_and_bad_templates_are_found_when_the_table_is_read() {
        let fault = |text: &str| Registry::parse(text).unwrap_err();
        let collision =
            "[[family]]\nname = 'x'\nlayer = 'layers.{layer}'\n[family.names]\nq_norm = '@.a'\nk_norm = '@.a'";
        assert!(fault(collision).contains("`q_norm` and `k_norm` have one name, `layers.#.a`"));
        let circle = "[block.a]\nlike = ['b']\n[block.b]\nlike = ['a']\n[[family]]\nname = 'x'\nlike = ['a']";
        assert!(fault(circle).contains("stands nowhere or leads back to it"));
        let template = "[[family]]\nname = 'x'\n[family.names]\nq_norm = 'a.{head}'";
        assert!(fault(template).contains("template `a.{head}`: a placeholder is unknown"));
        assert!(fault("family = 3").contains("family"));
    }

    #[test]
    fn the_model_type_decides_where_names_are_alike() {
        assert_eq!(choose(r#"{"model_type":"llama"}"#, &LLAMA), (Some("llama"), ChosenBy::ModelType));
        assert_eq!(choose(r#"{"model_type":"gemma"}"#, &LLAMA), (Some("gemma"), ChosenBy::ModelType));
        assert_eq!(choose(r#"{"model_type":"gemma"}"#, &[]), (Some("gemma"), ChosenBy::ModelType));
    }

    #[test]
    fn the_architecture_decides_where_the_model_type_is_unknown() {
        let config = r#"{"model_type":"custom","architectures":["NemotronForCausalLM"]}"#;
        assert_eq!(choose(config, &LLAMA), (Some("nemotron"), ChosenBy::Architecture));
        for (class, expected) in [
            ("GPT2LMHeadModel", "GPT2"),
            ("BertForMaskedLM", "Bert"),
            ("ViTModel", "ViT"),
            ("InformerForPrediction", "Informer"),
            ("For", "For"),
            ("Modèle", "Modèle"),
        ] {
            assert_eq!(stem(class), expected);
        }
    }

    #[test]
    fn the_text_models_type_decides_for_a_vision_language_model() {
        let config = r#"{"model_type":"internvl_chat","llm_config":{"model_type":"internlm2","num_hidden_layers":4}}"#;
        let names =
            ["language_model.model.layers.0.attention.wqkv.weight", "vision_model.encoder.layers.0.attn.qkv.weight"];
        assert_eq!(choose(config, &names), (Some("internlm2"), ChosenBy::ModelType));
    }

    #[test]
    fn the_layout_that_fits_the_names_is_chosen_among_those_of_one_model_type() {
        let config = r#"{"model_type":"mistral"}"#;
        assert_eq!(choose(config, &LLAMA), (Some("llama"), ChosenBy::ModelType));
        assert_eq!(choose(config, &CONSOLIDATED), (Some("mistral_consolidated"), ChosenBy::ModelType));
        // params.json names no type.
        assert_eq!(choose(r#"{"dim":64}"#, &CONSOLIDATED), (Some("mistral_consolidated"), ChosenBy::Names));
    }

    #[test]
    fn a_proposal_that_the_names_contradict_yields() {
        assert_eq!(choose(r#"{"model_type":"bert"}"#, &LLAMA), (Some("llama"), ChosenBy::Names));
        assert_eq!(choose(r#"{"model_type":"opt"}"#, &CONSOLIDATED), (Some("mistral_consolidated"), ChosenBy::Names));
    }

    #[test]
    fn a_proposal_stays_where_most_names_belong_to_another_tower() {
        let mut names = vec!["language_model.model.layers.0.input_layernorm.weight".to_owned()];
        names.extend((0..9).map(|n| format!("vision_tower.blocks.{n}.attn.qkv.weight")));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(choose(r#"{"model_type":"gemma3"}"#, &names), (Some("gemma2"), ChosenBy::ModelType));
    }

    #[test]
    fn names_alone_choose_and_tell_which_families_would_read_them_otherwise() {
        let choice = Registry::builtin().choose(&ModelConfig::default(), LLAMA.into_iter());
        assert_eq!((choice.family.map(Family::name), choice.by), (Some("llama"), ChosenBy::Names));
        let rivals: Vec<_> = choice.rivals.iter().map(|family| family.name()).collect();
        assert!(rivals.contains(&"gemma"), "{rivals:?}");
        assert!(!rivals.contains(&"qwen2") && !rivals.contains(&"gemma2"), "{rivals:?}");
    }

    #[test]
    fn a_norm_that_is_not_there_tells_families_apart() {
        let names = [
            "model.layers.0.post_attention_layernorm.weight",
            "model.layers.0.post_feedforward_layernorm.weight",
            "model.layers.0.self_attn.q_norm.weight",
            "model.layers.0.self_attn.q_proj.weight",
            "model.norm.weight",
        ];
        assert_eq!(choose("{}", &names), (Some("olmo2"), ChosenBy::Names));
        assert_eq!(choose("{}", &["model.layers.0.self_attn.q_proj.weight"]), (Some("olmo"), ChosenBy::Names));
    }

    #[test]
    fn names_that_no_family_explains_choose_nothing() {
        assert_eq!(choose("{}", &["a.weight", "b.0.weight"]), (None, ChosenBy::Nothing));
        assert_eq!(choose("{}", &["lm_head.weight"]), (None, ChosenBy::Nothing));
        assert_eq!(choose("{}", &[]), (None, ChosenBy::Nothing));
        assert_eq!(choose(r#"{"model_type":"whisper"}"#, &["x"]), (None, ChosenBy::Nothing));
    }

    #[test]
    fn a_gpt2_repository_without_the_prefix_is_gpt2() {
        let names = ["wte.weight", "h.0.ln_1.weight", "h.0.attn.c_attn.weight", "h.0.attn.bias", "ln_f.weight"];
        assert_eq!(choose(r#"{"model_type":"gpt2"}"#, &names), (Some("gpt2"), ChosenBy::ModelType));
        assert_eq!(choose("{}", &names), (Some("gpt2"), ChosenBy::Names));
    }
}
