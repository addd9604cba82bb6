//! Nodes of a file's own Merkle tree, which name the bytes below them however these are stored.

use serde::Deserialize;

use super::terms::hash;
use crate::{digest::xet::XetHash, range::ByteRange};

/// A node of the Merkle tree above a file's chunks. Equal hashes and sizes are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentNode {
    /// Names the bytes.
    pub hash: XetHash,
    /// Where they are in the file.
    pub range: ByteRange,
}

/// What lies between windows around the positions that were asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fingerprinted {
    file_size: u64,
    windows: Vec<Window>,
    hash_ranges: Vec<Option<Gap>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    dirty_byte_range: [u64; 2],
}

#[derive(Deserialize)]
struct Gap {
    nodes: Vec<StatedNode>,
}

#[derive(Deserialize)]
struct StatedNode {
    #[serde(deserialize_with = "hash")]
    hash: XetHash,
    size: u64,
}

impl Fingerprinted {
    /// All nodes, or why they cannot be those of a file of this size: windows and nodes must be all of it.
    pub(super) fn nodes(self, size: u64) -> Result<Vec<ContentNode>, String> {
        if self.file_size != size || self.hash_ranges.len() != self.windows.len() + 1 {
            return Err("windows and gaps that do not fit".to_owned());
        }
        let mut nodes = Vec::new();
        let mut at = 0_u64;
        let windows = self.windows.iter().map(|window| window.dirty_byte_range).chain([[size, size]]);
        for (gap, [start, end]) in self.hash_ranges.into_iter().zip(windows) {
            for node in gap.into_iter().flat_map(|gap| gap.nodes) {
                let next = at.checked_add(node.size).filter(|&next| next > at && next <= start);
                let next = next.ok_or_else(|| format!("a node of {} bytes at byte {at}", node.size))?;
                nodes.push(ContentNode { hash: node.hash, range: ByteRange::new(at, next) });
                at = next;
            }
            if at != start || end < start || end > size {
                return Err(format!("nodes end at byte {at}, and the window begins at {start}"));
            }
            at = end;
        }
        Ok(nodes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nodes_and_windows_are_all_of_a_file_or_are_not_believed() {
        let hash = "ab".repeat(32);
        let nodes = |sizes: &[u64]| json!({ "nodes": sizes.iter().map(|size| json!({ "hash": hash, "size": size })).collect::<Vec<Value>>(), "levels": [] });
        let answer = |windows: &[[u64; 2]], gaps: Vec<Value>| {
            let windows: Vec<Value> = windows.iter().map(|range| json!({ "dirtyByteRange": range })).collect();
            let answer = json!({ "totalChunks": 3, "fileSize": 100, "windows": windows, "hashRanges": gaps });
            let nodes = serde_json::from_value::<Fingerprinted>(answer).unwrap().nodes(100);
            nodes.map(|nodes| nodes.iter().map(|node| (node.range.start, node.range.end)).collect::<Vec<_>>())
        };
        assert_eq!(answer(&[[0, 30]], vec![Value::Null, nodes(&[50, 20])]), Ok(vec![(30, 80), (80, 100)]));
        assert_eq!(answer(&[[10, 20], [20, 100]], vec![nodes(&[10]), Value::Null, Value::Null]), Ok(vec![(0, 10)]));
        for (windows, gaps) in [
            (&[[0, 30]][..], vec![Value::Null]),
            (&[[0, 30]], vec![Value::Null, nodes(&[50, 21])]),
            (&[[0, 30]], vec![Value::Null, nodes(&[50])]),
            (&[[0, 30]], vec![Value::Null, nodes(&[70, 0])]),
            (&[[30, 20]], vec![nodes(&[30]), nodes(&[80])]),
            (&[[0, 101]], vec![Value::Null, Value::Null]),
            (&[], vec![nodes(&[u64::MAX, 101])]),
            (&[], vec![Value::Null]),
        ] {
            assert!(answer(windows, gaps.clone()).is_err(), "{windows:?} {gaps:?}");
        }
    }
}
