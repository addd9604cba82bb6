//! `GET /v2/file-chunk-hashes/{hash}`: Merkle nodes of what lies between dirty ranges of a file. They depend on the content alone,
//! however it is stored.

use serde_json::{Value, json};

use super::{dirty::windows, options::Fingerprints, subtree::Subtree};
use crate::{digest::xet::Node, range::ByteRange};

/// The answer for a file of these chunks; the ranges are in order and do not overlap.
pub(super) fn answer(chunks: &[Node], dirty: &[ByteRange], mode: Fingerprints) -> Value {
    let windows = windows(chunks, dirty, mode);
    let starts: Vec<u64> = std::iter::once(0)
        .chain(chunks.iter().scan(0, |end, chunk| {
            *end += chunk.size;
            Some(*end)
        }))
        .collect();
    let mut gaps = Vec::new();
    let mut start = 0;
    for end in windows.iter().map(|window| window.start).chain([chunks.len()]) {
        gaps.push(gap(chunks, start, end));
        start = windows.get(gaps.len() - 1).map_or(end, |window| window.end);
    }
    let windows = windows.iter().map(|window| json!({ "dirtyByteRange": [starts[window.start], starts[window.end]] }));
    json!({
        "totalChunks": chunks.len(),
        "fileSize": starts[chunks.len()] + u64::from(mode == Fingerprints::Odd && dirty.len() > 2),
        "windows": windows.collect::<Vec<Value>>(),
        "hashRanges": gaps,
        // For uploads alone, and empty for files of which no proofs of terms are kept.
        "gapVerification": [],
    })
}

/// The nodes of a run of chunks; null for none.
fn gap(chunks: &[Node], start: usize, end: usize) -> Value {
    if start == end {
        return Value::Null;
    }
    let (at_start, at_end) = (start == 0, end == chunks.len());
    let subtree = Subtree::of(&chunks[start..end], at_start, at_end);
    let node = |node: &Node| json!({ "hash": node.hash.to_string(), "size": node.size });
    json!({
        "nodes": subtree.nodes.iter().map(node).collect::<Vec<Value>>(),
        "levels": subtree.levels,
        "at_start": at_start,
        "at_end": at_end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::xet::testing::{chunks, splitmix};

    #[test]
    fn the_reference_answer_is_given() {
        let chunks = chunks(&splitmix(1, 3_000_000));
        let answer = answer(&chunks, &[ByteRange::new(1_000_000, 1_000_001)], Fingerprints::On);
        assert_eq!((&answer["totalChunks"], &answer["fileSize"]), (&json!(40), &json!(3_000_000)));
        assert_eq!(answer["windows"], json!([{ "dirtyByteRange": [966_033, 1_193_820] }]));
        let [first, second] = [&answer["hashRanges"][0], &answer["hashRanges"][1]];
        assert_eq!(first["levels"], json!([[12, 0]]));
        assert_eq!((&first["at_start"], &first["at_end"]), (&json!(true), &json!(false)));
        assert_eq!(first["nodes"][0]["hash"], "2520f307e75abcb6555d51e9019c4fb6eaa48883cb20c6fb5841450e5192f8b1");
        assert_eq!(second["levels"], json!([[6, 0], [5, 0]]));
        let nodes = second["nodes"].as_array().unwrap();
        let sizes: Vec<&Value> = nodes.iter().map(|node| &node["size"]).collect();
        let expected = [19_506, 131_072, 41_818, 10_070, 49_399, 131_072, 167_979, 351_829, 530_430, 330_972, 42_033];
        assert_eq!(sizes, expected.map(|size| json!(size)).iter().collect::<Vec<_>>());
        assert_eq!(nodes[10]["hash"], "9e900d807b3cd8e1ae94a3eccc714075866c0d9f9bf3d9a92c6134441e82fac4");
    }

    #[test]
    fn there_is_one_gap_more_than_windows_and_none_is_left_out() {
        let chunks = chunks(&splitmix(1, 3_000_000));
        let dirty = [ByteRange::new(0, 1), ByteRange::new(1_500_000, 1_500_001), ByteRange::new(2_999_999, 3_000_000)];
        for mode in [Fingerprints::On, Fingerprints::Short] {
            let answer = answer(&chunks, &dirty, mode);
            let bounds = answer["windows"].as_array().unwrap().iter().map(|window| window["dirtyByteRange"].clone());
            let mut covered: u64 = bounds.map(|ends| ends[1].as_u64().unwrap() - ends[0].as_u64().unwrap()).sum();
            let gaps = answer["hashRanges"].as_array().unwrap();
            assert_eq!(gaps.len(), 4);
            assert_eq!((&gaps[0], &gaps[3]), (&Value::Null, &Value::Null));
            let nodes = gaps.iter().flat_map(|gap| gap["nodes"].as_array().into_iter().flatten());
            covered += nodes.map(|node| node["size"].as_u64().unwrap()).sum::<u64>();
            assert_eq!(covered, 3_000_000);
        }
    }
}
