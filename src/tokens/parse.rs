//! The parts of a `tokenizer.json` that tell what its tokens stand for.
//!
//! The file is untrusted input and may have 30 MB. It is read in one pass that keeps the vocabulary and passes over the merges, its
//! nesting bounded by the parser, its size by whoever read it, and the number of its tokens here.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::{error::TokenError, spelling::Spelling, step::step};

/// The mark that stands for a space where nothing else is said.
const MARK: &str = "▁";

/// Most pieces, and most added tokens. The largest vocabularies have one million.
const MOST: usize = 1 << 22;

/// The kinds of model that there are.
const KINDS: [&str; 4] = ["BPE", "WordPiece", "Unigram", "WordLevel"];

/// A `tokenizer.json`, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) model: Model,
    #[serde(default, deserialize_with = "added")]
    pub(super) added_tokens: Vec<Added>,
    #[serde(default, deserialize_with = "step")]
    normalizer: Value,
    #[serde(default, deserialize_with = "step")]
    pre_tokenizer: Value,
    #[serde(default, deserialize_with = "step")]
    decoder: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    pub(super) vocab: Pieces,
    /// Only whether there are any.
    #[serde(default)]
    merges: Option<IgnoredAny>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
}

/// A token beside the vocabulary, or one of it that is found before the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Added {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
}

/// Pieces and their numbers: a map of them, or a list of `[piece, score]` in the order of their numbers.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) pieces: Vec<(String, u32)>,
    listed: bool,
}

impl<'de> Deserialize<'de> for Pieces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Pieces;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from pieces to numbers, or a list of pieces with their scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pieces, A::Error> {
                let mut pieces = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    push(&mut pieces, entry)?;
                }
                Ok(Pieces { pieces, listed: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pieces, A::Error> {
                let mut pieces = Vec::new();
                for id in 0.. {
                    let Some((piece, _score)) = list.next_element::<(String, f64)>()? else {
                        break;
                    };
                    push(&mut pieces, (piece, id))?;
                }
                Ok(Pieces { pieces, listed: true })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// Adds one more, unless there are too many.
fn push<E: Error>(list: &mut Vec<(String, u32)>, one: (String, u32)) -> Result<(), E> {
    if list.len() == MOST {
        return Err(too_many());
    }
    list.push(one);
    Ok(())
}

fn too_many<E: Error>() -> E {
    E::custom(format_args!("more than {MOST} tokens"))
}

/// The list of added tokens; missing and `null` are the same.
fn added<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Added>, D::Error> {
    let tokens = Option::<Vec<Added>>::deserialize(deserializer)?.unwrap_or_default();
    if tokens.len() > MOST { Err(too_many()) } else { Ok(tokens) }
}

impl File {
    /// The kind of model, as named or, in files from before it was, as its fields imply.
    pub(super) fn kind(&self) -> Result<&'static str, TokenError> {
        match &self.model.kind {
            Some(named) => {
                let known = KINDS.into_iter().find(|kind| kind == named);
                known.ok_or_else(|| TokenError::Kind { kind: named.clone() })
            }
            None if self.model.vocab.listed => Ok("Unigram"),
            None if self.model.merges.is_some() => Ok("BPE"),
            None if self.model.continuing_subword_prefix.is_some() => Ok("WordPiece"),
            None => Ok("WordLevel"),
        }
    }

    /// How its pieces spell texts.
    pub(super) fn spelling(&self) -> Result<Spelling, TokenError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let prefix = given(&self.model.continuing_subword_prefix);
        Ok(match self.kind()? {
            "WordPiece" => Spelling::Continued(prefix.unwrap_or_else(|| "##".to_owned())),
            "WordLevel" => Spelling::Words,
            _ => {
                let bytes = self.steps().any(|step| is_kind(step, "ByteLevel"));
                if let Some(suffix) = given(&self.model.end_of_word_suffix) {
                    Spelling::Ended { suffix, bytes }
                } else if bytes {
                    Spelling::ByteLevel
                } else if let Some(mark) = self.mark() {
                    Spelling::Marked(mark)
                } else if let Some(prefix) = prefix {
                    Spelling::Continued(prefix)
                } else {
                    Spelling::Plain
                }
            }
        })
    }

    /// What stands for a space: said by a step that makes it of one, or seen at the beginning of pieces.
    fn mark(&self) -> Option<String> {
        let replaced = |step: &Value| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            if is_kind(step, "Metaspace") {
                return text(&step["replacement"]).or_else(|| Some(MARK.to_owned()));
            }
            // A normalizer writes the mark for a space, a decoder the space for a mark.
            let (from, to) = (text(&step["pattern"]["String"]), text(&step["content"]));
            match (is_kind(step, "Replace"), from, to) {
                (true, Some(from), Some(to)) if from == " " => Some(to),
                (true, Some(from), Some(to)) if to == " " => Some(from),
                _ => None,
            }
        };
        let said = self.steps().find_map(replaced).filter(|mark| !mark.is_empty());
        let pieces = &self.model.vocab.pieces;
        said.or_else(|| {
            let seen = pieces.iter().any(|(piece, _)| piece.starts_with(MARK));
            seen.then(|| MARK.to_owned())
        })
    }

    /// The steps of normalizer, pre-tokenizer and decoder, those of sequences included.
    fn steps(&self) -> impl Iterator<Item = &Value> {
        let mut waiting: Vec<&Value> = vec![&self.decoder, &self.pre_tokenizer, &self.normalizer];
        std::iter::from_fn(move || {
            let step = waiting.pop()?;
            for inner in ["normalizers", "pretokenizers", "decoders"] {
                waiting.extend(step[inner].as_array().into_iter().flatten().rev());
            }
            Some(step)
        })
    }
}

fn is_kind(step: &Value, kind: &str) -> bool {
    step["type"] == kind
}
