//! What a safetensors file's name says: which of a model's files it is, and its number among its siblings.

/// Most shards that an index may name, or a shard's number imply.
pub const MAX_SHARDS: usize = 10_000;

/// What kind of weights a name promises, best first: the order in which a checkpoint is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// `model`.
    Model,
    /// `diffusion_pytorch_model`.
    Diffusion,
    /// Another precision of one of these: `model.fp16`.
    Variant,
    /// `adapter_model`.
    Adapter,
    /// Any other name.
    Other,
    /// `consolidated…`: the publisher's own format, usually beside the usual one.
    Consolidated,
}

impl Class {
    /// The class of a name without shard number and extension.
    fn of(stem: &str) -> Self {
        let (base, variant) = stem.split_once('.').map_or((stem, false), |(base, _)| (base, true));
        match (base, variant) {
            ("model" | "diffusion_pytorch_model", true) => Self::Variant,
            ("model", false) => Self::Model,
            ("diffusion_pytorch_model", false) => Self::Diffusion,
            ("adapter_model", _) => Self::Adapter,
            _ if base.starts_with("consolidated") => Self::Consolidated,
            _ => Self::Other,
        }
    }

    /// The class of a shard index (`STEM.safetensors.index[.VARIANT].json`); `None` for any other file.
    pub(super) fn of_index(name: &str) -> Option<Self> {
        let (stem, rest) = name.split_once(".safetensors.index.")?;
        let variant = match rest {
            "json" => "",
            rest => rest.strip_suffix(".json")?,
        };
        let dot = if variant.is_empty() { "" } else { "." };
        Some(Self::of(&format!("{stem}{dot}{variant}")))
    }
}

/// The name of a safetensors file, taken apart.
#[derive(Debug)]
pub(super) struct ShardName<'n> {
    pub(super) class: Class,
    /// Number and total, of a sharded checkpoint.
    pub(super) number: Option<(u32, u32)>,
    /// What comes before the number, with its separator.
    head: &'n str,
    /// How many digits the number has.
    digits: usize,
    /// What comes after the number.
    tail: &'n str,
}

impl<'n> ShardName<'n> {
    /// Takes `name` apart; `None` where it does not end in `.safetensors`.
    pub(super) fn parse(name: &'n str) -> Option<Self> {
        let stem = name.strip_suffix(".safetensors")?;
        let numbered = Self::numbered(name, stem);
        Some(numbered.unwrap_or_else(|| Self {
            class: Class::of(stem),
            number: None,
            head: stem,
            digits: 0,
            tail: ".safetensors",
        }))
    }

    /// `HEAD-00001-of-00002[.VARIANT]` or the same with an underscore, of five or six digits each.
    fn numbered(name: &'n str, stem: &'n str) -> Option<Self> {
        let (before, after) = stem.rsplit_once("-of-")?;
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let cut = before.rfind(['-', '_'])? + 1;
        let number = &before[cut..];
        let count = digits(after);
        let total: u32 = after[..count].parse().ok()?;
        let variant = &after[count..];
        let well_formed = digits(number) == number.len()
            && (5..=6).contains(&number.len())
            && (5..=6).contains(&count)
            && (variant.is_empty() || variant.starts_with('.'));
        if !well_formed || total as usize > MAX_SHARDS {
            return None;
        }
        Some(Self {
            class: Class::of(&format!("{}{variant}", &before[..cut - 1])),
            number: Some((number.parse().ok()?, total)),
            head: &name[..cut],
            digits: number.len(),
            tail: &name[cut + number.len()..],
        })
    }

    /// Equal for the files of one sharded checkpoint, and for all consolidated ones.
    pub(super) fn group(&self) -> (&'n str, &'n str) {
        match self.class {
            Class::Consolidated => ("", ""),
            _ => (self.head, self.tail),
        }
    }

    /// The name of the shard with another number; `None` where this is no numbered shard.
    pub(super) fn sibling(&self, number: u32) -> Option<String> {
        self.number?;
        Some(format!("{}{number:0width$}{}", self.head, self.tail, width = self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_shards_are_understood() {
        let table = [
            ("model.safetensors", Class::Model, None),
            ("model-00001-of-00002.safetensors", Class::Model, Some((1, 2))),
            ("model_00002-of-00072.safetensors", Class::Model, Some((2, 72))),
            ("model-000001-of-000100.safetensors", Class::Model, Some((1, 100))),
            ("model.fp16-00001-of-00002.safetensors", Class::Variant, Some((1, 2))),
            ("model-00001-of-00002.fp16.safetensors", Class::Variant, Some((1, 2))),
            ("model.fp16.safetensors", Class::Variant, None),
            ("consolidated.00.safetensors", Class::Consolidated, None),
            ("adapter_model.safetensors", Class::Adapter, None),
            ("model-mtp-of-00005.safetensors", Class::Other, None),
            ("Qwen2.5-7B.safetensors", Class::Other, None),
            ("model-1-of-2.safetensors", Class::Other, None),
        ];
        for (name, class, number) in table {
            let parsed = ShardName::parse(name).unwrap();
            assert_eq!((parsed.class, parsed.number), (class, number), "{name}");
        }
        assert!(ShardName::parse("model.bin").is_none());
    }

    #[test]
    fn a_sibling_has_the_same_form() {
        let shard = ShardName::parse("model_00002-of-00072.safetensors").unwrap();
        assert_eq!(shard.sibling(7).unwrap(), "model_00007-of-00072.safetensors");
    }

    #[test]
    fn indexes_are_told_from_other_files() {
        assert_eq!(Class::of_index("model.safetensors.index.json"), Some(Class::Model));
        assert_eq!(Class::of_index("model.safetensors.index.fp16.json"), Some(Class::Variant));
        assert_eq!(Class::of_index("pytorch_model.bin.index.json"), None);
    }
}
