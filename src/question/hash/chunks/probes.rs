//! Where runs of chunks begin in the first of two models, asked of the store by one byte each: of runs whose place follows in the second
//! alone. A run of a tuned model lies within a longer one of its base, and nothing tells what is before it there.

use std::collections::VecDeque;

use super::{
    ask::{ChunkCorpus, ChunkModel},
    tensors::Side,
    terms::{Row, TermIndex},
};
use crate::{digest::xet::XetHash, hub::Term, range::ByteRange};

/// Bytes that are asked about for one run.
const GUESSES: usize = 3;

/// Bytes of a chunk on average.
const MEAN: i64 = 64 << 10;

impl ChunkCorpus {
    /// Lengths of runs that place others, asked for at most `most` bytes of contents; nothing of more than two models. `ask` tells the chunk
    /// that holds a byte of a content, and how many bytes before that it begins.
    pub(super) async fn probed<E>(
        &self,
        most: usize,
        ask: impl AsyncFn(u32, u64) -> Result<Option<(Term, u64)>, E>,
    ) -> Vec<Term> {
        let (a, b) = match self.models.as_slice() {
            [one] => (one, one),
            [a, b] => (a, b),
            _ => return Vec::new(),
        };
        let contents = |model: &ChunkModel| model.files.iter().map(|file| file.content).collect::<Vec<u32>>();
        let contents = [a, b].map(contents);
        let sides = [Side::new(&a.tensors, &contents[0]), Side::new(&b.tensors, &contents[1])];
        let mut index = TermIndex::new(self.contents.iter().map(|content| content.terms.as_slice()), &[]);
        let (mut lengths, mut asked) = (Vec::new(), 0);
        for (x, y) in index.unplaced(&contents[0], &contents[1], self.models.len() == 1) {
            if asked == most {
                break;
            }
            let lo = x.first.max(y.first);
            let (None, Some(behind)) = (index.between(x.block, x.first, lo), index.between(y.block, y.first, lo))
            else {
                // What was asked for others placed it.
                continue;
            };
            let Some(block) = self.block_at(&x) else { continue };
            let mut guesses = guesses([&sides[0], &sides[1]], &x, (y.content, y.at + behind));
            for _ in 0..GUESSES {
                let Some(guess) = guesses.pop_front().filter(|_| asked < most) else { break };
                asked += 1;
                // A store that does not tell is not asked further.
                let Ok(found) = ask(x.content, guess).await else { return lengths };
                let Some((chunk, before)) = found else { continue };
                let place = u16::try_from(chunk.chunks.start).ok().filter(|place| (x.first..x.end).contains(place));
                let (Some(place), true, Some(behind)) = (place, chunk.block == block, guess.checked_sub(x.at + before))
                else {
                    continue;
                };
                let before_it = Term { block, chunks: x.first.into()..place.into(), len: behind };
                if index.learn(x.block, [place, place + 1], chunk.len) && index.learn(x.block, [x.first, place], behind)
                {
                    lengths.extend([before_it, chunk].into_iter().filter(|run| !run.chunks.is_empty()));
                }
                if index.between(x.block, x.first, lo).is_some() {
                    break;
                }
                let off = (i64::from(lo) - i64::from(place)) * MEAN;
                if let Some(next) = guess.checked_add_signed(off).filter(|next| is_in(&x, *next)) {
                    guesses.push_front(next);
                }
            }
        }
        lengths
    }

    /// The block of which a row has chunks.
    fn block_at(&self, row: &Row) -> Option<XetHash> {
        let terms = &self.contents.get(row.content as usize)?.terms;
        let mut end = 0;
        terms
            .iter()
            .find(|term| {
                end += term.len;
                end > row.at
            })
            .map(|term| term.block)
    }
}

fn is_in(row: &Row, byte: u64) -> bool {
    (row.at..row.at + u64::from(row.len)).contains(&byte)
}

/// Where in a row of the first model the bytes may stand that are at a place of the second: at the same place of the counterpart of the
/// tensor that they are in, then of others of its size.
fn guesses([a, b]: [&Side<'_>; 2], x: &Row, (content, at): (u32, u64)) -> VecDeque<u64> {
    let Some((tensor, _)) = b.within(content, ByteRange::new(at, at + 1)).next() else {
        // Of a header: at the same place.
        return VecDeque::from_iter(is_in(x, at).then_some(at));
    };
    let tensor = &b.tensors[tensor];
    let counterpart = a.counterpart(tensor);
    let row = ByteRange::new(x.at, x.at + u64::from(x.len));
    let others = a.within(x.content, row).map(|(other, _)| other).filter(|other| Some(*other) != counterpart);
    let of_row = |other: &usize| a.content(*other) == Some(x.content);
    let is_like = |other: &usize| {
        let other = &a.tensors[*other];
        (&other.dtype, other.range.len()) == (&tensor.dtype, tensor.range.len())
    };
    let places = counterpart.into_iter().filter(of_row).chain(others).filter(is_like);
    let guesses = places.map(|other| a.tensors[other].range.start + (at - tensor.range.start));
    guesses.filter(|guess| is_in(x, *guess)).take(GUESSES).collect()
}
