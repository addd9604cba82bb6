//! Content of which the hashes are published, and its chunks.

use super::chunker::{Chunker, Node};

/// The chunks of content that is whole in memory.
pub(crate) fn chunks(content: &[u8]) -> Vec<Node> {
    let mut chunker = Chunker::default();
    chunker.update(content);
    chunker.finish()
}

/// Bytes of the generator `splitmix64`, of which published vectors are made.
pub(crate) fn splitmix(mut state: u64, len: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    });
    words.flat_map(u64::to_le_bytes).take(len).collect()
}
