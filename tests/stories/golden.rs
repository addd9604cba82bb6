//! Everything that the program writes stays as it is, byte for byte, unless a change says otherwise: every command on small
//! checkpoints and on the embedded Hub, each file and both streams by SHA-256.
//!
//! A digest guards a move; it says nothing about whether a number is right. `UPDATE_GOLDENS=1` writes the digests anew; what changed
//! then belongs into CHANGELOG.md, with the reason.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use hub_audit::digest::sha256_hex;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{PROGRAM, Tensor, Workspace, gain, llama_config};

const DIGESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/digests.txt");

/// Name and words of each run; what it writes under `-o` goes into a folder of its name.
const RUNS: &[(&str, &str)] = &[
    ("help", "--help"),
    ("help-survey", "survey --help"),
    ("help-compare", "compare --help"),
    ("help-layers", "layers --help"),
    ("help-hash", "hash --help"),
    ("help-cache", "cache --help"),
    ("completions", "completions bash"),
    ("inspect", "inspect ./hub/o/a ./hub/o/b ./hub/o/g ./hub/o/q"),
    ("inspect-one", "inspect o/a --tensors"),
    ("inspect-json", "inspect o/a o/q --format json"),
    ("inspect-demo", "inspect --demo upstage/Solar-Open-100B zai-org/GLM-4.5-Air"),
    ("fetch-dry", "fetch o/a --role all --dry-run"),
    ("fetch", "fetch o/a --role norms --layers 0,2"),
    ("help-lineage", "lineage --help"),
    ("lineage", "lineage o/a o/b o/d -o OUT --formats csv,json,md,html,svg"),
    (
        "lineage-demo",
        "lineage --demo mistralai/Mixtral-8x7B-Instruct-v0.1 mistralai/Mistral-7B-Instruct-v0.3 --no-deep -o OUT --formats csv,json,md,svg",
    ),
    ("survey-demo", "survey --demo -o OUT"),
    (
        "survey-demo-norms",
        "survey --demo --layers 5,10 --role norms --metric cos_sim,pearson,rel_l2_err -o OUT --formats csv,json,md,svg --order cluster",
    ),
    ("survey-demo-json", "survey --demo --format json"),
    ("survey-depth", "survey o/a o/b o/c o/d --pairing depth --role norms -o OUT --formats csv,json,md"),
    ("survey-all", "survey o/a o/d --pairing all --role all -o OUT --formats csv,json,md,html,svg"),
    ("survey-mixed", "survey o/a o/b o/d --at o/a=1,o/b=2,o/d=3 -o OUT --formats csv,json,md"),
    (
        "survey-groups",
        "survey o/a o/b o/c o/d --group near=o/a,o/b --group far=o/c,o/d --trials 20 --seed 3 -o OUT --formats csv,json,md,svg --fail-if pearson>0.9",
    ),
    ("survey-normal", "survey o/a o/c --baseline-normal 1,0.1 --trials 50 -o OUT --formats csv,md"),
    ("survey-missing", "survey o/a o/nothing o/g --layers 0,9"),
    ("survey-pattern", "survey o/a o/c --tensor mlp\\.(?<layer>x)?down_proj -o OUT --formats csv"),
    ("layers", "layers o/a o/d --role norms -o OUT"),
    (
        "layers-matrices",
        "layers o/a --role matrices --effective-rank --align heads,attention,mlp-rotation,mlp-permutation -o OUT",
    ),
    ("layers-stride", "layers ./hub/o/g --role matrices --stride 2 -o OUT --formats csv,json,md"),
    ("compare", "compare o/a o/b -o OUT"),
    ("compare-folders", "compare ./hub/o/a ./hub/o/c -o OUT --formats csv,json,md --fail-if pearson>0.5"),
    ("compare-layouts", "compare o/a o/g -o OUT --formats csv,json,md"),
    ("compare-scaled", "compare o/a o/q -o OUT --formats csv,json,md,html"),
    (
        "compare-demo",
        "compare --demo mistralai/Mixtral-8x7B-Instruct-v0.1 mistralai/Mistral-7B-Instruct-v0.3 --role norms -o OUT --formats csv,json,md",
    ),
    ("hash", "hash o/a o/q"),
    ("hash-matches", "hash o/a o/b o/d --matches"),
    ("hash-files", "hash o/a o/b o/twin --files"),
    ("embeddings", "embeddings o/a o/c --tokens 40 -o OUT"),
    ("embeddings-same-id", "embeddings o/a o/b --same-id --tokens all -o OUT --formats csv,json,md"),
    ("critique", "critique --demo -o OUT"),
    ("critique-ko", "critique --demo --lang ko --all-layers -o OUT --formats csv,json,md,html"),
    ("critique-roles", "critique --demo --roles norms -o OUT --formats csv,md"),
    (
        "survey-demo-lineage",
        "survey --demo mistralai/Mixtral-8x7B-Instruct-v0.1 mistralai/Mistral-7B-Instruct-v0.3 01-ai/Yi-1.5-6B-Chat --layers 10 --lineage -o OUT --formats csv,json,md,svg",
    ),
    ("critique-lineage", "critique --demo --lineage -o OUT --formats csv,json,md"),
    ("cache-ls", "cache ls"),
    ("cache-verify", "cache verify"),
    ("cache-prune", "cache prune --max-size 1kB"),
];

const WIDTH: usize = 32;
const INNER: usize = 48;

fn noise(seed: u64, count: usize) -> Vec<f32> {
    gain(seed, count).iter().map(|value| value - 1.0).collect()
}

fn matrix(name: &str, shape: [usize; 2], values: &[f32]) -> Tensor {
    let bytes = Tensor::bf16(name, values).bytes;
    Tensor::raw(name, "BF16", &shape.map(|extent| extent as u64), bytes)
}

/// Names, shapes and values of a llama whose numbers are near those of seed `near` by a factor of `far`.
fn parts(seed: u64, near: Option<(u64, f32)>, layers: usize) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut parts: Vec<(String, Vec<usize>)> = vec![("model.embed_tokens.weight".into(), vec![60, WIDTH])];
    for layer in 0..layers {
        for (role, shape) in [
            ("input_layernorm", vec![WIDTH]),
            ("post_attention_layernorm", vec![WIDTH]),
            ("self_attn.q_proj", vec![WIDTH, WIDTH]),
            ("self_attn.k_proj", vec![WIDTH / 2, WIDTH]),
            ("self_attn.v_proj", vec![WIDTH / 2, WIDTH]),
            ("self_attn.o_proj", vec![WIDTH, WIDTH]),
            ("mlp.gate_proj", vec![INNER, WIDTH]),
            ("mlp.up_proj", vec![INNER, WIDTH]),
            ("mlp.down_proj", vec![WIDTH, INNER]),
        ] {
            parts.push((format!("model.layers.{layer}.{role}.weight"), shape));
        }
    }
    parts.push(("model.norm.weight".into(), vec![WIDTH]));
    (0..)
        .zip(parts)
        .map(|(number, (name, shape))| {
            let count = shape.iter().product();
            let centre = if shape.len() == 1 { 1.0 } else { 0.0 };
            let own = noise(seed * 1000 + number, count);
            let values = match near {
                None => own,
                Some((of, far)) => {
                    noise(of * 1000 + number, count).iter().zip(&own).map(|(base, own)| base + far * own).collect()
                }
            };
            (name, shape, values.iter().map(|value| centre + value).collect())
        })
        .collect()
}

fn config(layers: usize) -> Value {
    let mut config = llama_config(layers, WIDTH);
    config["num_attention_heads"] = json!(4);
    config["num_key_value_heads"] = json!(2);
    config["intermediate_size"] = json!(INNER);
    config["vocab_size"] = json!(60);
    config
}

fn llama(at: &Workspace, id: &str, seed: u64, near: Option<(u64, f32)>, layers: usize) {
    let tensor = |(name, shape, values): (String, Vec<usize>, Vec<f32>)| match *shape {
        [rows, columns] => matrix(&name, [rows, columns], &values),
        _ => Tensor::bf16(&name, &values),
    };
    let tensors: Vec<Tensor> = parts(seed, near, layers).into_iter().map(tensor).collect();
    at.model(id, &config(layers), &tensors);
    let vocabulary: serde_json::Map<String, Value> =
        (0..60).map(|row| (format!("tok{}", (row * 7 + seed) % 80), json!(row))).collect();
    let tokenizer = json!({ "model": { "type": "BPE", "vocab": vocabulary, "merges": [] } });
    at.file(id, "tokenizer.json", tokenizer.to_string());
}

/// The same seed in GPT-2's names: fused query, key and value, stored `[in, out]`.
fn gpt2(at: &Workspace, id: &str, seed: u64) {
    let mut tensors = vec![matrix("wte.weight", [60, WIDTH], &noise(seed, 60 * WIDTH))];
    for layer in 0..3 {
        let mut add = |name: &str, shape: &[usize], salt: u64| {
            let values = noise(seed * 77 + layer * 10 + salt, shape.iter().product());
            let name = format!("h.{layer}.{name}");
            tensors.push(match *shape {
                [rows, columns] => matrix(&name, [rows, columns], &values),
                _ => Tensor::bf16(&name, &values),
            });
        };
        add("ln_1.weight", &[WIDTH], 0);
        add("ln_1.bias", &[WIDTH], 1);
        add("attn.c_attn.weight", &[WIDTH, 3 * WIDTH], 2);
        add("attn.c_proj.weight", &[WIDTH, WIDTH], 3);
        add("ln_2.weight", &[WIDTH], 4);
        add("mlp.c_fc.weight", &[WIDTH, 4 * WIDTH], 5);
        add("mlp.c_proj.weight", &[4 * WIDTH, WIDTH], 6);
    }
    let config = json!({
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 3, "n_embd": WIDTH, "n_head": 4,
    });
    at.model(id, &config, &tensors);
}

/// Seed 1 with matrices of the layers as `I8` and a scale a row.
fn scaled(at: &Workspace, id: &str) {
    let mut tensors = Vec::new();
    for (name, shape, values) in parts(1, None, 3) {
        match *shape {
            [rows, columns] if name.contains("layers") => {
                let codes = values.iter().map(|value| (value * 200.0).round().clamp(-127.0, 127.0));
                #[expect(clippy::cast_possible_truncation, reason = "a code is a small whole number")]
                let codes = codes.flat_map(|code| (code as i8).to_le_bytes()).collect();
                tensors.push(Tensor::raw(&name, "I8", &[rows as u64, columns as u64], codes));
                let scale = Tensor::f32("", &vec![1.0 / 200.0; rows]).bytes;
                tensors.push(Tensor::raw(&format!("{name}_scale"), "F32", &[rows as u64, 1], scale));
            }
            [rows, columns] => tensors.push(matrix(&name, [rows, columns], &values)),
            _ => tensors.push(Tensor::bf16(&name, &values)),
        }
    }
    at.model(id, &config(3), &tensors);
}

/// What differs from run to run or from machine to machine, in words.
fn masked(text: &str) -> String {
    let provenance = Regex::new(r#""provenance": \{.*\},"#).unwrap();
    let rate = Regex::new(r"(at )?\d+ GFLOP/s|[\d.]+ s\b|\d+ min\b").unwrap();
    let text = text.replace(PROGRAM, "hub-audit");
    rate.replace_all(&provenance.replace_all(&text, "PROVENANCE"), "RATE").into_owned()
}

fn digest_of(name: &str, bytes: &[u8]) -> String {
    let is_json = Path::new(name).extension().is_some_and(|end| end == "json");
    match (is_json, std::str::from_utf8(bytes)) {
        (true, Ok(text)) => sha256_hex(masked(text).as_bytes()),
        _ => sha256_hex(bytes),
    }
}

/// Small checkpoints in several layouts, served.
pub(crate) fn small_models() -> Workspace {
    let mut at = Workspace::new();
    llama(&at, "o/a", 1, None, 3);
    llama(&at, "o/b", 2, Some((1, 0.1)), 3);
    llama(&at, "o/c", 3, None, 3);
    llama(&at, "o/d", 4, None, 5);
    llama(&at, "o/twin", 1, None, 3);
    gpt2(&at, "o/g", 5);
    scaled(&at, "o/q");
    at.serve();
    at
}

#[test]
fn what_is_written_stays_as_it_is_byte_for_byte() {
    let at = small_models();
    let mut found = BTreeMap::new();
    for (name, words) in RUNS {
        let folder = format!("out/{name}");
        let words: Vec<&str> = words.split(' ').map(|word| if word == "OUT" { &folder } else { word }).collect();
        let outcome = at.run_as(&words, |command| {
            command.env("COLUMNS", "80").env("RAYON_NUM_THREADS", "2");
        });
        let mut streams = format!("status {}\n", outcome.status);
        let _ = write!(streams, "{}\n{}", masked(&outcome.stdout), masked(&outcome.stderr));
        if std::env::var_os("SHOW_GOLDENS").is_some() {
            fs_err::create_dir_all("target/golden").unwrap();
            fs_err::write(format!("target/golden/{name}.txt"), &streams).unwrap();
        }
        found.insert(format!("{name}/streams"), sha256_hex(streams.as_bytes()));
        for (file, bytes) in Workspace::files(&at.path().join(&folder)) {
            found.insert(format!("{name}/{file}"), digest_of(&file, &bytes));
            if std::env::var_os("SHOW_GOLDENS").is_some() {
                let path = format!("target/golden/{name}/{file}");
                fs_err::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
                fs_err::write(path, bytes).unwrap();
            }
        }
    }
    let mut text = String::new();
    for (name, digest) in &found {
        let _ = writeln!(text, "{digest}  {name}");
    }
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs_err::write(DIGESTS, &text).unwrap();
    }
    let frozen = fs_err::read_to_string(DIGESTS).unwrap();
    let of = |text: &str| -> BTreeMap<String, String> {
        let line = |line: &str| line.split_once("  ").map(|(digest, name)| (name.to_owned(), digest.to_owned()));
        text.lines().filter_map(line).collect()
    };
    let (frozen, found) = (of(&frozen), of(&text));
    let names = frozen.keys().chain(found.keys()).filter(|name| frozen.get(*name) != found.get(*name));
    let changed: std::collections::BTreeSet<_> = names.collect();
    assert!(changed.is_empty(), "other bytes than before (SHOW_GOLDENS=1 keeps them in target/golden): {changed:#?}");
}
