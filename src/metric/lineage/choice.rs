//! Which rows, layers and tokens are read: fixed by the seed and the shape of an index before any weight is seen.
//!
//! So all models of one shape are read at the same places, once, and every subset of the permutations of those places
//! stays exchangeable. More rows contain fewer.

use std::{cmp::Ordering, ops::Range};

use super::{draws::key, untested::Untested};

/// Rows of a block: one request, one exchangeable set, one cyclic group.
pub(crate) const BLOCK: usize = 8;

/// A run of fewer rows is in no block.
const SMALLEST_RUN: usize = 4;

/// Columns of a run; no grouping in use cuts one.
const COLUMN_RUN: usize = 32;

const MOST_LAYERS: usize = 32;
const FEWEST_TOKENS: usize = 16;

/// So many tokens are enough; a pair whose first tokens share fewer looks through all.
const ENOUGH_TOKENS: usize = 64;

/// The first `count` blocks of the seeded order, or all; `TooFew` where no run has four rows. `kind` names the index that the
/// runs make up.
pub(crate) fn blocks(
    kind: &str,
    runs: &[Range<usize>],
    count: usize,
    seed: u64,
) -> Result<Vec<Range<usize>>, Untested> {
    let lengths: Vec<String> = runs.iter().map(|run| run.len().to_string()).collect();
    let shape = match lengths.as_slice() {
        [first, rest @ ..] if rest.iter().all(|length| length == first) => format!("{}x{first}", runs.len()),
        _ => lengths.join(","),
    };
    let mut keyed: Vec<(u64, usize, Range<usize>)> = runs
        .iter()
        .flat_map(cut)
        .enumerate()
        .map(|(b, block)| (key(&[format!("hub-audit blocks 1\n{seed}\n{kind}\n{shape}\n{b}\n").as_bytes()]), b, block))
        .collect();
    keyed.sort_unstable_by_key(|&(key, b, _)| (key, b));
    keyed.truncate(count);
    if keyed.is_empty() {
        return Err(Untested::TooFew);
    }
    Ok(keyed.into_iter().map(|(_, _, block)| block).collect())
}

/// Blocks from a run's start; a short run is one block, what is left at the end is in none.
fn cut(run: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let length = if (SMALLEST_RUN..BLOCK).contains(&run.len()) { run.len() } else { BLOCK };
    let first = run.start;
    (0..run.len() / length).map(move |k| first + k * length..first + (k + 1) * length)
}

/// Columns that are read of a matrix that is stored by columns: two of its runs of 32, which share a scale in every format, or all where
/// these are no more.
pub(crate) fn columns(width: usize, seed: u64) -> Vec<usize> {
    if width <= 2 * COLUMN_RUN {
        return (0..width).collect();
    }
    let runs = first_two("columns", width, width / COLUMN_RUN, seed).into_iter();
    runs.flat_map(|run| run * COLUMN_RUN..(run + 1) * COLUMN_RUN).collect()
}

/// Routed experts of a layer of so many that are read: two.
pub(crate) fn experts(count: usize, seed: u64) -> Vec<usize> {
    first_two("routed", count, count, seed)
}

/// The first two of the seeded order of so many parts of an index, ascending; all where there are no more.
fn first_two(kind: &str, length: usize, parts: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..parts).collect();
    order.sort_by_cached_key(|part| {
        (key(&[format!("hub-audit blocks 1\n{seed}\n{kind}\n1x{length}\n{part}\n").as_bytes()]), *part)
    });
    order.truncate(2);
    order.sort_unstable();
    order
}

/// All layers up to 32, else 32 evenly spaced ones.
pub(crate) fn layers(count: usize) -> Vec<usize> {
    let gaps = MOST_LAYERS - 1;
    match count {
        ..=MOST_LAYERS => (0..count).collect(),
        _ => (0..MOST_LAYERS).map(|i| (2 * i * (count - 1) + gaps) / (2 * gaps)).collect(),
    }
}

/// How many blocks of a layer are read: two, and 32 over all `layers`; twice as many at each later stage.
pub(crate) fn blocks_per_layer(layers: usize, stage: u32) -> usize {
    MOST_LAYERS.div_ceil(layers.max(1)).max(2) << stage
}

/// A token that may be compared, in the seeded order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyedToken<'a> {
    key: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) begins_word: bool,
}

/// The eligible ones of `tokens` (bytes without a leading space, and whether a word begins with them) in the seeded order:
/// 2 to 16 visible ASCII characters. Markers and tokens without a row are left out by the caller.
pub(crate) fn ordered_tokens<'a>(tokens: impl IntoIterator<Item = (&'a [u8], bool)>, seed: u64) -> Vec<KeyedToken<'a>> {
    let domain = format!("hub-audit tokens 1\n{seed}\n");
    let mut keyed: Vec<KeyedToken<'a>> = tokens
        .into_iter()
        .filter(|(bytes, _)| (2..=16).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic))
        .map(|(bytes, begins_word)| {
            let mark: &[u8] = if begins_word { b"1" } else { b"0" };
            KeyedToken { key: key(&[domain.as_bytes(), mark, bytes]), bytes, begins_word }
        })
        .collect();
    keyed.sort_unstable();
    keyed.dedup();
    keyed
}

/// The tokens of a pair: those that are among the first `count` of both. Where these are fewer than 64, the first 64 of all that
/// both have. `TooFewTokens` below 16.
pub(crate) fn shared_tokens<'a>(
    a: &[KeyedToken<'a>],
    b: &[KeyedToken<'a>],
    count: usize,
) -> Result<Vec<KeyedToken<'a>>, Untested> {
    let mut shared = in_both(&a[..count.min(a.len())], &b[..count.min(b.len())]);
    if shared.len() < ENOUGH_TOKENS {
        shared = in_both(a, b);
        shared.truncate(ENOUGH_TOKENS);
    }
    if shared.len() < FEWEST_TOKENS { Err(Untested::TooFewTokens) } else { Ok(shared) }
}

fn in_both<'a>(a: &[KeyedToken<'a>], b: &[KeyedToken<'a>]) -> Vec<KeyedToken<'a>> {
    let (mut i, mut j, mut both) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                both.push(a[i]);
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    both
}

/// The order in which matched hidden coordinates are used: by a key of the first side's number.
pub(crate) fn coordinate_order(coordinates: &[usize], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..coordinates.len()).collect();
    order.sort_by_cached_key(|&k| {
        key(&[format!("hub-audit blocks 1\n{seed}\ncoordinate\n{}\n", coordinates[k]).as_bytes()])
    });
    order
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::metric::lineage::{
        draws::{below, draw_key, mix64, word},
        goldens::{goldens, integers},
    };

    fn runs(count: usize, length: usize) -> Vec<Range<usize>> {
        (0..count).map(|run| run * length..(run + 1) * length).collect()
    }

    fn pairs(blocks: &[Range<usize>]) -> Value {
        blocks.iter().map(|block| json!([block.start, block.len()])).collect()
    }

    #[test]
    fn words_and_keys_are_those_of_the_reference() {
        let golden = &goldens()["vectors"];
        let mixed = [0, 1, 0xDEAD_BEEF, u64::MAX].map(|x| mix64(x).to_string());
        assert_eq!(json!(mixed), golden["mix64"]);
        let key = draw_key(0, "mlp");
        assert_eq!(json!(key.to_string()), golden["stream_key_0_mlp"]);
        let words: Vec<String> = (0..5).map(|counter| word(key, counter).to_string()).collect();
        assert_eq!(json!(words), golden["words"]);
        let shifts: Vec<usize> = (0..16).map(|counter| below(word(key, counter), 8)).collect();
        assert_eq!(json!(shifts), golden["below_8"]);
    }

    #[test]
    fn blocks_are_those_of_the_reference() {
        let golden = &goldens()["vectors"];
        for (name, kind, runs) in [
            ("mlp 14336", "mlp", runs(1, 14336)),
            ("heads 8x128", "heads", runs(8, 128)),
            ("mlp 512", "mlp", runs(1, 512)),
            ("heads 4x32", "heads", runs(4, 32)),
            ("experts 128", "experts", runs(1, 128)),
            ("residual 256", "residual", runs(1, 256)),
        ] {
            assert_eq!(pairs(&blocks(kind, &runs, 8, 0).unwrap()), golden["blocks"][name], "{name}");
        }
        assert_eq!(pairs(&blocks("mlp", &runs(1, 14336), 4, 7).unwrap()), golden["blocks_seed_7"]);
    }

    #[test]
    fn short_runs_are_one_block_and_shorter_ones_are_none() {
        let runs = [0..5, 5..8, 8..27];
        let mut all = blocks("mlp", &runs, 99, 0).unwrap();
        all.sort_by_key(|block| block.start);
        assert_eq!(all, [0..5, 8..16, 16..24]);
        assert_eq!(blocks("mlp", &[0..3, 3..6], 9, 0), Err(Untested::TooFew));
    }

    #[test]
    fn layers_are_those_of_the_reference() {
        for case in goldens()["layers"].as_array().unwrap() {
            assert_eq!(layers(integers(&case[0])[0]), integers(&case[1]));
        }
        assert_eq!([1, 6, 12, 32, 80].map(|count| blocks_per_layer(layers(count).len(), 0)), [32, 6, 3, 2, 2]);
        assert_eq!(blocks_per_layer(12, 2), 12);
    }

    #[test]
    fn tokens_are_those_of_the_reference() {
        let golden = &goldens()["vectors"]["token_keys"];
        for token in ["the", "of", "import"] {
            let ordered = ordered_tokens([(token.as_bytes(), true)], 0);
            assert_eq!(json!(ordered[0].key.to_string()), golden[token]);
        }
        for case in goldens()["tokens"].as_array().unwrap() {
            let [a, b] = ["a", "b"].map(|side| integers(&case[side]));
            let spellings: Vec<String> = (0..900).map(|i| format!("t{i}")).collect();
            let vocabulary = |range: &[usize]| {
                let plain = (range[0]..range[1]).map(|i| (spellings[i].as_bytes(), i % 3 != 0));
                let odd: [(&[u8], bool); 4] =
                    [(b"x", true), (b"with space", false), ("été".as_bytes(), true), (&[b'a'; 17], true)];
                ordered_tokens(plain.chain(odd), case["seed"].as_u64().unwrap())
            };
            let (a, b) = (vocabulary(&a), vocabulary(&b));
            let shared = shared_tokens(&a, &b, 256);
            let expected = case["shared"].as_array().unwrap();
            if expected.len() < FEWEST_TOKENS {
                assert_eq!(shared, Err(Untested::TooFewTokens));
                continue;
            }
            let shared: Vec<Value> = shared
                .unwrap()
                .iter()
                .map(|token| json!([String::from_utf8_lossy(token.bytes), token.begins_word]))
                .collect();
            assert_eq!(&shared, expected);
        }
    }
}
