//! Of which runs of stored chunks a file is made, as a store tells it.

use std::ops::Range;

use serde::{Deserialize, Deserializer, de};

use crate::{digest::xet::XetHash, range::ByteRange};

/// Chunks of a stored block at most.
pub const MOST_CHUNKS: u32 = 8192;

/// Bytes of a chunk: at least, but of the last of a file, and at most.
const CHUNK: Range<u64> = 8 << 10..128 << 10;

/// A run of chunks of a stored block that stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Names the block (xorb) by its content.
    pub block: XetHash,
    /// Which of its chunks.
    pub chunks: Range<u32>,
    /// Their bytes in all.
    pub len: u64,
}

/// What a file is made of. Where the bytes are stands in the answer too, and is not read.
#[derive(Deserialize)]
pub(super) struct Reconstruction {
    #[serde(default)]
    offset_into_first_range: u64,
    terms: Vec<StatedTerm>,
}

impl Reconstruction {
    /// The one chunk of an answer to one byte, and how many bytes before that it begins.
    pub(super) fn only_chunk(self) -> Option<(Term, u64)> {
        let before = self.offset_into_first_range;
        let [StatedTerm { hash, unpacked_length, range }] = <[StatedTerm; 1]>::try_from(self.terms).ok()?;
        let term = Term { block: hash, chunks: range, len: unpacked_length };
        let is_one = term.chunks.len() == 1 && before < term.len && check(&term, true).is_ok();
        is_one.then_some((term, before))
    }
}

#[derive(Deserialize)]
struct StatedTerm {
    #[serde(deserialize_with = "hash")]
    hash: XetHash,
    unpacked_length: u64,
    range: Range<u32>,
}

pub(super) fn hash<'de, D: Deserializer<'de>>(text: D) -> Result<XetHash, D::Error> {
    XetHash::parse(&String::deserialize(text)?).ok_or_else(|| de::Error::custom("a hash has 64 hexadecimal digits"))
}

/// The terms of a file whose parts are asked for one after the other.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) terms: Vec<Term>,
    /// Bytes of the file that they make up, from its start.
    pub(super) end: u64,
}

impl Joined {
    /// Adds what is said of the next part, or tells why it cannot be. A part begins with the whole chunk that its first byte is in,
    /// which may be the last of the part before.
    pub(super) fn add(&mut self, answer: Reconstruction, part: ByteRange, size: u64) -> Result<(), String> {
        let before = answer.offset_into_first_range;
        let start = part.start.checked_sub(before).ok_or("it begins before the file does")?;
        let mut doubled = self.end.checked_sub(start).ok_or("bytes are left out")?;
        for StatedTerm { hash, unpacked_length, range } in answer.terms {
            let mut term = Term { block: hash, chunks: range, len: unpacked_length };
            check(&term, self.end.saturating_sub(doubled).saturating_add(term.len) == size)?;
            if doubled > 0 {
                let is_same = self.terms.last().is_some_and(|last| {
                    last.block == term.block && last.chunks.end.checked_sub(1) == Some(term.chunks.start)
                });
                if !is_same || doubled > CHUNK.end || doubled > term.len {
                    return Err("two parts do not meet at a chunk".to_owned());
                }
                term.chunks.start += 1;
                term.len -= doubled;
                doubled = 0;
                if term.chunks.is_empty() {
                    if term.len > 0 {
                        return Err("a chunk has two lengths".to_owned());
                    }
                    continue;
                }
            }
            self.end = self.end.saturating_add(term.len);
            self.terms.push(term);
        }
        let is_whole = if part.end == size { self.end == size } else { self.end >= part.end && self.end < size };
        if !is_whole {
            return Err(format!("its runs end at byte {} of {size}", self.end));
        }
        Ok(())
    }
}

/// Whether a block can have such a run. `is_last` is whether it ends the file.
fn check(Term { chunks, len, .. }: &Term, is_last: bool) -> Result<(), String> {
    if chunks.is_empty() || chunks.end > MOST_CHUNKS {
        return Err(format!("chunks {} to {} of a block", chunks.start, chunks.end));
    }
    let count = u64::from(chunks.end - chunks.start);
    let least = if is_last { CHUNK.start * (count - 1) + 1 } else { CHUNK.start * count };
    if !(least..=CHUNK.end * count).contains(len) {
        return Err(format!("{count} chunks of {len} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn term(block: &str, chunks: Range<u32>, len: u64) -> Value {
        let hash = block.repeat(32);
        json!({ "hash": hash, "unpacked_length": len, "range": { "start": chunks.start, "end": chunks.end } })
    }

    fn add(joined: &mut Joined, offset: u64, terms: &[Value], part: (u64, u64), size: u64) -> Result<(), String> {
        let answer = json!({
            "offset_into_first_range": offset, "terms": terms,
            "xorbs": { "aa": [{ "url": "https://c/x?Signature=s", "ranges": [] }] },
        });
        let answer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
        joined.add(answer, ByteRange::new(part.0, part.1), size)
    }

    #[test]
    fn a_file_is_its_terms_and_where_its_bytes_are_is_not_read() {
        let mut joined = Joined::default();
        let terms = [term("aa", 0..16, MIB), term("BB", 3..4, 5)];
        assert_eq!(add(&mut joined, 0, &terms, (0, MIB + 5), MIB + 5), Ok(()));
        let block = XetHash::parse(&"bb".repeat(32)).unwrap();
        assert_eq!(joined.terms[1], Term { block, chunks: 3..4, len: 5 });
    }

    #[test]
    fn parts_meet_at_a_chunk_that_both_tell() {
        let size = 3 * MIB;
        let mut joined = Joined::default();
        assert_eq!(add(&mut joined, 0, &[term("aa", 0..20, MIB + 1000)], (0, MIB), size), Ok(()));
        let wrong = [term("aa", 18..50, 2 * MIB - 1000 + 60_000)];
        let at = MIB + 1000;
        assert!(add(&mut joined, 60_000, &wrong, (at, size), size).unwrap_err().contains("do not meet"));
        let rest = [term("aa", 19..50, 2 * MIB - 1000 + 60_000)];
        assert_eq!(add(&mut joined, 60_000, &rest, (at, size), size), Ok(()));
        let chunks: Vec<(Range<u32>, u64)> = joined.terms.into_iter().map(|term| (term.chunks, term.len)).collect();
        assert_eq!(chunks, [(0..20, MIB + 1000), (20..50, 2 * MIB - 1000)]);
    }

    #[test]
    fn one_byte_is_answered_by_its_chunk_or_not_at_all() {
        let chunk = |offset: u64, terms: &[Value]| {
            let answer = json!({ "offset_into_first_range": offset, "terms": terms });
            serde_json::from_value::<Reconstruction>(answer).unwrap().only_chunk()
        };
        let block = XetHash::parse(&"aa".repeat(32)).unwrap();
        let expected = Term { block, chunks: 7..8, len: 9000 };
        assert_eq!(chunk(8999, &[term("aa", 7..8, 9000)]), Some((expected, 8999)));
        for (offset, terms) in [
            (9000, vec![term("aa", 7..8, 9000)]),
            (0, vec![term("aa", 7..9, 20_000)]),
            (0, vec![term("aa", 7..8, 200_000)]),
            (0, vec![term("aa", 7..8, 9000), term("aa", 8..9, 9000)]),
            (0, vec![]),
        ] {
            assert_eq!(chunk(offset, &terms), None, "{offset} {terms:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let whole = |terms: &[Value], size| add(&mut Joined::default(), 0, terms, (0, size), size);
        for (terms, size, reason) in [
            (vec![term("aa", 0..16, MIB)], MIB + 1, "its runs end at byte 1048576 of 1048577"),
            (vec![term("aa", 5..5, 0)], 10, "chunks 5 to 5 of a block"),
            (vec![term("aa", 8190..8193, 100_000)], 100_000, "chunks 8190 to 8193 of a block"),
            (vec![term("aa", 0..2, 262_145)], 262_145, "2 chunks of 262145 bytes"),
            (vec![term("aa", 0..2, 9000), term("aa", 0..1, 9000)], 18_000, "2 chunks of 9000 bytes"),
            (vec![term("**", 0..2, 20_000)], 20_000, "a hash has 64 hexadecimal digits"),
            (vec![term("aa", 0..1, u64::MAX)], 100, "1 chunks of 18446744073709551615 bytes"),
        ] {
            assert_eq!(whole(&terms, size), Err(reason.to_owned()));
        }
        let offset = add(&mut Joined::default(), 1, &[term("aa", 0..1, 9000)], (0, 9000), 9000);
        assert_eq!(offset, Err("it begins before the file does".to_owned()));
    }
}
