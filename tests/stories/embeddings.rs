//! I compare the token embeddings of two models whose vocabularies differ.

use std::collections::BTreeMap;

use hub_audit::serve::Fault;
use serde_json::{Value, json};

use crate::support::{COMMIT, Shard, Tensor, Workspace, first, gain, llama_config, rows};

/// 32 KiB a row in `BF16`: one row between two is too far to be read along.
const WIDTH: usize = 16_384;

const EMBED: &str = "model.embed_tokens.weight";

/// A byte-level vocabulary. Shared with [`marked`]: ` the`, a line break, ` cat`, ` dog`; the formula is its own.
fn byte_level() -> Value {
    let pieces = ["Ġthe", "=1+1", "b", "Ċ", "Ġcat", "x\u{202e}", "Ġdog", "zz"];
    json!({
        "added_tokens": [{ "id": 8, "content": "<|end|>", "special": true }],
        "pre_tokenizer": { "type": "ByteLevel" },
        "model": { "type": "BPE", "vocab": numbered(&pieces), "merges": [] },
    })
}

/// A vocabulary in which `▁` stands for a space.
fn marked() -> Value {
    let pieces = ["<unk>", "<0x0A>", "▁dog", "q", "r", "▁the", "s", "▁cat"];
    json!({
        "added_tokens": [{ "id": 0, "content": "<unk>", "special": true }],
        "decoder": { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
        "model": { "type": "BPE", "byte_fallback": true, "vocab": numbered(&pieces), "merges": [] },
    })
}

fn numbered(pieces: &[&str]) -> Value {
    pieces
        .iter()
        .enumerate()
        .map(|(id, &piece)| (piece.to_owned(), json!(id)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A table whose rows are drawn by these seeds.
fn table(name: &str, seeds: &[u64], width: usize) -> Tensor {
    let bytes = seeds.iter().flat_map(|&seed| Tensor::bf16("row", &gain(seed, width)).bytes).collect();
    Tensor::raw(name, "BF16", &[seeds.len() as u64, width as u64], bytes)
}

/// A model of one table, with a tokenizer.
fn model(at: &Workspace, id: &str, seeds: &[u64], width: usize, tokenizer: Option<&Value>) -> Shard {
    let shard = at.model(id, &llama_config(0, width), &[table(EMBED, seeds, width)]);
    if let Some(tokenizer) = tokenizer {
        at.file(id, "tokenizer.json", tokenizer.to_string());
    }
    shard
}

/// Two models whose rows of shared tokens are equal, seeds 1 to 4, and all others of their own.
fn pair() -> (Workspace, Shard, Shard) {
    let at = Workspace::new();
    let a = model(&at, "o/a", &[1, 11, 12, 2, 3, 13, 4, 14, 15, 16], WIDTH, Some(&byte_level()));
    let b = model(&at, "o/b", &[21, 2, 4, 22, 23, 1, 24, 3, 25, 26, 27, 28], WIDTH, Some(&marked()));
    (at, a, b)
}

/// The `Range` header of rows `from` up to `to`.
fn asked_rows(shard: &Shard, from: u64, to: u64) -> String {
    let start = shard.ranges[EMBED].start;
    let width = 2 * WIDTH as u64;
    format!("bytes={}-{}", start + from * width, start + to * width - 1)
}

/// The ranges of weights that the Hub was asked for, without those of headers, sorted.
fn row_ranges(at: &Workspace) -> Vec<String> {
    let ranges = at.asked().ranges(".safetensors").into_iter();
    ranges.filter(|range| !range.starts_with("bytes=0-")).collect()
}

fn tokens(at: &Workspace, out: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let rows = rows(&at.read(&format!("{out}/tokens.csv")));
    rows.into_iter().map(|row| (row["token"].clone(), row)).collect()
}

#[test]
fn rows_are_matched_by_text_and_only_theirs_are_asked_for() {
    let (mut at, a, b) = pair();
    at.serve();
    let outcome = at.run(&["embeddings", "o/a", "o/b", "-o", "out"]).expect(0);
    assert!(outcome.stdout.contains("tokens in both       4"), "{outcome}");
    outcome.says(&["2 tensors fetched, 0 from cache"]);
    // Of the first the rows of the shared tokens, neighbours together; of the second also the rows of the same numbers.
    let mut expected = vec![asked_rows(&a, 0, 1), asked_rows(&a, 3, 5), asked_rows(&a, 6, 7), asked_rows(&b, 0, 8)];
    expected.sort();
    assert_eq!(row_ranges(&at), expected);
    let found = tokens(&at, "out");
    let shown: Vec<(&str, &str, &str)> =
        found.values().map(|row| (row["token"].as_str(), row["row_a"].as_str(), row["row_b"].as_str())).collect();
    assert_eq!(shown, [("\\n", "3", "1"), ("▁cat", "4", "7"), ("▁dog", "6", "2"), ("▁the", "0", "5")]);
    for row in found.values() {
        assert_eq!((row["cos_sim"].as_str(), row["pearson"].as_str()), ("1", "1"), "{row:?}");
        let [null, same]: [f64; 2] = ["cos_null", "same_id_pearson"].map(|column| row[column].parse().unwrap());
        assert!((0.9..0.95).contains(&null) && same.abs() < 0.05, "{row:?}");
    }
    assert_eq!(found["\\n"]["bytes"], "0a");
    // Every token of the second is met once at random, and never by itself.
    let mut met: Vec<&str> = found.values().map(|row| row["random_row_b"].as_str()).collect();
    assert!(found.values().all(|row| row["random_row_b"] != row["row_b"]));
    met.sort_unstable();
    assert_eq!(met, ["1", "2", "5", "7"]);
    let report = at.read("out/REPORT.md");
    for text in ["byte-level", "▁ for a space", "`cos_null`", "a token and another at random"] {
        assert!(report.contains(text), "{text}");
    }
}

#[test]
fn what_is_kept_is_not_asked_for_again_and_rows_are_added_to_it() {
    let (mut at, ..) = pair();
    at.serve();
    let [a, b] = ["o/a", "o/b"].map(|id| format!("{id}@{COMMIT}"));
    let run = |at: &Workspace, more: &[&str]| at.run(&[&["embeddings", &a, &b], more].concat()).expect(0);
    run(&at, &["--tokens", "2"]);
    let few = at.asked().cdn_bytes();
    let dry = run(&at, &["--tokens", "all", "--dry-run"]);
    assert!(dry.stdout.contains("of weights still to move"), "{dry}");
    assert_eq!(at.asked().cdn_bytes(), 0);
    run(&at, &["--tokens", "all", "-o", "first"]).says(&["2 tensors fetched"]);
    let rest = at.asked().cdn_bytes();
    // Four rows of the first, eight of the second, each once; and 64 KiB of each file for its header.
    assert_eq!(few + rest, 12 * 2 * WIDTH as u64 + 2 * 65_536);
    run(&at, &["--tokens", "all", "-o", "second"])
        .says(&["moved 0 bytes in 0 requests, 0 tensors fetched, 2 from cache"]);
    assert_eq!(at.asked().count(), 0);
    assert_eq!(at.read("first/tokens.csv"), at.read("second/tokens.csv"));
    assert_eq!(at.read("first/REPORT.md"), at.read("second/REPORT.md"));
    let listed = at.run(&["cache", "ls", "--tensors"]).expect(0);
    for rows in ["[4 rows]", "[8 rows]"] {
        assert!(listed.stdout.contains(&format!("{EMBED} {rows}")), "{listed}");
    }
    at.run(&["cache", "verify"]).expect(0);
    // After a byte has gone wrong, and without network.
    let path = at.kept("o/a").join(format!("{EMBED}.rows.npy"));
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    run(&at, &["--tokens", "all", "-o", "third"]).says(&["1 tensor fetched, 1 from cache"]);
    assert_eq!(at.read("first/tokens.csv"), at.read("third/tokens.csv"));
    at.close();
    run(&at, &["--tokens", "all", "--offline"]);
}

#[test]
fn a_folder_and_the_hub_give_the_same_tokens_on_any_number_of_threads() {
    let (mut at, ..) = pair();
    at.serve();
    at.run(&["embeddings", "o/a", "o/b", "--tokens", "3", "--seed", "7", "--threads", "1", "-o", "hub"]).expect(0);
    at.run(&[
        "embeddings",
        "./hub/o/a",
        "./hub/o/b",
        "--tokens",
        "3",
        "--seed",
        "7",
        "--threads",
        "2",
        "-o",
        "folder",
        "--offline",
    ])
    .expect(0)
    .says(&["wrote "]);
    assert_eq!(at.read("hub/tokens.csv"), at.read("folder/tokens.csv"));
    assert_eq!(rows(&at.read("hub/tokens.csv")).len(), 3);
    at.run(&["embeddings", "o/a", "o/b", "--tokens", "3", "--seed", "8", "-o", "other"]).expect(0);
    // A whole table in the cache serves as well.
    at.run(&["fetch", "o/a", "o/b", "--role", "embed_tokens"]).expect(0);
    at.asked();
    at.run(&["embeddings", "o/a", "o/b", "-o", "whole"]).expect(0).says(&["0 tensors fetched, 2 from cache"]);
    let all = tokens(&at, "whole");
    for (token, row) in tokens(&at, "hub") {
        assert_eq!(row["same_id_cos_sim"], all[&token]["same_id_cos_sim"]);
    }
}

#[test]
fn a_model_without_a_tokenizer_can_be_compared_by_number() {
    let mut at = Workspace::new();
    for (id, seeds) in [("o/a", [1, 2, 3, 4]), ("o/b", [1, 2, 3, 5])] {
        model(&at, id, &seeds, 64, None);
    }
    at.serve();
    let outcome = at.run(&["embeddings", "o/a", "o/b"]).expect(2);
    outcome.says(&["`o/a@c0ffee00` has no `tokenizer.json`", "hint: ", "--same-id"]);
    let outcome = at.run(&["embeddings", "o/a", "o/b", "--same-id", "-o", "out"]).expect(0);
    assert!(outcome.stdout.contains("same number"), "{outcome}");
    // Every row is wanted: the table came whole, and is an entry like any other.
    assert!(at.kept("o/a").join(format!("{EMBED}.npy")).exists());
    let pearson: Vec<String> = rows(&at.read("out/tokens.csv")).iter().map(|row| row["pearson"].clone()).collect();
    assert_eq!(pearson[..3], ["1", "1", "1"]);
    assert!(pearson[3].parse::<f64>().unwrap().abs() < 0.5);
    assert!(at.read("out/REPORT.md").contains("Rows are matched by number alone"));
}

#[test]
fn tables_that_cannot_be_compared_are_said_and_no_weight_moves() {
    let mut at = Workspace::new();
    model(&at, "o/a", &[1; 10], 64, Some(&byte_level()));
    model(&at, "o/wide", &[1; 12], 128, Some(&marked()));
    model(&at, "o/none", &[1; 9], 64, Some(&json!({ "model": { "vocab": { "only": 0 }, "merges": [] } })));
    at.file("o/broken", "config.json", llama_config(0, 64).to_string());
    model(&at, "o/broken", &[1; 4], 64, None);
    at.file("o/broken", "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":1,\"b\":1}}}");
    at.serve();
    let outcome = at.run(&["embeddings", "o/a", "o/wide", "-o", "out"]).expect(1);
    outcome.says(&["no rows were compared: rows of the first table have 64 elements and those of the second 128"]);
    assert!(outcome.stdout.contains("tokens in both       4"), "{outcome}");
    assert!(at.read("out/REPORT.md").contains("No rows were compared"));
    at.run(&["embeddings", "o/a", "o/none"]).expect(1).says(&["share no token"]);
    let head = at.run(&["embeddings", "o/a", "o/a", "--role", "lm_head"]).expect(1);
    head.says(&["it has no `lm_head` tensor", "ask for embed_tokens"]);
    let moved = at.asked();
    assert!(moved.ranges(".safetensors").iter().all(|range| range.starts_with("bytes=0-")));
    let outcome = at.run(&["embeddings", "o/a", "o/broken"]).expect(2);
    outcome.says(&["file `tokenizer.json` of `o/broken@c0ffee00` cannot be used", "both have number 1", "--same-id"]);
    at.run(&["embeddings", "o/a"]).expect(2).says(&["`embeddings` needs exactly two models, got 1"]);
    at.run(&["embeddings", "o/a", "o/gone"]).expect(2).says(&["o/gone"]);
    at.run(&["embeddings", "o/a", "o/a", "--tokens", "0"]).expect(2).says(&["write a number above 0, or all"]);
}

#[test]
fn what_a_token_says_is_harmless_and_a_plan_above_the_limit_is_refused() {
    let (mut at, ..) = pair();
    at.serve();
    at.run(&["embeddings", "o/a", "o/a", "--max-bytes", "1kB"]).expect(2).says(&["more than the limit of 1.0 kB"]);
    let outcome = at.run(&["embeddings", "o/a", "o/a", "-o", "out"]).expect(0);
    assert!(outcome.stdout.contains("padded rows") && outcome.stdout.contains("8 of 8"), "{outcome}");
    let found = tokens(&at, "out");
    assert!(found.contains_key("'=1+1") && found.contains_key("x\\u{202e}"), "{:?}", found.keys());
    let found = at.run(&["embeddings", "o/a", "o/a", "--fail-if", "pearson>=0.99"]).expect(3);
    assert!(found.stderr.contains("--fail-if pearson>=0.99 holds"), "{found}");
    at.run(&["embeddings", "o/a", "o/a", "--fail-if", "abs(pearson)<0.9", "-q"]).expect(0);
    for (name, bytes) in Workspace::files(&at.path().join("out")) {
        assert!(!String::from_utf8_lossy(&bytes).contains('\u{202e}'), "{name}");
    }
}

#[test]
fn rows_that_did_not_arrive_are_said_and_the_others_stay() {
    let (mut at, a, _) = pair();
    let lost = asked_rows(&a, 3, 5);
    at.serve_with(move |options| {
        let chosen = move |request: &hub_audit::serve::LoggedRequest| request.range.as_deref() == Some(lost.as_str());
        options.intercept = Some(first(1, chosen, refusal()));
    });
    let outcome = at.run(&["embeddings", "o/a", "o/b", "-o", "out"]).expect(1);
    outcome.says(&["rows of a were not fetched", "no rows were compared"]);
    at.asked();
    at.run(&["embeddings", "o/a", "o/b"]).expect(0);
    assert_eq!(row_ranges(&at), [asked_rows(&a, 3, 5)]);
}

/// A range that is gone, for good.
fn refusal() -> Fault {
    Fault::Reply { status: 404, headers: vec![("Content-Length".to_owned(), "0".to_owned())], body: Vec::new() }
}

#[test]
fn rows_are_named_by_number_and_one_that_cannot_be_compared_is_told() {
    let (mut at, ..) = pair();
    at.serve();
    // Row 0 is ` the`, 3 a line break; 1 is a text of the first alone, 8 a marker of the first alone, 99 no row.
    let named = at.run(&["embeddings", "o/a", "o/b", "--ids", "3,0,1,99", "-o", "out"]).expect(1);
    named.says(&[
        "row 1 of the first table is not compared: it has no token that the second vocabulary has as well",
        "row 99 of the first table is not compared: the first table has 10 rows",
    ]);
    let found = tokens(&at, "out");
    let shown: Vec<(&str, &str)> = found.values().map(|row| (row["row_a"].as_str(), row["row_b"].as_str())).collect();
    assert_eq!(shown, [("3", "1"), ("0", "5")]);
    assert!(found.values().all(|row| row["cos_sim"] == "1"));
    assert!(named.stdout.lines().any(|line| line.starts_with("▁the ") && line.contains("1.0000")), "{named}");
    // By number alone, as a published page does.
    let same = at.run(&["embeddings", "o/a", "o/b", "--same-id", "--ids", "0,10", "-o", "same"]).expect(1);
    same.says(&["row 10 of the first table is not compared: the first table has 10 rows"]);
    assert_eq!(rows(&at.read("same/tokens.csv")).iter().map(|row| row["row_b"].as_str()).collect::<Vec<_>>(), ["0"]);
}
