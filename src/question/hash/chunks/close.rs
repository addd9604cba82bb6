//! Reads what chunks leave undecided of tensors of which little is: the only proof that two tensors differ, and of small ones that they
//! do not.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    answer::ChunksAnswer,
    ask::ChunkModel,
    row::{Method, TensorRow, Verdict},
};
use crate::{
    error::{Error, Result},
    model::{AuditError, Model, Opened, Session},
    range::{ByteRange, coalesce},
};

/// Bytes between two ranges that are read with them rather than by another request.
const GAP: u64 = 64 << 10;

/// Bytes of one request, and requests at once.
const LARGEST: u64 = 8 << 20;
const AT_ONCE: usize = 8;

/// A file, by its model and its place there.
type File = (usize, usize);

impl ChunksAnswer {
    /// Bytes that [`ChunksAnswer::close`] would read.
    pub fn undecided_bytes(&self) -> u64 {
        let spans = self.spans();
        spans.iter().map(|(_, span)| span.len()).sum()
    }

    /// Reads the undecided bytes of both tensors of each row that has some, and decides. More than `most` bytes are not read.
    pub async fn close(&mut self, session: &Session, opened: &[Opened], most: u64) -> Result<()> {
        let models: Vec<&Arc<Model>> = opened.iter().filter_map(|opened| opened.outcome.as_ref().ok()).collect();
        let spans = self.spans();
        let planned = self.undecided_bytes();
        if planned > most {
            return Err(AuditError::OverBudget { planned, limit: most }.into());
        }
        session.access.hub.limit_ranges(most);
        let read = spans.into_iter().map(|((model, file), span)| {
            let path = &self.corpus.models[model].files[file].path;
            let repository = &models[model].repository;
            async move { Ok::<_, Error>(((model, file, span), repository.read(path, span).await?)) }
        });
        let read: BTreeMap<(usize, usize, ByteRange), Bytes> =
            stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await?;
        self.bytes_read = Some(planned);
        let bytes = |(model, file): File, range: ByteRange| {
            let before = read.range(..=(model, file, ByteRange::new(range.start, u64::MAX))).next_back()?;
            let (&(.., span), bytes) = Some(before).filter(|(place, _)| (place.0, place.1) == (model, file))?;
            let from = usize::try_from(range.start.checked_sub(span.start)?).ok()?;
            bytes.get(from..from + usize::try_from(range.len()).ok()?)
        };
        for pair in &mut self.pairs {
            for row in &mut pair.tensors {
                let (Some(_), false) = (row.a, row.undecided.is_empty()) else { continue };
                let sides = sides(&self.corpus.models, (pair.a, pair.b), row);
                let is_equal = sides.iter().all(|&[(one, in_one), (two, in_two)]| {
                    bytes(one, in_one).is_some_and(|read| Some(read) == bytes(two, in_two))
                });
                decide(row, is_equal);
            }
        }
        Ok(())
    }

    /// What is to be read: spans of files, each covering several ranges that lie near each other.
    fn spans(&self) -> Vec<(File, ByteRange)> {
        let mut ranges: BTreeMap<File, Vec<ByteRange>> = BTreeMap::new();
        for pair in &self.pairs {
            for row in &pair.tensors {
                for (file, range) in sides(&self.corpus.models, (pair.a, pair.b), row).into_iter().flatten() {
                    ranges.entry(file).or_default().push(range);
                }
            }
        }
        let spans = |(file, ranges): (File, Vec<ByteRange>)| {
            coalesce(&ranges, GAP, LARGEST).into_iter().map(move |(span, _)| (file, span))
        };
        ranges.into_iter().flat_map(spans).collect()
    }
}

/// The undecided ranges of a row, each in both files.
fn sides(models: &[ChunkModel], (a, b): (usize, usize), row: &TensorRow) -> Vec<[(File, ByteRange); 2]> {
    let Some(other) = row.a else { return Vec::new() };
    let (one, two) = (&models[a].tensors[other], &models[b].tensors[row.b]);
    let both = |range: &ByteRange| {
        let before = range.start - two.range.start;
        let start = one.range.start + before;
        [((a, one.file), ByteRange::new(start, start + range.len())), ((b, two.file), *range)]
    };
    row.undecided.iter().map(both).collect()
}

/// What follows from bytes that were read.
fn decide(row: &mut TensorRow, is_equal: bool) {
    let read: u64 = row.undecided.iter().map(ByteRange::len).sum();
    row.method = Some(if row.same > 0 { Method::ChunksAndBytes } else { Method::Bytes });
    if is_equal {
        (row.same, row.moved, row.verdict) = (row.same + read, 0, Verdict::Identical);
    } else {
        row.verdict = Verdict::Different;
    }
    row.undecided.clear();
}
