//! A model's tokens by their numbers, which are the rows of its embedding table.

use std::collections::{BTreeMap, HashMap};

use super::{error::TokenError, parse::File, spelling::Spelling, token::Token};

/// Bytes of the longest token that is read, as the file spells it. The longest in use are runs of a few hundred spaces.
const LONGEST: usize = 16 * 1024;

/// The tokens of one model.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// What kind of tokenizer it is, as the file names it: `BPE`, `WordPiece`, `Unigram`, `WordLevel`.
    pub kind: &'static str,
    /// How it spells texts.
    pub spelling: Spelling,
    /// Every number, which is the row of the embedding table, with its token, in the order of numbers; never empty.
    pub entries: Vec<(u32, Token)>,
    /// The number by which each token is looked up. Never iterated: the order of a hash table is no order.
    ids: HashMap<Token, u32>,
}

impl Vocabulary {
    /// Reads a `tokenizer.json`.
    ///
    /// An added token takes its number from the vocabulary, and stands for its content as it is written. Where several numbers
    /// stand for one token, a piece of text goes before a byte fallback, then the lowest goes first.
    pub fn parse(json: &[u8]) -> Result<Self, TokenError> {
        let mut file: File = serde_json::from_slice(json).map_err(|source| TokenError::Json { source })?;
        let (kind, spelling) = (file.kind()?, file.spelling()?);
        // The token of an added piece; `None` where the model's vocabulary spells it its way.
        let mut written: BTreeMap<u32, (String, Option<Token>)> = BTreeMap::new();
        for (piece, id) in std::mem::take(&mut file.model.vocab.pieces) {
            if let Some((other, _)) = written.get(&id) {
                return Err(TokenError::SameId { id, first: other.clone(), second: piece });
            }
            written.insert(id, (piece, None));
        }
        for added in file.added_tokens {
            let content = &added.content;
            let token = if added.special { Token::marker(content) } else { Token::text(content.as_bytes()) };
            written.insert(added.id, (added.content, Some(token)));
        }
        if let Some((&id, (piece, _))) = written.iter().find(|(_, (piece, _))| piece.len() > LONGEST) {
            return Err(TokenError::Long { id, bytes: piece.len(), most: LONGEST });
        }
        if written.is_empty() {
            return Err(TokenError::Empty);
        }
        let mut ids = HashMap::with_capacity(written.len());
        let mut fallbacks = Vec::new();
        let mut entries = Vec::with_capacity(written.len());
        for (id, (piece, added)) in written {
            let is_fallback = added.is_none() && spelling.is_fallback(&piece);
            let token = added.unwrap_or_else(|| spelling.read(&piece));
            if is_fallback {
                fallbacks.push((token.clone(), id));
            } else {
                ids.entry(token.clone()).or_insert(id);
            }
            entries.push((id, token));
        }
        for (token, id) in fallbacks {
            ids.entry(token).or_insert(id);
        }
        Ok(Self { kind, spelling, entries, ids })
    }

    /// One past the largest number: rows from here on have no token.
    pub fn end(&self) -> u64 {
        self.entries.last().map_or(0, |(id, _)| u64::from(*id) + 1)
    }

    /// How many tokens differ from each other.
    pub fn distinct(&self) -> usize {
        self.ids.len()
    }

    /// How many are markers.
    pub fn special(&self) -> usize {
        self.entries.iter().filter(|(_, token)| token.special).count()
    }

    /// The number of a token.
    pub fn id(&self, token: &Token) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// (token, its number here, its number in `other`) of the tokens in both, by the number here. Tokens are counted, not numbers: one
    /// that a vocabulary has twice counts once, where it is looked up.
    pub fn shared(&self, other: &Self) -> Vec<(Token, u32, u32)> {
        let looked_up = self.entries.iter().filter(|(id, token)| self.id(token) == Some(*id));
        looked_up.filter_map(|(id, token)| Some((token.clone(), *id, other.id(token)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &Value) -> Vocabulary {
        Vocabulary::parse(json.to_string().as_bytes()).unwrap()
    }

    fn gpt2() -> Vocabulary {
        read(&json!({
            "version": "1.0",
            "added_tokens": [{ "id": 6, "content": "<|end|>", "special": true }, { "id": 7, "content": "  ", "special": false }],
            "normalizer": null,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
                { "type": "Split", "pattern": { "Regex": "x" }, "behavior": "Isolated" },
                { "type": "ByteLevel", "add_prefix_space": false },
            ]},
            "decoder": { "type": "ByteLevel" },
            "model": { "type": "BPE", "vocab": { "Ġthe": 5, "the": 0, "Ċ": 1, "Ã": 2, "é": 3, "Ġ": 4 }, "merges": ["Ġ t", ["a", "b"]] },
        }))
    }

    fn llama() -> Vocabulary {
        read(&json!({
            "added_tokens": [{ "id": 0, "content": "<unk>", "special": true }],
            "normalizer": { "type": "Sequence", "normalizers": [
                { "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
            ]},
            "model": { "type": "BPE", "byte_fallback": true, "merges": [],
                "vocab": { "<unk>": 0, "<0x0A>": 1, "<0x41>": 2, "▁the": 3, "A": 4, "▁": 5 } },
        }))
    }

    fn unigram() -> Vocabulary {
        read(&json!({
            "pre_tokenizer": { "type": "Metaspace", "replacement": "▁" },
            "model": { "type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁the", -3.5], ["\n", -4]] },
        }))
    }

    fn bert() -> Vocabulary {
        read(&json!({
            "added_tokens": [{ "id": 0, "content": "[PAD]", "special": true }],
            "normalizer": { "type": "BertNormalizer" },
            "decoder": { "type": "WordPiece", "prefix": "##" },
            "model": { "type": "WordPiece", "continuing_subword_prefix": "##", "vocab": { "[PAD]": 0, "the": 1, "##the": 2 } },
        }))
    }

    #[test]
    fn each_kind_is_recognised() {
        let seen = [gpt2(), llama(), unigram(), bert()].map(|of| format!("{}, {}", of.kind, of.spelling));
        assert_eq!(
            seen,
            ["BPE, byte-level", "BPE, `▁` for a space", "Unigram, `▁` for a space", "WordPiece, `##` inside a word"]
        );
    }

    #[test]
    fn vocabularies_of_different_kinds_meet_by_text() {
        let the = Token::text(" the");
        let ids = [gpt2(), llama(), unigram(), bert()].map(|of| of.id(&the));
        assert_eq!(ids, [Some(5), Some(3), Some(1), Some(1)]);
        let shared: Vec<(String, u32, u32)> =
            gpt2().shared(&llama()).into_iter().map(|(token, a, b)| (token.to_string(), a, b)).collect();
        let expected = [("\\n", 1, 1), ("▁", 4, 5), ("▁the", 5, 3)];
        assert_eq!(shared, expected.map(|(token, a, b)| (token.to_owned(), a, b)));
        assert_eq!((gpt2().distinct(), llama().distinct()), (8, 5));
    }

    #[test]
    fn an_added_token_is_what_it_says_and_a_byte_gives_way_to_its_character() {
        let llama = llama();
        assert_eq!(llama.id(&Token::marker("<unk>")), Some(0));
        assert_eq!(llama.id(&Token::text("<unk>")), None);
        assert_eq!(llama.id(&Token::text("A")), Some(4));
        assert_eq!((llama.entries.len(), llama.distinct(), llama.special(), llama.end()), (6, 5, 1, 6));
        assert_eq!(gpt2().id(&Token::text("  ")), Some(7));
    }

    #[test]
    fn files_from_before_kinds_were_named_are_understood() {
        let kind = |model: Value| read(&json!({ "model": model })).kind;
        assert_eq!(kind(json!({ "vocab": { "a": 0 }, "merges": [] })), "BPE");
        assert_eq!(kind(json!({ "vocab": [["a", 0.5]] })), "Unigram");
        assert_eq!(kind(json!({ "vocab": { "a": 0 }, "continuing_subword_prefix": "##" })), "WordPiece");
        assert_eq!(kind(json!({ "vocab": { "a": 0 } })), "WordLevel");
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let refused = |text: &str| Vocabulary::parse(text.as_bytes()).unwrap_err().to_string();
        for text in [
            "",
            "[]",
            "{}",
            r#"{"model":{"vocab":3}}"#,
            r#"{"model":{"vocab":{"a":-1}}}"#,
            r#"{"model":{"vocab":{"a":4294967296}}}"#,
            r#"{"model":{"vocab":[["a"]]}}"#,
        ] {
            assert_eq!(refused(text), "it is not the JSON of a tokenizer", "{text}");
        }
        let deep = format!(r#"{{"model":{{"vocab":{{}}}},"decoder":{}{}}}"#, "[".repeat(9999), "]".repeat(9999));
        assert_eq!(refused(&deep), "it is not the JSON of a tokenizer");
        assert_eq!(refused(r#"{"model":{"vocab":{}}}"#), "its vocabulary is empty");
        assert_eq!(refused(r#"{"model":{"vocab":{"a":3,"b":3}}}"#), "its tokens `a` and `b` both have number 3");
        assert_eq!(
            refused(r#"{"model":{"type":"Tiktoken","vocab":{"a":3}}}"#),
            "its model is of the kind `Tiktoken`, which is not known here"
        );
        let long = format!(r#"{{"model":{{"vocab":{{"{}":7}}}}}}"#, "=".repeat(20_000));
        assert_eq!(
            refused(&long),
            "its token 7 has 20000 bytes, more than the 16384 bytes of the longest that is read"
        );
    }

    /// The reason beneath what is said of the file.
    fn reason(text: &str) -> String {
        let error = Vocabulary::parse(text.as_bytes()).unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    }

    #[test]
    fn what_no_tokenizer_has_so_many_of_is_refused_before_it_fills_memory() {
        let steps = |list: &str| format!(r#"{{"model":{{"vocab":{{"a":0}}}},"decoder":{{"decoders":[{list}]}}}}"#);
        let is_read = |text: &str| Vocabulary::parse(text.as_bytes()).is_ok();
        assert!(is_read(&steps(&vec!["{}"; 4095].join(","))));
        assert!(
            reason(&steps(&vec!["{}"; 4096].join(",")))
                .starts_with("more than 4096 steps and fields of steps at line 1")
        );
        // Fields that nobody asks for cost nothing.
        assert!(is_read(&steps(&format!(r#"{{"trie":[{}]}}"#, vec!["0"; 100_000].join(",")))));
        let pieces = vec![r#"["",0]"#; (1 << 22) + 1].join(",");
        assert!(
            reason(&format!(r#"{{"model":{{"vocab":[{pieces}]}}}}"#)).starts_with("more than 4194304 tokens at line 1")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Vocabulary::parse(&bytes);
        }

        #[test]
        fn any_pieces_are_read_and_found_again(
            pieces in proptest::collection::btree_set("(?s)[Ġ▁#<0xA>a]{0,4}.{0,3}", 1..20),
            kind in prop_oneof![Just("BPE"), Just("WordPiece"), Just("WordLevel")],
            step in prop_oneof![Just("ByteLevel"), Just("Metaspace"), Just("none")],
            suffix in prop_oneof![Just(""), Just("</w>")],
            added in proptest::collection::vec((0_u32..40, "(?s).{0,4}", any::<bool>()), 0..5),
        ) {
            let vocab: serde_json::Map<String, Value> =
                pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), json!(id))).collect();
            let added: Vec<Value> = added
                .iter()
                .map(|(id, content, special)| json!({ "id": id, "content": content, "special": special }))
                .collect();
            let vocabulary = read(&json!({
                "added_tokens": added,
                "decoder": { "type": step },
                "model": { "type": kind, "vocab": vocab, "end_of_word_suffix": suffix },
            }));
            for (_, token) in &vocabulary.entries {
                let found = vocabulary.id(token);
                prop_assert!(found.is_some());
                let shown = token.to_string();
                prop_assert!(!shown.chars().any(char::is_control), "{shown}");
            }
            let shared = vocabulary.shared(&vocabulary);
            prop_assert_eq!(shared.len(), vocabulary.distinct());
            prop_assert!(shared.iter().all(|(_, a, b)| a == b));
        }
    }
}
