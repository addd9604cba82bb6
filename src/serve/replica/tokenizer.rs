//! Invented tokenizers for six of the models, so that their embeddings can be compared by what their rows stand for: five that
//! write `▁` for a space, with different numbers, and a byte-level one that shares a third of its words with them.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{
    documents::NOTICE,
    model::{CONTROLS, Model},
};

/// Numbers of Qwen's vocabulary; its table has a few hundred rows more, as the real one has.
const QWEN_TOKENS: u64 = 151_646;

/// `tokenizer.json`; `None` for a model that has none here.
pub(super) fn tokenizer(model: &Model) -> Option<String> {
    let tokenizer = match model.kind.as_str() {
        "mistral" => marked(model.vocab, CONTROLS),
        "mixtral" | "internlm2" | "llama" => marked(model.vocab, 0),
        "qwen2" => byte_level(),
        _ => return None,
    };
    serde_json::to_string(&tokenizer).ok()
}

/// The document. Its vocabulary is written from the list of its pieces: as a [`Value`] it takes most of the time of a demo.
#[derive(Serialize)]
struct Tokenizer {
    #[serde(flatten)]
    head: Value,
    model: Bpe,
}

#[derive(Serialize)]
struct Bpe {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_fallback: Option<bool>,
    #[serde(serialize_with = "numbered")]
    vocab: Vec<String>,
    merges: [(); 0],
}

/// Three markers, `controls` more, the bytes, then words up to `vocab` numbers.
fn marked(vocab: u64, controls: u64) -> Tokenizer {
    let mut pieces: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    pieces.extend((0..controls).map(|number| format!("[control_{number}]")));
    let markers = pieces.len();
    pieces.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    let words = vocab.saturating_sub(pieces.len() as u64);
    pieces.extend((0..words).map(|number| spelled("▁", number)));
    let head = json!({
        "version": "1.0",
        "_synthetic": NOTICE,
        "added_tokens": added(&pieces[..markers], 0),
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "decoder": { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
    });
    Tokenizer { head, model: Bpe { r#type: "BPE", byte_fallback: Some(true), vocab: pieces, merges: [] } }
}

/// The bytes, then every third word from the last to the first, then three markers.
fn byte_level() -> Tokenizer {
    let markers: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).to_vec();
    let mut pieces: Vec<String> = (0..=u8::MAX).map(|byte| visible(byte).to_string()).collect();
    let words = QWEN_TOKENS - (pieces.len() + markers.len()) as u64;
    pieces.extend((0..words).rev().map(|number| spelled("Ġ", 3 * number)));
    let head = json!({
        "version": "1.0",
        "_synthetic": NOTICE,
        "added_tokens": added(&markers, pieces.len()),
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
        "decoder": { "type": "ByteLevel" },
    });
    Tokenizer { head, model: Bpe { r#type: "BPE", byte_fallback: None, vocab: pieces, merges: [] } }
}

/// Word `number`; those with an even number begin with a space, written as `space`.
fn spelled(space: &str, number: u64) -> String {
    let mark = if number.is_multiple_of(2) { space } else { "" };
    format!("{mark}{}", word(number))
}

/// A word of its own for each number: a syllable for each of its digits to the base 100.
fn word(mut number: u64) -> String {
    const CONSONANTS: [char; 20] =
        ['b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z'];
    const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];
    let mut word = String::new();
    loop {
        let of = |letters: &[char], digit: u64| usize::try_from(digit).ok().and_then(|at| letters.get(at).copied());
        word.extend(of(&CONSONANTS, number % 100 / 5));
        word.extend(of(&VOWELS, number % 5));
        number /= 100;
        if number == 0 {
            return word;
        }
    }
}

/// The character that stands for a byte: the printable ones of Latin-1 for themselves, the rest from U+0100 on.
fn visible(byte: u8) -> char {
    let hidden = |byte: u8| matches!(byte, 0..=0x20 | 0x7f..=0xa0 | 0xad);
    if hidden(byte) {
        let before = (0..byte).filter(|&other| hidden(other)).count();
        u32::try_from(before).ok().and_then(|before| char::from_u32(0x100 + before)).unwrap_or('\u{fffd}')
    } else {
        char::from(byte)
    }
}

fn numbered<S: Serializer>(pieces: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pieces.iter().zip(0_u64..))
}

fn added(pieces: &[String], first: usize) -> Vec<Value> {
    let marker = |(at, piece): (usize, &String)| json!({ "id": first + at, "content": piece, "special": true });
    pieces.iter().enumerate().map(marker).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::model::models, *};
    use crate::tokens::Vocabulary;

    #[test]
    fn the_vocabularies_fit_their_tables_and_meet_in_part() {
        let of = |id: &str| {
            let model = models().into_iter().find(|model| model.id == id).unwrap();
            (Vocabulary::parse(tokenizer(&model).unwrap().as_bytes()).unwrap(), model.vocab)
        };
        let (mistral, rows) = of("mistralai/Mistral-7B-Instruct-v0.3");
        let (mixtral, fewer) = of("mistralai/Mixtral-8x7B-Instruct-v0.1");
        let (qwen, more) = of("Qwen/Qwen1.5-7B-Chat");
        assert_eq!((mistral.end(), mixtral.end(), qwen.end()), (rows, fewer, QWEN_TOKENS));
        assert_eq!(more - qwen.end(), 290, "padding");
        let numbers = [&mistral, &mixtral, &qwen].map(|of| (of.entries.len(), of.distinct()));
        assert!(numbers.iter().all(|(numbers, distinct)| numbers == distinct), "{numbers:?}");
        let relatives = mistral.shared(&mixtral);
        assert_eq!((relatives.len(), relatives.iter().filter(|(_, a, b)| a == b).count()), (32_000, 3));
        assert_eq!(mistral.shared(&qwen).len(), 256 + 31_741_usize.div_ceil(3));
    }
}
