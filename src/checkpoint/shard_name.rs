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
    /// The class of a name without its extension. Numbers at its end, and words such as `part` before them, count for nothing.
    fn of(stem: &str) -> Self {
        let lower = stem.to_ascii_lowercase();
        let stem = without_numbers(&lower).trim_end_matches(".safetensors");
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

/// Separators of the words of a name.
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// Words before a number that say no more than that it is one.
const COUNTING: [&str; 9] = ["part", "shard", "rank", "of", "chunk", "split", "file", "piece", "tp"];

/// Letters before or after a number that make it a precision.
const PRECISIONS: [&str; 12] = ["fp", "bf", "f", "int", "uint", "i", "u", "q", "w", "nf", "mxfp", "nvfp"];

/// A name in lower case without the numbers at its end.
fn without_numbers(mut stem: &str) -> &str {
    loop {
        let cut = stem.rfind(SEPARATORS).map_or(0, |at| at + 1);
        let word = stem[cut..].trim_end_matches(|letter: char| letter.is_ascii_digit());
        let counts = word.is_empty() || COUNTING.contains(&word);
        if cut == 0 || !counts {
            return stem;
        }
        stem = &stem[..cut - 1];
    }
}

/// The name of a safetensors file, taken apart.
#[derive(Debug)]
pub(super) struct ShardName<'n> {
    pub(super) class: Class,
    /// Number and total, of a sharded checkpoint whose files say both.
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

    /// `HEAD-00001-of-00002[.VARIANT]`, with any separators and any number of digits.
    fn numbered(name: &'n str, stem: &'n str) -> Option<Self> {
        let lower = stem.to_ascii_lowercase();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (of, end) = lower.rmatch_indices("of").find_map(|(at, word)| {
            let (before, after) =
                (lower[..at].strip_suffix(SEPARATORS)?, lower[at + word.len()..].strip_prefix(SEPARATORS)?);
            let is_numbered = digits(after) > 0 && before.ends_with(|letter: char| letter.is_ascii_digit());
            is_numbered.then_some((at, at + word.len()))
        })?;
        let (before, after) = (&stem[..of - 1], &stem[end + 1..]);
        let cut = before.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        let total: u32 = after[..digits(after)].parse().ok()?;
        let variant = &after[digits(after)..];
        if !(variant.is_empty() || variant.starts_with('.')) || total as usize > MAX_SHARDS {
            return None;
        }
        Some(Self {
            class: Class::of(&format!("{}{variant}", before[..cut].trim_end_matches(SEPARATORS))),
            number: Some((before[cut..].parse().ok()?, total)),
            head: &name[..cut],
            digits: before.len() - cut,
            tail: &name[before.len()..],
        })
    }

    /// Equal for names that differ in the shard's number alone; where none says how many there are, in any numbers.
    pub(super) fn group(&self) -> String {
        match self.number {
            Some(_) => format!("{}#{}", self.head, self.tail),
            None => self.head.split_inclusive(SEPARATORS).map(open_number).collect(),
        }
    }

    /// The name of the shard with another number; `None` where this is no numbered shard.
    pub(super) fn sibling(&self, number: u32) -> Option<String> {
        self.number?;
        Some(format!("{}{number:0width$}{}", self.head, self.tail, width = self.digits))
    }
}

/// A word with `#` for its numbers, unless they tell a precision.
fn open_number(word: &str) -> String {
    let letters: String = word.chars().take_while(char::is_ascii_alphabetic).collect();
    let tells_precision = word.trim_end_matches(SEPARATORS).ends_with("bit")
        || word.len() > letters.len() && PRECISIONS.contains(&letters.to_ascii_lowercase().as_str());
    if tells_precision {
        return word.to_owned();
    }
    let mut open = String::new();
    for letter in word.chars() {
        match letter {
            '0'..='9' if open.ends_with('#') => {}
            '0'..='9' => open.push('#'),
            _ => open.push(letter),
        }
    }
    open
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
            ("model-1-of-2.safetensors", Class::Model, Some((1, 2))),
            ("Model_00001_of_00004.safetensors", Class::Model, Some((1, 4))),
            ("model.safetensors-00001-of-00002.safetensors", Class::Model, Some((1, 2))),
            ("model-part-1-of-2.safetensors", Class::Model, Some((1, 2))),
            ("model.0.safetensors", Class::Model, None),
            ("model.part0.safetensors", Class::Model, None),
            ("model-rank-0-part-1.safetensors", Class::Model, None),
            ("model-00001-of-00002-x.safetensors", Class::Other, None),
            ("adapter_model_2.safetensors", Class::Adapter, None),
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
    fn names_that_differ_in_numbers_alone_are_one_group() {
        let group = |name: &str| ShardName::parse(name).unwrap().group();
        for [a, b] in [
            ["model.0.safetensors", "model.13.safetensors"],
            ["model-rank-0-part-1.safetensors", "model-rank-1-part-0.safetensors"],
            ["layers7.safetensors", "layers12.safetensors"],
            ["consolidated.00.safetensors", "consolidated.01.safetensors"],
        ] {
            assert_eq!(group(a), group(b));
        }
        for [a, b] in [
            ["model.fp16.safetensors", "model.fp32.safetensors"],
            ["model-4bit.safetensors", "model-8bit.safetensors"],
            ["model-00001-of-00002.safetensors", "model-00001-of-00003.safetensors"],
            ["model.0.safetensors", "model-0.safetensors"],
        ] {
            assert_ne!(group(a), group(b));
        }
    }

    #[test]
    fn indexes_are_told_from_other_files() {
        assert_eq!(Class::of_index("model.safetensors.index.json"), Some(Class::Model));
        assert_eq!(Class::of_index("model.safetensors.index.fp16.json"), Some(Class::Variant));
        assert_eq!(Class::of_index("pytorch_model.bin.index.json"), None);
    }
}
