//! Memory and time of meeting a list of models by their stored chunks, as `hash --chunks` does once the store has answered:
//! `cargo bench --bench chunks`. 10,000 files of 5 GB in 2,500 models. Of 150 terms a file a third stands in all models, a third in one
//! other, and a third in it alone.

use std::{
    io::{Result, Write, stdout},
    time::Instant,
};

use hub_audit::{
    digest::xet::XetHash,
    dtype::Dtype,
    hub::{CasTraffic, Term},
    question::hash::chunks::{ChunkCorpus, ChunkFile, ChunkModel, ChunkPair, ChunkTensor, ChunksAnswer, Content},
    range::ByteRange,
};

const MODELS: u32 = 2_500;
const FILES: u32 = 4;
const TERMS: u32 = 150;
const TENSORS: u32 = 75;

/// Chunks of a term, and its bytes.
const CHUNKS: u32 = 520;
const LEN: u64 = CHUNKS as u64 * (64 << 10);

/// Bytes of memory that a list of this length may take.
const MOST: u64 = 500_000_000;

fn main() -> Result<()> {
    let mut out = stdout();
    let before = peak().unwrap_or_default();
    let start = Instant::now();
    let corpus = ChunkCorpus {
        models: (0..MODELS).map(model).collect(),
        contents: (0..MODELS * FILES).map(content).collect(),
        lengths: Vec::new(),
        traffic: CasTraffic::default(),
        fingerprints: None,
    };
    let made = start.elapsed();
    let start = Instant::now();
    let answer = ChunksAnswer::of(corpus);
    let met = start.elapsed();
    // The first of all, and one neighbour of every other model: no row a pair of models.
    let pairs = answer.pairs.len();
    assert!(pairs < 2 * MODELS as usize, "{pairs} pairs");
    let shared: u64 = answer.pairs.iter().map(ChunkPair::shared_bytes).sum();
    assert!(shared > 0, "nothing is shared");
    writeln!(out, "{} files, {} terms: {pairs} pairs of {MODELS} models", MODELS * FILES, MODELS * FILES * TERMS)?;
    writeln!(out, "made in {:.1} s, met in {:.1} s", made.as_secs_f64(), met.as_secs_f64())?;
    // Elsewhere than on Linux it is not known.
    if let Some(most) = peak() {
        writeln!(out, "peak memory {} MB, {} MB before", most / 1_000_000, before / 1_000_000)?;
        assert!(most < MOST, "{most} bytes of memory");
    }
    Ok(())
}

/// The most memory that this process held, in bytes.
fn peak() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn model(number: u32) -> ChunkModel {
    let size = u64::from(TERMS) * LEN;
    let file = |at: u32| ChunkFile {
        path: format!("model-{:05}-of-{FILES:05}.safetensors", at + 1),
        size,
        content: number * FILES + at,
    };
    let each = size / u64::from(TENSORS);
    let tensor = |at: u32| {
        let start = u64::from(at % TENSORS) * each;
        ChunkTensor {
            name: format!("model.layers.{}.mlp.{}_proj.weight", at / 8, at % 8),
            file: (at / TENSORS) as usize,
            range: ByteRange::new(start, start + each),
            dtype: Dtype::BF16,
            shape: vec![each / 2 / 4096, 4096],
            slot: None,
            layer: None,
            is_buffer: false,
        }
    };
    ChunkModel {
        label: format!("model-{number}"),
        model: format!("owner/model-{number}"),
        commit: "0".repeat(40),
        claim: None,
        files: (0..FILES).map(file).collect(),
        tensors: (0..FILES * TENSORS).map(tensor).collect(),
    }
}

fn content(number: u32) -> Content {
    let (model, file) = (number / FILES, number % FILES);
    let term = |at: u32| {
        let owner = match at % 3 {
            0 => 0,
            1 => 1 + model / 2,
            _ => MODELS + model,
        };
        let block = XetHash::parse(&format!("{owner:032x}{file:016x}{at:016x}")).unwrap_or(XetHash::EMPTY);
        Term { block, chunks: 0..CHUNKS, len: LEN }
    };
    let terms: Vec<Term> = (0..TERMS).map(term).collect();
    Content { size: u64::from(TERMS) * LEN, terms, nodes: Vec::new(), is_cut: false, unexamined: None }
}
