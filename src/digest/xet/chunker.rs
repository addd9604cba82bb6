//! Cuts content into chunks of about 64 KiB, so that an insertion moves the chunks behind it and changes only the one it is in.

use gearhash::Hasher;

use super::hash::XetHash;

/// No chunk is smaller but the last.
const SMALLEST: usize = 8 << 10;
const LARGEST: usize = 128 << 10;
/// Bytes that the rolling hash sees: those before do not count.
const WINDOW: usize = 64;
/// A chunk ends where these bits of the rolling hash are zero.
const MASK: u64 = 0xffff << 48;
const KEY: [u8; 32] = [
    102, 151, 245, 119, 91, 149, 80, 222, 49, 53, 203, 172, 165, 151, 24, 28, 157, 228, 33, 16, 155, 235, 43, 88, 180,
    208, 176, 75, 147, 173, 242, 41,
];

/// A chunk, or a node of the tree above chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// The hash: of the bytes of a chunk, of the children of another node.
    pub hash: XetHash,
    /// Bytes of content below.
    pub size: u64,
}

/// Cuts content that comes in pieces.
#[derive(Debug, Clone)]
pub struct Chunker {
    rolling: Hasher<'static>,
    /// Of the chunk that is open.
    content: blake3::Hasher,
    len: usize,
    chunks: Vec<Node>,
}

impl Default for Chunker {
    fn default() -> Self {
        Self { rolling: Hasher::default(), content: blake3::Hasher::new_keyed(&KEY), len: 0, chunks: Vec::new() }
    }
}

impl Chunker {
    /// Adds the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, is_end) = self.scan(bytes);
            let (head, rest) = bytes.split_at(taken);
            self.content.update(head);
            self.len += taken;
            if is_end {
                self.close();
            }
            bytes = rest;
        }
    }

    /// The chunks, in the order of the content.
    pub fn finish(mut self) -> Vec<Node> {
        if self.len > 0 {
            self.close();
        }
        self.chunks
    }

    /// How many of these bytes the open chunk takes, and whether it ends there.
    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let before = |bound: usize| bytes.len().min(bound.saturating_sub(self.len));
        let (unseen, early, end) = (before(SMALLEST - WINDOW - 1), before(SMALLEST - 1), before(LARGEST));
        self.rolling.update(&bytes[unseen..early]);
        match self.rolling.next_match(&bytes[early..end], MASK) {
            Some(more) => (early + more, true),
            None => (end, self.len + end == LARGEST),
        }
    }

    fn close(&mut self) {
        self.chunks.push(Node { hash: self.content.finalize().into(), size: self.len as u64 });
        self.content.reset();
        self.rolling.set_hash(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            testing::{chunks, splitmix},
            tree::root,
        },
        *,
    };
    use crate::digest::sha256_hex;

    fn ends(bytes: &[u8]) -> Vec<u64> {
        let mut end = 0;
        let sizes = chunks(bytes).into_iter().map(|chunk| chunk.size);
        sizes
            .map(|size| {
                end += size;
                end
            })
            .collect()
    }

    #[test]
    fn the_table_is_the_published_one() {
        let bytes: Vec<u8> = gearhash::DEFAULT_TABLE.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(sha256_hex(&bytes), "e1d3936666d7ae7a977c958e9afcc75f90aaca758ce5fbe4ece61dffefe1912c");
        assert_eq!(gearhash::DEFAULT_TABLE[255], 0x63c7_a906_c1dd_187b);
    }

    #[test]
    fn chunks_end_where_the_official_client_ends_them() {
        let content = splitmix(0, 1_000_000);
        assert_eq!((content[0], content[127], content[111_111]), (175, 132, 118));
        let expected = [
            84_493, 134_421, 144_853, 243_318, 271_793, 336_457, 467_529, 494_581, 582_000, 596_735, 616_815, 653_164,
            678_202, 724_510, 815_591, 827_760, 958_832, 991_092, 1_000_000,
        ];
        assert_eq!(ends(&content), expected);
        assert_eq!(ends(&content[..131_073]), [84_493, 131_073]);
        assert_eq!(ends(&content[..8192]), [8192]);
        assert_eq!(ends(&[]), [0; 0]);
        assert_eq!(chunks(&splitmix(1, 3_000_000)).len(), 40);
        for byte in [0, 0x3b] {
            assert_eq!(ends(&vec![byte; 1_000_000])[..2], [131_072, 262_144]);
            assert_eq!(chunks(&vec![byte; 1_000_000]).len(), 8);
        }
    }

    #[test]
    fn chunks_have_the_hashes_of_the_official_client() {
        let first = |content: &[u8]| chunks(content)[0].hash.to_string();
        assert_eq!(first(&[0]), "df93298cdbf67cd507aed28d6290c0cf7f9aa0aa88dfa629cffcf98680659410");
        assert_eq!(first(b"hello world"), "4e39378b9d359f118190557a1f44130219a54e5fcfa07bd96cf50b466fe651b1");
        assert_eq!(first(&splitmix(0, 1_000_000)), "6eca1e7dadaf08cca5d82d318c800f07c2ddcec115a7e8627e5edd9605b94b8d");
        assert_eq!(first(&vec![0; 1 << 17]), "2e39f13c248013b27e22913ba2893a654120ed0ad8eb7ecbf3f05b9d708634fc");
        assert_eq!(root(&chunks(&[0])), chunks(&[0])[0].hash);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn content_in_pieces_is_cut_as_in_one(cuts in prop::collection::vec(1_usize..100_000, 1..12), seed in 0_u64..4) {
            let content = splitmix(seed, 400_000);
            let mut chunker = Chunker::default();
            let mut rest = &content[..];
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                chunker.update(piece);
                rest = behind;
            }
            chunker.update(rest);
            prop_assert_eq!(chunker.finish(), chunks(&content));
        }
    }
}
