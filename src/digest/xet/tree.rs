//! Merkle trees over chunks: groups of two to nine nodes that end, as chunks do, where the content says so.

use std::fmt::Write;

use super::{chunker::Node, hash::XetHash};

/// The most children of a node.
const MOST: usize = 9;
const KEY: [u8; 32] = [
    1, 126, 197, 199, 165, 71, 41, 150, 253, 148, 102, 102, 180, 138, 2, 230, 93, 221, 83, 111, 55, 199, 109, 210, 248,
    99, 82, 230, 74, 83, 113, 63,
];
const FILE_KEY: [u8; 32] = [0; 32];

/// The hash of a file from its chunks.
pub fn file_hash(chunks: &[Node]) -> XetHash {
    if chunks.is_empty() { XetHash::EMPTY } else { XetHash::keyed(&FILE_KEY, &root(chunks).to_bytes()) }
}

/// The root above chunks, which names a stored block of them; a single chunk is its own.
pub fn root(chunks: &[Node]) -> XetHash {
    let mut level = chunks.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().map_or(XetHash::EMPTY, |node| node.hash)
}

/// The level above some nodes.
pub fn parents(mut level: &[Node]) -> Vec<Node> {
    let mut above = Vec::with_capacity(level.len().div_ceil(2));
    while !level.is_empty() {
        let (group, rest) = level.split_at(group_len(level));
        above.push(parent(group));
        level = rest;
    }
    above
}

/// How many nodes the first group has: three at least while there are three.
fn group_len(level: &[Node]) -> usize {
    let most = level.len().min(MOST);
    let end = (2..most).find(|&at| level[at].hash.ends_group());
    end.map_or(most, |at| at + 1)
}

fn parent(children: &[Node]) -> Node {
    let mut text = String::new();
    for Node { hash, size } in children {
        let _ = writeln!(text, "{hash} : {size}");
    }
    Node { hash: XetHash::keyed(&KEY, text.as_bytes()), size: children.iter().map(|child| child.size).sum() }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{chunks, splitmix},
        *,
    };

    #[test]
    fn files_have_the_hashes_of_the_official_client() {
        let twice = splitmix(7, 300_000).repeat(2);
        let rows: [(&[u8], &str); 10] = [
            (b"", "0000000000000000000000000000000000000000000000000000000000000000"),
            (&[0], "41f5539a8d8bdd7509fd9a319268aca47ea6d40b33394170182e09fa86345c7e"),
            (b"hello world", "f15edd43b7e85cfd25e2758ffe13b99fdd09dfa817e8d9f6548722a7a126db7f"),
            (&splitmix(0, 8192), "fd9a9a47884c4d95ca19ee0aef1242c5f5b1b52e7b05020bc773dffc6cd83352"),
            (&splitmix(0, 131_073), "064436f9c9a2e04b4b8e28e8ea34ba6186e159abd251ad061fa8dbc9756c2bcb"),
            (&splitmix(0, 1_000_000), "3d17b2d7d64a0e011b6717a52d9a16bd2c3f05b743fa8adf52a7d75dafab6d89"),
            (&splitmix(1, 3_000_000), "1a8f790de85780dc69cb6c006b41f9f8eb75b05722dd3b3dded5e2d1014e62e5"),
            (&twice, "ce80f7e51f7a53a64480add9f29f1e2a8680e1687353b050386b81b991c3f678"),
            (&vec![0; 1_000_000], "c0c85185f4307d40facfd366573176e54fc9c76041e44e32d52489780a6d1eaa"),
            (&vec![0x3b; 1_000_000], "53f845640fcd1c7440befff65bd93434c83a30c6559a705597d61f2ef64e2f88"),
        ];
        for (content, hash) in rows {
            assert_eq!(file_hash(&chunks(content)).to_string(), hash, "{} bytes", content.len());
        }
    }

    #[test]
    fn blocks_have_the_names_of_the_official_client() {
        let name = root(&chunks(&splitmix(0, 1_000_000))).to_string();
        assert_eq!(name, "6f2ce16ca5e317f0100ff0e7e5bf40a0de9032e9ee1ad04b6b8ff4e36cdfbf6c");
    }
}
