//! A thousand pairs of small models, cut, packed and uploaded as Xet storage does it: nothing is claimed that is not so.
//!
//! A symbol stands for a kibibyte. Chunks end where the symbols say, blocks are named by their content, a chunk that is known is usually
//! found and sometimes stored once more, and terms are split at random, as a store that is defragmented has them.

use std::{
    collections::{BTreeSet, HashMap, hash_map::DefaultHasher},
    convert::Infallible,
    hash::{Hash, Hasher},
};

use futures::executor::block_on;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{ChunkCorpus, ChunkFile, ChunkModel, ChunkTensor, ChunksAnswer, Content, Verdict, terms::TermIndex};
use crate::{
    digest::xet::XetHash,
    dtype::Dtype,
    hub::{CasTraffic, Term},
    range::ByteRange,
};

const UNIT: u64 = 1 << 10;

/// Symbols of a chunk.
const LEAST: usize = 8;
const MOST: usize = 128;

/// Chunks of a block here: few, so that a file has several.
const BLOCK: usize = 12;

type Symbols = Vec<u64>;

/// Names of tensors and their symbols, in the order of the file.
type Tensors = Vec<(String, Symbols)>;

fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn cut(file: &[u64]) -> Vec<&[u64]> {
    let (mut chunks, mut start) = (Vec::new(), 0);
    for end in 1..=file.len() {
        let len = end - start;
        let is_end = len >= LEAST && end >= 3 && digest(&file[end - 3..end]).is_multiple_of(40);
        if is_end || len == MOST || end == file.len() {
            chunks.push(&file[start..end]);
            start = end;
        }
    }
    chunks
}

/// Stored blocks, and which chunk is where.
#[derive(Default)]
struct Storage {
    blocks: Vec<Vec<Symbols>>,
    known: HashMap<Symbols, (usize, u32)>,
}

impl Storage {
    /// Uploads a file: which chunk of which block each of its chunks is.
    fn upload(&mut self, file: &[u64], is_shared: bool, rng: &mut ChaCha8Rng) -> Vec<(usize, u32, u64)> {
        if !is_shared {
            self.known.clear();
        }
        let mut open: Option<usize> = None;
        let place = |chunk: &[u64]| {
            let found = self.known.get(chunk).copied().filter(|_| rng.random_bool(0.95));
            let (block, at) = found.unwrap_or_else(|| {
                let block = open.filter(|&block| self.blocks[block].len() < BLOCK).unwrap_or_else(|| {
                    self.blocks.push(Vec::new());
                    self.blocks.len() - 1
                });
                open = Some(block);
                let at = u32::try_from(self.blocks[block].len()).unwrap();
                self.blocks[block].push(chunk.to_vec());
                self.known.entry(chunk.to_vec()).or_insert((block, at));
                (block, at)
            });
            (block, at, chunk.len() as u64 * UNIT)
        };
        cut(file).into_iter().map(place).collect()
    }

    fn name(&self, block: usize) -> XetHash {
        let [a, b, c, d] = [0, 1, 2, 3].map(|word| digest((word, &self.blocks[block])));
        XetHash::parse(&format!("{a:016x}{b:016x}{c:016x}{d:016x}")).unwrap()
    }

    /// The terms of a file, some of them split.
    fn terms(&self, chunks: &[(usize, u32, u64)], rng: &mut ChaCha8Rng) -> Vec<Term> {
        let mut terms: Vec<(usize, Term)> = Vec::new();
        for &(block, at, len) in chunks {
            match terms.last_mut() {
                Some((last, term)) if *last == block && term.chunks.end == at && rng.random_bool(0.9) => {
                    term.chunks.end += 1;
                    term.len += len;
                }
                _ => terms.push((block, Term { block: self.name(block), chunks: at..at + 1, len })),
            }
        }
        terms.into_iter().map(|(_, term)| term).collect()
    }
}

fn symbols(len: usize, rng: &mut ChaCha8Rng) -> Symbols {
    // One in five is nothing but zeros.
    let is_constant = rng.random_bool(0.2);
    (0..len).map(|_| if is_constant { 0 } else { rng.random() }).collect()
}

fn base(rng: &mut ChaCha8Rng) -> Tensors {
    let count = rng.random_range(2..9);
    let tensor = |at: usize| {
        let len = rng.random_range(1..600);
        (format!("t{at}"), symbols(len, rng))
    };
    (0..count).map(tensor).collect()
}

/// What became of a model, one way in seven.
fn changed(base: &Tensors, way: u64, rng: &mut ChaCha8Rng) -> Tensors {
    let mut tensors = base.clone();
    match way {
        // Other metadata alone.
        0 => {}
        1 => tensors.shuffle(rng),
        // Tied: a tensor once more under another name.
        2 => {
            let twice = tensors[rng.random_range(0..tensors.len())].1.clone();
            tensors.insert(rng.random_range(0..=tensors.len()), ("tied".to_owned(), twice));
        }
        // One symbol of every other tensor.
        3 => {
            for (_, symbols) in tensors.iter_mut().step_by(2) {
                let at = rng.random_range(0..symbols.len());
                symbols[at] = rng.random();
            }
        }
        // Edits everywhere.
        4 => {
            for symbol in tensors.iter_mut().flat_map(|(_, symbols)| symbols).step_by(150) {
                *symbol = rng.random();
            }
        }
        // Renamed, and one of them longer.
        5 => {
            for (at, (name, _)) in tensors.iter_mut().enumerate() {
                *name = format!("renamed{}", at.abs_diff(3));
            }
            tensors[0].1.extend([1, 2, 3]);
        }
        _ => tensors = self::base(rng),
    }
    tensors
}

/// A model of one file, and the file.
fn model(label: &str, content: u32, tensors: &Tensors, rng: &mut ChaCha8Rng) -> (ChunkModel, Symbols) {
    let mut file: Symbols = (0..rng.random_range(1..30)).map(|_| rng.random()).collect();
    let place = |(name, symbols): &(String, Symbols)| {
        let start = file.len() as u64 * UNIT;
        file.extend(symbols);
        ChunkTensor {
            name: name.clone(),
            file: 0,
            range: ByteRange::new(start, file.len() as u64 * UNIT),
            dtype: Dtype::BF16,
            shape: vec![symbols.len() as u64, UNIT / 2],
            slot: None,
            layer: None,
            is_buffer: false,
        }
    };
    let tensors = tensors.iter().map(place).collect();
    let size = file.len() as u64 * UNIT;
    let files = vec![ChunkFile { path: "model.safetensors".to_owned(), size, content }];
    let model = ChunkModel {
        label: label.to_owned(),
        model: format!("o/{label}"),
        commit: String::new(),
        claim: None,
        files,
        tensors,
    };
    (model, file)
}

fn content(terms: Vec<Term>) -> Content {
    Content { size: terms.iter().map(|term| term.len).sum(), terms, nodes: Vec::new(), is_cut: false, unexamined: None }
}

fn slice(file: &[u64], range: ByteRange) -> &[u64] {
    assert!(range.start.is_multiple_of(UNIT) && range.len().is_multiple_of(UNIT), "{range}");
    &file[usize::try_from(range.start / UNIT).unwrap()..usize::try_from(range.end / UNIT).unwrap()]
}

/// Checks all that is said of a pair against the symbols; how many bytes are in tensors that are identical, and how many of them are shown.
fn check(answer: &ChunksAnswer, files: [&Symbols; 2], what: &str) -> (u64, u64) {
    let pair = &answer.pairs[0];
    let models = &answer.corpus.models;
    assert!(!pair.is_cut && !answer.is_incomplete(), "{what}");
    let (mut shown, mut equal) = (0, 0);
    let anywhere: BTreeSet<u64> = files[0].iter().copied().collect();
    for row in &pair.tensors {
        let tensor = &models[pair.b].tensors[row.b];
        let bytes = slice(files[1], tensor.range);
        let other = row.a.map(|at| slice(files[0], models[pair.a].tensors[at].range));
        let in_place = other.map_or(0, |other| bytes.iter().zip(other).filter(|(a, b)| a == b).count() as u64 * UNIT);
        assert!(row.same <= in_place, "{what}: {row:?}");
        let there = bytes.iter().filter(|symbol| anywhere.contains(symbol)).count() as u64 * UNIT;
        assert!(row.same + row.moved <= there, "{what}: {row:?}");
        if row.verdict == Verdict::Identical {
            assert_eq!(other, Some(bytes), "{what}: {row:?}");
        }
        let is_shown = row.same + row.moved > 0;
        assert_eq!(is_shown, row.method.is_some(), "{what}: {row:?}");
        // Zeros are shown by nothing.
        if bytes.iter().any(|&symbol| symbol != 0) && other == Some(bytes) {
            equal += tensor.range.len();
            shown += row.same;
        }
    }
    (equal, shown)
}

#[test]
fn of_a_thousand_random_pairs_nothing_is_claimed_that_is_not_so() {
    // Of each way and packing: bytes of identical tensors, those that are shown, and those with places asked for.
    let mut counts: HashMap<(u64, bool), (u64, u64, u64)> = HashMap::new();
    for seed in 0..1000_u64 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (way, is_shared) = (seed % 7, seed / 7 % 2 == 0);
        let tensors = base(rng);
        let (one, first) = model("a", 0, &tensors, rng);
        let (two, second) = model("b", 1, &changed(&tensors, way, rng), rng);
        let mut storage = Storage::default();
        let chunks = [&first, &second].map(|file| storage.upload(file, is_shared, rng));
        let terms = [&chunks[0], &chunks[1]].map(|chunks| storage.terms(chunks, rng));
        let what = format!("seed {seed}, way {way}, shared {is_shared}");
        // Every placed span is equal.
        let index = TermIndex::new(terms.iter().map(Vec::as_slice), &[]);
        assert!(index.inconsistent().is_empty(), "{what}");
        for span in index.spans(&[0], &[1], false).spans {
            if let Some(start) = span.a.1 {
                let a = ByteRange::new(start, start + span.b.1.len());
                assert_eq!(slice(&first, a), slice(&second, span.b.1), "{what}: {span:?}");
            }
        }
        // As terms tell, and once more with places that are asked for.
        let ask = async |content: u32, byte: u64| {
            let mut end = 0;
            let is_there = |(.., len): &&(usize, u32, u64)| {
                end += len;
                end > byte
            };
            let found = chunks[content as usize].iter().find(is_there);
            let told = found.map(|&(block, at, len)| {
                (Term { block: storage.name(block), chunks: at..at + 1, len }, byte + len - end)
            });
            Ok::<_, Infallible>(told)
        };
        let mut corpus = ChunkCorpus {
            models: vec![one, two],
            contents: terms.iter().cloned().map(content).collect(),
            lengths: Vec::new(),
            traffic: CasTraffic::default(),
            fingerprints: None,
        };
        let lengths = block_on(corpus.probed(64, ask));
        let answer = ChunksAnswer::of(corpus);
        let (equal, shown) = check(&answer, [&first, &second], &what);
        corpus = ChunkCorpus { contents: terms.into_iter().map(content).collect(), lengths, ..answer.corpus };
        let (_, probed) = check(&ChunksAnswer::of(corpus), [&first, &second], &what);
        let count = counts.entry((way, is_shared)).or_default();
        *count = (count.0 + equal, count.1 + shown, count.2 + probed);
    }
    // And most of what is so is shown where storage is shared: of tensors in another order once their places are asked for.
    let (equal, shown, probed) = counts[&(1, true)];
    assert!(probed * 10 > equal * 6 && probed * 4 > shown * 5, "{counts:?}");
    for way in [0, 2, 3, 5] {
        let (equal, shown, probed) = counts[&(way, true)];
        assert!(shown * 10 > equal * 6, "way {way}: {shown} of {equal} in {counts:?}");
        assert!(probed >= shown, "way {way}: {counts:?}");
    }
}

#[test]
fn what_a_model_repeats_is_found_within_it() {
    let mut found = 0;
    for seed in 0..100_u64 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let tensors = changed(&base(rng), 2, rng);
        let (one, file) = model("a", 0, &tensors, rng);
        let mut storage = Storage::default();
        let chunks = storage.upload(&file, true, rng);
        let contents = vec![content(storage.terms(&chunks, rng))];
        let corpus = ChunkCorpus {
            models: vec![one],
            contents,
            lengths: Vec::new(),
            traffic: CasTraffic::default(),
            fingerprints: None,
        };
        let answer = ChunksAnswer::of(corpus);
        check(&answer, [&file, &file], &format!("seed {seed}"));
        assert!(answer.pairs[0].tensors.iter().all(|row| row.a != Some(row.b)));
        // The border chunks of a repeated tensor are not shared, and where the others are follows only where terms happen to end.
        found += usize::from(answer.pairs[0].tensors.iter().any(|row| row.same > 0));
    }
    assert!(found > 20, "{found}");
}

#[test]
fn of_a_list_each_model_is_met_with_the_first_that_has_its_chunks() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let large = |rng: &mut ChaCha8Rng| -> Tensors {
        (0..4).map(|at| (format!("t{at}"), (0..1500).map(|_| rng.random()).collect())).collect()
    };
    let (one, other) = (large(rng), large(rng));
    // Two of the first family, two of the second, and one that took from both.
    let merge: Tensors = one.iter().take(2).chain(&other[2..]).cloned().collect();
    let mut storage = Storage::default();
    let mut contents = Vec::new();
    let mut models = Vec::new();
    for (at, tensors) in [&one, &one, &other, &other, &merge].into_iter().enumerate() {
        let (model, file) = model(&format!("m{at}"), u32::try_from(at).unwrap(), tensors, rng);
        let chunks = storage.upload(&file, true, rng);
        contents.push(content(storage.terms(&chunks, rng)));
        models.push(model);
    }
    let answer = ChunksAnswer::of(ChunkCorpus {
        models,
        contents,
        lengths: Vec::new(),
        traffic: CasTraffic::default(),
        fingerprints: None,
    });
    let pairs: Vec<(usize, usize)> = answer.pairs.iter().map(|pair| (pair.a, pair.b)).collect();
    assert_eq!(pairs, [(0, 1), (0, 4), (2, 3), (2, 4)]);
    for pair in &answer.pairs {
        let most = if pair.b == 4 { 2 } else { 4 };
        let size = most * 1500 * UNIT;
        assert!((size / 2..=size).contains(&pair.shared_bytes()), "{pair:?}");
    }
}
